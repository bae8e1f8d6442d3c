"""An approved payment on its way: lease, operation, core, outcome.

`advance` only looks at state and open operation, so it carries on from wherever the
process before was killed: an operation that was PENDING is asked about, never sent
under a new id (banking.md section 4.3).
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from app import database, telemetry
from app.accounts.account import shot
from app.accounts.accounts import Accounts
from app.clock import Clock
from app.database import Tx
from app.errors import Outage
from app.ids import PaymentId
from app.integrations.core_banking import OpContext
from app.integrations.outcome import NotSent, Outcome, PortCode, Rejected
from app.integrations.rails import PaymentOrder, PaymentRail, RailAnswer
from app.payments import moves, news, ops, records
from app.payments.address_book import AddressBook
from app.payments.lifecycle import Event, IllegalMove, State
from app.payments.moves import Lease, Move
from app.payments.ops import Op, OpOutcome
from app.payments.payment import Payment, PaymentStep, StepDetail, StepSource
from app.payments.verdicts import Booked, NotBooked, Unsure, Verdict, of_transfer
from app.realtime.facts import AccountShot

LEASE_S = 30  # longer than any answer of a core; then somebody else may ask
_MEMO = "Transfer"


@dataclass(frozen=True, slots=True)
class _Taken:
    """A payment in our hands, with its operation."""

    payment: Payment
    op: Op
    resumed: bool


class Passage:
    """Carries payments out over a rail that books in one call.

    Args:
        clock: the bank's clock.
        accounts: the payer's account, as events show it.
        book: notes when a payee was last paid.
        rail: books both sides.
    """

    def __init__(
        self, *, clock: Clock, accounts: Accounts, book: AddressBook, rail: PaymentRail
    ) -> None:
        self._clock = clock
        self._accounts = accounts
        self._book = book
        self._rail = rail
        self._holder = secrets.token_hex(8)

    async def advance(self, payment: PaymentId) -> None:
        """Carry a payment on as far as it goes now; nothing if another one does.

        Raises:
            Outage: the database is away; whoever comes next carries on.
        """
        found = await records.find(payment)
        if found is None or found.state not in {State.APPROVED, State.SUBMITTING}:
            return
        account = await self.account_of(found)
        taken = await database.transaction(
            lambda tx: self._taken(tx, payment, account), name="payments.lease"
        )
        if taken is None:
            return
        verdict = await self._asked(taken)
        await database.transaction(
            lambda tx: self._concluded(tx, taken, verdict, account),
            name="payments.conclude",
        )

    async def account_of(self, payment: Payment) -> AccountShot:
        """Give the payer's account as events show it. Never inside a transaction."""
        owned = await self._accounts.of_customer(payment.customer)
        return next(shot(one) for one in owned if one.id == payment.from_account)

    async def _taken(
        self, tx: Tx, payment: PaymentId, account: AccountShot
    ) -> _Taken | None:
        """T3: take the lease; the first time also store the operation."""
        now = self._clock.now()
        lease = Lease(self._holder, now + timedelta(seconds=LEASE_S))
        found = await moves.take_lease(tx, payment, lease, now)
        if found is None:
            return None
        if found.state is State.SUBMITTING:
            op = await ops.open_transfer(tx, payment)
            if op is None:
                raise IllegalMove("a payment on its way without an open operation")
            return _Taken(found, op, resumed=True)
        op = await ops.start_transfer(tx, found, now)
        step = Move(
            event=Event.TRANSFER_STARTED,
            at=now,
            source=StepSource.CORE,
            detail=StepDetail.HANDED_OVER,
        )
        moved = await _made(tx, found, step, lease)
        news.tell(tx, *moved, account)
        return _Taken(moved[0], op, resumed=False)

    async def _asked(self, taken: _Taken) -> Verdict:
        """Send the operation, or ask what became of it; no transaction is open."""
        try:
            return of_transfer(await self._answer(taken))
        except NotSent as kept:
            return Unsure(kept.cause, sent=False)
        except Outage as lost:
            return Unsure(lost.cause)

    async def _answer(self, taken: _Taken) -> Outcome[RailAnswer]:
        ref, order = taken.op.ref, _order(taken.payment)
        if taken.resumed:
            context = OpContext(
                order.src, order.dst, order.amount, taken.op.first_sent_at
            )
            outcome = await self._rail.status(ref, context)
            unseen = isinstance(outcome, Rejected) and (
                outcome.code is PortCode.NEVER_SEEN
            )
            if not unseen:
                return outcome
        return await self._rail.submit(ref, order)

    async def _concluded(
        self, tx: Tx, taken: _Taken, verdict: Verdict, account: AccountShot
    ) -> None:
        """T4: write the outcome; whoever wrote it first has written it for good."""
        match verdict:
            case Booked():
                await self._settled(tx, taken, verdict, account)
            case NotBooked():
                await self._declined(tx, taken, verdict, account)
            case Unsure():
                await self._doubted(tx, taken, verdict, account)

    async def _settled(
        self, tx: Tx, taken: _Taken, verdict: Booked, account: AccountShot
    ) -> None:
        now, op = self._clock.now(), taken.op
        if not await ops.resolve(
            tx, op, OpOutcome.OK, now, provider_ref=verdict.provider_ref
        ):
            return
        move = Move(
            event=Event.TRANSFER_MADE,
            at=now,
            source=StepSource.CORE,
            detail=StepDetail.BOOKED,
        )
        payment, step = await _made(tx, taken.payment, move)
        if payment.destination.beneficiary is not None:
            await self._book.paid(tx, payment.destination.beneficiary, now)
        news.by_bank(tx, "payment.settled", payment, now, op.ref.id.hex)
        news.tell(tx, payment, step, account)

    async def _declined(
        self, tx: Tx, taken: _Taken, verdict: NotBooked, account: AccountShot
    ) -> None:
        now, op = self._clock.now(), taken.op
        if not await ops.resolve(
            tx,
            op,
            OpOutcome.REJECTED,
            now,
            code=verdict.code,
            provider_ref=verdict.provider_ref,
        ):
            return
        move = Move(
            event=Event.TRANSFER_REJECTED,
            at=now,
            source=StepSource.CORE,
            detail=StepDetail.NOT_BOOKED,
            code=verdict.reason,
        )
        payment, step = await _made(tx, taken.payment, move)
        news.by_bank(tx, "payment.declined", payment, now, op.ref.id.hex)
        news.tell(tx, payment, step, account)
        if verdict.is_ours:
            telemetry.log.error(
                "payment_refused_by_core", payment=str(payment.id), code=verdict.code
            )

    async def _doubted(
        self, tx: Tx, taken: _Taken, verdict: Unsure, account: AccountShot
    ) -> None:
        """Keep everything; the lease runs out by itself, then the core is asked."""
        now, op = self._clock.now(), taken.op
        telemetry.log.warning(
            "payment_outcome_unsure", payment=str(op.payment), cause=verdict.cause
        )
        ask_at = now + timedelta(seconds=LEASE_S)
        if not await ops.leave_open(tx, op, unknown=verdict.sent, next_ask_at=ask_at):
            return
        doubted = await moves.doubt(tx, taken.payment, now) if verdict.sent else None
        if doubted is not None:
            news.by_bank(tx, "payment.unsure", doubted[0], now, op.ref.id.hex)
            news.tell(tx, *doubted, account)


async def _made(
    tx: Tx, payment: Payment, move: Move, lease: Lease | None = None
) -> tuple[Payment, PaymentStep]:
    """Make a move that nobody else can have made: its row, or its op, is ours."""
    moved = await moves.move(tx, payment, move, lease)
    if moved is None:
        raise IllegalMove(f"{move.event} of a payment that is elsewhere")
    return moved


def _order(payment: Payment) -> PaymentOrder:
    destination = payment.destination
    return PaymentOrder(
        payment=payment.id.value,
        src=destination.src,
        dst=destination.dst,
        amount=payment.amount,
        memo=_MEMO,
        reference=payment.reference,
        payer_name=destination.payer.name,
        payer_masked=destination.payer.masked,
        payee_name=destination.payee.name,
        payee_masked=destination.payee.masked,
    )
