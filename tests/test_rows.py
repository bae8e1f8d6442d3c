from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from app.audit import Outcome
from app.clock import rfc3339
from app.ids import AccountId
from app.rows import (
    MissingColumn,
    Row,
    for_postgres,
    for_sqlite,
    instant_text,
    numbered,
    record,
)

VALUE = UUID("0193f0a1-c2d3-7e4f-8a5b-6c7d8e9fa0b1")
NOON = datetime(2026, 11, 21, 9, 30, 0, 250000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sqlite", "postgres", "kind", "read"),
    [
        (str(VALUE), VALUE, UUID, VALUE),
        (str(VALUE), VALUE, AccountId, AccountId(VALUE)),
        ("2026-11-21 09:30:00.250000+00:00", NOON, datetime, NOON),
        ("2026-11-21 09:30:00.250000", NOON, datetime, NOON),
        ("2026-11-21", date(2026, 11, 21), date, date(2026, 11, 21)),
        (1, True, bool, True),
        (0, False, bool, False),
        ("DENIED", "DENIED", Outcome, Outcome.DENIED),
        ('{"a":1}', '{"a":1}', dict, {"a": 1}),
        ("[1,2]", "[1,2]", list, [1, 2]),
        (b"\x00\xff", b"\x00\xff", bytes, b"\x00\xff"),
        (7, 7, int, 7),
        ("x", "x", str, "x"),
    ],
)
def test_both_engines_give_the_same_value(
    sqlite: object, postgres: object, kind: type[Any], read: object
) -> None:
    assert Row({"it": sqlite}).get("it", kind) == read
    assert Row({"it": postgres}).get("it", kind) == read


def test_null_is_none_where_it_may_be_and_a_mistake_where_it_may_not() -> None:
    row = Row({"it": None})

    assert row.find("it", str) is None
    with pytest.raises(MissingColumn):
        row.get("it", str)


def test_a_column_that_was_not_selected_is_named() -> None:
    with pytest.raises(MissingColumn, match="nickname"):
        Row({"name": "Asha"}).find("nickname", str)


def test_a_record_reads_many_columns_as_one_by_one() -> None:
    read = record(id=AccountId, state=Outcome, at=datetime, note=str | None)
    row = Row({"id": str(VALUE), "state": "OK", "at": str(NOON), "note": None, "x": 1})

    found = read(row)

    assert found == {
        "id": row.get("id", AccountId),
        "state": row.get("state", Outcome),
        "at": row.get("at", datetime),
        "note": None,
    }
    with pytest.raises(MissingColumn, match="state"):
        read(Row({"id": str(VALUE)}))


def test_a_record_says_which_columns_may_be_null() -> None:
    read = record(state=Outcome | None, amount=int)

    assert read(Row({"state": "OK", "amount": 1}))["state"] is Outcome.OK
    assert read(Row({"state": None, "amount": 1}))["state"] is None
    with pytest.raises(MissingColumn, match="amount"):
        read(Row({"state": None, "amount": None}))


def test_what_a_reader_misses_is_no_missing_column() -> None:
    class Picky(Enum):
        EVEN = "even"

        @classmethod
        @override
        def _missing_(cls, value: object) -> "Picky":
            raise KeyError(value)

    with pytest.raises(KeyError, match="odd") as told:
        record(state=Picky)(Row({"state": "odd"}))

    assert not isinstance(told.value, MissingColumn)


@pytest.mark.parametrize(
    "raw", ["1", "-0000_1", "+" + "1" * 31, "0x" + "1" * 30, "1_" * 15 + "11", ""]
)
def test_an_id_has_thirty_two_digits(raw: str) -> None:
    with pytest.raises(ValueError, match="32 hex digits"):
        Row({"id": raw}).get("id", UUID)


def test_values_go_to_sqlite_as_text_that_sorts() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    early, late = NOON, (NOON + timedelta(microseconds=1)).astimezone(india)

    assert for_sqlite(AccountId(VALUE)) == str(VALUE)
    assert for_sqlite(VALUE) == str(VALUE)
    assert for_sqlite(Outcome.OK) == "OK"
    assert for_sqlite(date(2026, 1, 2)) == "2026-01-02"
    assert for_sqlite(early) == "2026-11-21 09:30:00.250000+00:00"
    assert for_sqlite(late) == "2026-11-21 09:30:00.250001+00:00"
    assert for_sqlite(None) is None


def test_values_go_to_postgres_as_they_are() -> None:
    assert for_postgres(AccountId(VALUE)) == VALUE
    assert for_postgres(Outcome.OK) == "OK"
    assert for_postgres(NOON) == NOON
    assert for_postgres(7) == 7


def test_dollar_numbers_become_sqlites() -> None:
    assert numbered("a = $1 AND b = $12 OR c = $1") == "a = ?1 AND b = ?12 OR c = ?1"


@given(
    instant=st.datetimes(timezones=st.just(UTC)),
    zone=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
def test_the_text_of_an_instant_is_what_the_clock_writes(
    instant: datetime, zone: timezone
) -> None:
    kept = for_sqlite(instant)
    in_json = instant.isoformat()

    assert isinstance(kept, str)
    assert instant_text(kept) == rfc3339(instant)
    assert instant_text(in_json) == rfc3339(instant)
    assert instant_text(NOON.astimezone(zone).isoformat()) == rfc3339(NOON)
    assert instant_text(NOON) == "2026-11-21T09:30:00.250Z"
    assert instant_text("2026-11-21T09:30:00.25+00:00") == "2026-11-21T09:30:00.250Z"
    assert instant_text("2026-11-21T09:30:00+00:00") == "2026-11-21T09:30:00.000Z"
