"""Looks at a remote core: one at a time for each account, owned, bounded, kept.

Two processes may look at once; the mirror takes what is new from one of them
(`imprint.py`).
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from app import database, telemetry
from app.accounts.account import Account
from app.accounts.imprint import Imprint, same_again
from app.clock import Clock
from app.database import Tx
from app.errors import Outage
from app.ids import AccountId
from app.integrations.breaker import BreakerState, breaker_of
from app.integrations.core_banking import CoreBank, Look, Remote
from app.integrations.outcome import ContractBroken

ROWS = 20  # of each account in a look; a first screen shows five
TOGETHER = 50  # accounts in one look
UNREAD_MAX = 3  # accounts, each asked about alone: if none is read, it is the core
_LEAVE_S = 5.0  # how long a shutdown waits for looks under way
_UNDER_WAY_MAX = 200  # looks of one process; what is over is looked at by a later poll


class RemoteCore(CoreBank, Remote, Protocol):
    """A core behind a wire."""


class Sight(NamedTuple):
    """What a look gave.

    Args:
        looks: at those accounts that the core told about.
        left: accounts that were not asked about in the end, as the core told nothing
            of others either.
    """

    looks: list[Look]
    left: Sequence[Account] = ()


class Looks:
    """Looks at accounts and keeps what was seen. One per process.

    An async context manager: it owns what looks behind the answers, and leaving it
    waits for that a little.

    Args:
        core: the remote core.
        clock: the bank's clock.
    """

    def __init__(self, core: RemoteCore, clock: Clock) -> None:
        self._core = core
        self._clock = clock
        self._breaker = breaker_of(core)
        self._silent = False
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._counted: set[asyncio.Task[None]] = set()
        self._looking: dict[AccountId, asyncio.Task[None]] = {}
        self._again: dict[AccountId, Account] = {}
        self._leaving = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leaving.set()
        try:
            await self.settled(_LEAVE_S)
        finally:  # also where who waits is cancelled: no look outlives its owner
            for task in self._tasks:
                task.cancel()
            await self._group.__aexit__(kind, error, trace)

    async def settled(self, within_s: float) -> None:
        """Wait until nothing is under way, at most so many seconds."""
        try:
            async with asyncio.timeout(within_s):
                while self._tasks:
                    await asyncio.wait(self._tasks.copy())
        except TimeoutError:
            return

    @property
    def away(self) -> bool:
        """Whether the core did not answer last, or is left alone now."""
        open_now = self._breaker is not None and (
            self._breaker.state is BreakerState.OPEN
        )
        return self._silent or open_now

    def looks_at(self, accounts: Iterable[AccountId]) -> bool:
        """Tell whether all of some accounts are being looked at."""
        return all(account in self._looking for account in accounts)

    def soon(self, accounts: Iterable[Account], *, anew: bool = False) -> None:
        """Look at accounts behind, at once; those being looked at are not asked twice.

        Args:
            accounts: which.
            anew: a look under way may be too early; look again after it.
        """
        wanted = list(accounts)
        if anew:
            self._again |= {one.id: one for one in wanted if one.id in self._looking}
        self._begin([one for one in wanted if one.id not in self._looking])

    async def looked(self, accounts: Sequence[Account], within_s: float) -> bool:
        """Wait for a look at accounts, begun here or by somebody else.

        Gives whether it ended in that time.
        """
        self._begin([one for one in accounts if one.id not in self._looking])
        tasks = {self._looking[one.id] for one in accounts if one.id in self._looking}
        if not tasks:
            return True
        _, under_way = await asyncio.wait(tasks, timeout=within_s)
        return not under_way

    def _begin(self, accounts: Sequence[Account]) -> None:
        for start in range(0, len(accounts), TOGETHER):
            some = accounts[start : start + TOGETHER]
            task = self.start(self._tried(some), "feed.look")
            if task is None:
                return
            for account in some:
                self._looking[account.id] = task
            task.add_done_callback(partial(self._landed, some))

    def start(
        self, work: Coroutine[Any, Any, None], name: str, *, counted: bool = True
    ) -> "asyncio.Task[None] | None":
        """Do a piece of work behind, unless too much is under way, or this closes.

        Args:
            work: what.
            name: of its task.
            counted: whether it may be left out; what a customer waits for may not, and
                what only rests takes no place of a look.
        """
        full = counted and len(self._counted) >= _UNDER_WAY_MAX
        if self._leaving.is_set() or full or database.inside_transaction():
            work.close()
            return None
        task = self._group.create_task(_kept_quiet(work, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if counted:
            self._counted.add(task)
            task.add_done_callback(self._counted.discard)
        return task

    def _landed(self, accounts: Sequence[Account], _done: object) -> None:
        for account in accounts:
            self._looking.pop(account.id, None)
        again = [self._again.pop(one.id) for one in accounts if one.id in self._again]
        if again and not self._silent:
            self._begin(again)

    async def _tried(self, accounts: Sequence[Account]) -> None:
        try:
            await self.seen(accounts)
        except Outage as outage:
            telemetry.log.info("core_not_seen", cause=outage.cause)

    async def seen(self, accounts: Sequence[Account]) -> Sight:
        """Look at accounts and keep what was seen; gives it.

        Raises:
            Outage: the core, or our database, does not answer.
            ContractBroken: the only account of these cannot be read.
        """
        try:
            return Sight(await self._seen(accounts))
        except ContractBroken:
            if len(accounts) == 1:
                raise
        return await self._seen_apart(accounts)

    async def _seen_apart(self, accounts: Sequence[Account]) -> Sight:
        """Look at smaller and smaller parts: one unreadable account hides no other.

        Where one after another cannot be read and none can, it is the core: the rest is
        left for later.
        """
        looks: list[Look] = []
        parts, unread, has_answered = _halves(accounts), 0, False
        while parts and (has_answered or unread < UNREAD_MAX):
            part = parts.pop()
            try:
                looks += await self._seen(part)
                has_answered = True
            except ContractBroken as broken:
                if len(part) > 1:
                    parts += _halves(part)
                    continue
                unread += 1
                telemetry.log.error("account_not_read", cause=broken.cause)
        return Sight(looks, [account for part in parts for account in part])

    async def _seen(self, accounts: Sequence[Account]) -> list[Look]:
        by_ref = {account.ref: account for account in accounts}
        asked_at = self._clock.now()
        try:
            looks = await self._core.look(list(by_ref), ROWS)
        except ContractBroken:  # of some account: the core itself is there
            raise
        except Outage:
            self._silent = True
            raise
        self._silent = False
        known = {by_ref[look.ref].id: look for look in looks if look.ref in by_ref}
        same = await same_again(known, asked_at)
        for account in sorted(known.keys() - same):
            look = known[account]
            await self.kept(by_ref[look.ref], look, asked_at)
        return list(known.values())

    async def kept(self, account: Account, look: Look, asked_at: datetime) -> None:
        """Keep what was seen of an account, unless a later look is kept already."""

        async def work(tx: Tx) -> bool:
            return await Imprint(tx, account, self._clock).look(look, asked_at)

        await database.transaction(work, name="feed.look")


def _halves(accounts: Sequence[Account]) -> list[Sequence[Account]]:
    """Give both halves, the first one last: it is taken first."""
    half = len(accounts) // 2
    return [accounts[half:], accounts[:half]]


async def _kept_quiet(work: Coroutine[Any, Any, None], name: str) -> None:
    """Let no look end the others: what fails is logged, the next one tries again."""
    try:
        await work
    except Outage as outage:
        telemetry.log.info("feed_met_outage", name=name, cause=outage.cause)
    except Exception:  # noqa: BLE001  -- the outermost frame of what looks behind
        telemetry.log.error("feed_failed", name=name, exc_info=True)
