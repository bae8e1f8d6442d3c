"""The step of the scenario that asks for more than a limit lets through."""

from mock_mobile_client import limits
from mock_mobile_client.errors import ProofFailed, Refused, expect
from mock_mobile_client.money import MoneyValue, money
from mock_mobile_client.stage import Stage, everyday, moved
from mock_mobile_client.values import read_money

LEAST = money("0.01 INR")
NONE = money("0.00 INR")


async def meet_a_limit(stage: Stage) -> str:
    """One paisa more than the smallest limit is refused, and nothing moves."""
    asha, payee = stage.asha, stage.ben.owner.name
    before = await everyday(asha)
    allowed = await limits.listed(asha.session)
    most = allowed.at_most(payee, before.available.currency)
    day = next(one for one in allowed.limits if one.window == "DAY")
    shown = f"{most.formatted} at once, {day.remaining.formatted} today"
    if most.minor_units >= before.available.minor_units:
        return f"{shown}: more than there is"
    order = await asha.order(payee, most.plus(LEAST))
    try:
        await asha.payments.create(order)
    except Refused as refused:
        expect("what may be paid", most, _offered(refused))
        await moved(asha, before, NONE)
        return f"{shown}; one paisa more: {refused.code}"
    raise ProofFailed("a payment above every limit", "a refusal", "a payment")


def _offered(refused: Refused) -> MoneyValue:
    """What the bank says may be paid instead."""
    limit, now = refused.facts.get("limit"), refused.facts.get("allowedNow")
    if isinstance(limit, dict):
        return read_money(limit["remaining"])
    return read_money(now) if isinstance(now, dict) else NONE
