"""The rounds of a hub: they find what no hint told.

Each watch looks at its head every `POLL_S`; after an outage of the bus all of them look
again, many processes' worth of customers spread over two seconds. One statement reads
the heads of hundreds.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from app import telemetry
from app.errors import Outage
from app.ids import CustomerId
from app.realtime import log
from app.realtime.announce import Hint
from app.realtime.cursor import EventCursor
from app.realtime.watch import Watch

_TURN_S = 1.0
_BATCH = 500
_AGAIN_TURNS = 20
_AGAIN_TURN_S = 0.1

Mark = Callable[[Watch, str], None]


class Patrol:
    """Compares what the watches know with the heads in the log.

    Args:
        watches: of this process, as they are.
        mark: has a watch read on, with the cause.
        poll_s: seconds within which each watch is looked at.
    """

    def __init__(
        self, watches: Mapping[CustomerId, Watch], mark: Mark, poll_s: float
    ) -> None:
        self._watches = watches
        self._mark = mark
        self._poll_s = poll_s
        self._suspects: set[CustomerId] = set()
        self._round: Iterator[CustomerId] = iter(())
        self._gap = asyncio.Event()
        # What the last turn found before its hint came; it may be on its way.
        self._untold: dict[CustomerId, int] = {}

    def suspect(self, customer: CustomerId) -> None:
        """Look at one customer with the next turn."""
        self._suspects.add(customer)

    def look_again(self) -> None:
        """Look at every watch, from now on within two seconds."""
        self._gap.set()

    def told(self, hint: Hint) -> None:
        """Take note of a hint: what it tells was not lost."""
        if self._untold.get(hint.customer, hint.seq + 1) <= hint.seq:
            del self._untold[hint.customer]

    async def turns(self) -> None:
        """Look at a share of the watches with every turn, until cancelled."""
        turn_s = min(_TURN_S, self._poll_s / 2)
        while True:
            await asyncio.sleep(turn_s)
            telemetry.hub_lost_hints.inc(len(self._untold))
            self._untold.clear()
            telemetry.hub_watches.set(len(self._watches))
            share = int(-(-len(self._watches) * turn_s // self._poll_s))
            looked = {*self._suspects, *self._next(share)}
            self._suspects.clear()
            await self._look_at(looked, "poll")

    async def outages(self) -> None:
        """Look at all watches after each outage of the bus, until cancelled."""
        while True:
            await self._gap.wait()
            self._gap.clear()
            rest = iter(list(self._watches))
            size = max(_BATCH, -(-len(self._watches) // _AGAIN_TURNS))
            while some := list(islice(rest, size)):
                await self._look_at(some, "reconnect")
                await asyncio.sleep(_AGAIN_TURN_S)

    def _next(self, count: int) -> list[CustomerId]:
        """Give the next watches of the round; a new round starts when it is over."""
        found = list(islice(self._round, count))
        if len(found) < count:
            self._round = iter(list(self._watches))
        return found

    async def _look_at(self, customers: Iterable[CustomerId], cause: str) -> None:
        """Compare heads; whom the database does not tell of stays suspect."""
        waiting = [one for one in customers if one in self._watches]
        rest = iter(waiting)
        try:
            while batch := list(islice(rest, _BATCH)):
                for customer, head in (await log.heads(batch)).items():
                    self._compare(customer, head, cause)
        except Outage:
            self._suspects.update(waiting)

    def _compare(self, customer: CustomerId, head: EventCursor, cause: str) -> None:
        watch = self._watches.get(customer)
        if watch is None:
            return
        if not watch.begun:
            self._suspects.add(customer)  # its first read may be older than the hint
            return
        watch.begin(head)  # another epoch: the stream was rebuilt
        if watch.heard(head.seq) and cause == "poll":
            self._untold[customer] = head.seq
        if watch.behind:
            self._mark(watch, cause)
