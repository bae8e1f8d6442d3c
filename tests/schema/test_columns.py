"""Lists read by columns: they say what each of their rows would say."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

import orjson
import pytest
from graphql import GraphQLObjectType, GraphQLOutputType, is_non_null_type
from hypothesis import given
from hypothesis import strategies as st

from app.accounts.row import Direction
from app.clock import StoppedClock
from app.integrations.core_banking import CoreTxn
from app.integrations.kept import KeptTxn, KeptTxns
from app.rows import instant_text
from app.schema import root
from app.schema.accounts import columns as rooms
from app.schema.execution import Call
from app.schema.plan.closures import Asked, Reader, leaf, optional, part, required
from app.schema.plan.columns import column
from app.schema.plan.shapes import Column, Written
from app.settings import Settings
from tests.schema.full_bank import FullBank, a_full_bank, fallbacks
from tests.schema.tiny import a_bank, a_context

AT = datetime(2026, 11, 21, 9, 30, 0, 250_000, tzinfo=UTC)
SHOWN = """{ me { accounts { id transactions(first: 50, filter: null) { nodes {
  word: __typename id status kind direction createdAt bookedAt valueDate narration rail
  amount { minorUnits currency __typename } runningBalance { currency minorUnits }
  original { minorUnits } reference again: bookedAt
  counterparty { __typename name maskedAccount bankName } } } } } }"""


class Nobody:
    """What no rows are: they are shown one by one."""


def kind_of(owner: str, field: str) -> GraphQLOutputType:
    """Give a field's type in the contract."""
    found = root.SCHEMA._schema.type_map[owner]  # noqa: SLF001  -- the built contract
    assert isinstance(found, GraphQLObjectType)
    kind: GraphQLOutputType = found.fields[field].type
    return kind


@pytest.fixture
async def full(
    settings: Settings, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FullBank]:
    """Give a bank with a past."""
    async with a_full_bank(settings, clock, monkeypatch) as opened:
        yield opened


async def test_a_page_says_the_same_by_columns_by_rows_and_by_graphql_core(
    full: FullBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fallbacks()
    with monkeypatch.context() as patch:
        patch.setattr(KeptTxn, "__init__", _no_row_is_made)
        by_columns = await full.ask(Call(SHOWN))
    monkeypatch.setattr(rooms, "KeptTxns", Nobody)
    by_rows = await full.ask(Call(SHOWN))

    assert fallbacks() == before
    assert orjson.dumps(by_columns.body) == orjson.dumps(by_rows.body)
    by_core = await full.ask(Call(SHOWN), full.core)
    assert orjson.dumps(by_columns.body) == orjson.dumps(by_core.body)
    assert orjson.dumps(by_columns.body).count(b'"word":"Transaction"') > 5


def _no_row_is_made(*_: object) -> NoReturn:
    raise AssertionError("a row was made")


async def test_a_field_without_a_column_leaves_its_list_to_the_rows(
    full: FullBank,
) -> None:
    text = SHOWN.replace(
        "minorUnits currency", "minorUnits formatted account: currency"
    )
    before = fallbacks()

    by_plan = await full.ask(Call(text))

    assert fallbacks() == before
    by_core = await full.ask(Call(text), full.core)
    assert orjson.dumps(by_plan.body) == orjson.dumps(by_core.body)


# ------------------------------------------------------------------ values

_VALUES: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("Counterparty", "name"): st.text(max_size=3) | st.integers(),
    ("Transaction", "narration"): st.text(max_size=3),
    ("Transaction", "direction"): st.sampled_from(["IN", "OUT", "ASIDE", Direction.IN]),
    ("Money", "minorUnits"): st.integers() | st.booleans(),
    ("Transaction", "bookedAt"): st.datetimes(timezones=st.just(UTC)) | st.text(),
    ("TransactionConnection", "stale"): st.booleans() | st.just("yes"),
}


@given(data=st.data(), place=st.sampled_from(sorted(_VALUES)))
def test_a_column_writes_what_is_written_of_each_value(
    data: st.DataObject, place: tuple[str, str]
) -> None:
    kind = kind_of(*place)
    values = data.draw(st.lists(_VALUES[place] | st.none(), max_size=4))
    inner = leaf(kind.of_type if is_non_null_type(kind) else kind)  # type: ignore[arg-type]  # all are leaves
    complete = required(inner) if is_non_null_type(kind) else optional(inner)

    assert by_columns(_as_they_are, kind, complete, values) == one_by_one(
        kind, complete, values
    )


def by_columns(
    of: Column | Written, kind: GraphQLOutputType, complete: Reader, values: list[Any]
) -> list[object] | None:
    """Write values together; None: that fails."""
    try:
        return [*column(of, kind, complete)(values, Asked(a_context(a_bank())))]
    except Exception:  # noqa: BLE001  -- each is left to graphql-core
        return None


def one_by_one(
    kind: GraphQLOutputType, complete: Reader, values: list[Any]
) -> list[object] | None:
    """Write values as those of single rows; None: that fails."""
    read = part(lambda value: value, kind, complete)
    try:
        return [read(one, Asked(a_context(a_bank()))) for one in values]
    except Exception:  # noqa: BLE001  -- each is left to graphql-core
        return None


def _as_they_are(values: Sequence[object]) -> Sequence[object]:
    return values


@pytest.mark.parametrize("field", ["createdAt", "bookedAt"])
def test_what_is_written_already_is_null_only_where_it_may_be(field: str) -> None:
    kind = kind_of("Transaction", field)
    inner = leaf(kind.of_type if is_non_null_type(kind) else kind)  # type: ignore[arg-type]  # both are instants
    complete = required(inner) if is_non_null_type(kind) else optional(inner)
    found = by_columns(Written(_as_they_are), kind, complete, ["now", None])

    assert found == (None if field == "createdAt" else ["now", None])


# ------------------------------------------------------------------ rows


def test_rows_kept_together_are_the_rows_that_were_kept() -> None:
    places = {"id": 0, "amount": 1, "booked_at": 2, "counterparty_name": 3}
    digits = "0193f0a1-c2d3-7e4f-8a5b-6c7d8e9fa0b"
    raw = [
        [f"{digits}{n}", n, f"{AT:%Y-%m-%dT%H:%M:%S}.25+00:00", "Ben" if n % 2 else ""]
        for n in range(4)
    ]
    kept = KeptTxns(raw, places, "ref", "INR")

    rows: list[CoreTxn] = [*kept]

    assert len(kept[1:]) == 3
    assert kept[1:][0].id == rows[1].id
    assert [row.minor for row in reversed(kept)] == [3, 2, 1, 0]
    assert (rows[3].amount.minor, rows[3].ref, rows[3].currency) == (3, "ref", "INR")
    assert kept.hexes() == [row.hex for row in rows]
    assert kept.instants("booked_at") == [instant_text(AT)] * 4
    with_name = kept.picked(kept.column("counterparty_name"))
    assert [row.minor for row in with_name] == [1, 3]
