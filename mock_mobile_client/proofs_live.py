"""Proof 3 of acceptance.md: the second phone sees it, unasked and soon."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from mock_mobile_client.enums import Direction, PaymentStatus
from mock_mobile_client.errors import ProofFailed, expect
from mock_mobile_client.handset import Setting
from mock_mobile_client.live import Live
from mock_mobile_client.money import money
from mock_mobile_client.payments import new_key
from mock_mobile_client.phone import EVERYDAY, Phone
from mock_mobile_client.stage import Tell, asha_and_ben, everyday, silent
from mock_mobile_client.stream import Event
from mock_mobile_client.values import (
    BalanceValue,
    JsonObject,
    PaymentValue,
    read_money,
)
from mock_mobile_client.world_clock import WorldClock

SMALL = money("1.00 INR")
TIMES = 20
P95_MS = 250

Met = Callable[[JsonObject], bool]


async def proof_03(
    url: str, sandbox: str, setting: Setting | None = None, tell: Tell = silent
) -> None:
    """Second phone sees it: Asha-1 pays Ben twenty times, Asha-2 and Ben-1 listen.

    The time from commit to frame is told, not judged: `occurredAt` is taken within the
    transaction, a little before its commit, so the figure is rather too high.
    """
    async with three_phones(url, sandbox, setting) as (asha, second, ben):
        first = await everyday(asha)
        ahead_s = await WorldClock(sandbox).offset_s()
        async with second.live() as mine, ben.live() as theirs:
            payer = _Ear(mine, ahead_s)
            payee = _Ear(theirs, ahead_s)
            order = await asha.order("Ben", SMALL)
            for _ in range(TIMES):
                paid = await asha.payments.settle(replace(order, key=new_key()))
                await payer.hears("PaymentChanged", _ends(paid))
                await payer.hears("TransactionPosted", _posts(Direction.OUT, paid))
                await payer.hears_balance(await everyday(asha))
                await payee.hears("TransactionPosted", _posts(Direction.IN, paid))
                await payee.hears_balance(await everyday(ben))
            expect("sockets", (1, 1), (mine.connections, theirs.connections))
            expect("repeated", [], [*mine.picture.repeated, *theirs.picture.repeated])
        tell(f"{TIMES} payments: Asha-2 and Ben-1 saw each of them, unasked")
        lags = [*payer.lags_ms, *payee.lags_ms]
        p95 = percentile(lags, 95)
        verdict = "below" if p95 < P95_MS else "NOT below"
        tell(f"commit to frame: p95 {p95:.0f} ms of {len(lags)}, {verdict} {P95_MS} ms")
        await ben.pay("Asha", SMALL.times(TIMES))
        expect("as at first", first.available, (await everyday(asha)).available)


@asynccontextmanager
async def three_phones(
    url: str, sandbox: str, setting: Setting | None
) -> AsyncIterator[tuple[Phone, Phone, Phone]]:
    """Asha-1, Asha-2 and Ben-1, signed in."""
    async with (
        asha_and_ben(url, sandbox, setting) as (asha, ben),
        Phone("Asha-2", url, sandbox, asha.handset.setting) as second,
    ):
        await second.start()
        yield asha, second, ben


def percentile(figures: list[float], share: int) -> float:
    """The smallest figure that so many percent do not exceed.

    Raises:
        ProofFailed: there are no figures.
    """
    if not figures:
        raise ProofFailed("figures to judge", "some", "none")
    return sorted(figures)[math.ceil(len(figures) * share / 100) - 1]


@dataclass(slots=True)
class _Ear:
    """One phone that only listens; each event it awaits must come after the last turn.

    Attributes:
        live: Its stream.
        ahead_s: Seconds that the bank's clock is ahead of the phone's.
        lags_ms: From when each event happened to when it was read.
    """

    live: Live
    ahead_s: float
    lags_ms: list[float] = field(default_factory=list)
    _heard: set[int] = field(default_factory=set)
    _version: int = 0

    async def hears(self, kind: str, met: Met) -> Event:
        """Wait for an event that was not awaited before."""

        def fits(event: Event) -> bool:
            new = event.kind == kind and event.sequence not in self._heard
            return new and met(event.body)

        event = await self.live.until_event(fits, f"{kind} on the other phone")
        self._heard.add(event.sequence)
        happened = datetime.fromisoformat(event.occurred_at).timestamp()
        self.lags_ms.append((event.came_at + self.ahead_s - happened) * 1000)
        return event

    async def hears_balance(self, fresh: BalanceValue) -> None:
        """Wait for the figures a fresh query gives, under a higher version."""

        def is_fresh(body: JsonObject) -> bool:
            named = body["account"]["name"] == EVERYDAY
            return named and BalanceValue.read(body["balance"]) == fresh

        await self.hears("BalanceChanged", is_fresh)
        if fresh.version <= self._version:
            raise ProofFailed("version", f"above {self._version}", fresh.version)
        self._version = fresh.version


def _ends(paid: PaymentValue) -> Met:
    """Whether a PaymentChanged is the end of this payment."""

    def met(body: JsonObject) -> bool:
        payment = body["payment"]
        return (payment["id"], payment["status"]) == (paid.id, PaymentStatus.SETTLED)

    return met


def _posts(direction: Direction, paid: PaymentValue) -> Met:
    """Whether a TransactionPosted is of this direction and amount."""

    def met(body: JsonObject) -> bool:
        row = body["transaction"]
        amount = read_money(row["amount"])
        return (row["direction"], amount) == (direction, paid.amount)

    return met
