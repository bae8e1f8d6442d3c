"""A held payment's ways: released, refused, cancelled, out of time; told each time."""

from datetime import timedelta

import pytest

from app import database
from app.auth.actor import FactorKind
from app.auth.errors import CoolingPeriod
from app.auth.standing import Staff
from app.errors import ErrorCode, NotAllowed, NotFound, ValidationFailed
from app.ids import PaymentId
from app.integrations.fraud import RiskAction
from app.payments import coherence
from app.payments.errors import TooLate
from app.payments.lifecycle import State, Status
from app.payments.payment import Payment, StepDetail, StepSource
from app.realtime.facts import PaymentChanged
from tests.conftest import BROKEN
from tests.payments.purses import counted, run
from tests.payments.town import Town
from tests.payments.world import facts_of

# Its SQL is that of stories that run on both engines.
once = pytest.mark.only("sqlite")
MEERA = Staff(name="Meera", reason="called the customer")
DAY = timedelta(hours=24)


@pytest.fixture
async def held(town: Town) -> Payment:
    """Give a payment of 250.00 to Ben that waits for a review."""
    town.bank.judge.always(RiskAction.HOLD, 300)
    made = await town.bank.transfers.create(town.asha.actor, town.to_ben(250_00))
    town.bank.clock.move(hours=1)
    return made.payment


async def told(town: Town) -> list[tuple[str, str | None]]:
    """Give status and line of every change Asha's phones were told."""
    facts = await facts_of(town.current.customer)
    changes = [fact for fact in facts if isinstance(fact, PaymentChanged)]
    return [(fact.payment.status, fact.step.detail) for fact in changes]


async def acts() -> list[tuple[str, str, str]]:
    """Give who decided what, and why, as the audit has it."""
    rows = await database.read(
        "SELECT actor_id, action, detail FROM audit_entry "
        "WHERE actor_kind = 'STAFF' AND action LIKE 'payment.%' ORDER BY at, id"
    )
    return [
        (
            row.get("actor_id", str),
            row.get("action", str),
            row.get("detail", dict)["reason"],
        )
        for row in rows
    ]


async def test_a_held_payment_has_no_challenge_and_reserves_its_amount(
    town: Town, held: Payment
) -> None:
    assert held.state is State.HELD_FOR_REVIEW
    assert held.challenge is None
    assert held.expires_at == held.cancellable_until == held.created_at + DAY
    assert await town.bank.transfers.challenge_of(town.asha.actor, held) is None
    with pytest.raises(NotAllowed):
        await town.bank.transfers.renew(town.asha.actor, str(held.id))

    (waits,) = await town.bank.reviews.waiting()

    assert waits.payment == held
    assert waits.decided is not None
    assert waits.decided.decision.score == 300
    assert await counted(town) == (500_00, 0)  # of the day and of the new payee
    assert await told(town) == [("HELD_FOR_REVIEW", "held")]
    assert await town.bank.available(town.current) == 100_000


async def test_a_released_payment_waits_a_day_and_mints_its_challenge_on_demand(
    town: Town, held: Payment
) -> None:
    released = await town.bank.reviews.release(MEERA, str(held.id))

    assert released.state is State.AWAITING_AUTHORISATION
    assert released.expires_at == town.bank.clock.now() + DAY
    assert await town.bank.transfers.challenge_of(town.asha.actor, released) is None
    assert await told(town) == [
        ("HELD_FOR_REVIEW", "held"),
        ("AWAITING_AUTHORISATION", "released"),
    ]
    town.bank.clock.move(hours=3)
    renewed = await town.bank.transfers.renew(town.asha.actor, str(held.id))
    challenge = await town.bank.challenge(town.asha, renewed)
    paid = await town.bank.transfers.approve(
        town.asha.actor, challenge.id, *town.asha.answer(challenge)
    )
    assert challenge.allowed == (FactorKind.MPIN,)
    assert paid.status is Status.SETTLED
    assert await town.bank.available(town.bens) == 250_00
    assert await counted(town) == (0, 500_00)
    assert town.bank.judge.heard == [(held.id.value, "released")]
    assert await acts() == [
        ("Meera", "payment.released_by_review", "called the customer")
    ]
    timeline = (await town.bank.transfers.timelines([held.id]))[held.id]
    assert [(step.source, step.detail) for step in timeline[:2]] == [
        (StepSource.RISK, StepDetail.HELD),
        (StepSource.STAFF, StepDetail.RELEASED),
    ]


@once
async def test_what_was_released_still_takes_more_than_a_young_factor(
    town: Town, held: Payment
) -> None:
    await town.bank.reviews.release(MEERA, str(held.id))
    ripe = town.bank.clock.now() + timedelta(hours=12)
    await run(
        "UPDATE mpin_secret SET full_from = $2 WHERE device_id = $1",
        town.asha.actor.device,
        ripe,
    )

    with pytest.raises(CoolingPeriod) as no:
        await town.bank.transfers.renew(town.asha.actor, str(held.id))

    assert no.value.ends_at == ripe
    town.bank.clock.move(hours=12)
    renewed = await town.bank.transfers.renew(town.asha.actor, str(held.id))
    assert renewed.challenge is not None


async def test_a_refused_payment_ends_with_a_reason_that_names_no_rule(
    town: Town, held: Payment
) -> None:
    refused = await town.bank.reviews.refuse(MEERA, str(held.id))

    assert (refused.state, refused.reason) == (State.DECLINED, ErrorCode.RISK_DECLINED)
    assert await counted(town) == (0, 0)
    assert (await told(town))[-1] == ("DECLINED", "refused_by_bank")
    assert town.bank.judge.heard == [(held.id.value, "refused")]
    assert await acts() == [("Meera", "payment.refused_by_review", MEERA.reason)]
    for decide in (town.bank.reviews.release, town.bank.reviews.refuse):
        with pytest.raises(NotAllowed):
            await decide(MEERA, str(held.id))
    assert await town.bank.now(held.id) == refused


@once
async def test_nobody_decides_without_a_name_a_reason_or_a_payment(
    town: Town, held: Payment
) -> None:
    reviews = town.bank.reviews

    for staff in (Staff(name=" ", reason="why"), Staff(name="Meera", reason="")):
        with pytest.raises(ValidationFailed):
            await reviews.release(staff, str(held.id))
    for unknown in ("pay_1", "pay_" + "0" * 32):
        with pytest.raises(NotFound):
            await reviews.release(MEERA, unknown)
        with pytest.raises(NotFound):
            await reviews.replay(unknown)

    assert await town.bank.now(held.id) == held
    assert await acts() == []


async def test_a_day_without_a_decision_ends_the_payment(
    town: Town, held: Payment
) -> None:
    town.bank.clock.move(hours=23)

    with pytest.raises(NotAllowed):
        await town.bank.reviews.release(MEERA, str(held.id))
    assert await town.bank.reviews.waiting() == []
    await town.bank.jobs.turn()

    assert (await town.bank.now(held.id)).state is State.EXPIRED
    assert await counted(town) == (0, 0)
    assert (await told(town))[-1] == ("EXPIRED", "not_decided_in_time")


@once
async def test_a_released_payment_that_nobody_approves_ends_a_day_later(
    town: Town, held: Payment
) -> None:
    await town.bank.reviews.release(MEERA, str(held.id))

    town.bank.clock.move(hours=24)
    await town.bank.jobs.turn()

    assert (await town.bank.now(held.id)).state is State.EXPIRED
    assert (await told(town))[-1] == ("EXPIRED", "not_approved_in_time")


@once
async def test_the_customer_stops_a_held_payment_and_then_nobody_releases_it(
    town: Town, held: Payment
) -> None:
    cancelled = await town.bank.transfers.cancel(town.asha.actor, str(held.id))

    assert cancelled.state is State.CANCELLED
    assert await counted(town) == (0, 0)
    with pytest.raises(NotAllowed):
        await town.bank.reviews.release(MEERA, str(held.id))
    with pytest.raises(NotFound):
        await town.bank.transfers.cancel(town.ben.actor, str(held.id))


@once
async def test_the_emergency_stop_ends_what_is_under_review_too(
    town: Town, held: Payment
) -> None:
    assert await town.bank.transfers.halt(town.asha.actor) == 1

    assert (await town.bank.now(held.id)).state is State.CANCELLED


@once
async def test_a_blocked_payment_is_over_at_once_and_reserves_nothing(
    town: Town,
) -> None:
    town.bank.judge.always(RiskAction.BLOCK, 999)

    request = town.to_ben(250_00)
    made = (await town.bank.transfers.create(town.asha.actor, request)).payment
    again = await town.bank.transfers.create(town.asha.actor, request)

    assert (made.state, made.reason) == (State.DECLINED, ErrorCode.RISK_DECLINED)
    assert (again.replayed, again.payment) == (True, made)
    assert await counted(town) == (0, 0)
    assert await told(town) == [("DECLINED", "stopped")]
    with pytest.raises(TooLate):
        await town.bank.transfers.cancel(town.asha.actor, str(made.id))
    assert await town.bank.reviews.waiting() == []


@once
async def test_a_stored_decision_is_made_again_from_its_row(town: Town) -> None:
    made = await town.bank.transfers.create(town.asha.actor, town.to_ben(95_000))

    again = await town.bank.reviews.replay(str(made.payment.id))
    town.bank.judge.rules._factor = 1  # noqa: SLF001  -- the same rules, another name
    town.bank.judge.rules.ruleset = "another"
    other = await town.bank.reviews.replay(str(made.payment.id))

    assert again.decided.decision.action is RiskAction.STEP_UP
    assert again.again == again.decided.decision
    assert again.is_same is True
    assert other.is_same is None


_UNIQUE = "risk_decision.payment_id"  # how SQLite names a unique index
_COPY = (
    "INSERT INTO risk_decision (id, payment_id, action, score, reasons, features, "
    "ruleset, took_ms, at) SELECT payment_id, payment_id, {action}, {score}, reasons, "
    "{features}, ruleset, took_ms, at FROM risk_decision"
)
_AS_IT_IS = {"action": "action", "score": "score", "features": "features"}
BENT = {
    "risk_decision_append_only": "UPDATE risk_decision SET score = 0",
    "append_only": "DELETE FROM risk_decision",
    "risk_decision_action": _COPY.format(**_AS_IT_IS | {"action": "'MAYBE'"}),
    "risk_decision_score": _COPY.format(**_AS_IT_IS | {"score": "-1"}),
    "risk_decision_unmeasured": _COPY.format(
        **_AS_IT_IS | {"action": "'ALLOW'", "features": "NULL"}
    ),
    "risk_decision_once": _COPY.format(**_AS_IT_IS),
}


async def test_a_decision_cannot_be_bent(town: Town, held: Payment) -> None:
    before = await database.read("SELECT score, action FROM risk_decision")

    for name, statement in BENT.items():
        with pytest.raises(BROKEN) as refused:
            await run(statement)
        said = str(refused.value)
        assert name in said or (name.endswith("once") and _UNIQUE in said)

    after = await database.read("SELECT score, action FROM risk_decision")
    assert [row.get("score", int) for row in after] == [
        row.get("score", int) for row in before
    ]
    assert held.state is State.HELD_FOR_REVIEW


async def test_a_payment_that_went_past_its_review_is_found(
    town: Town, held: Payment
) -> None:
    proof = next(one for one in coherence.proofs() if one.name == "payments.reviewed")
    moved = "UPDATE payment SET state = $2 WHERE id = $1"
    assert await database.read(proof.full) == []

    await run(moved, held.id, "AWAITING_AUTHORISATION")
    found = await database.read(proof.full)
    await run(moved, held.id, "HELD_FOR_REVIEW")

    assert [row.get("id", PaymentId) for row in found] == [held.id]
