"""The one merged stream: the present balance of each account, then its newest.

For screens without the main stream. It has no cursor: after a loss the snapshot is
simply read again, and a version that was shown never comes a second time.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

from app.clock import Clock
from app.ids import CustomerId
from app.realtime.facts import BalanceChanged, Fact
from app.realtime.hub import Hub
from app.realtime.stream import Lost, TooSlow

_GAP_S = 0.5  # at most two frames a second and account

Snapshot = Callable[[], Awaitable[Iterable[BalanceChanged]]]


class _Slots:
    """One slot per account: what waits to be shown, newest wins."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[int, float]] = {}  # version, when
        self._waiting: dict[str, BalanceChanged] = {}

    def show(self, fact: BalanceChanged, now: float) -> None:
        """Note that these figures go out; the account is part of the stream."""
        self._waiting.pop(fact.account.id, None)
        self._shown[fact.account.id] = (fact.balance.version, now)

    def offer(self, fact: Fact) -> None:
        """Keep newer figures of an account of this stream; drop everything else."""
        if not isinstance(fact, BalanceChanged) or fact.account.id not in self._shown:
            return
        waiting = self._waiting.get(fact.account.id)
        newest = self._shown[fact.account.id][0]
        if waiting is not None:
            newest = waiting.balance.version
        if fact.balance.version > newest:
            self._waiting[fact.account.id] = fact

    def due(self, now: float) -> list[BalanceChanged]:
        """Give the figures whose account was quiet for long enough."""
        return [
            fact
            for account, fact in self._waiting.items()
            if now - self._shown[account][1] >= _GAP_S
        ]

    def wait_s(self, now: float) -> float | None:
        """Seconds until the next slot is due; None when nothing waits."""
        ends = [self._shown[account][1] + _GAP_S for account in self._waiting]
        return max(0.0, min(ends) - now) if ends else None


async def newest_balances(
    hub: Hub, clock: Clock, customer: CustomerId, snapshot: Snapshot
) -> AsyncGenerator[BalanceChanged, None]:
    """Yield the snapshot's balances, then newer versions of the same accounts.

    Args:
        hub: of this process.
        clock: for the pace.
        customer: whose stream.
        snapshot: reads the present balances; called after the reader registered, so
            that no change falls between, and again after a loss.
    """
    slots = _Slots()
    async with hub.join(customer) as reader:
        await hub.begin(reader, None)
        for fact in await snapshot():
            slots.show(fact, clock.monotonic())
            yield fact
        while True:
            try:
                while (event := await hub.take(reader)) is not None:
                    slots.offer(event.fact)
            except (Lost, TooSlow):
                await hub.begin(reader, None)
                for fact in await snapshot():
                    slots.offer(fact)
            for fact in slots.due(clock.monotonic()):
                slots.show(fact, clock.monotonic())
                yield fact
            await reader.wait(slots.wait_s(clock.monotonic()))
