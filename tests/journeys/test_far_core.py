"""Proofs 1, 2, 8 and 9 over a core behind a wire: the outside world's Fineract.

In one process on SQLite here, and as production has it on PostgreSQL: two webs and a
worker, Valkey between them. The double keeps what it holds when the bank dies.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mock_mobile_client.handset import Setting
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.proofs import proof_01, proof_02
from mock_mobile_client.proofs_away import WAYS, proof_08
from mock_mobile_client.proofs_kill import Size, proof_09
from mock_mobile_client.store import MemoryStore
from tests.journeys.books import FINERACT, books_of
from tests.journeys.mortal import Victims
from tests.journeys.parts import Parts, bank_in_parts
from tests.journeys.two_webs import ONE, OTHER, WORKER, TwoWebs, two_webs

if TYPE_CHECKING:
    from tests.postgres import Server

pytestmark = pytest.mark.slow
NOWHERE: tuple[str | None, str | None] = (None, None)
Note = Callable[[str, object], None]


@pytest.fixture(scope="module")
def bank(
    tmp_path_factory: pytest.TempPathFactory, postgres: "Server | None"
) -> Iterator[Parts]:
    """Run a bank over Fineract that the stories of this file share."""
    folder = tmp_path_factory.mktemp("far")
    with ExitStack() as stack:
        books = stack.enter_context(books_of(folder, postgres, FINERACT))
        started = bank_in_parts if postgres is None else two_webs
        yield stack.enter_context(started(folder, books))


@pytest.fixture(scope="module")
def setting() -> Setting:
    """Give phones that every story of this file picks up again."""
    return Setting(store=MemoryStore(), iterations=ITERATIONS_MIN)


@pytest.fixture(autouse=True)
def books_agree(bank: Parts) -> Iterator[None]:
    """Hold the core's own books beside ours after each story."""
    yield
    accounts = core_accounts(bank)
    assert sum(one["minor"] for one in accounts) == sum(opening(accounts))
    assert [one["held"] for one in accounts] == [0] * len(accounts)
    assert bank.books.broken_proofs() == []


def core_accounts(bank: Parts) -> list[dict[str, Any]]:
    """Read what the core says of its accounts."""
    told: list[dict[str, Any]] = httpx.get(f"{bank.sandbox}/_fineract/book").json()[
        "accounts"
    ]
    return told


def opening(accounts: list[dict[str, Any]]) -> list[int]:
    """Give the money that was there at first."""
    first = [row for one in accounts for row in one["rows"] if row["tag"] is None]
    return [row["minor"] for row in first if row["note"] == "Opening balance"]


async def test_proof_01_a_lost_reply_over_fineract_debits_once(
    bank: Parts, setting: Setting
) -> None:
    told: list[str] = []

    await proof_01(bank.url, bank.sandbox, setting, told.append)

    assert len([line for line in told if line.endswith("one debit")]) == 2


@pytest.mark.twice
async def test_proof_02_a_stampede_over_fineract_spends_each_unit_once(
    bank: Parts, setting: Setting
) -> None:
    told: list[str] = []

    await proof_02(bank.url, bank.sandbox, setting, told.append)

    assert [line[:3] for line in told] == ["(a)", "(b)", "(c)"]
    assert not [line for line in told if "skipped" in line]


@pytest.mark.twice
@pytest.mark.parametrize(
    "ways",
    [WAYS[2:], pytest.param(WAYS, marks=pytest.mark.chaos)],
    ids=["500", "all ways"],
)
async def test_proof_08_a_core_that_is_away_is_told_and_guessed_about_by_nobody(
    bank: Parts, setting: Setting, ways: tuple[str, ...], record_property: Note
) -> None:
    told: list[str] = []

    await proof_08(bank.url, bank.sandbox, setting, told.append, ways)

    record_property("figures", "; ".join(told))
    assert len(told) == 2 * len(ways)


@pytest.mark.twice
@pytest.mark.parametrize(
    "size",
    [Size(kills=1), pytest.param(Size(30, 7), marks=pytest.mark.chaos)],
    ids=["few", "whole"],
)
async def test_proof_09_what_died_over_fineract_is_told_once(
    bank: Parts, size: Size, record_property: Note
) -> None:
    told: list[str] = []
    one, doors = Victims(bank, "bank", "bank"), NOWHERE
    if isinstance(bank, TwoWebs):
        one, doors = Victims(bank, ONE, WORKER), (bank.door(ONE), bank.door(OTHER))

    await proof_09(one, None, told.append, size, doors)

    record_property("figures", "; ".join(told))
    assert told[-1].endswith("each seen once")
