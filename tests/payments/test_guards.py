"""The database itself refuses what no code should ever ask of it."""

import pytest

from app import database
from app.ids import uuid7
from app.payments.models import CONSTRAINTS
from app.rows import Scalar
from app.upgrade import guard_names
from tests.conftest import BROKEN
from tests.payments.town import Town

ZERO = "00000000-0000-7000-8000-000000000000"
STEP = (
    "INSERT INTO payment_step SELECT payment_id, {no}, at, {status}, {source}, detail "
    "FROM payment_step WHERE payment_id = $1 AND no = 1"
)
OP = (
    "INSERT INTO payment_op (id, payment_id, kind, attempt, fingerprint, outcome, "  # noqa: S608  -- our own words
    "resolved_at) SELECT '" + ZERO + "', payment_id, kind, {attempt}, fingerprint, "
    "'{outcome}', {resolved} FROM payment_op WHERE payment_id = $1"
)


async def run(sql: str, *args: Scalar) -> None:
    """Run one statement as a careless program would."""

    async def work(tx: database.Tx) -> None:
        await tx.rows(sql, *args)

    await database.transaction(work, name="tests.careless")


def names(dialect: str) -> set[str]:
    """List the guards of an engine that stand on our tables."""
    tables = {
        *("payment", "payment_op", "payment_step", "beneficiary"),
        *("limit_rule", "limit_use", "limit_reservation", "risk_decision"),
        "inbound_event",
    }
    return {name for _, name, table in guard_names(dialect) if table in tables}


def test_every_guard_is_listed_and_stands_on_both_engines() -> None:
    doubled = {
        "payment_step_append_only_delete",
        "limit_reservation_fixed_delete",
        "risk_decision_append_only_delete",
    }
    truncate = {
        "payment_stays_truncate",
        "payment_step_append_only_truncate",
        "limit_reservation_fixed_truncate",
        "risk_decision_append_only_truncate",
    }

    assert names("sqlite") - doubled <= set(CONSTRAINTS)
    assert names("postgres") - truncate == names("sqlite") - doubled


@pytest.mark.parametrize(
    "change",
    [
        "amount = amount + 1",
        "currency = 'EUR'",
        "from_account_id = '" + ZERO + "'",
        "dest_json = '{}'",
        "payee_key = 'x'",
        "reference = 'Other'",
        "note = 'Other'",
        "fee = 1",
        "rail = 'IMPS'",
        "customer_id = '" + ZERO + "'",
        "idempotency_key = 'x'",
        "payload_hash = substr(payload_hash, 2)",
        "challenge_id = '" + ZERO + "'",
        "device_id = '" + ZERO + "'",
        "state = 'CANCELLED', settled_at = NULL",
        "state = 'AWAITING_AUTHORISATION', settled_at = NULL",
    ],
)
async def test_what_was_approved_never_changes(town: Town, change: str) -> None:
    paid = await town.bank.pay(town.asha, town.to_ben(100))

    with pytest.raises(BROKEN, match="payment_"):
        await run(f"UPDATE payment SET {change} WHERE id = $1", paid.id)  # noqa: S608  -- the test's own words

    assert await town.bank.now(paid.id) == paid


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM payment_step WHERE payment_id = $1",
        "UPDATE payment_step SET detail = NULL WHERE payment_id = $1",
        "DELETE FROM payment WHERE id = $1",
        "UPDATE payment SET state = 'LOST' WHERE id = $1",
        "UPDATE payment SET failed_answers = 4 WHERE id = $1",
        "UPDATE payment SET amount = 0 WHERE id = $1",
        "UPDATE payment SET settled_at = NULL WHERE id = $1",
        "UPDATE payment SET lease_by = 'x' WHERE id = $1",
        "UPDATE payment_op SET outcome = 'MAYBE' WHERE payment_id = $1",
        "UPDATE payment_op SET kind = 'GIFT' WHERE payment_id = $1",
        "UPDATE payment_op SET resolved_at = NULL WHERE payment_id = $1",
        STEP.format(no=0, status="status", source="source"),
        STEP.format(no=9, status="'LOST'", source="source"),
        STEP.format(no=9, status="status", source="'ME'"),
        STEP.format(no=51, status="status", source="source"),
        OP.format(attempt=2, outcome="PENDING", resolved="NULL"),
        OP.format(attempt=1, outcome="REJECTED", resolved="resolved_at"),
    ],
)
async def test_history_and_states_cannot_be_forged(town: Town, statement: str) -> None:
    paid = await town.bank.pay(town.asha, town.to_ben(100))
    steps = await town.bank.transfers.timelines([paid.id])

    with pytest.raises(BROKEN):
        await run(statement, paid.id)

    assert await town.bank.now(paid.id) == paid
    assert await town.bank.transfers.timelines([paid.id]) == steps


RULE = (
    "INSERT INTO limit_rule (id, scope, period, currency, customer_id, base_id, "  # noqa: S608  -- same
    "max_minor, ceiling_minor, effective_at) SELECT '" + ZERO + "', {values}, "
    "effective_at FROM limit_rule WHERE scope = 'BANK' AND period = 'DAY' "
    "AND currency = 'INR'"
)


NOTHING = (
    "INSERT INTO limit_reservation SELECT payment_id, (SELECT id FROM limit_rule "
    "WHERE scope = 'DEVICE_COOLING' AND currency = 'INR'), customer_id, subject_id, "
    "window_start, 0 FROM limit_reservation"
)
BENT = (
    "UPDATE limit_use SET reserved = -1",
    "UPDATE limit_use SET used = -1",
    "UPDATE limit_reservation SET amount = amount + 1",
    "DELETE FROM limit_reservation",
    NOTHING,
    "UPDATE limit_rule SET scope = 'NOBODY'",
    "UPDATE limit_rule SET period = 'YEAR'",
    "UPDATE limit_rule SET max_minor = ceiling_minor + 1",
    "UPDATE limit_rule SET max_minor = -1",
    "UPDATE limit_rule SET scope = 'CUSTOMER'",
    "UPDATE limit_rule SET base_id = id",
    RULE.format(values="'BANK', 'DAY', 'INR', NULL, NULL, 1, 1"),
)


async def test_limits_cannot_be_bent(town: Town) -> None:
    await town.bank.transfers.create(town.asha.actor, town.to_savings(100))
    before = await town.bank.limits.of(town.asha.actor)

    for statement in BENT:
        with pytest.raises(BROKEN, match="limit_"):
            await run(statement)

    assert await town.bank.limits.of(town.asha.actor) == before


async def test_one_choice_of_a_limit_per_instant(town: Town) -> None:
    choice = "'CUSTOMER', 'DAY', 'INR', '" + ZERO + "', id, 1, 1"
    await run(RULE.format(values=choice))

    with pytest.raises(BROKEN, match="limit_rule"):
        await run(
            RULE.format(values=choice).replace(f"'{ZERO}', 'C", "$1, 'C"), uuid7()
        )


@pytest.mark.parametrize(
    "change", ["scheme = 'CASH'", "check_match = 'SURE'", "limit_minor = -1"]
)
async def test_a_payee_keeps_to_its_forms(town: Town, change: str) -> None:
    with pytest.raises(BROKEN):
        await run(f"UPDATE beneficiary SET {change} WHERE id = $1", town.payee.id)  # noqa: S608  -- the test's own words

    found, _ = await town.bank.payees.page(town.asha.actor, first=1)
    assert found == [town.payee]


async def test_one_live_payee_per_number(town: Town) -> None:
    copied = (
        "INSERT INTO beneficiary (id, customer_id, nickname, name, scheme, "
        "address_enc, address_hash, masked, cooling_until) SELECT $2, customer_id, "
        "nickname, name, scheme, address_enc, address_hash, masked, cooling_until "
        "FROM beneficiary WHERE id = $1"
    )

    with pytest.raises(BROKEN):
        await run(copied, town.payee.id, ZERO)

    found, _ = await town.bank.payees.page(town.asha.actor, first=9)
    assert found == [town.payee]
