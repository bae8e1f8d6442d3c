"""Writing what became of an operation: the second half of each step of a payment.

Every method runs in one transaction of the caller. The payment's row is written first,
its operation second, so whoever comes later finds either all of it or nothing; a final
outcome is written once, and another one after it is a conflict for staff. Gives what is
to be done next, or None. Source: banking.md sections 4.2 and 4.3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from app import telemetry
from app.database import Tx
from app.integrations.outcome import PortCode
from app.payments import leases, moves, news, ops, timetable
from app.payments.address_book import AddressBook
from app.payments.asking import Taken
from app.payments.leases import Pause
from app.payments.lifecycle import Event, State
from app.payments.moves import Lease, Move
from app.payments.ops import Kind, Op, OpOutcome
from app.payments.payment import Payment, PaymentStep, StepDetail, StepSource
from app.payments.verdicts import Booked, NotBooked, Unsure
from app.realtime.shots import AccountShot

_ATTEMPTS = 5  # of an operation that the core wants tried again (banking.md 4.3)


class Overtaken(Exception):
    """Somebody else wrote the outcome of this operation first: all is rolled back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """Who writes.

    Args:
        at: when.
        lease: under which he goes on.
        account: the payer's, as events show it.
        ask_at: when the operation is asked about next if nobody knows.
    """

    at: datetime
    lease: Lease
    account: AccountShot
    ask_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """What an operation that happened does to its payment, and what audit calls it."""

    event: Event
    detail: StepDetail
    audit: str | None = None
    then: Kind | None = None


_BOOKED: Mapping[Kind, _End] = MappingProxyType(
    {
        Kind.TRANSFER: _End(
            event=Event.TRANSFER_MADE,
            detail=StepDetail.BOOKED,
            audit="payment.settled",
        ),
        Kind.HOLD: _End(
            event=Event.HOLD_MADE, detail=StepDetail.MONEY_HELD, then=Kind.SUBMIT
        ),
        Kind.CAPTURE: _End(
            event=Event.CAPTURED, detail=StepDetail.BOOKED, audit="payment.settled"
        ),
        Kind.RELEASE: _End(
            event=Event.HOLD_RELEASED,
            detail=StepDetail.MONEY_FREED,
            audit="payment.failed",
        ),
        Kind.CREDIT_BACK: _End(
            event=Event.CREDITED_BACK,
            detail=StepDetail.CREDITED_BACK,
            audit="payment.reversed",
        ),
    }
)
# A no to these ends the payment; a no to any other is tried again until it is done.
_DECLINED: Mapping[Kind, Event] = MappingProxyType(
    {Kind.TRANSFER: Event.TRANSFER_REJECTED, Kind.HOLD: Event.HOLD_REJECTED}
)


async def made(
    tx: Tx, payment: Payment, move: Move, lease: Lease | None = None
) -> tuple[Payment, PaymentStep]:
    """Make a move that belongs to an operation of ours.

    Raises:
        Overtaken: somebody else made one.
    """
    moved = await moves.move(tx, payment, move, lease)
    if moved is None:
        raise Overtaken
    return moved


class Conclusions:
    """Writes outcomes of operations.

    Args:
        book: notes when a payee was last paid.
    """

    def __init__(self, *, book: AddressBook) -> None:
        self._book = book

    async def booked(
        self, tx: Tx, taken: Taken, verdict: Booked, hand: Hand
    ) -> Taken | Payment:
        """Move a payment on because its operation happened.

        Returns:
            What is to be done next, or the payment where nothing is.

        Raises:
            Overtaken: somebody else wrote the outcome.
        """
        op, end = taken.op, _BOOKED[taken.op.kind]
        move = Move(
            event=end.event, at=hand.at, source=StepSource.CORE, detail=end.detail
        )
        payment, step = await made(tx, taken.payment, move, self._lease(end, hand))
        if not await ops.resolve(
            tx, op, OpOutcome.OK, hand.at, provider_ref=verdict.provider_ref
        ):
            raise Overtaken
        if payment.state is State.SETTLED and payment.destination.beneficiary:
            await self._book.paid(tx, payment.destination.beneficiary, hand.at)
        if end.audit is not None:
            news.by_bank(tx, end.audit, payment, hand.at, op.ref.id.hex)
        news.tell(tx, payment, step, hand.account)
        return await self._next(tx, payment, op, end, hand)

    def _lease(self, end: _End, hand: Hand) -> Lease | None:
        return None if end.then is None else hand.lease

    async def _next(
        self, tx: Tx, payment: Payment, op: Op, end: _End, hand: Hand
    ) -> Taken | Payment:
        if end.then is not None:
            following = await ops.start(tx, payment, end.then, hand.at)
            return Taken(payment, following, resumed=False)
        if op.kind is not Kind.CAPTURE:
            return payment
        returned = await ops.standing(tx, payment.id, (Kind.CREDIT_BACK,))
        if returned is None:
            return payment
        await leases.keep(tx, payment, hand.lease)
        return Taken(payment, returned, resumed=False)

    async def not_booked(
        self, tx: Tx, taken: Taken, verdict: NotBooked, hand: Hand
    ) -> Taken | None:
        """End a payment because of a definite no, or try again under a new id.

        Raises:
            Overtaken: somebody else wrote the outcome.
        """
        op = taken.op
        retry = verdict.code is PortCode.CONFLICT_RETRY and op.attempt < _ATTEMPTS
        if retry:
            return await self._once_more(tx, taken, verdict, hand)
        ending = _DECLINED.get(op.kind)
        if ending is None:
            await self._later(tx, taken, verdict, hand)
            return None
        move = Move(
            event=ending,
            at=hand.at,
            source=StepSource.CORE,
            detail=StepDetail.NOT_BOOKED,
            code=verdict.reason,
        )
        payment, step = await made(tx, taken.payment, move)
        await self._refused(tx, op, verdict, hand)
        news.by_bank(tx, "payment.declined", payment, hand.at, op.ref.id.hex)
        news.tell(tx, payment, step, hand.account)
        if verdict.is_ours:
            telemetry.log.error(
                "payment_refused_by_core", payment=str(payment.id), code=verdict.code
            )
        return None

    async def _refused(self, tx: Tx, op: Op, verdict: NotBooked, hand: Hand) -> None:
        if not await ops.resolve(
            tx,
            op,
            OpOutcome.REJECTED,
            hand.at,
            code=verdict.code,
            provider_ref=verdict.provider_ref,
        ):
            raise Overtaken

    async def _once_more(
        self,
        tx: Tx,
        taken: Taken,
        verdict: NotBooked,
        hand: Hand,
        *,
        send_at: datetime | None = None,
    ) -> Taken:
        """Burn the id and start the next attempt: at once, or when it is time."""
        if not await leases.keep(tx, taken.payment, hand.lease):
            raise Overtaken
        await self._refused(tx, taken.op, verdict, hand)
        op = taken.op
        fresh = await ops.start(
            tx, taken.payment, op.kind, hand.at, before=op, send_at=send_at
        )
        return Taken(taken.payment, fresh, resumed=False)

    async def _later(
        self, tx: Tx, taken: Taken, verdict: NotBooked, hand: Hand
    ) -> None:
        """Try again by the timetable what must not fail: the end of a hold."""
        telemetry.log.error(
            "payment_end_refused_by_core",
            payment=str(taken.payment.id),
            operation=taken.op.kind,
            code=verdict.code,
        )
        once_more = await self._once_more(tx, taken, verdict, hand, send_at=hand.ask_at)
        await self.put_down(tx, once_more.payment, once_more.op, hand)

    # -------------------------------------------------------------- nobody knows

    async def doubted(self, tx: Tx, taken: Taken, verdict: Unsure, hand: Hand) -> None:
        """Keep everything, hold and all, until the partner is asked again.

        Raises:
            Overtaken: somebody else wrote the outcome.
        """
        op, payment = taken.op, taken.payment
        telemetry.log.warning(
            "payment_outcome_unsure", payment=str(op.payment), cause=verdict.cause
        )
        if not await self.put_down(tx, payment, op, hand):
            return
        if op.outcome not in {OpOutcome.PENDING, OpOutcome.UNKNOWN}:
            return  # an order that the rail has taken: not to hear of it is no doubt
        if not await ops.leave_open(
            tx,
            op,
            unknown=verdict.sent,
            unseen=verdict.unseen,
            next_ask_at=hand.ask_at,
        ):
            raise Overtaken
        if verdict.sent:
            await self.doubt(tx, payment, op, hand)

    async def doubt(
        self,
        tx: Tx,
        payment: Payment,
        op: Op,
        hand: Hand,
        detail: StepDetail = StepDetail.OUTCOME_UNSURE,
    ) -> None:
        """Show the customer that nobody knows, once; money back is no such doubt."""
        if op.kind is Kind.CREDIT_BACK:
            return
        source = StepSource.RAIL if op.kind is Kind.SUBMIT else StepSource.CORE
        doubted = await leases.doubt(tx, payment, hand.at, source, detail)
        if doubted is not None:
            news.by_bank(tx, "payment.unsure", doubted[0], hand.at, op.ref.id.hex)
            news.tell(tx, *doubted, hand.account)

    async def put_down(self, tx: Tx, payment: Payment, op: Op, hand: Hand) -> bool:
        """Leave a payment to the timetable, or to staff; False: it is not ours."""
        given_up = timetable.is_given_up(op.first_sent_at, hand.at)
        pause = Pause(hand.lease.holder, None if given_up else hand.ask_at)
        if not await leases.put_down(tx, payment, pause):
            return False
        if given_up:
            await self._to_staff(tx, payment, op, hand)
        return True

    async def _to_staff(self, tx: Tx, payment: Payment, op: Op, hand: Hand) -> None:
        await self.doubt(tx, payment, op, hand)
        given = await leases.to_staff(tx, payment, hand.at)
        if given is None:
            return
        telemetry.log.error(
            "payment_needs_staff", payment=str(payment.id), operation=op.kind
        )
        news.by_bank(tx, "payment.with_staff", given[0], hand.at, op.ref.id.hex)
        news.tell(tx, *given, hand.account)

    # -------------------------------------------------------------- two answers

    async def contradicted(
        self, tx: Tx, payment: Payment, op: Op, hand: Hand, said: str
    ) -> None:
        """Keep the first of two different final answers and call for staff, once."""
        if not await leases.contradict(tx, payment.id):
            return
        telemetry.log.error(
            "payment_two_answers",
            payment=str(payment.id),
            op_id=str(op.ref.id),
            state=payment.state,
            outcome=said,
        )
        tx.after_commit(telemetry.payments_conflicts.inc)
        news.by_bank(tx, "payment.conflict", payment, hand.at, op.ref.id.hex)

    async def overtaken(
        self, tx: Tx, taken: Taken, verdict: Booked | NotBooked, hand: Hand
    ) -> None:
        """Compare an answer that came too late with the one that stands."""
        payment = await leases.lock(tx, taken.payment.id)
        op = await ops.again(tx, taken.op)
        happened = isinstance(verdict, Booked)
        against = OpOutcome.REJECTED if happened else OpOutcome.OK
        if op.outcome is against:
            said = "OK" if happened else "REJECTED"
            await self.contradicted(tx, payment, op, hand, said)
