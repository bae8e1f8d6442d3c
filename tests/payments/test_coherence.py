"""Each proof finds what it is there for, and nothing in sound books."""

from datetime import timedelta

import pytest

from app import database
from app.database import Proof
from app.ids import uuid7
from app.integrations.rails import RailStatus
from app.payments import coherence
from app.payments.lifecycle import State
from app.rows import Scalar
from tests.payments.faults import Word
from tests.payments.rail_town import RailTown
from tests.payments.town import Town


def proof(name: str) -> Proof:
    """Find a proof by name."""
    return next(one for one in coherence.proofs() if one.name == name)


async def broken(town: Town, name: str) -> tuple[int, int]:
    """Count broken rows: since five minutes ago, and in all."""
    found = proof(name)
    mark = town.bank.clock.now() - timedelta(minutes=5)
    since = await database.read(found.since, mark)
    return len(since), len(await database.read(found.full))


async def run(sql: str, *args: Scalar) -> None:
    """Break the books by hand."""

    async def work(tx: database.Tx) -> None:
        await tx.rows(sql, *args)

    await database.transaction(work, name="tests.break")


async def test_sound_books_break_no_proof(town: Town) -> None:
    await town.bank.pay(town.asha, town.to_ben(100))
    await town.bank.transfers.create(town.asha.actor, town.to_ben(100))

    for one in coherence.proofs():
        assert await broken(town, one.name) == (0, 0)


async def test_only_money_freezes() -> None:
    assert {one.name: one.freezes for one in coherence.proofs()} == {
        "payments.holds": False,
        "payments.booked_once": True,
        "payments.limits": True,
        "payments.carried_on": False,
        "payments.reviewed": False,
    }


async def test_a_settled_payment_without_its_operation_is_found(town: Town) -> None:
    paid = await town.bank.pay(town.asha, town.to_ben(100))

    await run(
        "UPDATE payment_op SET outcome = 'REJECTED' WHERE payment_id = $1", paid.id
    )
    assert await broken(town, "payments.booked_once") == (1, 1)

    await run("UPDATE payment_op SET outcome = 'OK' WHERE payment_id = $1", paid.id)


@pytest.mark.parametrize("kind", ["CAPTURE", "TRANSFER"])
async def test_money_that_moved_for_a_payment_that_ended_without_is_found(
    town: Town, kind: str
) -> None:
    created = await town.bank.transfers.create(town.asha.actor, town.to_ben(100))
    ended = await town.bank.transfers.cancel(town.asha.actor, str(created.payment.id))

    await _op(town, ended.id.value.hex, kind, "OK")
    assert await broken(town, "payments.booked_once") == (1, 1)

    await run("DELETE FROM payment_op")


async def test_a_hold_that_outlives_its_payment_is_found(town: Town) -> None:
    created = await town.bank.transfers.create(town.asha.actor, town.to_ben(100))
    ended = await town.bank.transfers.cancel(town.asha.actor, str(created.payment.id))

    await _op(town, ended.id.value.hex, "HOLD", "OK")
    assert await broken(town, "payments.holds") == (1, 1)
    await _op(town, ended.id.value.hex, "RELEASE", "OK")
    assert await broken(town, "payments.holds") == (0, 0)

    await run("DELETE FROM payment_op")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE limit_use SET used = used - 100",
        "UPDATE limit_use SET reserved = reserved + 1",
        "DELETE FROM limit_use",
    ],
)
async def test_a_limit_that_counts_something_else_is_found(
    town: Town, change: str
) -> None:
    await town.bank.pay(town.asha, town.to_savings(100))
    await town.bank.transfers.create(town.asha.actor, town.to_savings(50))
    kept = await database.read("SELECT reserved, used FROM limit_use")

    await run(change)
    found = await broken(town, "payments.limits")

    assert [(row.get("reserved", int), row.get("used", int)) for row in kept] == [
        (50, 100)
    ]
    assert min(found) >= 1
    await run("DELETE FROM limit_use")
    await run(
        "INSERT INTO limit_use (customer_id, rule_id, subject_id, window_start, "
        "reserved, used, changed_at) SELECT customer_id, rule_id, subject_id, "
        "window_start, 50, 100, $1 FROM limit_reservation WHERE amount = 100",
        town.bank.clock.now(),
    )


async def test_an_end_that_gives_nothing_back_is_found(town: Town) -> None:
    created = await town.bank.transfers.create(town.asha.actor, town.to_savings(50))
    await run(
        "UPDATE payment SET state = 'CANCELLED' WHERE id = $1", created.payment.id
    )
    town.bank.clock.move(hours=1)

    assert await broken(town, "payments.limits") == (1, 1)
    await run("UPDATE limit_use SET reserved = 0")


async def test_an_operation_nobody_carries_on_is_found(town: Town) -> None:
    town.bank.line.lost_answers = 1
    unsure = await town.bank.pay(town.asha, town.to_ben(100))
    assert await broken(town, "payments.carried_on") == (0, 0)

    await run("UPDATE payment_op SET outcome = 'PENDING'")
    town.bank.clock.move(minutes=6)
    late = await broken(town, "payments.carried_on")
    await run("UPDATE payment SET lease_by = NULL, lease_until = NULL")
    without_lease = await broken(town, "payments.carried_on")

    assert (late, without_lease) == ((1, 0), (1, 1))
    await town.bank.carried_on()
    assert (await town.bank.now(unsure.id)).is_final


async def test_a_hold_neither_taken_nor_freed_is_found(rail_town: RailTown) -> None:
    paid = await rail_town.pay()
    town = rail_town.town

    for end in ("REJECTED", "OK"):
        await run(
            "UPDATE payment_op SET outcome = $1 WHERE kind = 'CAPTURE'",
            end,
        )
        wrong = int(end == "REJECTED")
        assert await broken(town, "payments.holds") == (wrong, wrong)
        assert await broken(town, "payments.booked_once") == (wrong, wrong)
    assert await rail_town.now(paid) == paid


async def test_an_order_nobody_asks_about_is_found(rail_town: RailTown) -> None:
    rail_town.track.fate = (Word(60, RailStatus.SETTLED),)
    kept, town = await rail_town.pay(), rail_town.town
    assert await broken(town, "payments.carried_on") == (0, 0)

    await run("UPDATE payment SET lease_by = NULL, lease_until = NULL")
    assert await broken(town, "payments.carried_on") == (1, 1)
    await run("UPDATE payment SET manual_since = created_at")
    assert await broken(town, "payments.carried_on") == (0, 0)

    await run("UPDATE payment SET manual_since = NULL")
    assert (await rail_town.carried_through(kept)).state is State.SETTLED
    await run("UPDATE payment_op SET outcome = 'PENDING', resolved_at = NULL")
    assert await broken(town, "payments.carried_on") == (3, 3)
    await run("UPDATE payment_op SET outcome = 'OK', resolved_at = first_sent_at")


async def _op(town: Town, payment: str, kind: str, outcome: str) -> None:
    await run(
        "INSERT INTO payment_op (id, payment_id, kind, attempt, fingerprint, outcome, "
        "resolved_at) SELECT $1, id, $2, 1, payload_hash, $3, $4 FROM payment "
        "WHERE replace(CAST(id AS text), '-', '') = $5",
        uuid7(),
        kind,
        outcome,
        town.bank.clock.now(),
        payment,
    )
