"""Risky payments as a phone sees them over GraphQL: held, released, asked, stopped."""

from typing import Any

import pytest

from app.auth.standing import Staff
from app.integrations.fraud import RiskAction
from app.realtime.facts import PaymentChanged
from app.schema.payments.payments import Payment
from tests.payments.town import Town
from tests.payments.wire import CREATE, ERRORS, HISTORY, PAYMENT, call, to_ben
from tests.payments.world import facts_of

pytestmark = pytest.mark.only("sqlite")  # what it asks the rooms runs on both
MEERA = Staff(name="Meera", reason="called the customer")
ALLOWED = "challenge { id allowed state expiresAt }"
RENEW = (
    "mutation Renew($input: PaymentChallengeInput!) { paymentChallenge(input: $input) "
    f"{{ payment {{ status {ALLOWED} }} {ERRORS} }} }}"
)
CANCEL = (
    "mutation Cancel($input: PaymentCancelInput!) { paymentCancel(input: $input) "
    f"{{ payment {{ {PAYMENT} }} {ERRORS} }} }}"
)


async def created(town: Town, action: RiskAction) -> dict[str, Any]:
    """Send a payment that is judged so, and give the whole answer."""
    town.bank.judge.always(action, 300)
    answer = await call(town, town.asha, CREATE, input=to_ben(town))
    found: dict[str, Any] = answer["paymentCreate"]
    return found


async def test_a_held_payment_says_so_until_when_and_that_it_can_be_stopped(
    town: Town,
) -> None:
    answer = await created(town, RiskAction.HOLD)

    payment = answer["payment"]
    assert answer["userErrors"] == []
    assert payment["status"] == "HELD_FOR_REVIEW"
    assert payment["statusMessage"] == "We look at this payment before it can go on."
    assert payment["challenge"] is None
    assert payment["reason"] is None
    assert payment["expiresAt"] == "2026-11-22T09:30:00.000Z"
    assert payment["cancellableUntil"] == payment["expiresAt"]
    assert payment["timeline"] == [
        {
            "at": "2026-11-21T09:30:00.000Z",
            "status": "HELD_FOR_REVIEW",
            "source": "RISK",
            "detail": "We look at this payment before it can go on.",
        }
    ]
    listed = await call(town, town.asha, HISTORY, status=["HELD_FOR_REVIEW"])
    assert [one["id"] for one in listed["me"]["payments"]["nodes"]] == [payment["id"]]
    (shown,) = [
        Payment.of(fact.payment)
        for fact in await facts_of(town.current.customer)
        if isinstance(fact, PaymentChanged)
    ]
    assert (shown.status.value, str(shown.id)) == ("HELD_FOR_REVIEW", payment["id"])

    early = await call(town, town.asha, RENEW, input={"id": payment["id"]})
    stopped = await call(town, town.asha, CANCEL, input={"id": payment["id"]})

    (no,) = early["paymentChallenge"]["userErrors"]
    assert no["code"] == "NOT_ALLOWED"
    assert stopped["paymentCancel"]["payment"]["status"] == "CANCELLED"


async def test_a_released_payment_is_signed_by_a_challenge_made_then(
    town: Town,
) -> None:
    held = (await created(town, RiskAction.HOLD))["payment"]
    await town.bank.reviews.release(MEERA, held["id"])

    waiting = await call(town, town.asha, HISTORY, status=["AWAITING_AUTHORISATION"])
    renewed = await call(town, town.asha, RENEW, input={"id": held["id"]})

    (shown,) = waiting["me"]["payments"]["nodes"]
    assert shown["challenge"] is None
    assert shown["expiresAt"] == "2026-11-22T09:30:00.000Z"
    assert [step["source"] for step in shown["timeline"]] == ["RISK", "STAFF"]
    payment = renewed["paymentChallenge"]["payment"]
    assert payment["status"] == "AWAITING_AUTHORISATION"
    assert payment["challenge"]["allowed"] == ["MPIN"]
    assert payment["challenge"]["expiresAt"] == "2026-11-21T09:35:00.000Z"


async def test_a_stopped_payment_tells_no_rule_anywhere(town: Town) -> None:
    answer = await created(town, RiskAction.BLOCK)

    payment = answer["payment"]
    assert answer["userErrors"] == []
    assert (payment["status"], payment["reason"]) == ("DECLINED", "RISK_DECLINED")
    assert payment["statusMessage"] == (
        "The payment was declined. No money moved. "
        "For your safety we did not accept it."
    )
    assert (payment["challenge"], payment["expiresAt"]) == (None, None)
    assert payment["cancellableUntil"] is None
    facts = str(await facts_of(town.current.customer))
    for secret in ("a_test", "ruleset", "reasons"):
        assert secret not in facts
        assert secret not in str(answer)
