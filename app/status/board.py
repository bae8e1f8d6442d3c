"""How the bank is as a whole: what this process sees, and what the others report.

A change is written for the others, then announced; a process that missed the word finds
it within five seconds. Without database or bus each still tells what it sees itself.
At the same pace each asks the core whether it answers and takes postings: a core that
is back is found by asking, also when no customer dares to.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from app import telemetry
from app.clock import Clock
from app.errors import Outage
from app.integrations.core_banking import Health as CoreHealth
from app.realtime.announce import Announcement, Broadcast
from app.status import reports
from app.status.health import Component, ComponentHealth, Health, State
from app.status.reports import Report

TOPIC = "status"

_LOOK_EVERY_S = 1.0
_READ_EVERY_S = 5.0
_SHARE_S = 2.0
_CORE_S = 1.0  # how long a look waits for the core; its answer counts when it comes
_RENEW = timedelta(seconds=10)
_WELL = State.OPERATIONAL
_WORSE = {state: rank for rank, state in enumerate(State)}

States = dict[Component, State]


class Board:
    """The cached state of every component. One per process.

    Args:
        clock: instants and pace.
        health: what this process sees.
        announce: tells the other processes to read again.
        core: asks the core how it is; None where there is none to ask.
    """

    def __init__(
        self,
        clock: Clock,
        health: Health,
        announce: Callable[[Announcement], None],
        core: Callable[[], Awaitable[CoreHealth]] | None = None,
    ) -> None:
        self._clock = clock
        self._health = health
        self._announce = announce
        self._core = core
        self._question: asyncio.Task[CoreHealth] | None = None
        self._process = secrets.token_hex(8)
        self._others: list[Report] = []
        self._reported: States = {}
        self._renew_at: datetime | None = None
        self._read_at: float | None = None
        self._cause: str | None = None
        self._hurried = asyncio.Event()
        self._shown = _states(self.now())
        self._turned = asyncio.Event()

    def now(self) -> tuple[ComponentHealth, ...]:
        """Tell how every offered component is: the worst that any process sees."""
        now = self._clock.now()
        heard = [one.health for one in self._others if one.until > now]
        return tuple(
            max(
                (own, *(one for one in heard if one.component is own.component)),
                key=lambda one: _WORSE[one.state],
            )
            for own in self._health.now()
        )

    async def follow(self) -> AsyncGenerator[ComponentHealth, None]:
        """Yield every component as it is, then each that changes its state."""
        shown: States = {}
        while True:
            turned = self._turned
            for one in self.now():
                if shown.get(one.component) is not one.state:
                    shown[one.component] = one.state
                    yield one
            await turned.wait()

    def heard(self, word: Broadcast) -> None:
        """Take a broadcast of any process; only ours makes a difference."""
        if word.topic == TOPIC:
            self.hurry()

    def call(self) -> None:
        """Have every process look again at once: the core was stopped or let go."""
        self._announce(Broadcast(TOPIC))
        self.hurry()

    def hurry(self) -> None:
        """Read soon what the others report: it changed, or a word may be lost."""
        self._read_at = None
        self._hurried.set()

    async def run(self) -> None:
        """Look each second, or when told to, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._hurried.wait()
            self._hurried.clear()
            await self.look()

    def leave(self) -> None:
        """Wait for the core's answer no longer; whoever opens the bank calls it."""
        if self._question is not None:
            self._question.cancel()

    async def look(self) -> None:
        """Ask the core, tell the followers, then the other processes, hear those."""
        due = self._is_due()
        if due or self._question is not None:
            await self._ask_core()
        self._turn()
        cause = await self._shared(due=due)
        if cause != self._cause:
            self._cause = cause
            telemetry.log.warning("status_sharing", cause=cause or "works again")
        self._turn()

    async def _shared(self, *, due: bool) -> str | None:
        """Write and read; a database that is slow or away is the answer's cause."""
        try:
            async with asyncio.timeout(_SHARE_S):
                await self._report()
                if due:
                    await self._read()
        except (Outage, TimeoutError) as lost:
            return lost.cause if isinstance(lost, Outage) else "database is slow"
        return None

    def _turn(self) -> None:
        """Wake the followers if any component changed."""
        states = _states(self.now())
        if states == self._shown:
            return
        for component, state in states.items():
            if self._shown.get(component) is not state:
                telemetry.log.warning(
                    "component_changed", component=component, state=state
                )
        self._shown = states
        turned, self._turned = self._turned, asyncio.Event()
        turned.set()

    async def _report(self) -> None:
        """Write what is not well here: when it changed, and before it runs out."""
        now = self._clock.now()
        unwell = [one for one in self._health.now() if one.state is not _WELL]
        states = _states(unwell)
        renewed = bool(unwell) and self._renew_at is not None and now >= self._renew_at
        if states == self._reported and not renewed:
            return
        await reports.write(self._process, unwell, now)
        self._renew_at = now + _RENEW
        if states != self._reported:
            self._reported = states
            self._announce(Broadcast(TOPIC))

    def _is_due(self) -> bool:
        """Tell whether it is time to read the others and to ask the core again."""
        now = self._clock.monotonic()
        return self._read_at is None or now - self._read_at >= _READ_EVERY_S

    async def _read(self) -> None:
        began = self._clock.monotonic()
        self._others = await reports.of_others(self._process, self._clock.now())
        self._read_at = began

    async def _ask_core(self) -> None:
        """Stop in this process what the core does not do, and let it go when it does.

        A core that is asked in vain is away; our own database's outage says nothing.
        One that keeps silent keeps nobody waiting: a later look hears how that ended.
        """
        if self._core is None:
            return
        if self._question is None:
            self._question = asyncio.create_task(  # noqa: TID251  -- `leave` ends it
                _put(self._core), name="core health"
            )
        question = self._question
        await asyncio.wait({question}, timeout=_CORE_S)
        if not question.done():
            return
        self._question = None
        try:
            found = question.result()
        except Outage:
            return
        self._health.halt(Component.ACCOUNTS, halted=not found.reachable)
        self._health.halt(
            Component.TRANSFERS, halted=not (found.reachable and found.posts)
        )


async def _put(core: Callable[[], Awaitable[CoreHealth]]) -> CoreHealth:
    return await core()


def _states(seen: Sequence[ComponentHealth]) -> States:
    return {one.component: one.state for one in seen}
