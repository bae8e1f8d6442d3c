"""The scalars of the contract, read strictly, and money as a value.

A value that does not fit raises GraphQLError with a sentence that repeats nothing of
the input; execution turns it into BAD_REQUEST. Source: graphql.md section 2.3.
"""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, NewType, TypeVar

import strawberry
from graphql import GraphQLError
from strawberry.schema_directive import Location
from strawberry.types import get_object_definition
from strawberry.types.scalar import ScalarDefinition

from app import money
from app.clock import rfc3339
from app.schema.context import Info

Int64 = NewType("Int64", int)
CurrencyCode = NewType("CurrencyCode", str)
IdempotencyKey = NewType("IdempotencyKey", str)
EventCursor = NewType("EventCursor", str)
JSON = NewType("JSON", object)

_SAFE_INTEGER = 2**53  # JavaScript is exact below it
_DIGITS = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CURSOR = re.compile(r"[A-Za-z0-9_.=-]{1,200}")
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _int64(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise GraphQLError("Int64 is a text of digits or an integer below 2^53.")
    if isinstance(value, str):
        if not _DIGITS.fullmatch(value):
            raise GraphQLError("Int64 is a text of digits.")
        whole = int(value)
        if not -money.MINOR_MAX - 1 <= whole <= money.MINOR_MAX:
            raise GraphQLError("Int64 has 64 bits.")
        return whole
    if abs(value) >= _SAFE_INTEGER:
        raise GraphQLError("An Int64 from 2^53 on is written as a text.")
    return value


def _currency(value: object) -> str:
    if not isinstance(value, str) or not money.is_currency(value):
        raise GraphQLError("CurrencyCode is three upper-case letters.")
    return value


def _instant(value: object) -> datetime:
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise GraphQLError("DateTime is an RFC 3339 instant.")
    try:
        found = datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError("DateTime names no instant.") from None
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


def _day(value: object) -> date:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise GraphQLError("Date is written YYYY-MM-DD.")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise GraphQLError("Date names no day.") from None


def _key(value: object) -> str:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise GraphQLError("IdempotencyKey is a lower-case UUID.")
    return value


def _cursor(value: object) -> str:
    if not isinstance(value, str) or not _CURSOR.fullmatch(value):
        raise GraphQLError("EventCursor is sent back as it was received.")
    return value


def _json(value: object) -> object:
    if not isinstance(value, dict):
        raise GraphQLError("JSON is an object here.")
    return value


SCALARS: Mapping[object, ScalarDefinition] = {
    Int64: strawberry.scalar(
        name="Int64",
        description=(
            "Signed 64-bit integer written as a JSON string of decimal digits "
            "('1050'), because GraphQL Int has 32 bits and JavaScript is exact only "
            "to 2^53. As input a JSON integer below 2^53 is also accepted."
        ),
        serialize=str,
        parse_value=_int64,
    ),
    CurrencyCode: strawberry.scalar(
        name="CurrencyCode",
        description="ISO 4217 alphabetic code, upper case: INR, EUR, JPY.",
        serialize=str,
        parse_value=_currency,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description=(
            "RFC 3339 instant in UTC with milliseconds: 2026-11-21T09:30:00.000Z."
        ),
        serialize=rfc3339,
        parse_value=_instant,
    ),
    date: strawberry.scalar(
        name="Date",
        description=(
            "ISO 8601 calendar date in the bank's business time zone: 2026-11-21."
        ),
        serialize=date.isoformat,
        parse_value=_day,
    ),
    IdempotencyKey: strawberry.scalar(
        name="IdempotencyKey",
        description=(
            "Lower-case UUID made by the client, one per intent of the user: create it "
            "when the confirm screen opens, keep it over retries, relaunches and "
            "reinstalls of the request, never make a new one on a re-render."
        ),
        serialize=str,
        parse_value=_key,
    ),
    EventCursor: strawberry.scalar(
        name="EventCursor",
        description=(
            "Opaque position in one customer's event stream. Store it as it is, "
            "compare only for equality, send it back as `after`."
        ),
        serialize=str,
        parse_value=_cursor,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description=(
            "Free JSON object. Used only where another standard owns the shape "
            "(WebAuthn)."
        ),
        serialize=_json,
        parse_value=_json,
    ),
}


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION, Location.INPUT_FIELD_DEFINITION],
    name="sensitive",
    description=(
        "The value is masked in logs, traces, audit differences, error messages and "
        "push bodies."
    ),
)
class Sensitive:
    """Marks a field whose value is personal, secret or a figure of money."""


SENSITIVE = (Sensitive(),)
E = TypeVar("E", bound=type[Enum])


def enum(of: E, name: str, description: str | None = None, **values: str) -> E:
    """Show an enum of a room in the contract; members and order stay the room's.

    Args:
        of: the room's enum; resolvers and inputs go on using it as it is.
        name: its name in the contract.
        description: what it means, for phone developers.
        values: one sentence by member name, where a member needs one.
    """
    shown = strawberry.enum(of, name=name, description=description)
    definition = shown.__strawberry_definition__  # type: ignore[attr-defined]  # set by the library
    for value in definition.values:
        value.description = values.get(value.name)
    return of


class Needs(Enum):
    """What a computed field reads besides its object and arguments.

    A field that says so is rendered once for many sockets (`plan.projector`).
    """

    NOTHING = "nothing"
    LANGUAGE = "language"  # of the caller, and nothing else of `info`


@dataclass(frozen=True, slots=True)
class Batched:
    """How the field of many snapshots is read by one call, as its resolver would.

    Args:
        batch: a `loaders.Batch`.
        asked: makes of the arguments what is asked of every object, hashable; None
            leaves these arguments to the resolver.
        key: gives the batch's key of a snapshot and what is asked of it.
        shape: gives the `Shape` of the values.
    """

    batch: Any
    asked: Callable[..., Hashable | None]
    key: Callable[[Any, Any], Hashable]
    shape: Callable[[], Any]


NEEDS = "needs"
AT_HAND = "at_hand"
SNAPSHOTS = "snapshots"
BATCHED = "batched"
AHEAD = "ahead"


def field(  # noqa: PLR0913  -- a declaration, all by keyword
    *,
    description: str | None = None,
    name: str | None = None,
    directives: Sequence[object] = (),
    needs: Needs | None = None,
    at_hand: Callable[[Any], object] | None = None,
    snapshots: tuple[Callable[..., object], object] | None = None,
    batched: Batched | None = None,
    ahead: Callable[..., object] | None = None,
) -> Callable[[Callable[..., object]], Any]:
    """Declare a computed field of an object type, below the root.

    Args:
        description: for phone developers.
        name: its name in the contract, where camel case of the method is not it.
        directives: for example SENSITIVE.
        needs: what the resolver reads; None where that is more than the language.
        at_hand: gives what the resolver would, from the object alone, or raises
            LookupError where the resolver has to read.
        snapshots: gives what the resolver makes its objects from, and the `Shape` that
            tells how they show it; a compiled query reads that. Takes the object, made
            by `Shape.make` where its parent is read from a snapshot itself, and `info`
            if it waits. It is given no arguments: a field that has some and is asked
            for leaves its query to graphql-core.
        batched: how a compiled query reads it for all objects of a level at once.
        ahead: gives what `snapshots` gives, and may read in the same statement what is
            asked of the snapshots: a list of (batch, asked).
    """
    facts = {
        NEEDS: needs,
        AT_HAND: at_hand,
        SNAPSHOTS: snapshots,
        BATCHED: batched,
        AHEAD: ahead,
    }

    def declare(resolver: Callable[..., object]) -> Any:  # noqa: ANN401  -- the library's field is untyped
        return strawberry.field(
            resolver=resolver,
            name=name,
            description=description,
            directives=directives,
            metadata=facts,
        )

    return declare


def extend(kind: type, resolver: Any) -> None:  # noqa: ANN401  -- the library's field is untyped
    """Give a type of a room below one more field: its answer is of the room above.

    Types refer down the stair, so the upper room adds what only it can show. Called
    at import, before the contract is built.

    Args:
        kind: an object type of a lower room.
        resolver: what `field` declared; its first argument is the object.
    """
    definition = get_object_definition(kind, strict=True)
    resolver.python_name = resolver.base_resolver.name
    resolver.origin = kind
    definition.fields.append(resolver)


@strawberry.type(description="An amount is never shown or sent without its currency.")
class Money:
    """The contract's view of `app.money.Money`."""

    minor_units: Int64 = strawberry.field(
        description=(
            "Amount in the smallest unit of the currency: 1050 with INR is 10.50 "
            "rupees, with JPY it is 1050 yen. Negative only in running balances and "
            "totals."
        )
    )
    currency: CurrencyCode

    @classmethod
    def of(cls, amount: money.Money) -> "Money":
        """Show an amount."""
        return cls(
            minor_units=Int64(amount.minor), currency=CurrencyCode(amount.currency)
        )

    @field(
        description=(
            "Number of decimal places this server uses for the currency (JPY 0, INR 2, "
            "KWD 3). Use it instead of a table in the app."
        ),
        needs=Needs.NOTHING,
    )
    def exponent(self) -> int:
        """Decimal places of the currency."""
        return money.exponent_of(self.currency)

    @field(
        description=(
            "Text for people. `locale` is a BCP 47 tag; left out, the session's "
            "language."
        ),
        needs=Needs.LANGUAGE,
    )
    def formatted(self, info: Info, locale: str | None = None) -> str:
        """Write the amount for people."""
        chosen = locale or info.context.actor.locale
        return money.Money(self.minor_units, self.currency).formatted(chosen)


@strawberry.input(
    description=(
        "`minorUnits` must be greater than zero unless the field says otherwise."
    )
)
class MoneyInput:
    """An amount as a phone sends it."""

    minor_units: Int64
    currency: CurrencyCode

    def amount(self) -> money.Money:
        """Give the amount as the rooms know it; signs are judged there."""
        return money.Money(self.minor_units, self.currency)


@strawberry.interface(
    description=(
        "Any object with an id that `node` can fetch again. Ids are opaque, carry a "
        "type prefix (pay_, acc_, dev_) and are unique over all types."
    )
)
class Node:
    """An object that can be fetched by its id."""

    id: strawberry.ID
