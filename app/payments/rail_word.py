"""What a two-phase rail says of an order, by answer or by call, made into moves.

A rail may say things twice, late and in another order, and several processes may hear
it at once: the payment's row is taken first, then its state decides. The first final
answer stands; a different one after it is a conflict (banking.md section 4.2).
"""

from dataclasses import dataclass

from app.database import Tx
from app.errors import ErrorCode
from app.ids import PaymentId
from app.integrations.rails import RailStatus
from app.payments import leases, moves, news, ops
from app.payments.asking import Taken
from app.payments.conclusions import Conclusions, Hand, made
from app.payments.lifecycle import Event, State
from app.payments.moves import Lease, Move
from app.payments.ops import Kind, Op, OpOutcome
from app.payments.payment import Payment, StepDetail, StepSource
from app.payments.timetable import NOBODY
from app.payments.verdicts import Said

_ASKED = frozenset({State.SUBMITTING, State.IN_FLIGHT})
_ARRIVED = frozenset({State.CAPTURING, State.SETTLED, State.REVERSED})
_REFUSED = frozenset({State.RELEASING, State.FAILED})
_GONE = frozenset({RailStatus.SETTLED, RailStatus.RETURNED})


@dataclass(frozen=True, slots=True)
class _Heard:
    """One word about one payment, whose row is ours."""

    payment: Payment
    op: Op
    word: Said
    source: StepSource
    hand: Hand

    def move(self, event: Event, detail: StepDetail) -> Move:
        """Give the move that this word means."""
        refused = event is Event.RAIL_REJECTED
        return Move(
            event=event,
            at=self.hand.at,
            source=self.source,
            detail=detail,
            code=ErrorCode.PARTNER_DECLINED if refused else None,
            expected_by=self.word.expected_by,
        )


class RailWord:
    """Writes what a rail said.

    Args:
        conclusions: writes doubts and conflicts.
    """

    def __init__(self, conclusions: Conclusions) -> None:
        self._conclusions = conclusions

    async def said(
        self,
        tx: Tx,
        payment: PaymentId,
        op: Op,
        word: Said,
        source: StepSource,
        hand: Hand,
    ) -> Taken | None:
        """Write a rail's word; gives what is to be done next.

        Args:
            tx: the caller's transaction.
            payment: about which.
            op: the order, a SUBMIT.
            word: what was said.
            source: RAIL, or STAFF who found out.
            hand: who writes.
        """
        locked = await leases.lock(tx, payment)
        heard = _Heard(locked, await ops.again(tx, op), word, source, hand)
        if heard.op.outcome is OpOutcome.REJECTED and locked.state in _ASKED:
            await self._of_burnt(tx, heard)
            return None
        if locked.state in _ASKED:
            return await self._first(tx, heard)
        if locked.state in _ARRIVED:
            return await self._after_arrival(tx, heard)
        if locked.state in _REFUSED and word.status in _GONE:
            await self._contradicted(tx, heard)
        return None

    async def _of_burnt(self, tx: Tx, heard: _Heard) -> None:
        """Hear of an attempt that the rail had refused: only a yes is news."""
        if heard.word.status in _GONE:
            await self._contradicted(tx, heard)

    async def _first(self, tx: Tx, heard: _Heard) -> Taken | None:
        match heard.word.status:
            case RailStatus.SETTLED | RailStatus.RETURNED:
                return await self._settled(tx, heard)
            case RailStatus.REJECTED:
                return await self._rejected(tx, heard)
            case RailStatus.ACCEPTED | RailStatus.DEEMED:
                await self._taken(tx, heard)
        return None

    async def _settled(self, tx: Tx, heard: _Heard) -> Taken:
        """Take the hold next; and give the money back where it came back already."""
        hand = heard.hand
        move = heard.move(Event.RAIL_SETTLED, StepDetail.SETTLED_BY_RAIL)
        await self._resolved(tx, heard, OpOutcome.OK)
        payment, step = await made(tx, heard.payment, move, hand.lease)
        news.tell(tx, payment, step, hand.account)
        capture = await ops.start(tx, payment, Kind.CAPTURE, hand.at)
        if heard.word.status is RailStatus.RETURNED:
            await self._returned(tx, heard, payment)
        return Taken(payment, capture, resumed=False)

    async def _rejected(self, tx: Tx, heard: _Heard) -> Taken:
        hand = heard.hand
        move = heard.move(Event.RAIL_REJECTED, StepDetail.REFUSED_BY_RAIL)
        await self._resolved(tx, heard, OpOutcome.REJECTED)
        payment, step = await made(tx, heard.payment, move, hand.lease)
        news.tell(tx, payment, step, hand.account)
        release = await ops.start(tx, payment, Kind.RELEASE, hand.at)
        return Taken(payment, release, resumed=False)

    async def _taken(self, tx: Tx, heard: _Heard) -> None:
        """Wait for the rail's final word; DEEMED is a doubt that is shown."""
        payment, hand = heard.payment, heard.hand
        if payment.state is State.SUBMITTING:
            await self._resolved(tx, heard, OpOutcome.OK)
            move = heard.move(Event.RAIL_ACCEPTED, StepDetail.TAKEN_BY_RAIL)
            waits = Lease(NOBODY, hand.ask_at)
            payment, step = await made(tx, payment, move, waits)
            news.tell(tx, payment, step, hand.account)
        else:
            await self._conclusions.put_down(tx, payment, heard.op, hand)
        if heard.word.status is RailStatus.DEEMED:
            await self._conclusions.doubt(
                tx, payment, heard.op, hand, StepDetail.PROBABLY_SETTLED
            )

    async def _after_arrival(self, tx: Tx, heard: _Heard) -> Taken | None:
        status, payment = heard.word.status, heard.payment
        if status is RailStatus.REJECTED:
            await self._contradicted(tx, heard)
        if status is not RailStatus.RETURNED:
            return None
        credit = await self._returned(tx, heard, payment)
        if credit is None or payment.state is not State.SETTLED:
            return None  # known already, or done once the capture is
        await leases.keep(tx, payment, heard.hand.lease)
        return Taken(payment, credit, resumed=False)

    async def _returned(self, tx: Tx, heard: _Heard, payment: Payment) -> Op | None:
        """Start the credit back, once."""
        if await ops.standing(tx, payment.id, (Kind.CREDIT_BACK,)) is not None:
            return None
        hand = heard.hand
        await ops.note(tx, heard.op, heard.word.code, heard.word.provider_ref)
        step = await moves.add_step(
            tx, payment, hand.at, heard.source, StepDetail.RETURNED_BY_RAIL
        )
        cause = heard.op.ref.id.hex
        news.by_bank(tx, "payment.returned", payment, hand.at, cause)
        news.tell(tx, payment, step, hand.account)
        return await ops.start(tx, payment, Kind.CREDIT_BACK, hand.at)

    async def _resolved(self, tx: Tx, heard: _Heard, outcome: OpOutcome) -> None:
        """Write the order's outcome; of one that was taken, only what was said."""
        word = heard.word
        if not await ops.resolve(
            tx,
            heard.op,
            outcome,
            heard.hand.at,
            code=word.code,
            provider_ref=word.provider_ref,
        ):
            await ops.note(tx, heard.op, word.code, word.provider_ref)

    async def _contradicted(self, tx: Tx, heard: _Heard) -> None:
        await self._conclusions.contradicted(
            tx, heard.payment, heard.op, heard.hand, heard.word.status
        )
