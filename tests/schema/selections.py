"""Random valid subscriptions over the contract, and random facts for them to show."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from types import NoneType
from typing import Any, get_args, get_type_hints

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
)

from app.accounts.account import AccountStatus
from app.accounts.row import Direction, Rail, TransactionKind
from app.accounts.row import TransactionStatus as RowStatus
from app.auth.actor import AttestationGrade, DeviceState, Platform
from app.ids import CustomerId
from app.integrations.core_banking import AccountKind
from app.notifications.wording import Template
from app.payments.lifecycle import Status
from app.payments.limit import LimitWindow
from app.payments.payee_check import PayeeMatch
from app.payments.payment import StepDetail, StepSource
from app.realtime import facts
from app.realtime.facts import Fact
from app.schema.events import streams
from app.schema.refusals import ErrorCode
from app.schema.scalars import AT_HAND, NEEDS

ANN = CustomerId.new()
# Read something that no snapshot holds, yet need no room behind them: graphql-core.
BEYOND = frozenset({("Device", "isCurrent"), ("Beneficiary", "coolingUntil")})
_DEPTH = 6
_WORDS: Mapping[tuple[str, str], Sequence[str]] = {
    ("AccountShot", "kind"): list(AccountKind),
    ("AccountShot", "status"): list(AccountStatus),
    ("TransactionShot", "status"): list(RowStatus),
    ("TransactionShot", "kind"): list(TransactionKind),
    ("TransactionShot", "direction"): list(Direction),
    ("TransactionShot", "rail"): list(Rail),
    ("PaymentShot", "status"): list(Status),
    ("PaymentShot", "rail"): list(Rail),
    ("PaymentShot", "reason"): [one.name for one in ErrorCode],
    ("StepShot", "status"): list(Status),
    ("StepShot", "source"): list(StepSource),
    ("StepShot", "detail"): list(StepDetail),
    ("LimitShot", "rail"): list(Rail),
    ("LimitShot", "window"): list(LimitWindow),
    ("DeviceShot", "platform"): list(Platform),
    ("DeviceShot", "state"): list(DeviceState),
    ("DeviceShot", "attestation"): list(AttestationGrade),
    ("PayeeCheckShot", "match"): list(PayeeMatch),
    ("InboxShot", "category"): list(facts.Category),
    ("InboxShot", "template"): list(Template),
}
_GIVEN: Mapping[str, Sequence[object]] = {
    "currency": ("INR", "JPY", "KWD"),
    "unread_count": (0, 1, 99, 2**31 - 1),
    "args": (
        {},
        {"amount": 1050, "currency": "JPY", "account": "••1234", "counterparty": None},
        {"amount": -1, "currency": "no currency", "counterparty": "{0} %s 😀"},
        {"device": "Ann's phone", "title": "Something {changed}", "amount": None},
    ),
}
SHOWN = streams._SHOWN  # noqa: SLF001  -- the facts that the stream has a type for
_TEXTS = (
    "",
    "Ann",
    "••1234",
    'a "quoted" \\ text',
    "₹ 😀",
    "</script>\u2028",
    "\x00\n",
)
_NUMBERS = (0, 1, -1, 99, 1050, 2**31, 2**53 + 1, 2**63 - 1)


# ------------------------------------------------------------------ facts


def any_fact(chance: Random) -> Fact:
    """Make a fact of any kind with any figures, texts and gaps."""
    kind = chance.choice(list(SHOWN))
    made: Fact = _made(chance, kind)
    if isinstance(made, facts.SecurityEvent) and chance.random() < 0.1:
        return replace(made, title=None)  # type: ignore[arg-type]  # null where none may be
    return made


def _made(chance: Random, kind: type) -> Any:
    hints = get_type_hints(kind)
    return kind(
        **{
            part.name: _value(chance, kind.__name__, part.name, hints[part.name])
            for part in fields(kind)
        }
    )


def _value(chance: Random, owner: str, name: str, hint: Any) -> Any:
    kinds = get_args(hint)
    if NoneType in kinds:
        if chance.random() < 0.3:
            return None
        hint = kinds[0]
    if name in _GIVEN:
        return chance.choice(_GIVEN[name])
    if hint is str:
        return str(chance.choice(_WORDS.get((owner, name), _TEXTS)))
    if is_dataclass(hint) and isinstance(hint, type) and hint is not CustomerId:
        return _made(chance, hint)
    return _plain(chance, hint)


def _plain(chance: Random, hint: Any) -> Any:
    moment = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    moment += timedelta(milliseconds=chance.randrange(10**10))
    plain = {
        int: chance.choice(_NUMBERS),
        bool: chance.random() < 0.5,
        datetime: moment,
        date: moment.date(),
        CustomerId: ANN,
    }
    return plain.get(hint, {})


# ------------------------------------------------------------------ selections


class Selections:
    """Draws one subscription to `events`, valid by construction.

    Args:
        chance: what decides.
        schema: the contract.
        beyond: share of documents that may select what no snapshot holds.
    """

    def __init__(
        self, chance: Random, schema: GraphQLSchema, beyond: float = 0.2
    ) -> None:
        self._chance = chance
        self._schema = schema
        self._beyond = chance.random() < beyond
        self._fragments: list[str] = []
        self._used: set[str] = set()
        self.variables = {
            "yes": chance.random() < 0.5,
            "locale": chance.choice([None, "en-IN", "de"]),
            "after": "ec1.abc.1.20261121",
        }

    def document(self) -> str:
        """Give the text of the operation with its fragments."""
        top = self._schema.subscription_type
        assert top is not None
        envelope = get_named_type(top.fields["events"].type)
        assert isinstance(envelope, GraphQLObjectType)
        start = "(after: $after)" if self._yes(0.3, "after") else ""
        body = f"events{start} {self._object(envelope, 0)}"
        kinds = {"yes": "Boolean!", "locale": "String", "after": "EventCursor"}
        told = ", ".join(f"${name}: {kinds[name]}" for name in sorted(self._used))
        head = f"subscription Any({told})" if told else "subscription"
        return "\n".join([f"{head} {{ {body} }}", *self._fragments])

    def _yes(self, share: float, variable: str | None = None) -> bool:
        chosen = self._chance.random() < share
        if chosen and variable is not None:
            self._used.add(variable)
        return chosen

    def _object(self, kind: GraphQLObjectType, depth: int) -> str:
        names = [name for name in kind.fields if self._may(kind, name, depth)]
        count = self._chance.randint(1, min(len(names), 6))
        chosen = self._chance.choices(names, k=count)  # doubles are merged
        parts = [self._field(kind, name, depth) for name in chosen]
        if self._yes(0.2):
            parts.append("__typename")
        if len(parts) > 1 and self._yes(0.3):
            cut = self._chance.randrange(1, len(parts))
            parts = [*parts[:cut], self._apart(kind, parts[cut:])]
        return "{ " + " ".join(parts) + " }"

    def _apart(self, kind: GraphQLObjectType, parts: list[str]) -> str:
        """Put some fields into a fragment, inline or named."""
        body = "{ " + " ".join(parts) + " }"
        if self._yes(0.3):
            return f"... {self._condition()} {body}"
        if self._yes(0.5):
            return f"... on {kind.name} {self._condition()} {body}"
        name = f"Part{len(self._fragments)}"
        self._fragments.append(f"fragment {name} on {kind.name} {body}")
        return f"...{name} {self._condition()}"

    def _condition(self) -> str:
        if self._yes(0.8):
            return ""
        word = self._chance.choice(("include", "skip"))
        if self._yes(0.5, "yes"):
            return f"@{word}(if: $yes)"
        return f"@{word}(if: {self._chance.choice(('true', 'false'))})"

    def _may(self, kind: GraphQLObjectType, name: str, depth: int) -> bool:
        declared = kind.fields[name].extensions["strawberry-definition"]
        deep = isinstance(
            get_named_type(kind.fields[name].type),
            GraphQLObjectType | GraphQLUnionType | GraphQLInterfaceType,
        )
        if deep and depth >= _DEPTH:
            return False
        if declared.base_resolver is None:
            return True
        if (kind.name, name) in BEYOND:
            return self._beyond
        return bool(declared.metadata.get(NEEDS) or declared.metadata.get(AT_HAND))

    def _field(self, kind: GraphQLObjectType, name: str, depth: int) -> str:
        alias, arguments = "", ""
        if name == "formatted":
            alias, arguments = self._locale()
        elif self._yes(0.2):
            alias = f"{name}_again: "
        below = self._below(kind.fields[name], depth)
        return f"{alias}{name}{arguments} {self._condition()} {below}"

    def _locale(self) -> tuple[str, str]:
        match self._chance.randrange(3):
            case 0:
                return "", ""
            case 1:
                return "german: ", '(locale: "de")'
            case _:
                self._used.add("locale")
                return "chosen: ", "(locale: $locale)"

    def _below(self, field: GraphQLField, depth: int) -> str:
        kind = get_named_type(field.type)
        if isinstance(kind, GraphQLObjectType):
            return self._object(kind, depth + 1)
        if isinstance(kind, GraphQLUnionType):
            return self._members(kind, depth + 1)
        return ""

    def _members(self, kind: GraphQLUnionType, depth: int) -> str:
        """Select many members; what two of them name alike gets the member's name."""
        parts = ["__typename"]
        for one in kind.types:
            if not self._yes(0.8):
                continue
            names = [name for name in one.fields if self._may(one, name, depth)]
            chosen = self._chance.sample(names, self._chance.randint(1, len(names)))
            told = " ".join(
                f"{one.name}_{name}: {name} {self._below(one.fields[name], depth)}"
                for name in chosen
            )
            parts.append(f"... on {one.name} {{ {told} }}")
        return "{ " + " ".join(parts) + " }"
