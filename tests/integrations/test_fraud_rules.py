"""The bank's rules: bands at their edges, what has no figure, files that are wrong."""

from dataclasses import replace
from pathlib import Path

import pytest

from app import adapters
from app.integrations.fraud import (
    MalformedFacts,
    RiskAction,
    RiskDecision,
    RiskEngine,
    RiskFacts,
    Velocity,
)
from app.integrations.fraud.rules import FEATURES, OURS, Rules, Settings, connect
from app.settings import Misconfigured

DAY, WEEK = 86_400, 604_800
QUIET = Velocity(
    count_5m=1, count_1h=1, count_24h=1, sum_5m=1, sum_1h=1, sum_24h=1, waiting=0
)
# A payment nobody wonders about; each test changes one thing.
PLAIN = RiskFacts(
    currency="INR",
    amount=100_00,
    available=100_000_00,
    own_account=False,
    usual=100_00,
    settled=9,
    velocity=QUIET,
    payee_age_s=WEEK,
    first_to_payee=False,
    name_check="MATCH",
    device_age_s=WEEK,
    failed_logins=0,
)
SMALL = """
[actions]
step_up = 200
hold = 300
[units]
INR = 100
[[rules]]
name = "one"
feature = "failed_logins"
edges = [3, 8]
weights = [0, 200, 300]
reason = "wrong_answers"
"""


@pytest.fixture(scope="module")
def rules() -> Rules:
    """Give the rules of the repository with the bands of production."""
    return Rules(OURS.read_text())


def of(decision: RiskDecision, rule: str) -> tuple[str, int]:
    """Give band and weight of one rule."""
    found = next(one for one in decision.reasons if one.rule == rule)
    return found.band, found.weight


def quick(**changes: int) -> RiskFacts:
    return replace(PLAIN, velocity=replace(QUIET, **changes))


def test_a_plain_payment_is_allowed_and_every_rule_says_why(rules: Rules) -> None:
    decision = rules.judged(PLAIN)

    assert (decision.action, decision.score) == (RiskAction.ALLOW, 0)
    assert len({one.rule for one in decision.reasons}) == len(decision.reasons) == 14
    assert decision.ruleset == Rules(OURS.read_text()).ruleset


@pytest.mark.parametrize(
    ("rule", "facts", "band", "weight"),
    [
        ("amount", replace(PLAIN, amount=299_99), ".01", 0),
        ("amount", replace(PLAIN, amount=300_00), ".02", 60),
        ("amount", replace(PLAIN, amount=1_000_00), ".03", 100),
        ("amount", replace(PLAIN, amount=3_000_00), ".04", 150),
        ("amount", replace(PLAIN, amount=3_000_00, settled=4), ".x00", 0),
        ("amount", replace(PLAIN, amount=3_000_00, usual=None), ".x00", 0),
        ("count-5m", quick(count_5m=5), ".01", 0),
        ("count-5m", quick(count_5m=6), ".02", 80),
        ("count-5m", quick(count_5m=15), ".03", 200),
        ("count-1h", quick(count_1h=19), ".01", 0),
        ("count-1h", quick(count_1h=20), ".02", 60),
        ("count-24h", quick(count_24h=49), ".01", 0),
        ("count-24h", quick(count_24h=150), ".03", 150),
        ("sum-5m", quick(sum_5m=199_999_99), ".01", 0),
        ("sum-5m", quick(sum_5m=200_000_00), ".02", 60),
        ("sum-1h", quick(sum_1h=800_000_00), ".03", 120),
        ("sum-24h", quick(sum_24h=800_000_00), ".02", 60),
        ("payee-age", replace(PLAIN, payee_age_s=DAY - 1), ".01", 50),
        ("payee-age", replace(PLAIN, payee_age_s=DAY), ".02", 20),
        ("payee-age", replace(PLAIN, payee_age_s=WEEK), ".03", 0),
        ("first-payment", replace(PLAIN, first_to_payee=True), ".02", 40),
        ("name-check", replace(PLAIN, name_check="CLOSE_MATCH"), ".02", 40),
        ("name-check", replace(PLAIN, name_check="NO_MATCH"), ".03", 150),
        ("name-check", replace(PLAIN, name_check="UNAVAILABLE"), ".04", 20),
        ("name-check", replace(PLAIN, name_check=None), ".x00", 0),
        ("device-age", replace(PLAIN, device_age_s=DAY - 1), ".01", 60),
        ("device-age", replace(PLAIN, device_age_s=DAY), ".02", 20),
        ("failed-logins", replace(PLAIN, failed_logins=2), ".01", 0),
        ("failed-logins", replace(PLAIN, failed_logins=3), ".02", 60),
        ("failed-logins", replace(PLAIN, failed_logins=8), ".03", 120),
        ("drain", replace(PLAIN, available=200_02), ".01", 0),
        ("drain", replace(PLAIN, available=200_00), ".02", 50),
        ("drain", replace(PLAIN, available=100_00), ".03", 110),
        ("drain", quick(waiting=90_000_00), ".03", 110),
    ],
)
def test_each_band_begins_at_its_edge(
    rules: Rules, rule: str, facts: RiskFacts, band: str, weight: int
) -> None:
    assert of(rules.judged(facts), rule) == (band, weight)


@pytest.mark.parametrize(
    ("failed", "action"),
    [
        (2, RiskAction.ALLOW),
        (3, RiskAction.STEP_UP),
        (7, RiskAction.STEP_UP),
        (8, RiskAction.HOLD),
    ],
)
def test_the_score_decides_from_its_own_edge_on(
    failed: int, action: RiskAction
) -> None:
    decision = Rules(SMALL).judged(replace(PLAIN, failed_logins=failed))

    assert decision.action is action


def test_a_name_that_does_not_match_on_a_new_phone_is_held(rules: Rules) -> None:
    new = replace(PLAIN, device_age_s=60, payee_age_s=60, first_to_payee=True)

    ordinary = rules.judged(new)
    drained = rules.judged(replace(new, available=100_00))
    another = rules.judged(replace(new, name_check="NO_MATCH"))

    assert (ordinary.action, ordinary.score) == (RiskAction.ALLOW, 150)
    assert (drained.action, drained.score) == (RiskAction.STEP_UP, 260)
    assert (another.action, another.score) == (RiskAction.HOLD, 300)


def test_nobody_types_sixty_payments_in_five_minutes(rules: Rules) -> None:
    assert rules.judged(quick(count_5m=59)).action is not RiskAction.BLOCK
    assert rules.judged(quick(count_5m=60)).action is RiskAction.BLOCK


def test_the_demo_widens_counts_and_sums_and_nothing_else(rules: Rules) -> None:
    wide = Rules(OURS.read_text(), 1000)
    often = quick(count_5m=5_999, count_24h=49_999, sum_5m=199_999_999_99)

    assert wide.judged(often).score == 0
    assert of(wide.judged(quick(count_5m=6_000)), "count-5m") == (".02", 80)
    assert of(wide.judged(replace(PLAIN, failed_logins=3)), "failed-logins")[1] == 60
    assert wide.ruleset == f"{rules.ruleset}x1000"


def test_money_that_stays_with_the_customer_is_judged_by_the_phone_alone(
    rules: Rules,
) -> None:
    own = replace(
        PLAIN,
        own_account=True,
        amount=100_000_00,
        payee_age_s=None,
        first_to_payee=True,
        name_check=None,
        velocity=replace(QUIET, count_5m=99),
        device_age_s=0,
    )

    decision = rules.judged(own)

    weighty = {one.rule: one.weight for one in decision.reasons if one.weight}
    assert weighty == {"device-age": 60}


def test_what_cannot_be_measured_weighs_a_step_up(rules: Rules) -> None:
    unknown_unit = rules.judged(replace(PLAIN, currency="XAU"))
    unknown_word = rules.judged(replace(PLAIN, name_check="PERHAPS"))
    no_number = rules.judged(replace(PLAIN, failed_logins="many"))  # type: ignore[arg-type]  # garbage on purpose

    assert of(unknown_unit, "sum-5m") == (".err", 200)
    assert of(unknown_word, "name-check") == (".err", 200)
    assert of(no_number, "failed-logins") == (".err", 200)
    assert unknown_unit.action is RiskAction.HOLD
    assert unknown_word.action is no_number.action is RiskAction.STEP_UP


def test_stored_facts_give_the_same_decision(rules: Rules) -> None:
    facts = replace(PLAIN, name_check="NO_MATCH", velocity=replace(QUIET, count_5m=7))

    read = RiskFacts.read(facts.stored())

    assert read == facts
    assert rules.judged(read) == rules.judged(facts)
    with pytest.raises(MalformedFacts):
        RiskFacts.read({"amount": 1})
    with pytest.raises(MalformedFacts):
        RiskFacts.read(facts.stored() | {"velocity": {"count_5m": 1}})


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[actions]", "[actions", "no TOML"),
        ("hold = 300", "hold = 200", "hold is greater"),
        ("step_up = 200", "step_up = 0", "actions.step_up"),
        ("step_up = 200", 'step_up = "200"', "actions.step_up"),
        ("step_up = 200", "", "actions.step_up"),
        ("INR = 100", "INR = 0", "units"),
        ("failed_logins", "moon_phase", "there is no feature 'moon_phase'"),
        ("edges = [3, 8]", "edges = [8, 3]", "edges rise"),
        ("edges = [3, 8]", "edges = [3, 3]", "edges rise"),
        ("edges = [3, 8]", "edges = []", "edges with weights, or cases"),
        ("edges = [3, 8]", "edges = [3.5, 8]", "rules.0.edges"),
        ("[0, 200, 300]", "[0, 200]", "one weight more"),
        ("[0, 200, 300]", "[0, -1, 300]", "0 or more"),
        ("[0, 200, 300]", "[0, true, 300]", "rules.0.weights"),
        ("reason =", "why =", "rules.0"),
        ("[[rules]]", "[[rule]]", "rules"),
        (
            'name = "one"',
            'name = "one"\nfeature = "drained"\nedges = [1]\nweights = [0, 1]\n'  # noqa: ISC004  -- one text
            'reason = "x"\n[[rules]]\nname = "one"',
            "one name",
        ),
        (
            "edges = [3, 8]\nweights = [0, 200, 300]",
            "cases = { A = 1 }\nblock = true",
            "only a rule with edges",
        ),
    ],
)
async def test_a_file_that_is_not_whole_refuses_the_start(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    assert before in SMALL
    file = tmp_path / "rules.toml"
    file.write_text(SMALL.replace(before, after))

    with pytest.raises(Misconfigured, match=said):
        await connect(Settings(file=file), factor=1)


async def test_a_file_that_is_missing_refuses_the_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot read"):
        await connect(Settings(file=tmp_path / "none.toml"), factor=1)


def test_another_text_is_another_ruleset() -> None:
    assert Rules(SMALL).ruleset != Rules(SMALL + "\n# a word more").ruleset


def test_every_feature_of_the_code_has_a_rule(rules: Rules) -> None:
    text = OURS.read_text()

    assert {name for name in FEATURES if f'feature = "{name}"' in text} == set(FEATURES)
    assert {one.key for one in rules.judged(PLAIN).reasons} <= {
        line.split('"')[1] for line in text.splitlines() if line.startswith("reason")
    }


@pytest.mark.parametrize("name", adapters.choices("app.integrations.fraud"))
async def test_an_engine_fits_the_port_and_answers_alike_twice(name: str) -> None:
    file = adapters.load("app.integrations.fraud", name)
    engine: RiskEngine = await file.connect(file.Settings(), factor=1)

    first, second = [await engine.assess(PLAIN, 1.0) for _ in range(2)]

    assert first == second
    assert first.action is RiskAction.ALLOW
    assert 0 < len(first.ruleset) <= 40
    assert first.score == sum(one.weight for one in first.reasons)
    assert isinstance(engine.local, bool)
