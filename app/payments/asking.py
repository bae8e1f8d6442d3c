"""Sending an operation to core or rail, or asking what became of it. Writes nothing.

What was stored by somebody before us may have been sent: it is asked about first, and
sent again only under its own id, and only where the partner keeps such ids (banking.md
section 4.4).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

from app import database
from app.errors import Outage
from app.integrations.core_banking import (
    CoreBank,
    Hold,
    Narrative,
    OpContext,
    OpKind,
    Posting,
)
from app.integrations.outcome import (
    NotSent,
    Ok,
    Outcome,
    PortCode,
    Rejected,
    Unknown,
)
from app.integrations.rails import PaymentOrder, PaymentRail, Settles
from app.payments import ops, verdicts
from app.payments.address_book import AddressBook
from app.payments.lifecycle import State
from app.payments.ops import Kind, Op
from app.payments.payment import Payment
from app.payments.verdicts import Unsure, Verdict

T = TypeVar("T")

# One answer of a partner, with all that is read for it. One write alone may take longer
# over a line that drips, and a search much longer; what is cut off is asked about
# again. Nothing of ours is on the line when the lease of the payment runs out.
ANSWER_S = 25

_MEMO = "Transfer"
_RETURNED = "returned by the payee's bank"
_CORE_KINDS: Mapping[Kind, OpKind] = MappingProxyType(
    {
        Kind.HOLD: OpKind.HOLD,
        Kind.CAPTURE: OpKind.CAPTURE,
        Kind.RELEASE: OpKind.RELEASE,
        Kind.CREDIT_BACK: OpKind.REVERSE,
    }
)
# What an operation ends or undoes.
_ENDED: Mapping[Kind, Kind] = MappingProxyType(
    {
        Kind.CAPTURE: Kind.HOLD,
        Kind.RELEASE: Kind.HOLD,
        Kind.CREDIT_BACK: Kind.CAPTURE,
    }
)
_Answer = Outcome[Posting] | Outcome[Hold] | Outcome[None]


@dataclass(frozen=True, slots=True)
class Taken:
    """A payment in our hands, with the operation that carries it on.

    `resumed`: somebody before us may have sent it. `is_void`: it is only asked about,
    because sent now it would move the money of somebody else.
    """

    payment: Payment
    op: Op
    resumed: bool
    is_void: bool = False


class Asking:
    """Speaks with the core and the rails; never inside a transaction.

    Args:
        core: where the customer's money is.
        rails: by their names in the contract.
        book: the full addresses of payees.
    """

    def __init__(
        self, *, core: CoreBank, rails: Mapping[str, PaymentRail], book: AddressBook
    ) -> None:
        self._core = core
        self._rails = rails
        self._book = book

    def is_open(self, payment: Payment) -> bool:
        """Tell whether this bank was started with the rail of a payment."""
        return payment.rail in self._rails

    def rail(self, payment: Payment) -> PaymentRail:
        """Give the rail of a payment.

        Raises:
            NotSent: the bank was started without it.
        """
        found = self._rails.get(payment.rail)
        if found is None:
            raise NotSent(f"the rail {payment.rail} is not open", component="TRANSFERS")
        return found

    async def answer(self, taken: Taken) -> Verdict:
        """Send what is new, ask about what is not; an outage is an unsure answer."""
        assert not database.inside_transaction()  # noqa: S101  -- no network in there
        by_rail = taken.op.kind in ops.BY_RAIL
        bound = asyncio.timeout(ANSWER_S)
        try:
            async with bound:
                return await (self._by_rail(taken) if by_rail else self._by_core(taken))
        except NotSent as kept:
            return Unsure(kept.cause, sent=taken.resumed)
        except Outage as lost:
            return Unsure(lost.cause)
        except TimeoutError:
            if not bound.expired():
                raise
            return Unsure("no answer before the lease runs out")

    # -------------------------------------------------------------- rails

    async def _by_rail(self, taken: Taken) -> Verdict:
        payment, ref = taken.payment, taken.op.ref
        rail = self.rail(payment)
        is_order = taken.op.kind is Kind.SUBMIT
        judge = verdicts.of_order if is_order else verdicts.of_transfer
        if taken.resumed:
            outcome = await rail.status(ref, _context(taken))
            if not _never_seen(outcome):
                return judge(outcome)
            if payment.state is State.IN_FLIGHT:
                return Unsure("the rail has forgotten an order that it had taken")
            if taken.is_void or not rail.caps.native_idempotency:
                return Unsure("never seen by the rail, and not sent again", unseen=True)
        sent = await rail.submit(ref, await self._order(payment))
        return judge(_proven(taken, sent))

    async def _order(self, payment: Payment) -> PaymentOrder:
        destination = payment.destination
        order = PaymentOrder(
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
        saved = destination.beneficiary
        if saved is None or self.rail(payment).caps.settles is Settles.ATOMIC:
            return order
        found = await self._book.find(payment.customer, saved, deleted=True)
        if found is None:
            raise NotSent("the payee's row is gone", component="TRANSFERS")
        address = found[1]
        return replace(
            order,
            scheme=address.scheme,
            payee_address=address.number,
            payee_bank_code=address.bank_code,
        )

    # -------------------------------------------------------------- core

    async def _by_core(self, taken: Taken) -> Verdict:
        kind, ref = taken.op.kind, taken.op.ref
        if taken.resumed:
            context = await self._whole_context(taken)
            found = await self._core.lookup(ref, _CORE_KINDS[kind], context)
            if not _never_seen(found):
                return verdicts.of_core(found, kind)
            if taken.is_void or not self._core.caps.native_idempotency:
                return Unsure("never seen by the core, and not sent again", unseen=True)
        send: Mapping[Kind, Callable[[Taken], Awaitable[_Answer]]] = {
            Kind.HOLD: self._hold,
            Kind.CAPTURE: self._capture,
            Kind.RELEASE: self._release,
            Kind.CREDIT_BACK: self._credit_back,
        }
        return verdicts.of_core(_proven(taken, await send[kind](taken)), kind)

    async def _hold(self, taken: Taken) -> _Answer:
        payment = taken.payment
        destination = payment.destination
        text = Narrative(
            memo=_MEMO,
            payment=payment.id.value,
            rail=payment.rail,
            reference=payment.reference,
            payer_name=destination.payer.name,
            payer_masked=destination.payer.masked,
            payee_name=destination.payee.name,
            payee_masked=destination.payee.masked,
        )
        return await self._core.hold(
            taken.op.ref, destination.src, payment.amount, text
        )

    async def _capture(self, taken: Taken) -> _Answer:
        held = await self._held(taken.payment)
        return await self._core.capture(taken.op.ref, held, None)

    async def _release(self, taken: Taken) -> _Answer:
        return await self._core.release(taken.op.ref, await self._held(taken.payment))

    async def _credit_back(self, taken: Taken) -> _Answer:
        capture = await ops.done(taken.payment.id, Kind.CAPTURE)
        captured = Taken(taken.payment, capture, resumed=True)
        context = await self._whole_context(captured)
        booked = await self._core.lookup(capture.ref, OpKind.CAPTURE, context)
        if not isinstance(booked, Ok) or not isinstance(booked.value, Posting):
            raise NotSent("the core does not show the capture", component="TRANSFERS")
        return await self._core.reverse(taken.op.ref, booked.value, _RETURNED)

    async def _whole_context(self, taken: Taken) -> OpContext:
        """Say what helps to find an operation, with the one that it ends or undoes."""
        before, context = _ENDED.get(taken.op.kind), _context(taken)
        if before is None:
            return context
        earlier = await ops.done(taken.payment.id, before)
        context = replace(context, earlier=earlier.ref.id)
        if before is not Kind.CAPTURE:
            return context
        hold = await ops.done(taken.payment.id, Kind.HOLD)
        return replace(context, hold=hold.ref.id)

    async def _held(self, payment: Payment) -> Hold:
        """Name the hold by the operation that made it."""
        hold = await ops.done(payment.id, Kind.HOLD)
        return Hold(hold.ref.id, payment.destination.src, payment.amount)


def _proven(taken: Taken, outcome: T) -> T | Unknown:
    """Make a doubt of a no that the partner was not asked for.

    Where somebody before us may have sent the operation, only the partner knows.
    """
    if taken.resumed and isinstance(outcome, Rejected) and outcome.unasked:
        return Unknown(f"not asked, for {outcome.code}: {outcome.detail}".rstrip(": "))
    return outcome


def _never_seen(outcome: object) -> bool:
    return isinstance(outcome, Rejected) and outcome.code is PortCode.NEVER_SEEN


def _context(taken: Taken) -> OpContext:
    destination = taken.payment.destination
    return OpContext(
        destination.src,
        destination.dst or None,
        taken.payment.amount,
        taken.op.first_sent_at,
    )
