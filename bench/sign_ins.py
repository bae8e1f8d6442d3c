"""Signing in over the wire, with the phone's slow part done beforehand.

A phone pays 100,000 rounds of PBKDF2 per typed mPIN. Here that is done once: what is
measured is the bank.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from bench.load import Turn, cpu_seconds
from bench.phones import PIN
from mock_mobile_client.enums import FactorKind
from mock_mobile_client.factors import Hand, respond
from mock_mobile_client.handset import Level
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import PinBlob
from mock_mobile_client.signing import (
    b64url,
    challenge_message,
    mpin_proof,
    sha256,
    unb64url,
)
from mock_mobile_client.values import ChallengeValue, JsonObject


@dataclass(frozen=True, slots=True)
class Holder:
    """A phone whose person has typed the mPIN already.

    Args:
        phone: it holds an mPIN and a passkey.
        secret: what its mPIN unmasks.
    """

    phone: Phone
    secret: bytes

    @classmethod
    async def of(cls, phone: Phone) -> Self:
        """Unmask the mPIN, and register a passkey."""
        await phone.register_passkey()
        state = phone.handset.state
        blob = PinBlob.parse(unb64url(state.blob or ""))
        hardware = state.hardware_key
        key = None if hardware is None else unb64url(hardware)
        return cls(phone, await asyncio.to_thread(blob.open, PIN, key))

    async def sign_in(self, factor: FactorKind) -> None:
        """Sign in, both requests; the tokens are dropped.

        Raises:
            Refused: the bank said no.
        """
        handset = self.phone.handset
        asked: JsonObject = {"deviceId": handset.device_id, "factor": factor}
        started = await handset.call_surely(
            "login_start", {"input": asked}, Level.DEVICE
        )
        challenge = ChallengeValue.read(started["challenge"])
        message = challenge_message(
            challenge.purpose, challenge.nonce, challenge.payload
        )
        answer = {
            "challengeId": challenge.id,
            "deviceSignature": b64url(handset.key.sign(message)),
            "response": await self._response(factor, challenge, message),
        }
        done = await handset.call_surely(
            "login_finish", {"input": answer}, Level.DEVICE
        )
        if not done["tokens"]:
            raise SystemExit("a sign-in gave no tokens")

    async def _response(
        self, factor: FactorKind, challenge: ChallengeValue, message: bytes
    ) -> JsonObject:
        handset = self.phone.handset
        if factor is FactorKind.MPIN:
            proof = mpin_proof(self.secret, handset.device_id, sha256(message))
            return {"mpinProof": b64url(proof)}
        return await respond(handset, factor, challenge, message, Hand())


async def holders(phones: Sequence[Phone]) -> list[Holder]:
    """Make every phone ready to sign in by either factor."""
    return [await Holder.of(phone) for phone in phones]


async def measured(
    ready: Sequence[Holder], factor: FactorKind, times: int, pid: int
) -> Turn:
    """Let every phone sign in so often, all at once; counts sign-ins."""

    async def again_and_again(holder: Holder) -> None:
        for _ in range(times):
            await holder.sign_in(factor)

    spent, began = cpu_seconds(pid), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for holder in ready:
            group.create_task(again_and_again(holder))
    seconds = time.perf_counter() - began
    return Turn(times * len(ready), seconds, cpu_seconds(pid) - spent)
