"""What a rail asks for an order. None may ask for a fee: the bank books no fees yet.

Hold and capture take the amount of a payment and nothing else, so a fee that was shown
and not booked would be the bank's loss (docs/payments.md).
"""

from app.integrations.outcome import ContractBroken
from app.integrations.rails import PaymentOrder, PaymentRail, RailQuote


async def quoted(rail: PaymentRail, order: PaymentOrder) -> RailQuote:
    """Ask a rail for its quote.

    Raises:
        ContractBroken: it wants a fee.
        Outage: it is away.
    """
    told = await rail.quote(order)
    if told.fee.minor:
        raise ContractBroken(
            f"the rail {rail.caps.rail} wants a fee, and fees are not booked",
            component="TRANSFERS",
        )
    return told
