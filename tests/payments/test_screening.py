"""What is measured about a payment, and that nothing is allowed when nobody judged."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from app import database
from app.auth.actor import FactorKind
from app.errors import NotAllowed
from app.ids import PaymentId, uuid7
from app.integrations.fraud import RiskAction, RiskDecision, RiskFacts, Velocity
from app.integrations.fraud.rules import OURS, Rules
from app.payments import decisions, screening
from app.payments.decisions import Decided
from app.payments.lifecycle import State
from app.payments.payment import Payment
from app.payments.screening import Screening
from tests.payments.conftest import waiting
from tests.payments.judge import said
from tests.payments.purses import run
from tests.payments.town import Town
from tests.payments.world import NOTHING_MOVED

# Its SQL is that of stories that run on both engines.
once = pytest.mark.only("sqlite")


async def stored(payment: PaymentId) -> Decided:
    """Read the decision about a payment, with its facts."""
    found = await decisions.find(payment)
    assert found is not None
    return found


def weighty(found: Decided) -> dict[str, int]:
    """Give what the rules that said something weigh."""
    return {one.rule: one.weight for one in found.decision.reasons if one.weight}


async def created(town: Town, minor: int) -> Payment:
    return (
        await town.bank.transfers.create(town.asha.actor, town.to_ben(minor))
    ).payment


# ------------------------------------------------------------------ what is measured


async def test_a_first_payment_is_measured_in_one_statement(town: Town) -> None:
    town.bank.clock.move(hours=2)
    await run(
        "INSERT INTO failure_day (customer_id, device_id, hour, count) "
        "VALUES ($1, $2, $3, 2)",
        town.asha.actor.known_customer,
        uuid7(),
        town.bank.clock.now() - timedelta(hours=23),
    )
    await run(
        "UPDATE beneficiary SET check_match = 'CLOSE_MATCH' WHERE id = $1",
        town.payee.id,
    )

    payment = await created(town, 250_00)

    (facts,) = town.bank.judge.seen
    assert facts == RiskFacts(
        currency="INR",
        amount=250_00,
        available=100_000,
        own_account=False,
        usual=None,
        settled=0,
        velocity=Velocity(
            count_5m=1,
            count_1h=1,
            count_24h=1,
            sum_5m=250_00,
            sum_1h=250_00,
            sum_24h=250_00,
            waiting=0,
        ),
        payee_age_s=7200,
        first_to_payee=True,
        name_check="CLOSE_MATCH",
        device_age_s=7200,
        failed_logins=2,
    )
    found = await stored(payment.id)
    assert found.facts == facts
    assert weighty(found) == {
        "payee-age": 50,
        "first-payment": 40,
        "name-check": 40,
        "device-age": 60,
    }
    assert (found.decision.action, found.decision.score) == (RiskAction.ALLOW, 190)
    assert found.at == payment.created_at


async def test_what_was_paid_before_is_counted_by_windows_and_gives_the_median(
    town: Town,
) -> None:
    for minor, hours in ((100, 24), (300, 1), (900, 0)):
        await town.bank.pay(town.asha, town.to_ben(minor))
        town.bank.clock.move(hours=hours, minutes=1)
    await town.bank.pay(town.asha, town.to_savings(5_000))
    await created(town, 700)

    await created(town, 10)

    facts = town.bank.judge.seen[-1]
    assert facts.velocity == Velocity(
        count_5m=3,
        count_1h=3,
        count_24h=4,
        sum_5m=900 + 700 + 10,
        sum_1h=900 + 700 + 10,
        sum_24h=300 + 900 + 700 + 10,
        waiting=700,
    )
    assert (facts.usual, facts.settled, facts.first_to_payee) == (300, 3, False)
    assert facts.available == 100_000 - 100 - 300 - 900 - 5_000


async def test_what_nobody_signs_pushes_nothing_out_of_the_history(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_ALL", "_AGAIN"):  # a small window instead of two hundred payments
        small = getattr(screening, name).replace("LIMIT 200", "LIMIT 3")
        monkeypatch.setattr(screening, name, small)
    transfers, asha = town.bank.transfers, town.asha.actor
    for _ in range(3):
        await town.bank.pay(town.asha, town.to_ben(100))
        town.bank.clock.move(hours=25)
    await created(town, 20_000)
    own = (await transfers.create(asha, town.to_savings(5_000))).payment

    for wish in [town.to_savings(1) for _ in range(3)]:
        await transfers.cancel(
            asha, str((await transfers.create(asha, wish)).payment.id)
        )
    await created(town, 450)
    among_own = town.bank.judge.seen[-1]
    for minor in (1, 2, 3):
        await transfers.cancel(asha, str((await created(town, minor)).id))
    await created(town, 450)

    facts = town.bank.judge.seen[-1]
    assert own.state is State.AWAITING_AUTHORISATION
    for one, waits in ((among_own, 25_000), (facts, 25_450)):
        assert (one.usual, one.settled, one.first_to_payee) == (100, 3, False)
        assert one.velocity.waiting == waits
    assert (among_own.velocity.count_1h, among_own.velocity.sum_1h) == (2, 20_450)
    assert facts.velocity.count_1h == 4  # the newest three, and itself


@once
async def test_old_payments_and_those_of_others_do_not_count(town: Town) -> None:
    await town.bank.pay(town.asha, town.to_ben(500))
    town.bank.clock.move(days=91)
    phone = await town.bank.a_phone(town.current.customer)

    await town.bank.transfers.create(phone.actor, town.to_ben(10))

    facts = town.bank.judge.seen[-1]
    assert (facts.usual, facts.settled) == (None, 0)
    assert facts.velocity.count_24h == 1
    assert facts.first_to_payee is False
    assert (facts.payee_age_s, facts.device_age_s) == (91 * 86_400, 0)


@once
async def test_screening_adds_three_statements_to_a_payment(town: Town) -> None:
    async with database.watched_statements() as seen:
        await created(town, 100)

    assert sum("failure_day" in sql for sql in seen) == 1
    assert sum(sql.startswith("WITH recent") for sql in seen) == 2
    assert sum("risk_decision" in sql for sql in seen) == 1
    assert len(seen) <= 30  # 28 when it was counted


# ------------------------------------------------------------------ fail closed


async def late(_facts: RiskFacts) -> RiskDecision:
    await asyncio.sleep(60)
    raise AssertionError


def in_a_hurry(town: Town) -> None:
    """Let this bank wait for a judge no longer than a moment."""
    short = town.bank.settings.model_copy(update={"fraud_deadline_s": 0.3})
    town.bank.transfers._creation._screening = Screening(  # noqa: SLF001  -- one setting less for every test
        settings=short, clock=town.bank.clock, engine=town.bank.judge
    )


async def broken(_facts: RiskFacts) -> RiskDecision:
    raise ZeroDivisionError


async def garbage(_facts: RiskFacts) -> RiskDecision:
    return "ALLOW"  # type: ignore[return-value]  # garbage on purpose


async def hollow(_facts: RiskFacts) -> RiskDecision:
    return replace(said(RiskAction.ALLOW), action="ALLOW", score="0")  # type: ignore[arg-type]  # same


@once
@pytest.mark.parametrize(
    ("verdict", "why"),
    [(late, "late"), (broken, "failed"), (garbage, "failed"), (hollow, "failed")],
)
async def test_an_engine_that_does_not_decide_means_more_is_asked_for(
    town: Town, verdict: object, why: str
) -> None:
    town.bank.judge.verdict = verdict  # type: ignore[assignment]  # by parameter
    if verdict is late:
        in_a_hurry(town)

    payment, challenge = await waiting(town)

    found = await stored(payment.id)
    assert found.decision.action is RiskAction.STEP_UP
    assert [(one.rule, one.value) for one in found.decision.reasons] == [
        ("bank.engine", why)
    ]
    assert challenge.allowed == (FactorKind.MPIN,)
    town.bank.judge.verdict = None
    replayed = await town.bank.reviews.replay(str(payment.id))
    assert replayed.is_same is None


@once
async def test_an_answer_after_the_deadline_does_not_count(town: Town) -> None:
    async def slow(_facts: RiskFacts) -> RiskDecision:
        town.bank.clock.move(seconds=1)
        return said(RiskAction.ALLOW)

    in_a_hurry(town)
    town.bank.judge.verdict = slow

    found = await stored((await created(town, 100)).id)

    assert found.decision.action is RiskAction.STEP_UP
    assert found.took_ms == 1000


# ------------------------------------------------------------------ what is done


@once
@pytest.mark.parametrize("action", list(RiskAction))
async def test_every_decision_stands_before_anybody_can_approve(
    town: Town, action: RiskAction
) -> None:
    town.bank.judge.always(action, 7)

    payment = await created(town, 100)

    found = await stored(payment.id)
    assert (found.decision.action, found.decision.score) == (action, 7)
    assert payment.state is {
        RiskAction.HOLD: State.HELD_FOR_REVIEW,
        RiskAction.BLOCK: State.DECLINED,
    }.get(action, State.AWAITING_AUTHORISATION)
    entry = await database.read_one(
        "SELECT detail FROM audit_entry WHERE action = 'payment.created' "
        "AND object = $1",
        str(payment.id),
    )
    assert entry is not None
    assert entry.get("detail", dict)["risk"] == action.value
    with pytest.raises(Exception, match="risk_decision_append_only"):
        await run("UPDATE risk_decision SET action = 'ALLOW'")


@once
async def test_a_stopped_request_leaves_no_decision_behind(town: Town) -> None:
    before = await town.bank.everything_of(*NOTHING_MOVED, "risk_decision")
    await run(
        "UPDATE mpin_secret SET state = 'LOCKED', sealed = NULL WHERE device_id = $1",
        town.asha.actor.device,
    )

    with pytest.raises(NotAllowed):
        await created(town, 100)

    assert await town.bank.everything_of(*NOTHING_MOVED, "risk_decision") == before


@once
async def test_a_risky_payment_without_a_factor_left_is_held(town: Town) -> None:
    town.bank.judge.always(RiskAction.STEP_UP, 200)
    await run(
        "UPDATE mpin_secret SET full_from = $2 WHERE device_id = $1",
        town.asha.actor.device,
        town.bank.clock.now() + timedelta(hours=24),
    )

    payment = await created(town, 100)

    found = await stored(payment.id)
    assert payment.state is State.HELD_FOR_REVIEW
    assert found.decision.action is RiskAction.HOLD
    assert found.decision.reasons[-1].key == "no_factor_left"


@once
@pytest.mark.attack("watched screen-lock code")
async def test_a_drained_account_and_a_pin_of_today_are_held_by_our_own_rules(
    town: Town,
) -> None:
    town.bank.judge.rules = Rules(OURS.read_text())
    actor = town.asha.actor
    await run("UPDATE beneficiary SET check_match = 'MATCH'")
    await run("UPDATE device SET bound_at = '2026-01-01 00:00:00+00:00'")
    await run(
        "UPDATE mpin_secret SET full_from = $2 WHERE device_id = $1",
        actor.device,
        town.bank.clock.now() + timedelta(hours=24),
    )

    little = await created(town, 10_000)
    most = await created(town, 80_000)  # with the one that waits: nine tenths

    assert little.state is State.AWAITING_AUTHORISATION
    assert most.state is State.HELD_FOR_REVIEW
    assert weighty(await stored(most.id)) == {
        "payee-age": 50,
        "first-payment": 40,
        "drain": 110,
    }


async def test_fifty_payments_at_once_are_counted_like_one_after_the_other(
    town: Town,
) -> None:
    town.bank.judge.rules = Rules(OURS.read_text())  # the bands of production
    for rule in ("device", "beneficiary"):
        column = "bound_at" if rule == "device" else "cooling_until"
        await run(f"UPDATE {rule} SET {column} = '2026-01-01 00:00:00+00:00'")  # noqa: S608  -- our own words

    made = await asyncio.gather(*(created(town, 100) for _ in range(50)))

    found = [await stored(one.id) for one in made]
    counts = sorted(one.facts.velocity.count_5m for one in found if one.facts)
    assert counts == list(range(1, 51))
    for one in found:
        assert one.facts is not None
        assert town.bank.judge.rules.judged(one.facts) == one.decision
    asked = sum(one.decision.action is RiskAction.STEP_UP for one in found)
    held = sum(one.decision.action is RiskAction.HOLD for one in found)
    assert (asked, held) == (5, 31)  # from the 15th on; from the 20th also by the hour


@once
async def test_an_engine_elsewhere_is_not_asked_again_inside_the_transaction(
    town: Town,
) -> None:
    town.bank.judge.local = False

    made = await asyncio.gather(*(created(town, 100) for _ in range(6)))

    found = [(await stored(one.id)).decision for one in made]
    allowed = [one for one in found if one.action is RiskAction.ALLOW]
    outrun = [one for one in found if one.action is RiskAction.STEP_UP]
    assert len(allowed) + len(outrun) == 6
    assert {one.reasons[0].value for one in outrun} == {"outrun"}
