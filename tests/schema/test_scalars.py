"""Scalars are read strictly and written one way."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from graphql import GraphQLError

from app.schema.scalars import (
    JSON,
    SCALARS,
    CurrencyCode,
    EventCursor,
    IdempotencyKey,
    Int64,
)


def read(kind: object, value: object) -> Any:
    parse = SCALARS[kind].parse_value
    assert parse is not None
    return parse(value)


def written(kind: object, value: object) -> Any:
    serialize = SCALARS[kind].serialize
    assert serialize is not None
    return serialize(value)


@pytest.mark.parametrize(
    ("kind", "sent", "meant"),
    [
        (Int64, "0", 0),
        (Int64, "-9223372036854775808", -(2**63)),
        (Int64, "9223372036854775807", 2**63 - 1),
        (Int64, 2**53 - 1, 2**53 - 1),
        (CurrencyCode, "INR", "INR"),
        (datetime, "2026-11-21T09:30:00Z", datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
        (
            datetime,
            "2026-11-21T15:00:00.1239+05:30",
            datetime(2026, 11, 21, 9, 30, 0, 123_000, tzinfo=UTC),
        ),
        (date, "2026-11-21", date(2026, 11, 21)),
        (EventCursor, "ec1.abcdefgh.7.20261121", "ec1.abcdefgh.7.20261121"),
        (JSON, {"a": [1]}, {"a": [1]}),
    ],
)
def test_what_fits_is_read(kind: object, sent: object, meant: object) -> None:
    assert read(kind, sent) == meant


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        (Int64, "00"),
        (Int64, "+1"),
        (Int64, " 1"),
        (Int64, "1.0"),
        (Int64, "٣"),
        (Int64, "9223372036854775808"),
        (Int64, 2**53),
        (Int64, 2.5),
        (Int64, True),
        (Int64, None),
        (CurrencyCode, "inr"),
        (CurrencyCode, 356),
        (datetime, "2026-11-21"),
        (datetime, "2026-11-21T09:30:00"),
        (datetime, "2026-02-30T09:30:00Z"),
        (datetime, "0001-01-01T00:00:00+14:00"),
        (datetime, 1_763_717_400),
        (date, "2026-02-30"),
        (date, "20261121"),
        (IdempotencyKey, "0198A000-0000-7000-8000-000000000001"),
        (IdempotencyKey, "0198a00000007000800000000000000f"),
        (IdempotencyKey, 1),
        (EventCursor, ""),
        (EventCursor, "x" * 201),
        (EventCursor, "a b"),
        (JSON, [1]),
        (JSON, "text"),
    ],
)
def test_what_does_not_fit_is_refused_without_repeating_it(
    kind: object, sent: object
) -> None:
    with pytest.raises(GraphQLError) as refused:
        read(kind, sent)

    assert not str(sent) or str(sent) not in refused.value.message


def test_values_are_written_one_way() -> None:
    assert written(Int64, 1050) == "1050"
    at = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    assert written(datetime, at) == "2026-11-21T09:30:00.000Z"
    assert written(date, date(2026, 11, 21)) == "2026-11-21"
