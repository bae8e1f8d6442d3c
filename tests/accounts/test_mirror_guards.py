"""The database itself refuses what no look should ever leave in the mirror."""

import pytest

from app import database
from app.accounts.tables import CONSTRAINTS
from app.database import Tx
from app.upgrade import guard_names
from tests.accounts.far_world import FarRoom
from tests.conftest import BROKEN
from tests.ledger.world import catalogue

TABLES = {"mirror_balance", "mirror_cursor", "mirror_transaction", "mirror_words"}
CHANGES = {
    "mirror_balance_version": "mirror_balance SET version = 0",
    "mirror_transaction_status": "mirror_transaction SET status = 'LOST'",
    "mirror_transaction_direction": "mirror_transaction SET direction = 'UP'",
    "mirror_transaction_amount": "mirror_transaction SET amount = -1",
    "mirror_transaction_once": (
        "mirror_transaction SET id = (SELECT min(CAST(id AS CHAR(36))) "
        "FROM mirror_transaction)"
    ),
}


def test_every_guard_is_listed_and_stands_on_both_engines() -> None:
    sqlite, postgres = (
        {name for _, name, table in guard_names(engine) if table in TABLES}
        for engine in ("sqlite", "postgres")
    )

    assert sqlite == postgres
    assert sqlite <= set(CONSTRAINTS)


async def test_every_name_is_in_the_catalogue(far_room: FarRoom) -> None:
    del far_room
    known = await catalogue()

    assert [name for name in CONSTRAINTS if name not in known] == []


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("name", sorted(CHANGES))
async def test_what_a_guard_forbids_does_not_happen(
    far_room: FarRoom, name: str
) -> None:
    for _ in range(2):
        await far_room.an_account(5)

    async def work(tx: Tx) -> None:
        await tx.rows(f"UPDATE {CHANGES[name]}")

    says = f"{name}|UNIQUE" if name.endswith("_once") else name
    with pytest.raises(BROKEN, match=says):
        await database.transaction(work, name="test.violation")

    assert name in CONSTRAINTS
