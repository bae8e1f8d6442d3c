from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from app.audit import Outcome
from app.ids import AccountId
from app.rows import MissingColumn, Row, for_postgres, for_sqlite, numbered

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
