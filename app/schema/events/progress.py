"""One payment on an open confirm screen: as it is now, then each change, to its end."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import strawberry

from app.ids import MalformedId
from app.payments import payment as payments
from app.payments.lifecycle import FINAL, Status
from app.realtime.facts import PaymentChanged
from app.realtime.progress import Reading, payment_changes
from app.schema import guards
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel
from app.schema.payments.payments import Payment

_ENDS = frozenset(Status(state.value) for state in FINAL)


@strawberry.type
class Subscription:
    """What a phone keeps open while a payment is under way."""

    @guards.subscription(
        level=AuthLevel.LOGIN,
        cost=20,
        description=(
            "The payment now, then after each change; completes when its status is "
            "final."
        ),
    )
    async def payment_progress(
        self, info: Info, payment_id: strawberry.ID
    ) -> AsyncGenerator[Payment, None]:
        """Follow a payment of the caller; any other id completes without a value."""
        context = info.context
        found = payment_changes(
            context.bank.hub,
            context.actor.known_customer,
            payment_id,
            lambda: _reading(context, payment_id),
        )
        async with aclosing(found) as changes:
            async for change in changes:
                context.loaders.clear()  # each change is read as it is by then
                shown = _shown(change)
                yield shown
                if shown.status in _ENDS:
                    return


def _shown(change: payments.Payment | PaymentChanged) -> Payment:
    if isinstance(change, PaymentChanged):
        return Payment.of(change.payment)
    return Payment.from_row(change)


async def _reading(
    context: Context, payment_id: str
) -> Reading[payments.Payment] | None:
    """Read the timeline before the payment: what comes between is told once more."""
    room = context.bank.transfers
    try:
        found = await room.find(context.actor, payment_id)
    except MalformedId:
        return None
    if found is None:
        return None
    steps = (await room.timelines([found.id]))[found.id]
    last = await room.find(context.actor, payment_id)
    return None if last is None else Reading(last, steps[-1].no)
