"""`review list|release|refuse|replay` at a terminal: who looked, decided, and why."""

import asyncio
from dataclasses import replace

import pytest

from app import database
from app.clock import Clock, StoppedClock
from app.integrations.fraud import RiskAction, RiskDecision, RiskFacts
from app.realtime import log
from app.settings import load
from app.vault import open_vault
from tests.behind import ask
from tests.payments.town import a_town
from tests.payments.world import open_bank
from tests.terminal import WHO, Terminal, terminal

__all__ = ["terminal"]


async def three_held(terminal: Terminal) -> list[str]:
    """Let three payments of Asha be held by the rules; gives their ids."""
    settings = load(database_url=terminal.settings.database_url)
    clock = StoppedClock(Clock().now())
    async with database.open_database(settings):
        log.open_log(clock, lambda _announcement: None)
        async with open_bank(settings, clock, open_vault(settings)) as bank:
            town = await a_town(bank)

            async def strict(facts: RiskFacts) -> RiskDecision:
                found = await bank.judge.rules.assess(facts, 1)
                return replace(found, action=RiskAction.HOLD)

            bank.judge.verdict = strict
            create = bank.transfers.create
            made = [
                (await create(town.asha.actor, town.to_ben(minor))).payment
                for minor in (100_00, 200_00, 300_00)
            ]
    return [str(one.id) for one in made]


def acts(terminal: Terminal) -> list[tuple[object, ...]]:
    """Give what the audit says of the staff's doings with payments."""
    sql = "SELECT actor_id, action, object, detail FROM audit_entry "
    where = "WHERE actor_kind = 'STAFF' AND (action LIKE 'payment.%' "
    return ask(
        terminal.settings,
        sql + where + "OR action LIKE '%view%' "
        "OR action LIKE '%replayed') ORDER BY at, id",
    )


def states(terminal: Terminal) -> list[object]:
    """Give the states of all payments, the oldest first."""
    found = ask(terminal.settings, "SELECT state FROM payment ORDER BY id")
    return [state for (state,) in found]


@pytest.mark.slow
def test_held_payments_are_listed_released_refused_and_each_is_written_down(
    terminal: Terminal,
) -> None:
    first, second, third = asyncio.run(three_held(terminal))

    listed = terminal.type("review", "list", *WHO)
    released = terminal.type("review", "release", first, *WHO)
    refused = terminal.type("review", "refuse", second, *WHO)
    twice = terminal.type("review", "release", second, *WHO)
    unknown = terminal.type("review", "release", "pay_0", *WHO)
    nobody = terminal.type("review", "refuse", third, "--by", " ", "--reason", "why")
    left_out = terminal.type("review", "refuse", third, "--by", "Meera")
    rest = terminal.type("review", "list", *WHO)

    assert [line.split()[0] for line in listed.lines if line.startswith("pay_")] == [
        *(first, second, third)
    ]
    assert "10000 minor INR" in listed.lines[0]
    assert "Ben Okafor ••••" in listed.lines[0]
    assert any("device-age.01  device_new: 0" in line for line in listed.lines)
    assert released.out.startswith(f"released {first}; its customer may approve it")
    assert (refused.code, refused.out) == (0, f"refused {second}\n")
    assert twice.error == "NOT_ALLOWED: This payment waits for no review.\n"
    assert unknown.error == "NOT_FOUND: There is no such payment.\n"
    assert (twice.code, unknown.code, nobody.code, left_out.code) == (1, 1, 1, 2)
    assert [line.split()[0] for line in rest.lines if line.startswith("pay_")] == [
        third
    ]
    assert states(terminal) == ["AWAITING_AUTHORISATION", "DECLINED", "HELD_FOR_REVIEW"]
    why = '"reason":"ticket 4711"'
    assert [(who, what, which) for who, what, which, _detail in acts(terminal)] == [
        ("Meera", "staff.reviews_listed", None),
        ("Meera", "payment.released_by_review", first),
        ("Meera", "payment.refused_by_review", second),
        ("Meera", "staff.reviews_listed", None),
    ]
    assert all(why in str(detail) for *_rest, detail in acts(terminal))


@pytest.mark.only("sqlite")
def test_a_decision_is_replayed_by_its_rules_and_not_by_others(
    terminal: Terminal,
) -> None:
    first, *_others = asyncio.run(three_held(terminal))
    terminal.set("LIMIT_FACTOR", "1000")

    unlike = terminal.type("review", "replay", first, *WHO)
    terminal.set("LIMIT_FACTOR", "1")
    other = terminal.type("review", "replay", first, *WHO)
    terminal.set("FRAUD_RULES_FILE", str(terminal.folder / "none.toml"))
    broken = terminal.type("review", "replay", first, *WHO)

    # It was held by the test, not by the rules: the difference is found.
    assert unlike.code == 1
    assert unlike.lines[-1] == "The same rules say something else: this must not be."
    assert (other.code, other.lines[-1]) == (
        0,
        "Decided without these rules: another text of them, or none in time.",
    )
    assert broken.code == 2
    assert "FRAUD_RULES_FILE: cannot read" in broken.error
    assert [what for _who, what, *_rest in acts(terminal)] == [
        "staff.decision_replayed"
    ] * 2
