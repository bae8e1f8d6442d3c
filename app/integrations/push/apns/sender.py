"""Sends in chunks within a deadline, and stops where APNs is away.

What an answer asks for besides its outcome is done here: the other environment once, a
fresh token once, a rest. Source: realtime.md section 12.2.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import SecretStr

from app.clock import Clock
from app.integrations.breaker import Gate
from app.integrations.push import (
    ConfigError,
    PushMessage,
    PushOutcome,
    Retry,
    Sent,
    Unknown,
    tell,
)
from app.integrations.push.apns import answers
from app.integrations.push.apns.answers import Then, Verdict
from app.integrations.push.apns.badge import Badge, NoKey
from app.integrations.push.apns.lane import DEVELOPMENT, PRODUCTION, Lane, headers_of

CHUNK = 200
CHUNK_S = 10.0
AT_ONCE = 4  # messages begun before others have their turn
_DOUBTS_S = 600.0
_DOUBTS_MIN = 3  # fewer are phones of their own
_DOUBTS_SHARE = 100  # one in so many sends, and the fault is ours
_SENDS_MAX = 100_000
_OTHER = {PRODUCTION: DEVELOPMENT, DEVELOPMENT: PRODUCTION}


class Sender:
    """One team's way to its apps.

    Args:
        badge: signs in.
        places: base URL of each environment.
        topic: bundle id for messages that name none.
        clock: time of breaker, rests and expiries.
        trust: whose certificates count; the usual ones if None.
    """

    def __init__(
        self,
        badge: Badge,
        places: Mapping[str, str],
        topic: str,
        clock: Clock,
        *,
        trust: ssl.SSLContext | None,
    ) -> None:
        self._gate = Gate(clock)
        self.breaker = self._gate.breaker
        self._closed = False
        self._badge = badge
        self._lanes = {name: Lane(place, trust) for name, place in places.items()}
        self._topic = topic
        self._clock = clock
        self._loading = asyncio.Lock()
        self._is_loaded = False
        self._topics = _Topics(clock)
        self._deadlines: set[asyncio.Timeout] = set()
        self._ended = asyncio.Event()  # no chunk is under way

    async def send(self, batch: Sequence[PushMessage]) -> list[PushOutcome]:
        """Send every message once; one outcome each, in order."""
        found: list[PushOutcome] = []
        for at in range(0, len(batch), CHUNK):
            began = self._clock.monotonic()
            share = await self._in_time(batch[at : at + CHUNK])
            tell("apns", "3/device", share, self._clock.monotonic() - began)
            found += share
        return found

    def is_closed(self) -> bool:
        """Say whether nothing is sent any more."""
        return self._closed

    async def close(self) -> None:
        """End what is under way, and the connections."""
        self._closed = True
        now = asyncio.get_running_loop().time()
        for deadline in self._deadlines:
            deadline.reschedule(now)
        if self._deadlines:
            await self._ended.wait()
        await self._hang_up()

    # -------------------------------------------------------------- one chunk

    async def _in_time(self, chunk: Sequence[PushMessage]) -> list[PushOutcome]:
        """Send a chunk within its deadline; who was not answered is Unknown."""
        found: list[PushOutcome] = [Retry()] * len(chunk)
        try:
            await self._loaded()  # the deadline does not run while Python imports
        except NoKey:
            return [ConfigError("the key file cannot be read")] * len(chunk)
        if self.is_closed():
            return found
        deadline = asyncio.timeout(CHUNK_S)
        self._deadlines.add(deadline)
        self._ended.clear()
        try:
            async with deadline, asyncio.TaskGroup() as group:
                for place, message in enumerate(chunk):
                    group.create_task(self._one(message, found, place))
                    if place % AT_ONCE == 0:
                        await asyncio.sleep(0)  # a worker's loop has other work
        except TimeoutError:
            await self._hang_up()  # a stream that was left may leave half a frame
            if self.is_closed():
                lost = Unknown("closed")
                return [lost if isinstance(one, Unknown) else one for one in found]
        finally:
            self._deadlines.discard(deadline)
            if not self._deadlines:
                self._ended.set()
        return found

    async def _one(
        self, message: PushMessage, found: list[PushOutcome], place: int
    ) -> None:
        """Send a message, where it is not known to the other environment as well."""
        named = DEVELOPMENT if message.environment == DEVELOPMENT else PRODUCTION
        async with self._lanes[named].streams:
            verdict = await self._tried(message, named, found, place)
        if verdict.then is Then.TRY_ELSEWHERE and not message.proven:
            other = _OTHER[named]
            async with self._lanes[other].streams:
                second = await self._tried(message, other, found, place)
            if isinstance(second.outcome, Sent):
                there = replace(second.outcome, environment=other)
                verdict = replace(second, outcome=there)
            elif second.outcome != ConfigError(answers.OTHER_KEY):
                verdict = second  # else our key is good for the first only
        found[place] = self._topics.judged(verdict)

    async def _tried(
        self,
        message: PushMessage,
        environment: str,
        found: list[PushOutcome],
        place: int,
    ) -> Verdict:
        """Send a message, once more with a fresh token where ours was too old."""
        admitted = self._gate.enter()
        if isinstance(admitted, float):
            return Verdict(Retry(admitted), fine=None)
        with admitted as call:
            found[place] = Unknown("deadline")
            shown = self._badge.token()
            verdict = await self._shown(message, environment, shown)
            if verdict.then is Then.SIGN_ANEW and self._badge.renew(shown):
                verdict = await self._shown(message, environment, self._badge.token())
            call.fine = verdict.fine
        if verdict.then is Then.SIGN_NO_MORE:
            self._badge.hold()
        self._gate.rest(verdict.pause_s)
        return verdict

    async def _shown(
        self, message: PushMessage, environment: str, token: SecretStr
    ) -> Verdict:
        expires_at = int(self._clock.now().timestamp()) + message.ttl_s
        around = headers_of(message, self._topic, expires_at)
        around["authorization"] = f"bearer {token.get_secret_value()}"
        return await self._lanes[environment].send(message, around)

    async def _loaded(self) -> None:
        """Read the key, unless it is read.

        Raises:
            NoKey: there is none; the next chunk looks again.
        """
        async with self._loading:
            if not self._is_loaded:
                await asyncio.to_thread(self._badge.load)
                self._is_loaded = True

    async def _hang_up(self) -> None:
        for lane in self._lanes.values():
            await lane.retire()


class _Topics:
    """Tells phones of another app from a topic of ours that is wrong.

    Args:
        clock: how long ago an answer was.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: deque[tuple[float, bool]] = deque(maxlen=_SENDS_MAX)
        self._doubts = 0

    def judged(self, verdict: Verdict) -> PushOutcome:
        """Give the outcome; no address dies while more than one in 100 is refused."""
        doubt = verdict.then is Then.DOUBT_THE_TOPIC
        if not doubt and not isinstance(verdict.outcome, Sent):
            return verdict.outcome
        self._note(doubt=doubt)
        often = self._doubts * _DOUBTS_SHARE > len(self._answers)
        if doubt and often and self._doubts >= _DOUBTS_MIN:
            return ConfigError("DeviceTokenNotForTopic")
        return verdict.outcome

    def _note(self, *, doubt: bool) -> None:
        now = self._clock.monotonic()
        while self._answers and (
            self._answers[0][0] < now - _DOUBTS_S or len(self._answers) == _SENDS_MAX
        ):
            self._doubts -= self._answers.popleft()[1]
        self._answers.append((now, doubt))
        self._doubts += doubt
