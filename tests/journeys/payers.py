"""Phones that pay on and on while parts of the bank are killed, and what they saw."""

import asyncio
import statistics
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import UUID

from mock_mobile_client.enums import PaymentStatus
from mock_mobile_client.errors import (
    PhoneError,
    Refused,
    SocketClosed,
    Unreachable,
)
from mock_mobile_client.handset import Level
from mock_mobile_client.insisting import insist
from mock_mobile_client.live import Live
from mock_mobile_client.money import MoneyValue, money
from mock_mobile_client.payments import Order, new_key
from mock_mobile_client.phone import Phone
from mock_mobile_client.stage import present
from mock_mobile_client.stream import CONTROL
from tests.journeys.books import Books

ONE = money("1.00 INR")
AGAIN_S = 0.05
TOLD = {"SENT", "DELIVERED", "OPENED"}
LONGEST_S = 30  # until the last event arrived


@dataclass
class Tally:
    """What the phones were told.

    Attributes:
        settled: id of every payment that a phone was told is settled.
        waiting: keys of the payments whose end no phone knows yet.
        heard: how often each "not now" was heard.
        answered_s: after each kill, seconds to the first answered query.
        final_s: after each kill, seconds until all that was in flight was settled.
        stopped: payers end with the payment they are at.
    """

    settled: list[str] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    heard: Counter[str] = field(default_factory=Counter)
    answered_s: list[float] = field(default_factory=list)
    final_s: list[float] = field(default_factory=list)
    stopped: bool = False

    def hear(self, what: str) -> None:
        """Count a "not now"."""
        self.heard[what] += 1

    async def until_final(self, keys: set[str]) -> None:
        """Wait until none of these payments is waiting any more."""
        while keys & self.waiting:
            await asyncio.sleep(0.01)


async def pay_on_and_on(phone: Phone, form: Order, told: Tally) -> int:
    """Pay again and again; each payment is retried with its key until it settled.

    Returns:
        How many payments this payer was told are settled.
    """
    count = 0
    while not told.stopped:
        order = replace(form, key=new_key())
        told.waiting.add(order.key)
        told.settled.append((await insist(phone, order, told.hear)).id)
        told.waiting.discard(order.key)
        count += 1
    return count


async def first_answer(phone: Phone) -> None:
    """Ask for the home screen until it is answered: needs the database, too."""
    while True:
        try:
            await phone.home()
        except (Refused, Unreachable):
            await asyncio.sleep(0.02)
        else:
            return


class Watcher:
    """A phone that only listens, over every kill; its stream goes on where it was.

    Args:
        phone: whose stream; its cursor lies in its store.
    """

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self._lives: list[Live] = []

    @property
    def numbers(self) -> list[int]:
        """The numbers of the events it applied, in that order."""
        events = [event for live in self._lives for event in live.picture.applied]
        return [event.sequence for event in events if event.kind not in CONTROL]

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            live = self.phone.live(self.phone.handset.state.cursor)
            self._lives.append(live)
            with suppress(PhoneError):
                async with live:
                    await live.until_closed(timeout_s=float("inf"))
            await asyncio.sleep(AGAIN_S)

    @property
    def closings(self) -> list[SocketClosed]:
        """Every end of a socket so far."""
        return [closed for live in self._lives for closed in live.closings]

    async def head(self, books: Books) -> int:
        """Read the number of the newest event there is for this phone."""
        me = await self.phone.ask("{ me { id } }", {}, Level.LOGIN)
        whose = UUID(present(me.data)["me"]["id"].partition("_")[2])
        sql = f"SELECT seq FROM stream_head WHERE customer_id = '{whose}'"  # noqa: S608  -- our own id
        return int(await asyncio.to_thread(books.one, sql))

    async def saw_each_event_once(self, books: Books) -> bool:
        """Wait for the newest event; tell whether the numbers have hole or double."""
        head = await self.head(books)
        async with asyncio.timeout(LONGEST_S):
            while not self.numbers or max(self.numbers) < head:
                await asyncio.sleep(AGAIN_S)
        # More may have come since: what is told a customer also tells her inbox.
        return self.numbers == list(range(self.numbers[0], self.numbers[-1] + 1))


async def unseen_pushes(books: Books, phone: Phone) -> set[str]:
    """Wait until the bank has nothing left to push; give what the screen lacks.

    The screen shows a notification once, however often the same id came: a worker that
    died between sending and recording sends again.
    """
    device = UUID(phone.handset.device_id.partition("_")[2])
    sql = (
        "SELECT state, notification_id FROM push_dispatch "  # noqa: S608  -- our own id
        f"WHERE device_id = '{device}'"
    )
    async with asyncio.timeout(LONGEST_S):
        while True:
            rows = await asyncio.to_thread(books.read, sql)
            seen = {number.partition("_")[2] for number in phone.drawer.notes}
            told = {_plain(n) for state, n in rows if state in TOLD}
            if rows and "QUEUED" not in dict(rows) and told <= seen:
                break
            await asyncio.sleep(AGAIN_S)
    return {_plain(number) for _state, number in rows} ^ seen


async def balances(*phones: Phone) -> dict[str, MoneyValue]:
    """Read what is available in every account of these phones."""
    return {
        f"{phone.name} {one.name}": one.balance.available
        for phone in phones
        for one in (await phone.home()).accounts
        if one.balance is not None
    }


@dataclass(frozen=True)
class Verdict:
    """What the books say against what the phones were told."""

    acknowledged: int
    lost: int
    doubled: int
    unfinished: int
    held: int
    sums: set[int]


def judged(books: Books, told: Tally, before: set[str]) -> Verdict:
    """Compare the payments of the books with those the phones were told of.

    Args:
        books: of the bank.
        told: what the phones heard.
        before: ids of the payments there were before.
    """
    rows = books.read("SELECT id, state FROM payment")
    states = {_plain(number): state for number, state in rows}
    new = {number: state for number, state in states.items() if number not in before}
    settled = {number for number, state in new.items() if state == "SETTLED"}
    known = {number.partition("_")[2] for number in told.settled}
    twice = books.read(
        "SELECT payment_id FROM payment_op WHERE outcome = 'OK' "
        "GROUP BY payment_id, kind HAVING count(*) > 1"
    )
    ended = {str(status) for status in PaymentStatus if status.final}
    totals = books.read(
        "SELECT a.currency, CAST(sum(p.amount) AS BIGINT) FROM ledger_posting p "
        "JOIN ledger_account a ON a.id = p.account_id GROUP BY a.currency"
    )
    return Verdict(
        acknowledged=len(told.settled),
        lost=len(known - settled),
        doubled=len(settled - known) + len(told.settled) - len(known) + len(twice),
        unfinished=len([state for state in new.values() if state not in ended]),
        held=books.one("SELECT count(*) FROM ledger_hold WHERE state = 'OPEN'"),
        sums={int(total) for _currency, total in totals},
    )


def payments_of(books: Books) -> set[str]:
    """Give the ids of all payments there are."""
    return {_plain(number) for (number,) in books.read("SELECT id FROM payment")}


def _plain(number: object) -> str:
    return UUID(str(number)).hex


def spread(seconds: list[float]) -> str:
    """Write the median and the 95th of a hundred: `1.20/2.45 s`."""
    ranked = sorted(seconds)
    late = ranked[min(len(ranked) - 1, round(0.95 * len(ranked)))]
    return f"{statistics.median(ranked):.2f}/{late:.2f} s"
