"""A bank process for the push bench: it serves, or sends, or both, and tells its pulse.

`python -m bench.push_bank` reads one line of JSON (`Order`) and answers with one; then
each line is a wish:

    tell FIRST COUNT   one transaction for each of COUNT customers: money came in
    bulk FIRST COUNT   the same in few transactions, as a backlog
    sent               answers when nothing is owed: milliseconds from commit to SENT
    drop               gives up what is owed, so that the next turn begins clean
    pulse              answers how long the loop was away since it was asked last, ms
    nonce              answers a nonce for proofs
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import uvloop

from app import database, main, telemetry, upgrade, worker
from app import settings as app_settings
from app.auth.actor import Actor, Level, Origin
from app.bank import Bank, open_bank
from app.database import Tx
from app.ids import CustomerId, DeviceId
from app.integrations.push import PushKind
from app.notifications.addresses import AddressWish
from app.partners import Role
from app.realtime import log
from app.settings import Settings
from bench import live_facts
from bench.live_bank import Order as Phones
from bench.live_bank import lines, seeded
from bench.live_facts import Owner

BEAT_S = 0.005
BULK = 100
LOOK_EVERY_S = 0.02
ROLES = {
    "both": frozenset(Role),
    "web": frozenset({Role.WEB}),
    "worker": frozenset({Role.WORKER}),
}


@dataclass(frozen=True, slots=True)
class Order:
    """What the bench asks for.

    Args:
        role: both, web or worker.
        phones: customers to make, or to know again.
    """

    role: str
    phones: Phones

    @classmethod
    def read(cls, line: str) -> Self:
        """Read the first line."""
        return cls(json.loads(line)["role"], Phones.read(line))


@dataclass(slots=True)
class Tap:
    """Does what the bench wishes, and feels the pulse of the loop."""

    bank: Bank
    owners: list[Owner]
    number: int = 0
    mark: datetime | None = None
    open: int = 0
    beats: list[float] = field(default_factory=list)

    async def beat(self) -> None:
        """Note how late each beat came, until cancelled."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(BEAT_S)
            self.beats.append((time.perf_counter() - began - BEAT_S) * 1000)

    async def obey(self, line: str) -> None:
        """Do one wish; those with an answer print one line of JSON."""
        word, *rest = line.split()
        wishes: dict[str, Callable[..., Awaitable[object]]] = {
            "tell": self._tell,
            "bulk": self._bulk,
            "sent": self._sent,
            "drop": self._drop,
            "pulse": self._pulse,
            "nonce": self._nonce,
        }
        answer = await wishes[word](*(int(one) for one in rest))
        if answer is not None:
            print(json.dumps(answer), flush=True)

    async def _tell(self, first: int, count: int) -> None:
        for place in range(first, first + count):
            await self._commit(place, 1)

    async def _bulk(self, first: int, count: int) -> None:
        for place in range(first, first + count, BULK):
            await self._commit(place, min(BULK, first + count - place))

    async def _commit(self, first: int, count: int) -> None:
        now = self.bank.clock.now()
        self.mark = self.mark or now

        async def work(tx: Tx) -> None:
            for place in range(first, first + count):
                self.number += 1
                owner = self.owners[place % len(self.owners)]
                log.append(tx, live_facts.posted(owner, "IN", self.number, now))

        self.open += 1
        try:
            await database.transaction(work, name="bench.tell")
        finally:
            self.open -= 1

    async def _sent(self) -> dict[str, Any]:
        while self.open or await self._is_owed():  # noqa: ASYNC110  -- another process sends
            await asyncio.sleep(LOOK_EVERY_S)
        rows = await database.read(
            "SELECT d.sent_at, i.created_at FROM push_dispatch d "
            "JOIN inbox_item i ON i.id = d.notification_id "
            "WHERE d.sent_at IS NOT NULL AND i.created_at >= $1",
            self.mark or self.bank.clock.now(),
        )
        self.mark = None
        told = [
            (row.get("sent_at", datetime) - row.get("created_at", datetime))
            for row in rows
        ]
        return {"ms": [one.total_seconds() * 1000 for one in told]}

    async def _is_owed(self) -> bool:
        row = await database.read_one(
            "SELECT 1 AS there WHERE EXISTS (SELECT 1 FROM event_work) OR EXISTS "
            "(SELECT 1 FROM push_dispatch WHERE state = 'QUEUED')"
        )
        return row is not None

    async def _drop(self) -> dict[str, Any]:
        async def work(tx: Tx) -> None:
            await tx.rows(
                "UPDATE push_dispatch SET state = 'FAILED', reason = 'UNKNOWN', "
                "lease_until = NULL WHERE state = 'QUEUED' RETURNING id"
            )

        await database.transaction(work, name="bench.drop")
        self.mark = None
        return {}

    async def _pulse(self) -> dict[str, Any]:
        beats, self.beats = sorted(self.beats) or [0.0], []
        return {"most": beats[-1], "p99": beats[int(len(beats) * 0.99)]}

    async def _nonce(self) -> dict[str, Any]:
        return {"nonce": self.bank.callers.nonce()}


async def reachable(bank: Bank) -> None:
    """Give every phone of every customer a push address."""
    rows = await database.read("SELECT id, customer_id FROM device ORDER BY id")
    for place, row in enumerate(rows):
        actor = Actor(
            origin=Origin(request_id="bench", address="127.0.0.1"),
            level=Level.LOGIN,
            customer=row.get("customer_id", CustomerId),
            device=row.get("id", DeviceId),
        )
        wish = AddressWish(
            kind=PushKind.FCM_FID, value=f"bench-{place}", app_id="app.bench"
        )
        await bank.addresses.set(actor, wish)


async def run() -> int:
    """Serve, or send, until stdin ends; gives the exit code."""
    settings = app_settings.load()
    telemetry.configure(settings.log_format, settings.log_level)
    wishes = lines()
    order = Order.read(await anext(wishes))
    if order.role != "worker":
        await upgrade.migrate(settings)
    answer: dict[str, Any] = {}

    @asynccontextmanager
    async def opened() -> AsyncIterator[Bank]:
        async with _working(settings, order, wishes, answer) as bank:
            yield bank

    if order.role == "worker":
        async with opened():
            print(json.dumps(answer), flush=True)
            await asyncio.Event().wait()
    return await main.serve(
        settings, opener=opened, ready=lambda: print(json.dumps(answer), flush=True)
    )


@asynccontextmanager
async def _working(
    settings: Settings,
    order: Order,
    wishes: AsyncIterator[str],
    answer: dict[str, Any],
) -> AsyncIterator[Bank]:
    async with (
        open_bank(settings, ROLES[order.role]) as bank,
        asyncio.TaskGroup() as group,
    ):
        owners, tokens = order.phones.owners, list[list[str]]()
        if order.phones.jwks:
            owners, tokens = await seeded(bank, order.phones)
            await reachable(bank)
        answer.update(owners=[one.pair for one in owners], tokens=tokens)
        tap = Tap(bank, owners)
        tasks = [group.create_task(tap.beat()), group.create_task(_tapped(tap, wishes))]
        if Role.WORKER in ROLES[order.role]:
            tasks.append(group.create_task(worker.run(bank)))
        try:
            yield bank
        finally:
            for task in tasks:
                task.cancel()


async def _tapped(tap: Tap, wishes: AsyncIterator[str]) -> None:
    async with asyncio.TaskGroup() as group:
        async for line in wishes:
            group.create_task(tap.obey(line))


if __name__ == "__main__":
    sys.exit(uvloop.run(run()))  # as the bank's own commands do
