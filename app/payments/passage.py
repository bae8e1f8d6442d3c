"""An approved payment on its way: lease, operation, core or rail, outcome, and again.

`advance` looks at state and operation alone and carries on from wherever a process was
killed: a PENDING operation is asked about, never sent under a new id (banking.md 4.3).
Asking is `asking.py`, writing `conclusions.py` and `rail_word.py`.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import assert_never

from app import database, telemetry
from app.accounts.account import shot
from app.accounts.accounts import Accounts
from app.auth import stops
from app.auth.stops import Stopper
from app.clock import Clock
from app.database import Tx
from app.ids import PaymentId
from app.integrations.core_banking import CoreBank
from app.integrations.outcome import PortCode
from app.integrations.rails import (
    ASK_EVERY_S,
    PaymentRail,
    RailEvent,
    RailStatus,
    Settles,
)
from app.payments import (
    given_away,
    leases,
    moves,
    news,
    ops,
    records,
    timetable,
    verdicts,
)
from app.payments.address_book import AddressBook
from app.payments.asking import ANSWER_S, Asking, Taken
from app.payments.conclusions import Conclusions, Hand, Overtaken, made
from app.payments.lifecycle import Event, IllegalMove, State
from app.payments.moves import Lease, Move
from app.payments.ops import BY_RAIL, Kind, Op
from app.payments.payment import Payment, StepDetail, StepSource
from app.payments.rail_word import RailWord
from app.payments.verdicts import Booked, NotBooked, Said, Unsure, Verdict
from app.realtime.shots import AccountShot

LEASE_S = ANSWER_S + 5  # for the writing before and after; then anybody may ask
_BY_CORE = frozenset({State.CAPTURING, State.RELEASING, State.SETTLED})
_STOPPERS: Mapping[Stopper, StepSource] = MappingProxyType(
    {
        Stopper.CUSTOMER: StepSource.CUSTOMER,
        Stopper.STAFF: StepSource.STAFF,
        Stopper.GUARD: StepSource.RISK,
    }
)
_CARRIED = frozenset(
    {
        State.APPROVED,
        State.HOLDING,
        State.SUBMITTING,
        State.IN_FLIGHT,
        State.CAPTURING,
        State.RELEASING,
        State.SETTLED,  # whose money came back
    }
)


@dataclass(frozen=True, slots=True)
class Begun:
    """A payment right after its approval; `taken` where it is under way already."""

    payment: Payment
    taken: Taken | None


class Passage:
    """Carries payments out.

    Args:
        clock: the bank's clock.
        accounts: the payer's account, as events show it.
        book: the full addresses of payees, and when each was last paid.
        core: holds the money of a two-phase payment.
        rails: by their names in the contract.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        accounts: Accounts,
        book: AddressBook,
        core: CoreBank,
        rails: Mapping[str, PaymentRail],
    ) -> None:
        self._clock = clock
        self._accounts = accounts
        self._asking = Asking(core=core, rails=rails, book=book)
        self._conclusions = Conclusions(book=book)
        self._word = RailWord(self._conclusions)
        self._holder = secrets.token_hex(8)

    async def advance(
        self, payment: PaymentId, *, by_staff: bool = False
    ) -> Payment | None:
        """Carry a payment on as far as it goes now; nothing if another one does.

        One whose rail this bank was not started with waits for it, as it is.

        Args:
            payment: which.
            by_staff: ask now, whatever the timetable says.

        Returns:
            Where it was left, if that is known.

        Raises:
            Outage: the database is away; whoever comes next carries on.
        """
        found = await records.find(payment)
        if found is None or found.state not in _CARRIED:
            return None
        if found.state not in _BY_CORE and not self._asking.is_open(found):
            telemetry.log.warning(
                "payment_waits_for_rail", payment=str(payment), port=found.rail
            )
            await leases.rest(payment, self._clock.now())
            return None
        account = await self.account_of(found)
        taken = await database.transaction(
            lambda tx: self._taken(tx, payment, account, by_staff=by_staff),
            name="payments.lease",
        )
        return await self.carry(taken, account)

    async def begun(
        self, tx: Tx, payment: Payment, approval: Move, account: AccountShot
    ) -> "Begun | None":
        """Write an approval, and hand the payment over where nobody may undo it.

        Args:
            tx: the transaction of the approval.
            payment: as it was read outside; None comes back when it waits no more.
            approval: the move that its customer made.
            account: the payer's, as events show it.
        """
        now = approval.at
        if ending := await given_away.ending(tx, payment, now):
            waiting = await moves.lock_waiting(tx, payment.id, now)
            if waiting is None:
                return None
            return Begun(await self._declined(tx, waiting, ending, account), None)
        until = await self._not_before(tx, payment, now)
        steps, lease, taken = [replace(approval, not_before=until)], None, None
        if until is None:
            steps, lease = [approval, self._start(payment, now)], self._lease(now)
        made = await moves.approve(tx, payment, steps, lease)
        if made is None:
            return None
        last = made[-1][0]
        if until is None:
            op = await ops.start(tx, last, self._first(payment), now)
            taken = Taken(last, op, resumed=False)
        for one in made:
            news.tell(tx, *one, account)
        return Begun(last, taken)

    async def heard(
        self, event: RailEvent, source: StepSource = StepSource.RAIL
    ) -> None:
        """Take a rail's word that nobody asked for, and do what follows from it.

        Twice, late, or in another order is harmless; a word about an order that is not
        ours is logged.

        Raises:
            Outage: nothing was written; the same event may come again.
        """
        op = await ops.named(event.op)
        if op is None or op.kind is not Kind.SUBMIT:
            telemetry.log.error("rail_event_of_no_order", op_id=str(event.op))
            return
        payment = await records.find(op.payment)
        assert payment is not None, "operations belong to payments"  # noqa: S101  -- our bug
        account = await self.account_of(payment)
        word = verdicts.heard(event.answer, event.provider_ref)
        taken = await database.transaction(
            lambda tx: self._word.said(
                tx, payment.id, op, word, source, self._hand(payment, op, account)
            ),
            name="payments.heard",
        )
        await self.carry(taken, account)

    async def disputed(self, event: RailEvent) -> None:
        """Call for staff, once: a rail's final word names another amount than ours.

        Nothing moves by such a word; the rail is asked on as before.

        Raises:
            Outage: nothing was written; the same event may come again.
        """
        op = await ops.named(event.op)
        if op is None or op.kind is not Kind.SUBMIT:
            telemetry.log.error("rail_event_of_no_order", op_id=str(event.op))
            return
        found = await records.find(op.payment)
        assert found is not None, "operations belong to payments"  # noqa: S101  -- our bug
        account, said = await self.account_of(found), event.answer.status

        async def work(tx: Tx) -> None:
            payment = await leases.lock(tx, found.id)
            hand = self._hand(payment, op, account)
            await self._conclusions.contradicted(tx, payment, op, hand, said)

        await database.transaction(work, name="payments.disputed")

    async def account_of(self, payment: Payment) -> AccountShot:
        """Give the payer's account as events show it. Never inside a transaction."""
        found = await self._accounts.one(payment.customer, payment.from_account)
        assert found is not None, "accounts are never deleted"  # noqa: S101  -- our bug
        return shot(found)

    async def _not_before(
        self, tx: Tx, payment: Payment, now: datetime
    ) -> datetime | None:
        """Give until when its customer may stop a payment that she approves now.

        None: at once, because its rail has no such window (banking.md section 4.5).
        """
        caps = self._asking.rail(payment).caps
        if caps.settles is Settles.ATOMIC:
            return None
        first = not await moves.paid_before(tx, payment)
        undo_s = max(caps.undo_s, caps.undo_first_s) if first else caps.undo_s
        return now + timedelta(seconds=undo_s) if undo_s else None

    # -------------------------------------------------------------- T3

    async def _taken(
        self, tx: Tx, payment: PaymentId, account: AccountShot, *, by_staff: bool
    ) -> Taken | None:
        """Take the lease; the first time also store the operation."""
        now = self._clock.now()
        found = await leases.take(tx, payment, self._lease(now), now, by_staff=by_staff)
        if found is None:
            return None
        if found.state is not State.APPROVED:
            op = await ops.at(tx, found)
            if op is None:
                raise IllegalMove("a payment on its way without an operation")
            is_void = await given_away.is_void(tx, found, op)
            resumed = is_void or not await ops.is_new(tx, op)
            return Taken(found, op, resumed=resumed, is_void=is_void)
        if found.not_before is not None:
            stopper = await stops.stopped(tx, found.customer, found.device)
            if stopper is not None:
                await self._stopped(tx, found, stopper, account)
                return None
        if ending := await given_away.ending(tx, found, now):
            await self._declined(tx, found, ending, account)
            return None
        op = await ops.start(tx, found, self._first(found), now)
        moved = await made(tx, found, self._start(found, now), self._lease(now))
        news.tell(tx, *moved, account)
        return Taken(moved[0], op, resumed=False)

    def _first(self, payment: Payment) -> Kind:
        """Give the operation that an approved payment begins with."""
        atomic = self._asking.rail(payment).caps.settles is Settles.ATOMIC
        return Kind.TRANSFER if atomic else Kind.HOLD

    def _start(self, payment: Payment, now: datetime) -> Move:
        atomic = self._first(payment) is Kind.TRANSFER
        return Move(
            event=Event.TRANSFER_STARTED if atomic else Event.HOLD_STARTED,
            at=now,
            source=StepSource.CORE,
            detail=StepDetail.HANDED_OVER,
        )

    async def _stopped(
        self, tx: Tx, payment: Payment, stopper: Stopper, account: AccountShot
    ) -> None:
        """End a payment that could still be stopped, as its customer's access was."""
        step = Move(
            event=Event.CANCELLED,
            at=self._clock.now(),
            source=_STOPPERS[stopper],
            detail=StepDetail.ACCESS_STOPPED,
        )
        moved = await made(tx, payment, step)
        news.by_bank(tx, "payment.cancelled", moved[0], step.at, "payments.undo")
        news.tell(tx, *moved, account)

    async def _declined(
        self, tx: Tx, payment: Payment, ending: Move, account: AccountShot
    ) -> Payment:
        """End a payment that would move somebody else's money."""
        declined, step = await made(tx, payment, ending)
        news.by_bank(tx, "payment.declined", declined, ending.at, given_away.CAUSE)
        news.tell(tx, declined, step, account)
        return declined

    # -------------------------------------------------------------- T4 to T6

    async def carry(
        self, taken: Taken | Payment | None, account: AccountShot
    ) -> Payment | None:
        """Ask and write, ask and write, until there is nothing to do now.

        Raises:
            Outage: the database is away; whoever comes next carries on.
        """
        while isinstance(taken, Taken):
            here, verdict = taken, await self._asking.answer(taken)
            verdict = self._believed(here, verdict)
            try:
                taken = await self._concluded(here, verdict, account)
            except Overtaken:
                await self._compared(here, verdict, account)
                return None
        return taken

    def _believed(self, taken: Taken, verdict: Verdict) -> Verdict:
        """Take "never seen" for a no, once it was said often and long enough."""
        if not isinstance(verdict, Unsure) or not verdict.unseen:
            return verdict
        op, now = taken.op, self._clock.now()
        if not timetable.is_believed(op.first_sent_at, now, op.unseen + 1):
            return verdict
        if op.kind is Kind.SUBMIT:
            return Said(status=RailStatus.REJECTED, code=PortCode.NEVER_SEEN)
        return verdicts.not_booked(PortCode.NEVER_SEEN)

    async def _concluded(
        self, taken: Taken, verdict: Verdict, account: AccountShot
    ) -> Taken | Payment | None:
        """Write the outcome; whoever wrote it first has written it for good."""

        async def work(tx: Tx) -> Taken | Payment | None:
            hand = self._hand(taken.payment, taken.op, account, verdict)
            match verdict:
                case Booked():
                    return await self._conclusions.booked(tx, taken, verdict, hand)
                case NotBooked():
                    return await self._conclusions.not_booked(tx, taken, verdict, hand)
                case Said():
                    payment, source = taken.payment.id, StepSource.RAIL
                    return await self._word.said(
                        tx, payment, taken.op, verdict, source, hand
                    )
                case Unsure():
                    await self._conclusions.doubted(tx, taken, verdict, hand)
                    return None
                case _:
                    assert_never(verdict)

        return await database.transaction(work, name="payments.conclude")

    async def _compared(
        self, taken: Taken, verdict: Verdict, account: AccountShot
    ) -> None:
        """See whether an answer that came too late is another one than what stands."""
        if not isinstance(verdict, (Booked, NotBooked)):
            return
        hand = self._hand(taken.payment, taken.op, account)
        await database.transaction(
            lambda tx: self._conclusions.overtaken(tx, taken, verdict, hand),
            name="payments.overtaken",
        )

    def _lease(self, now: datetime) -> Lease:
        return Lease(self._holder, now + timedelta(seconds=LEASE_S))

    def _hand(
        self,
        payment: Payment,
        op: Op,
        account: AccountShot,
        verdict: Verdict | None = None,
    ) -> Hand:
        now, first = self._clock.now(), op.first_sent_at
        if op.kind in BY_RAIL:
            caps = self._asking.rail(payment).caps
            ask_at = timetable.next_ask(first, now, caps.ask_plan, caps.ask_every_s)
        else:
            ask_at = timetable.next_ask(first, now)
        wished_s = verdict.ask_after_s if isinstance(verdict, Unsure) else None
        if wished_s is not None:
            longest = now + timedelta(seconds=ASK_EVERY_S)
            ask_at = min(max(ask_at, now + timedelta(seconds=wished_s)), longest)
        return Hand(at=now, lease=self._lease(now), account=account, ask_at=ask_at)
