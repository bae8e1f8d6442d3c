"""The database itself refuses what no code should ever ask of it."""

import pytest

from app import database
from app.auth.actor import Actor
from app.ids import CustomerId, uuid7
from app.notifications import coherence
from app.notifications.tables import CONSTRAINTS
from app.rows import Scalar
from app.upgrade import guard_names
from tests.conftest import BROKEN
from tests.notifications.world import World, fates, money

TABLES = {"inbox_item", "push_address", "push_dispatch"}


async def run(sql: str, *args: Scalar) -> None:
    """Run one statement as a careless program would."""

    async def work(tx: database.Tx) -> None:
        await tx.rows(sql, *args)

    await database.transaction(work, name="tests.careless")


def test_every_guard_is_listed_and_stands_on_both_engines() -> None:
    sqlite, postgres = (
        {name for _, name, table in guard_names(engine) if table in TABLES}
        for engine in ("sqlite", "postgres")
    )

    assert sqlite == postgres
    assert sqlite <= set(CONSTRAINTS)


@pytest.mark.parametrize(
    "change",
    [
        "state = 'GONE'",
        "priority = 'LOUD'",
        "state = 'FAILED', reason = NULL",
        "state = 'SENT', sent_at = NULL",
        "state = 'DELIVERED', delivered_at = NULL",
        "state = 'OPENED', opened_at = NULL",
        "state = 'SUPPRESSED', reason = 'MUTED', lease_until = due_at",
    ],
)
async def test_a_dispatch_is_always_in_one_whole_state(
    world: World, asha: CustomerId, phone: Actor, change: str
) -> None:
    await world.tell(money(asha, world.clock))

    with pytest.raises(BROKEN):
        await run(f"UPDATE push_dispatch SET {change}")  # noqa: S608  -- our own words

    assert await fates(phone) == ["QUEUED"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("state = 'SENT', sent_at = due_at", "state = 'QUEUED'"),
        ("state = 'SENT', sent_at = due_at", "state = 'FAILED', reason = 'X'"),
        ("state = 'FAILED', reason = 'X'", "state = 'SENT', sent_at = due_at"),
        ("state = 'SUPPRESSED', reason = 'X'", "state = 'QUEUED'"),
        (
            "state = 'DELIVERED', delivered_at = due_at",
            "state = 'SENT', sent_at = due_at",
        ),
        (
            "state = 'OPENED', opened_at = due_at",
            "state = 'DELIVERED', delivered_at = due_at",
        ),
    ],
)
async def test_states_only_move_forward(
    world: World, asha: CustomerId, phone: Actor, before: str, after: str
) -> None:
    await world.tell(money(asha, world.clock))
    await run(f"UPDATE push_dispatch SET {before}")  # noqa: S608  -- our own words
    reached = await fates(phone)

    with pytest.raises(BROKEN, match="push_dispatch_forward"):
        await run(f"UPDATE push_dispatch SET {after}")  # noqa: S608  -- our own words

    assert await fates(phone) == reached


@pytest.mark.parametrize(
    "change",
    [
        "kind = 'PIGEON'",
        "environment = 'STAGING'",
        "state = 'ASLEEP'",
        "state = 'DEAD', dead_reason = 'X'",
        "value = NULL",
        "dead_reason = 'X'",
        "suspects = 1",
        "suspects = -1",
    ],
)
async def test_an_address_is_always_whole(
    world: World, phone: Actor, change: str
) -> None:
    with pytest.raises(BROKEN):
        await run(f"UPDATE push_address SET {change}")  # noqa: S608  -- our own words


async def test_a_dead_address_never_comes_back(world: World, phone: Actor) -> None:
    await world.addresses.set(phone, None)

    with pytest.raises(BROKEN, match="push_address_dead_is_final"):
        await run(
            "UPDATE push_address SET state = 'ACTIVE', dead_reason = NULL, "
            "value = value_hash"
        )


@pytest.mark.parametrize(
    "sql",
    [
        (
            "INSERT INTO inbox_item SELECT {new}, "
            "customer_id, seq, category, template, args, deep_link, created_at, "
            "read_at FROM inbox_item"
        ),
        "UPDATE inbox_item SET seq = 0",
        (
            "INSERT INTO push_dispatch SELECT {new}, "
            "customer_id, device_id, address_id, notification_id, seq, category, "
            "thread, priority, due_at, expires_at, attempts, lease_until, state, "
            "reason, provider_ref, sent_at, delivered_at, opened_at FROM push_dispatch"
        ),
        (
            "INSERT INTO push_address SELECT {new}, "
            "device_id, customer_id, kind, value, value_hash, environment, app_id, "
            "state, set_at, last_ok_at, suspects, suspect_since, dead_reason "
            "FROM push_address"
        ),
        (
            "INSERT INTO push_address SELECT {new}, "
            "{new}, customer_id, kind, value, "
            "value_hash, environment, app_id, state, set_at, last_ok_at, suspects, "
            "suspect_since, dead_reason FROM push_address"
        ),
    ],
)
async def test_nothing_is_told_or_owned_twice(
    world: World, asha: CustomerId, phone: Actor, sql: str
) -> None:
    await world.tell(money(asha, world.clock))

    with pytest.raises(BROKEN):
        await run(sql.format(new=f"'{uuid7()}'"))


async def test_the_proof_finds_a_push_without_its_item_and_one_left_lying(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    (proof,) = coherence.proofs()
    await world.tell(money(asha, world.clock))
    sound = await database.read(proof.full)
    young = await database.read(proof.since, world.clock.now())
    world.later(61)
    lying = await database.read(proof.since, world.clock.now())

    await run("UPDATE push_dispatch SET seq = seq + 1")
    stray = await database.read(proof.full)
    await run("UPDATE push_dispatch SET seq = seq - 1")

    assert (sound, young) == ([], [])
    assert (len(lying), len(stray)) == (1, 1)
