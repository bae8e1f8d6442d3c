"""Random payments over a rail and a core that fail, each against what is true of it.

One seed is one schedule of a few payments: the fate of each order at the rail, what
fails when, what the rail calls about, how often and in which order, when processes die,
how time passes. The same seed plays the same schedule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from uuid import UUID

import pytest

from app import database
from app.ids import PaymentId, uuid7
from app.integrations.outcome import OpRef, PortCode
from app.integrations.rails import RailAnswer, RailStatus
from app.payments import jobs, lifecycle, records
from app.payments.lifecycle import FINAL, State, Status
from app.payments.payment import Payment
from app.rows import Row
from tests.payments.faults import Fault, Word
from tests.payments.handset import Phone
from tests.payments.line import Killed
from tests.payments.rail_town import RailTown
from tests.payments.scythe import Scythe, by_chance
from tests.payments.world import inr

MINOR = 100
_FAULTS = (
    *[Fault.NONE] * 6,
    Fault.NOT_SENT,
    Fault.LOST_BEFORE,
    Fault.LOST_AFTER,
    Fault.KILLED_BEFORE,
    Fault.KILLED_AFTER,
)
_OF_CORE = {"hold", "capture", "release", "reverse"}
_ENDS = (
    *[RailStatus.SETTLED] * 4,
    *[RailStatus.REJECTED] * 3,
    RailStatus.RETURNED,
)
_MEANWHILE = (RailStatus.ACCEPTED, RailStatus.DEEMED)
_TWO_DAYS_S = 48 * 3600.0
_FINAL = {Status(state.value) for state in FINAL}
_ORDERS = (
    "SELECT payment_id, id FROM payment_op WHERE kind = 'SUBMIT' AND payment_id IN "
)
_STATES = "SELECT id, state, unsure_since, manual_since FROM payment WHERE id IN "
_TO_COME = (
    "SELECT id FROM payment_op WHERE kind = 'CREDIT_BACK' "
    "AND outcome IN ('PENDING', 'UNKNOWN')"
)


def fate(chance: Random) -> Sequence[Word]:
    """Decide what becomes of an order at the rail, and what it says until then."""
    if chance.random() < 0.01:
        return (Word(0, RailStatus.ACCEPTED),)  # and never another word
    last, first_s = chance.choice(_ENDS), chance.choice((0.0, 0.0, 3.0, 20.0, 400.0))
    words = [Word(0, chance.choice(_MEANWHILE))] if first_s else []
    if last is RailStatus.RETURNED:
        back_s = first_s + chance.choice((1.0, 60.0))
        return (*words, Word(first_s, RailStatus.SETTLED), Word(back_s, last))
    no = PortCode.ACCOUNT_CLOSED if last is RailStatus.REJECTED else None
    return (*words, Word(first_s, last, no))


@dataclass
class Schedule:
    """A few payments, what happens to them, and what their customer was shown."""

    rail_town: RailTown
    chance: Random
    payments: list[PaymentId] = field(default_factory=list)
    shown: dict[PaymentId, list[Status]] = field(default_factory=dict)
    contradicted: set[PaymentId] = field(default_factory=set)

    async def play(self, count: int) -> list[Payment]:
        """Play so many payments to their ends, and compare them with the truth."""
        phone = await self._morning(count)
        before = await self.rail_town.free()
        self.rail_town.faults.chance = self._fault
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(jobs, "_AT_ONCE", 1)  # one after the other, so it repeats
            scythe = Scythe(by_chance(self.chance, 0.02))
            patched.setattr(database, "transaction", scythe.transaction)
            for _ in range(count):
                await self._begun(phone)
            for _ in range(count):
                await self._step()
        self.rail_town.faults.chance = lambda _name: Fault.NONE
        ended = await self._ended()
        cost = before - await self.rail_town.free()
        await self._judged(ended, cost)
        return ended

    async def _morning(self, count: int) -> Phone:
        """Sign in anew, for days may have passed, and put the money in."""
        town = self.rail_town.town
        op = OpRef(uuid7(), bytes(32))
        await town.bank.core.deposit(op, town.current.ref, inr(MINOR * count), "Pay")
        return await town.bank.a_phone(town.current.customer)

    async def _begun(self, phone: Phone) -> None:
        town = self.rail_town.town
        town.bank.clock.move(seconds=0.1)  # the worker takes the oldest first
        wish = town.to_ben(MINOR)
        payment = (await town.bank.transfers.create(phone.actor, wish)).payment
        self.rail_town.track.fates[payment.id.value] = fate(self.chance)
        challenge = await town.bank.challenge(phone, payment)
        shown = await town.bank.transfers.approve(
            phone.actor, challenge.id, *phone.answer(challenge)
        )
        self.payments.append(payment.id)
        self.shown[payment.id] = [shown.status]

    def _fault(self, name: str) -> Fault:
        if name in _OF_CORE and self.chance.random() < 0.05:
            return Fault.CONFLICT
        return self.chance.choice(_FAULTS)

    async def _step(self) -> None:
        """Let time pass, or let the rail call about one payment, rightly or late."""
        if self.chance.random() < 0.5:
            seconds = self.chance.choice((1.0, 6.0, 31.0, 31.0, 200.0))
            await self.rail_town.pass_time(seconds)
        else:
            orders = await self._orders()
            about = self.chance.choice(self.payments)
            if about in orders:
                await self._called(orders[about])
        await self._looked()

    async def _called(self, order: UUID) -> None:
        answer = self.rail_town.track.word(order)
        if self.chance.random() < 0.3:
            answer = RailAnswer(self.chance.choice(_MEANWHILE), answer.at)
        event = self.rail_town.track.event(order, answer)
        for _ in range(self.chance.choice((1, 1, 2))):
            try:
                await self.rail_town.town.bank.passage.heard(event)
            except Killed:
                continue  # the process that heard it died: the word is lost

    async def _looked(self) -> bool:
        """Note what the customer is shown now; tells whether all ended, or are staff's.

        A credit back may follow the end.
        """
        done = True
        for row in await self._of_mine(_STATES):
            unsure = row.find("unsure_since", datetime) is not None
            state = row.get("state", State)
            status = lifecycle.shown(state, unsure=unsure)
            self.shown[row.get("id", PaymentId)].append(status)
            with_staff = row.find("manual_since", datetime) is not None
            done = done and (state in FINAL or with_staff)
        return done and not await database.read(_TO_COME)

    async def _of_mine(self, sql: str) -> list[Row]:
        named = database.placeholders(1, len(self.payments))
        return await database.read(sql + named, *self.payments)

    async def _orders(self) -> dict[PaymentId, UUID]:
        """Find the orders that the rail has taken in."""
        known, rows = self.rail_town.track.orders, await self._of_mine(_ORDERS)
        sent = [(row.get("payment_id", PaymentId), row.get("id", UUID)) for row in rows]
        return {payment: op for payment, op in sent if op in known}

    async def _ended(self) -> list[Payment]:
        """Let the world be well until all have ended, or are staff's."""
        for seconds in (*(601.0,) * 5, _TWO_DAYS_S):
            await self.rail_town.pass_time(seconds)
            if await self._looked():
                break
        orders = await self._orders()
        for payment in self.payments:
            if payment in orders and self.chance.random() < 0.1:
                await self._contradict(payment, orders[payment])
        await self._looked()
        found = await records.several(self.payments)
        return [found[payment] for payment in self.payments]

    async def _contradict(self, payment: PaymentId, order: UUID) -> None:
        """Say the opposite of what was the last word."""
        now = await self.rail_town.town.bank.now(payment)
        if now.state not in {State.SETTLED, State.FAILED, State.REVERSED}:
            return
        failed = now.state is State.FAILED
        opposite = RailStatus.SETTLED if failed else RailStatus.REJECTED
        event = self.rail_town.track.event(order, RailAnswer(opposite, now.created_at))
        await self.rail_town.town.bank.passage.heard(event)
        self.contradicted.add(payment)

    # -------------------------------------------------------------- the truth

    async def _judged(self, ended: Sequence[Payment], cost: int) -> None:
        """Compare states, holds and money with what is true at the rail."""
        orders = await self._orders()
        holds = await database.read(
            "SELECT o.payment_id FROM ledger_hold h JOIN payment_op o ON o.id = h.id "
            "WHERE h.state = 'OPEN'"
        )
        held = [row.get("payment_id", PaymentId) for row in holds]
        gone = 0
        for payment in ended:
            wanted = self._wanted(payment, orders.get(payment.id))
            assert payment.status is wanted, f"{payment.status}, truly {wanted}"
            assert payment.conflict is (payment.id in self.contradicted)
            assert held.count(payment.id) == (payment.manual_since is not None)
            gone += payment.status in {Status.SETTLED, Status.PENDING_CONFIRMATION}
            ends = _FINAL.intersection(self.shown[payment.id])
            back = {Status.SETTLED} if payment.status is Status.REVERSED else set()
            assert ends - back <= {payment.status}, f"was shown as {ends}"
        assert cost == MINOR * gone

    def _wanted(self, payment: Payment, order: UUID | None) -> Status:
        """Give what a payment must have become by what the rail knows of it."""
        if order is None:
            return Status.DECLINED
        match self.rail_town.track.word(order).status:
            case RailStatus.SETTLED:
                return Status.SETTLED
            case RailStatus.REJECTED:
                return Status.FAILED
            case RailStatus.RETURNED:  # a return after the end is told by a call only
                back = payment.status is Status.REVERSED
                return Status.REVERSED if back else Status.SETTLED
            case _:
                return Status.PENDING_CONFIRMATION
