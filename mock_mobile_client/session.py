"""Signing in, refreshing, answering challenges, signing out (auth.md §3.3, §3.7)."""

import asyncio
from datetime import datetime

from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import (
    BadEntry,
    NotAsIntended,
    NotReady,
    Refused,
)
from mock_mobile_client.factors import Hand, respond
from mock_mobile_client.handset import Handset, Level
from mock_mobile_client.intents import Intent, SignInIntent, StepUpIntent, check
from mock_mobile_client.signing import b64url, challenge_message
from mock_mobile_client.values import ChallengeValue, JsonObject, TokenValue

REFRESH = frozenset({"TOKEN_EXPIRED", "TOKEN_INVALID", "TOKEN_MISSING"})
SIGN_IN_AGAIN = REFRESH | {"SESSION_ENDED"}
SESSION_OVER = frozenset({"SESSION_LOCKED", "SESSION_ENDED", "INVALID_CREDENTIAL"})
ABOUT_TO_END_S = 30.0


class Session:
    """One person at one phone.

    Attributes:
        pin: What the person types when asked; None while nobody is there.
        finger: What the person lays on the sensor when asked.
        factor: With what the person signed in last; used to sign in again.
    """

    def __init__(
        self, handset: Handset, pin: str | None, finger: str | None = None
    ) -> None:
        self.handset = handset
        self.pin = pin
        self.finger = finger
        self.factor = FactorKind.MPIN
        self._one_at_a_time = asyncio.Lock()

    async def login(
        self, pin: str | None = None, factor: FactorKind = FactorKind.MPIN
    ) -> TokenValue:
        """Sign in with mPIN, passkey or finger; the phone's former session ends.

        Raises:
            Refused: INVALID_CREDENTIAL with `attemptsLeft`, CREDENTIAL_LOCKED,
                DEVICE_LOCKED, DEVICE_BLOCKED, CHALLENGE_EXPIRED.
        """
        handset = self.handset
        asked = {"input": {"deviceId": handset.device_id, "factor": factor}}
        started = await handset.call("login_start", asked, Level.DEVICE)
        challenge = ChallengeValue.read(started["challenge"])
        answer = await self.answer(challenge, SignInIntent(), pin, factor)
        done = await handset.call("login_finish", {"input": answer}, Level.DEVICE)
        if pin is not None:
            self.pin = pin
        self.factor = factor
        return self._keep(done["tokens"])

    async def logout(self) -> None:
        """End the session of this phone; works without a token, too."""
        await self.handset.call("logout", {}, Level.DEVICE)
        self._forget()

    async def refresh(self) -> TokenValue:
        """Get new tokens for the refresh token (auth.md §3.7).

        Only the answer replaces the stored token. After a lost answer the same token
        goes out again, once here and at the next need.

        Raises:
            Refused: SESSION_LOCKED after idling, SESSION_ENDED, INVALID_CREDENTIAL.
            NotReady: nobody signed in.
            Unreachable: no answer, twice.
        """
        async with self._one_at_a_time:
            return await self._refresh()

    async def call(self, operation: str, variables: JsonObject) -> JsonObject:
        """Send a LOGIN operation; renews the tokens once when they have ended.

        Raises:
            Refused: the bank said no; SESSION_LOCKED and SESSION_ENDED mean that the
                person must sign in, and nobody is there.
            NotReady: nobody is signed in.
        """
        used = self.handset.token
        try:
            return await self.handset.call(operation, variables)
        except Refused as refused:
            refreshable = refused.reason in REFRESH and self._can_refresh
            again = refused.reason in SIGN_IN_AGAIN and self.pin is not None
            if not refreshable and not again:
                raise
            if refused.reason not in REFRESH:
                self.handset.keep(refresh_token=None)
            await self.renew(used)
        return await self.handset.call(operation, variables)

    async def renew(self, used: str) -> None:
        """Get a newer token than `used`, unless somebody got it already.

        By the refresh token; where the session is over, by signing in.

        Raises:
            Refused: the session is over and nobody is there to sign in.
            NotReady: the same, and there is no refresh token.
        """
        async with self._one_at_a_time:
            if self.handset.state.token not in {used, None}:
                return
            if self._can_refresh and await self._refreshed():
                return
            if self.pin is None:
                raise NotReady(f"{self.handset.name} must sign in again")
            await self.login(factor=self.factor)

    async def freshen(self) -> None:
        """Refresh ahead of time when the access token is about to end.

        The phone's clock decides; where it is wrong, the bank's 4419 or TOKEN_EXPIRED
        does.
        """
        end = self.handset.state.token_expires_at
        if end is None or not self._can_refresh:
            return
        left_s = datetime.fromisoformat(end).timestamp() - self.handset.setting.clock()
        if left_s < ABOUT_TO_END_S:
            await self.renew(self.handset.token)

    async def answer(
        self,
        challenge: ChallengeValue,
        intent: Intent,
        pin: str | None = None,
        factor: FactorKind = FactorKind.MPIN,
    ) -> JsonObject:
        """Check a challenge against the intent, then sign it with key and factor.

        Answers the input of loginFinish or challengeRespond; the same bytes may be
        sent again after a lost reply.

        Raises:
            NotAsIntended: the challenge says something else.
            BadEntry: no PIN was typed, or this factor may not answer.
            PasskeyRefused: no passkey of this phone fits.
            FingerRefused: the finger is not the owner's.
        """
        handset = self.handset
        check(challenge, intent, handset.device_id)
        if factor not in challenge.allowed:
            raise BadEntry(
                f"{factor} may not answer here; {', '.join(challenge.allowed)} may"
            )
        message = challenge_message(
            challenge.purpose, challenge.nonce, challenge.payload
        )
        typed = pin if pin is not None else self.pin
        return {
            "challengeId": challenge.id,
            "deviceSignature": b64url(handset.key.sign(message)),
            "response": await respond(
                handset, factor, challenge, message, Hand(typed, self.finger)
            ),
        }

    async def step_up(
        self,
        operation: str,
        field: str,
        given: JsonObject | None,
        factor: FactorKind = FactorKind.MPIN,
    ) -> JsonObject:
        """Send a STEP_UP call, approve it when asked, and send it again.

        Args:
            operation: The shipped operation.
            field: Its field, as the payload must name it.
            given: Its input; None where the field has none.
            factor: What the person approves with.

        Source: auth.md §3.9.
        """
        answer = await self.approve_call(operation, field, given, factor)
        variables: JsonObject = {} if given is None else {"input": given}
        return await self.call(operation, variables) if answer is None else answer

    async def approve_call(
        self,
        operation: str,
        field: str,
        given: JsonObject | None,
        factor: FactorKind = FactorKind.MPIN,
    ) -> JsonObject | None:
        """Send a STEP_UP call and approve it; its answer where nothing was asked."""
        variables: JsonObject = {} if given is None else {"input": given}
        try:
            return await self.call(operation, variables)
        except Refused as refused:
            challenge = refused.facts.get("challenge")
            if refused.code != "STEP_UP_REQUIRED" or not isinstance(challenge, dict):
                raise
        intent = StepUpIntent(field, given or {})
        asked = ChallengeValue.read(challenge)
        answer = await self.answer(asked, intent, factor=factor)
        approved = await self.call("challenge_respond", {"input": answer})
        if not approved["approved"]:
            raise NotAsIntended(f"{field} was signed, yet the bank did not take it")
        return None

    @property
    def _can_refresh(self) -> bool:
        return self.handset.state.refresh_token is not None

    async def _refresh(self) -> TokenValue:
        """Send the stored refresh token, once more where the answer is lost."""
        token = self.handset.state.refresh_token
        if token is None:
            raise NotReady(f"{self.handset.name} is not signed in: log in first")
        given: JsonObject = {"input": {"refreshToken": token}}
        call = self.handset.call_surely
        return self._keep((await call("token_refresh", given, Level.DEVICE))["tokens"])

    async def _refreshed(self) -> bool:
        """Refresh; False when the session is over and the person can sign in."""
        try:
            await self._refresh()
        except Refused as refused:
            if refused.code not in SESSION_OVER:
                raise
            self.handset.keep(refresh_token=None)
            if self.pin is None:
                raise
            return False
        return True

    def _keep(self, node: JsonObject) -> TokenValue:
        """Store the tokens of an answer."""
        tokens = TokenValue.read(node)
        self.handset.keep(
            token=tokens.access_token,
            token_expires_at=tokens.expires_at,
            refresh_token=tokens.refresh_token,
        )
        return tokens

    def _forget(self) -> None:
        self.handset.keep(token=None, token_expires_at=None, refresh_token=None)
