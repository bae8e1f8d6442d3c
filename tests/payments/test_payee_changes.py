"""A payee's nickname, star and own limit: lower at once, higher by approval."""

from typing import Any

from app.auth.challenge import Challenge
from app.ids import ChallengeId
from app.realtime.facts import BeneficiaryChanged, SecurityEvent
from tests.payments.handset import Phone
from tests.payments.purses import DAY, tried
from tests.payments.town import Town
from tests.payments.wire import call, to_ben
from tests.payments.world import NOTHING_MOVED, facts_of

UPDATE = """mutation Update($input: BeneficiaryUpdateInput!) {
  beneficiaryUpdate(input: $input) {
    beneficiary { nickname favourite limit {
      id name window max { minorUnits } remaining { minorUnits } ceiling { minorUnits }
    } }
    userErrors { __typename code field
      ... on StepUpRequiredError { challenge { id } }
      ... on CoolingPeriodError { endsAt }
      ... on LimitExceededError { limit { max { minorUnits } } } } } }"""
PAY = """mutation Pay($input: PaymentCreateInput!) { paymentCreate(input: $input) {
  userErrors { code ... on LimitExceededError { limit {
    id window remaining { minorUnits } } } } } }"""
ALL = (*NOTHING_MOVED, "audit_entry")


async def changed(
    town: Town, phone: Phone | None = None, **parts: object
) -> dict[str, Any]:
    """Send a change of Asha's payee."""
    wish = {"id": str(town.payee.id)} | parts
    answer = await call(town, phone or town.asha, UPDATE, input=wish)
    found: dict[str, Any] = answer["beneficiaryUpdate"]
    return found


def rupees(minor: int) -> dict[str, str]:
    return {"minorUnits": str(minor), "currency": "INR"}


async def approved(town: Town, answer: dict[str, Any]) -> Challenge:
    """Approve what an answer asks for."""
    (error,) = answer["userErrors"]
    assert error["code"] == "STEP_UP_REQUIRED"
    name = ChallengeId.parse(error["challenge"]["id"])
    found = await town.bank.challenges.find(town.asha.actor, name)
    assert found is not None
    await town.bank.step_ups.answer(town.asha.actor, name, *town.asha.answer(found))
    return found


async def test_a_payee_is_renamed_and_limited_at_once(town: Town) -> None:
    answer = await changed(
        town, nickname=" Benny ", favourite=True, limit=rupees(10_000)
    )
    before = await town.bank.everything_of(*ALL)
    again = await changed(town, nickname="Benny", favourite=True)
    no = await call(town, town.asha, PAY, input=to_ben(town, "10001"))

    limit = answer["beneficiary"].pop("limit")
    assert answer == {
        "beneficiary": {"nickname": "Benny", "favourite": True},
        "userErrors": [],
    }
    assert limit.pop("id").startswith("lim_")
    assert limit == {
        "name": "Each payment to this payee",
        "window": "PER_TRANSACTION",
        "max": {"minorUnits": "10000"},
        "remaining": {"minorUnits": "10000"},
        "ceiling": {"minorUnits": "100000000"},
    }
    assert again["beneficiary"]["limit"]["max"] == {"minorUnits": "10000"}
    (error,) = no["paymentCreate"]["userErrors"]
    assert error["code"] == "LIMIT_EXCEEDED"
    assert error["limit"]["remaining"] == {"minorUnits": "10000"}
    kept = await town.bank.everything_of(*ALL)
    assert kept == before | {"audit_entry": before["audit_entry"] + 1}  # the refusal
    *_, fact = await facts_of(town.asha.actor.known_customer)
    assert isinstance(fact, BeneficiaryChanged)
    assert fact.beneficiary is not None
    assert fact.beneficiary.nickname == "Benny"
    assert await tried(town, town.asha, town.to_ben(10_000)) is not None


async def test_a_higher_limit_takes_an_approval_that_names_the_payee(
    town: Town,
) -> None:
    await changed(town, limit=rupees(10_000))

    asked = await changed(town, limit=rupees(20_000))
    challenge = await approved(town, asked)
    done = await changed(town, limit=rupees(20_000))
    lost = await changed(town, limit=rupees(20_000))
    lower = await changed(town, limit=rupees(5_000))
    await approved(town, await changed(town, limit=None))
    gone = await changed(town, limit=None)

    assert "Ben Okafor, account 5010" in challenge.payload
    assert "200.00 for one payment" in challenge.payload
    assert done["beneficiary"]["limit"]["max"] == {"minorUnits": "20000"}
    assert lost == done
    assert lower["beneficiary"]["limit"]["max"] == {"minorUnits": "5000"}
    assert gone["beneficiary"]["limit"] is None
    alerts = [
        fact.title
        for fact in await facts_of(town.asha.actor.known_customer)
        if isinstance(fact, SecurityEvent)
    ]
    assert alerts == ["The limit for Ben Okafor was raised."] * 2


async def test_a_change_that_may_not_be_changes_nothing(town: Town) -> None:
    await changed(town, limit=rupees(10_000))
    new = await town.bank.a_phone(town.asha.actor.known_customer, cools_for=DAY)
    before = await town.bank.everything_of(*NOTHING_MOVED)

    said = [
        (await changed(town, by, **parts))["userErrors"][0]
        for by, parts in (
            (new, {"limit": rupees(10_001)}),
            (new, {"limit": None}),
            (town.asha, {"limit": rupees(0)}),
            (town.asha, {"limit": {"minorUnits": "1", "currency": "EUR"}}),
            (town.asha, {"limit": rupees(100_000_001)}),
            (town.asha, {"nickname": " "}),
            (town.ben, {"nickname": "Mine"}),
        )
    ]

    assert [(one["code"], one["field"]) for one in said] == [
        ("COOLING_PERIOD", ["limit"]),
        ("COOLING_PERIOD", ["limit"]),
        ("VALIDATION_FAILED", ["limit", "minorUnits"]),
        ("CURRENCY_MISMATCH", ["limit", "currency"]),
        ("LIMIT_EXCEEDED", ["limit"]),
        ("VALIDATION_FAILED", ["nickname"]),
        ("NOT_FOUND", ["id"]),
    ]
    assert await town.bank.everything_of(*NOTHING_MOVED) == before
    lowered = await changed(town, new, limit=rupees(1_000))
    assert lowered["beneficiary"]["limit"]["max"] == {"minorUnits": "1000"}
