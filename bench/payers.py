"""Customers who pay: each on a line of its own, from the wish to SETTLED.

Two requests a payment, as an app sends them: paymentCreate, then challengeRespond with
the phone's signature over what the bank showed and the proof of the mPIN. Every request
has a DPoP proof of its own. The money goes to the customer's other account and back.
"""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson

from bench.load import Line, Turn, cpu_seconds
from bench.phones import PIN, signed
from mock_mobile_client.api import encode
from mock_mobile_client.enums import ChallengePurpose
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import PinBlob
from mock_mobile_client.signing import (
    b64url,
    challenge_message,
    mpin_proof,
    sha256,
    unb64url,
)

_REFUSED = "userErrors { code message }"
_LOOK_S = 0.05
CREATE = (
    "mutation Create($input: PaymentCreateInput!) { paymentCreate(input: $input) { "
    f"payment {{ id challenge {{ id purpose nonce payload }} }} {_REFUSED} }} }}"
)
RESPOND = (
    "mutation Respond($input: ChallengeRespondInput!) { "
    f"challengeRespond(input: $input) {{ payment {{ status }} {_REFUSED} }} }}"
)
LOOK = "query Look($id: ID!) { node(id: $id) { ... on Payment { status } } }"


@dataclass(slots=True)
class Payer:
    """One phone whose person has typed the mPIN already.

    Args:
        phone: signed in.
        secret: what its mPIN unmasks.
        accounts: two of its customer; money goes from the first to the second.
        line: to the bank.
    """

    phone: Phone
    secret: bytes
    accounts: list[str]
    line: Line

    @classmethod
    async def of(cls, phone: Phone, port: int) -> Self:
        """Unmask the mPIN, look the accounts up, and open a line."""
        state = phone.handset.state
        blob = PinBlob.parse(unb64url(state.blob or ""))
        hardware = state.hardware_key
        key = None if hardware is None else unb64url(hardware)
        secret = await asyncio.to_thread(blob.open, PIN, key)
        accounts = [account.id for account in (await phone.home()).accounts[:2]]
        return cls(phone, secret, accounts, await Line.open(port))

    async def pay(self) -> None:
        """Pay one unit, until it is settled."""
        self.accounts.reverse()
        wish = {
            "idempotencyKey": str(uuid.uuid4()),
            "fromAccountId": self.accounts[0],
            "to": {"ownAccountId": self.accounts[1]},
            "amount": {"minorUnits": "1", "currency": "INR"},
        }
        created = await self._told(CREATE, "Create", wish)
        challenge = created["payment"]["challenge"]
        message = challenge_message(
            ChallengePurpose(challenge["purpose"]),
            challenge["nonce"],
            challenge["payload"],
        )
        handset = self.phone.handset
        proof = mpin_proof(self.secret, handset.device_id, sha256(message))
        answer = {
            "challengeId": challenge["id"],
            "deviceSignature": b64url(handset.key.sign(message)),
            "response": {"mpinProof": b64url(proof)},
        }
        done = await self._told(RESPOND, "Respond", answer)
        status = done["payment"]["status"]
        while status == "SUBMITTED":  # the bank answers after 2 s and carries on
            await asyncio.sleep(_LOOK_S)
            looked = await self._asked(LOOK, "Look", {"id": created["payment"]["id"]})
            status = looked["status"]
        if status != "SETTLED":
            raise SystemExit(f"a payment ended {status}")

    async def _told(self, text: str, name: str, wish: dict[str, Any]) -> dict[str, Any]:
        found = await self._asked(text, name, {"input": wish})
        if found["userErrors"]:
            raise SystemExit(f"no payment: {found['userErrors']}")
        return found

    async def _asked(
        self, text: str, name: str, given: dict[str, Any]
    ) -> dict[str, Any]:
        request = signed(self.line.port, self.phone, encode(text, given, name))
        answer = orjson.loads(await self.line.ask(request))
        [found] = (answer.get("data") or {"": None}).values()
        if answer.get("errors") or not found:
            raise SystemExit(f"no payment: {answer}")
        told: dict[str, Any] = found
        return told


async def payers(phones: Sequence[Phone], port: int) -> list[Payer]:
    """Make every phone ready to pay."""
    return [await Payer.of(phone, port) for phone in phones]


async def freshened(ready: Sequence[Payer]) -> None:
    """Renew the tokens that a turn would outlive, before it is timed."""
    for payer in ready:
        await payer.phone.freshen()


async def saturated(ready: Sequence[Payer], times: int, pid: int) -> Turn:
    """Let everybody pay so often, all at once; counts payments."""

    async def again_and_again(payer: Payer) -> None:
        for _ in range(times):
            await payer.pay()

    await freshened(ready)
    spent, began = cpu_seconds(pid), time.perf_counter()
    await asyncio.gather(*(again_and_again(payer) for payer in ready))
    seconds = time.perf_counter() - began
    return Turn(times * len(ready), seconds, cpu_seconds(pid) - spent)


async def paced(
    ready: Sequence[Payer], per_second: float, seconds: float
) -> list[float]:
    """Begin payments at a fixed rate; gives milliseconds of each since it was due."""
    await freshened(ready)
    idle: asyncio.Queue[Payer] = asyncio.Queue()
    for payer in ready:
        idle.put_nowait(payer)
    began = time.perf_counter()

    async def on_time(due: float) -> float:
        await asyncio.sleep(due - time.perf_counter())
        payer = await idle.get()
        await payer.pay()
        idle.put_nowait(payer)
        return (time.perf_counter() - due) * 1000

    async with asyncio.TaskGroup() as group:
        sent = [
            group.create_task(on_time(began + turn / per_second))
            for turn in range(max(2, int(per_second * seconds)))
        ]
    return [one.result() for one in sent]
