"""Sends in chunks, keeps the token fresh, and stops where FCM is away.

Everything here runs in the provider's own thread and loop. Source of the figures:
realtime.md section 12.1.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.clock import Clock
from app.integrations.breaker import Gate
from app.integrations.push import (
    ConfigError,
    PushMessage,
    PushOutcome,
    Retry,
    Unknown,
    tell,
)
from app.integrations.push.fcm.answers import Verdict

if TYPE_CHECKING:
    from app.integrations.push.fcm.sdk import Sdk

CHUNK = 50
CHUNKS_AT_ONCE = 4
CHUNK_S = 10.0
EARLY_S = 300.0  # a token is renewed this long before it expires
MARGIN_S = 10.0  # below this a token is not shown any more
RENEW_AGAIN_S = 30.0
REFUSED_S = 1.0  # chunks that waited for the same sign-in share its failure


class _Refused(Exception):
    """There is no token, and what that means for every message."""

    def __init__(self, outcome: PushOutcome) -> None:
        super().__init__(type(outcome).__name__)
        self.outcome = outcome


class Sender:
    """One Firebase project. Fits `Tenant`.

    Args:
        account_file: the service account's JSON, read at the first message.
        base_url: where FCM is, without the version.
        clock: time of the breaker and of expiries.
        early_s: how long before its end a token is renewed, seconds.
    """

    def __init__(
        self, account_file: Path, base_url: str, clock: Clock, *, early_s: float
    ) -> None:
        self._gate = Gate(clock)
        self.breaker = self._gate.breaker
        self._account_file = account_file
        self._base_url = base_url
        self._clock = clock
        self._early_s = early_s
        self._sdk: Sdk | None = None
        self._chunks = asyncio.Semaphore(CHUNKS_AT_ONCE)
        self._signing_in = asyncio.Lock()
        self._signed_in = asyncio.Event()
        self._token_ends = 0.0  # by the loop's time
        self._refused: tuple[float, PushOutcome] | None = None

    async def send(self, batch: Sequence[PushMessage]) -> list[PushOutcome]:
        """Send every message once; one outcome each, in order."""
        chunks = [batch[at : at + CHUNK] for at in range(0, len(batch), CHUNK)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._in_turn(chunk)) for chunk in chunks]
        return [outcome for task in tasks for outcome in task.result()]

    async def live(self) -> None:
        """Renew the token before it ends, from the first sign-in on."""
        await self._signed_in.wait()
        wait_s = self._until_early_s()
        while True:
            await asyncio.sleep(wait_s)
            try:
                await self._sign_in(self._opened(), showing=self._token_ends)
                wait_s = self._until_early_s()
            except _Refused:
                wait_s = RENEW_AGAIN_S

    async def end(self) -> None:
        """Close the connections."""
        sdk, self._sdk = self._sdk, None
        if sdk is not None:
            await sdk.close()

    # -------------------------------------------------------------- one chunk

    async def _in_turn(self, chunk: Sequence[PushMessage]) -> list[PushOutcome]:
        async with self._chunks:
            began = self._clock.monotonic()
            found = await self._in_time(chunk)
        tell("fcm", "messages:send", found, self._clock.monotonic() - began)
        return found

    async def _in_time(self, chunk: Sequence[PushMessage]) -> list[PushOutcome]:
        """Send a chunk within its deadline; who was not answered is Unknown."""
        found: list[PushOutcome] = [Retry()] * len(chunk)
        try:
            sdk = self._opened()  # the deadline does not run while Python imports
            async with asyncio.timeout(CHUNK_S):
                await self._have_token(sdk)
                found = [Unknown("deadline")] * len(chunk)
                async with asyncio.TaskGroup() as group:
                    for place, message in enumerate(chunk):
                        group.create_task(self._one(sdk, message, found, place))
        except TimeoutError:
            return found
        except _Refused as refused:
            return [refused.outcome] * len(chunk)
        return found

    async def _one(
        self, sdk: "Sdk", message: PushMessage, found: list[PushOutcome], place: int
    ) -> None:
        admitted = self._gate.enter()
        if isinstance(admitted, float):
            found[place] = Retry(admitted)
            return
        with admitted as call:
            verdict = await self._tried(sdk, message)
            call.fine = verdict.fine
        self._gate.rest(verdict.pause_s)
        found[place] = verdict.outcome

    async def _tried(self, sdk: "Sdk", message: PushMessage) -> Verdict:
        """Send a message, and once more with a fresh token where ours was refused."""
        shown = self._token_ends
        expires_at = int(self._clock.now().timestamp()) + message.ttl_s
        verdict = await sdk.send(message, expires_at)
        if not verdict.stranger:
            return verdict
        try:
            await self._sign_in(sdk, showing=shown)
        except _Refused as refused:
            return Verdict(refused.outcome, fine=False)
        return await sdk.send(message, expires_at)

    # -------------------------------------------------------------- token

    def _opened(self) -> "Sdk":
        """Give the SDK; the first time this takes a second or two.

        Only the provider's own thread waits: its loop has nothing else to do yet.

        Raises:
            _Refused: there is no usable account file.
        """
        if self._sdk is None:
            from app.integrations.push.fcm.sdk import Sdk  # noqa: PLC0415  -- see above

            try:
                self._sdk = Sdk(self._account_file, self._base_url)
            except (OSError, ValueError, KeyError):
                outcome = ConfigError("the account file cannot be read")
                raise _Refused(outcome) from None
        return self._sdk

    async def _have_token(self, sdk: "Sdk") -> None:
        """See to a token that lives.

        Raises:
            _Refused: there is none.
        """
        if self._loop_s() > self._token_ends - MARGIN_S:
            await self._sign_in(sdk, showing=self._token_ends)

    async def _sign_in(self, sdk: "Sdk", *, showing: float) -> None:
        """Get another token than the one that was shown, unless somebody just did.

        Raises:
            _Refused: the endpoint is away or says no; counted once by the breaker.
        """
        async with self._signing_in:
            if self._token_ends > showing:
                return
            if self._refused and self._loop_s() - self._refused[0] < REFUSED_S:
                raise _Refused(self._refused[1])
            admitted = self.breaker.admit()
            if admitted is None:
                raise _Refused(Retry(float(self.breaker.opens_in_s())))
            with admitted as call:
                outcome = await self._fetch(sdk)
                call.fine = None if outcome is None else False
            self._refused = None if outcome is None else (self._loop_s(), outcome)
            if outcome is not None:
                raise _Refused(outcome)

    async def _fetch(self, sdk: "Sdk") -> PushOutcome | None:
        """Sign in; gives what it means for messages where that fails."""
        from app.integrations.push.fcm.sdk import NoToken  # noqa: PLC0415  -- is loaded

        try:
            life_s = await asyncio.to_thread(sdk.sign_in)
        except NoToken as failure:
            return failure.verdict.outcome
        self._token_ends = self._loop_s() + life_s
        self._signed_in.set()
        return None

    def _until_early_s(self) -> float:
        return max(1.0, self._token_ends - self._early_s - self._loop_s())

    @staticmethod
    def _loop_s() -> float:
        return asyncio.get_running_loop().time()
