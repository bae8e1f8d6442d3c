"""Signing in with the mPIN, answering challenges, and signing out (auth.md §3.3)."""

import asyncio

from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import BadEntry, NotAsIntended, NotReady, Refused
from mock_mobile_client.handset import Handset, Level
from mock_mobile_client.intents import Intent, SignInIntent, StepUpIntent, check
from mock_mobile_client.pin import PinBlob
from mock_mobile_client.signing import (
    b64url,
    challenge_message,
    mpin_proof,
    sha256,
    unb64url,
)
from mock_mobile_client.values import ChallengeValue, JsonObject, TokenValue

SIGN_IN_AGAIN = frozenset(
    {"TOKEN_EXPIRED", "TOKEN_INVALID", "TOKEN_MISSING", "SESSION_ENDED"}
)


class Session:
    """One person at one phone.

    Attributes:
        pin: What the person types when asked; None while nobody is there.
    """

    def __init__(self, handset: Handset, pin: str | None) -> None:
        self.handset = handset
        self.pin = pin
        self._one_at_a_time = asyncio.Lock()

    async def login(self, pin: str | None = None) -> TokenValue:
        """Sign in with the mPIN; the former session of this phone ends.

        Raises:
            Refused: INVALID_CREDENTIAL with `attemptsLeft`, CREDENTIAL_LOCKED,
                DEVICE_LOCKED, DEVICE_BLOCKED, CHALLENGE_EXPIRED.
        """
        handset = self.handset
        asked = {"input": {"deviceId": handset.device_id, "factor": FactorKind.MPIN}}
        started = await handset.call("login_start", asked, Level.DEVICE)
        challenge = ChallengeValue.read(started["challenge"])
        answer = await self.answer(challenge, SignInIntent(), pin)
        done = await handset.call("login_finish", {"input": answer}, Level.DEVICE)
        tokens = TokenValue.read(done["tokens"])
        if pin is not None:
            self.pin = pin
        handset.keep(token=tokens.access_token, token_expires_at=tokens.expires_at)
        return tokens

    async def logout(self) -> None:
        """End the session of this phone; works without a token, too."""
        await self.handset.call("logout", {}, Level.DEVICE)
        self.handset.keep(token=None, token_expires_at=None)

    async def call(self, operation: str, variables: JsonObject) -> JsonObject:
        """Send a LOGIN operation; signs in again once when the token has ended.

        Raises:
            Refused: the bank said no.
            NotReady: nobody is signed in.
        """
        used = self.handset.token
        try:
            return await self.handset.call(operation, variables)
        except Refused as refused:
            if refused.reason not in SIGN_IN_AGAIN or self.pin is None:
                raise
            await self.renew(used)
        return await self.handset.call(operation, variables)

    async def renew(self, used: str) -> None:
        """Get a newer token than `used`, unless somebody got it already.

        Raises:
            NotReady: nobody is there to type the mPIN.
        """
        async with self._one_at_a_time:
            if self.handset.state.token not in {used, None}:
                return
            if self.pin is None:
                raise NotReady(f"{self.handset.name} must sign in again")
            await self.login()

    async def answer(
        self, challenge: ChallengeValue, intent: Intent, pin: str | None = None
    ) -> JsonObject:
        """Check a challenge against the intent, then sign it with key and mPIN.

        Answers the input of loginFinish or challengeRespond; the same bytes may be
        sent again after a lost reply.

        Raises:
            NotAsIntended: the challenge says something else.
            BadEntry: no PIN was typed, or an mPIN may not answer.
        """
        handset = self.handset
        check(challenge, intent, handset.device_id)
        if FactorKind.MPIN not in challenge.allowed:
            raise BadEntry(f"this challenge takes {', '.join(challenge.allowed)} only")
        message = challenge_message(
            challenge.purpose, challenge.nonce, challenge.payload
        )
        secret = await self._secret(pin if pin is not None else self.pin)
        proof = mpin_proof(secret, handset.device_id, sha256(message))
        return {
            "challengeId": challenge.id,
            "deviceSignature": b64url(handset.key.sign(message)),
            "response": {"mpinProof": b64url(proof)},
        }

    async def step_up(
        self, operation: str, field: str, given: JsonObject
    ) -> JsonObject:
        """Send a STEP_UP call, approve it when asked, and send it again.

        Source: auth.md §3.9.
        """
        try:
            return await self.call(operation, {"input": given})
        except Refused as refused:
            challenge = refused.facts.get("challenge")
            if refused.code != "STEP_UP_REQUIRED" or not isinstance(challenge, dict):
                raise
        intent = StepUpIntent(field, given)
        answer = await self.answer(ChallengeValue.read(challenge), intent)
        approved = await self.call("challenge_respond", {"input": answer})
        if not approved["approved"]:
            raise NotAsIntended(f"{field} was signed, yet the bank did not take it")
        return await self.call(operation, {"input": given})

    async def _secret(self, pin: str | None) -> bytes:
        """Unmask the pinSecret; a wrong PIN gives a wrong secret."""
        state = self.handset.state
        if pin is None:
            raise BadEntry("no mPIN was typed")
        if state.blob is None:
            raise NotReady(f"{self.handset.name} has no mPIN: enrol it first")
        blob = PinBlob.parse(unb64url(state.blob))
        hardware = state.hardware_key
        key = None if hardware is None else unb64url(hardware)
        return await asyncio.to_thread(blob.open, pin, key)
