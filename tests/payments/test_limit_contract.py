"""Limits over GraphQL: what a phone asks for and every word it gets back."""

from app.ids import BeneficiaryId, ChallengeId
from tests.payments.purses import DAY, policy
from tests.payments.town import Town
from tests.payments.wire import CREATE, call, to_ben
from tests.payments.world import NOTHING_MOVED, inr

LIMIT = """id name rail window max { minorUnits currency } used { minorUnits }
  remaining { minorUnits } resetsAt ceiling { minorUnits }
  pendingMax { minorUnits } pendingFrom"""
LIMITS = f"query Limits {{ me {{ limits {{ {LIMIT} }} }} }}"
SET = f"""mutation Set($input: LimitSetInput!) {{ limitSet(input: $input) {{
  limit {{ {LIMIT} }} effectiveAt
  userErrors {{ __typename code field
    ... on StepUpRequiredError {{ challenge {{ id payload }} }}
    ... on LimitExceededError {{ limit {{ id ceiling {{ minorUnits }} }} }}
    ... on CoolingPeriodError {{ endsAt allowedNow {{ minorUnits }} }} }} }} }}"""
REFUSED = CREATE.replace(
    "... on InsufficientFundsError",
    f"""... on LimitExceededError {{ limit {{ {LIMIT} }} }}
  ... on CoolingPeriodError {{ endsAt allowedNow {{ minorUnits currency }} }}
  ... on InsufficientFundsError""",
)
PAYEES = """query Payees { me { beneficiaries { nodes {
  id coolingUntil coolingLimit { minorUnits currency } limit { id } } } } }"""


async def test_a_customer_sees_each_limit_with_what_is_left_of_it(town: Town) -> None:
    await town.bank.pay(town.asha, town.to_savings(1_000))

    single, day = (await call(town, town.asha, LIMITS))["me"]["limits"]

    assert single["window"] == "PER_TRANSACTION"
    assert (single["resetsAt"], single["used"]["minorUnits"]) == (None, "0")
    assert day.pop("id").startswith("lim_")
    assert day == {
        "name": "Payments a day",
        "rail": None,
        "window": "DAY",
        "max": {"minorUnits": "200000000", "currency": "INR"},
        "used": {"minorUnits": "1000"},
        "remaining": {"minorUnits": "199999000"},
        "resetsAt": "2026-11-21T18:30:00.000Z",
        "ceiling": {"minorUnits": "500000000"},
        "pendingMax": None,
        "pendingFrom": None,
    }


async def test_a_refusal_carries_what_the_app_can_offer_and_creates_nothing(
    town: Town,
) -> None:
    await policy("BANK", "DAY", 700)
    new = await town.bank.a_phone(town.asha.actor.known_customer, cools_for=DAY)
    await policy("DEVICE_COOLING", "ROLLING_DAY", 600)
    before = await town.bank.everything_of(*NOTHING_MOVED, "limit_reservation")

    above = await call(town, town.asha, REFUSED, input=to_ben(town, "701"))
    cools = await call(town, new, REFUSED, input=to_ben(town, "701"))

    (limit,) = above["paymentCreate"]["userErrors"]
    assert (limit["__typename"], limit["code"], limit["field"]) == (
        *("LimitExceededError", "LIMIT_EXCEEDED"),
        ["amount"],
    )
    assert limit["limit"]["remaining"] == {"minorUnits": "700"}
    (cooling,) = cools["paymentCreate"]["userErrors"]
    assert cooling == {
        "__typename": "CoolingPeriodError",
        "code": "COOLING_PERIOD",
        "message": "This is possible after the waiting time.",
        "field": ["amount"],
        "endsAt": "2026-11-22T09:30:00.000Z",
        "allowedNow": {"minorUnits": "600", "currency": "INR"},
    }
    after = await town.bank.everything_of(*NOTHING_MOVED, "limit_reservation")
    assert after == before


async def test_a_limit_is_set_with_an_approval_and_a_no_is_data(town: Town) -> None:
    *_, day = (await call(town, town.asha, LIMITS))["me"]["limits"]
    wish = {"id": day["id"], "max": {"minorUnits": "90000", "currency": "INR"}}

    asked = (await call(town, town.asha, SET, input=wish))["limitSet"]["userErrors"]
    pending = await town.bank.challenges.find(town.asha.actor, _id_of(asked))
    assert pending is not None
    await town.bank.step_ups.answer(
        town.asha.actor, pending.id, *town.asha.answer(pending)
    )
    done = (await call(town, town.asha, SET, input=wish))["limitSet"]
    again = (await call(town, town.asha, SET, input=wish))["limitSet"]
    above = wish | {"max": {"minorUnits": "500000001", "currency": "INR"}}
    refused = (await call(town, town.asha, SET, input=above))["limitSet"]
    foreign = wish | {"id": str(BeneficiaryId.new())}
    unknown = (await call(town, town.asha, SET, input=foreign))["limitSet"]

    assert [one["__typename"] for one in asked] == ["StepUpRequiredError"]
    assert done["limit"]["max"] == {"minorUnits": "90000", "currency": "INR"}
    assert done["effectiveAt"] == "2026-11-21T09:30:00.000Z"
    assert done["userErrors"] == []
    assert again == done
    assert refused["limit"] is None
    assert [(one["code"], one["limit"]) for one in refused["userErrors"]] == [
        ("LIMIT_EXCEEDED", {"id": day["id"], "ceiling": {"minorUnits": "500000000"}})
    ]
    assert [one["code"] for one in unknown["userErrors"]] == ["NOT_FOUND"]


async def test_a_new_payee_shows_what_may_be_paid_for_now(town: Town) -> None:
    await town.bank.pay(town.asha, town.to_ben(1_000))

    (new,) = (await call(town, town.asha, PAYEES))["me"]["beneficiaries"]["nodes"]
    town.bank.clock.move(days=1)
    (old,) = (await call(town, town.asha, PAYEES))["me"]["beneficiaries"]["nodes"]

    left = inr(499_000)
    assert new["coolingLimit"] == {
        "minorUnits": str(left.minor),
        "currency": left.currency,
    }
    assert (old["coolingUntil"], old["coolingLimit"], old["limit"]) == (None,) * 3


def _id_of(errors: list[dict[str, dict[str, str]]]) -> ChallengeId:
    return ChallengeId.parse(errors[0]["challenge"]["id"])
