"""What a projector can do, what it leaves to graphql-core, and what sockets share."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from app.realtime import facts, shots
from app.schema import root
from app.schema.plan import keys
from app.schema.plan.projector import Projector, Projectors, Shared
from tests.realtime.world import NOW, account_shot
from tests.schema.follower import EVENTS, account_of, every_fact
from tests.schema.projecting import Question, a_context, an_event
from tests.schema.selections import ANN

ACCOUNT = account_shot()
BALANCE = facts.BalanceChanged(
    customer=ANN,
    occurred_at=NOW,
    account=ACCOUNT,
    balance=shots.BalanceShot(
        available=105_000,
        booked=105_000,
        held=0,
        currency="INR",
        as_of=NOW,
        version=2**53 + 1,
    ),
)
PAYMENT = next(
    one for one in every_fact(account_of(ANN)) if isinstance(one, facts.PaymentChanged)
)


def event_of(payload: bytes | str) -> dict[str, Any]:
    assert isinstance(payload, bytes), payload
    found: dict[str, Any] = orjson.loads(payload)["data"]["events"]["event"]
    return found


async def test_leaves_objects_enums_and_scalars_are_written_as_the_library_does() -> (
    None
):
    asked = Question(
        """subscription {
          events { cursor sequence occurredAt category event {
            __typename
            ... on BalanceChanged {
              account { id kind name nickname canDebit }
              balance { available { minorUnits exponent } version asOf stale }
            }
          } }
        }"""
    )
    item = an_event(BALANCE)

    found = asked.projected(item)

    assert event_of(found) == {
        "__typename": "BalanceChanged",
        "account": {
            "id": ACCOUNT.id,
            "kind": "SAVINGS",
            "name": "Savings",
            "nickname": None,
            "canDebit": True,
        },
        "balance": {
            "available": {"minorUnits": "105000", "exponent": 2},
            "version": "9007199254740993",
            "asOf": "2026-11-21T09:30:00.000Z",
            "stale": False,
        },
    }
    assert found == await asked.by_core(item)


async def test_aliases_fragments_doubles_and_conditions_keep_the_librarys_order() -> (
    None
):
    asked = Question(
        """subscription S($all: Boolean!) {
          mine: events { ...Head event {
            ... on BalanceChanged { ...Figures account { name } account { name id } }
            ... @include(if: $all) { __typename }
          } cursor }
        }
        fragment Head on EventEnvelope { number: sequence ... on EventEnvelope {
          cursor occurredAt @skip(if: $all) } }
        fragment Figures on BalanceChanged {
          account { id ... on Node { again: id } }
          balance { held @include(if: $all) { currency } version @skip(if: $all) }
        }""",
        {"all": True},
    )
    item = an_event(BALANCE)

    found = asked.projected(item)

    assert found == await asked.by_core(item)
    assert isinstance(found, bytes)
    assert found.startswith(b'{"data":{"mine":{"number":"7","cursor":"ec1.abc.7.')
    assert b"occurredAt" not in found
    assert b'"balance":{"held":{"currency":"INR"}}' in found


async def test_an_amount_is_written_for_the_asked_locale_or_the_callers() -> None:
    text = """subscription S($there: String) { events { event { ... on BalanceChanged {
      balance { available { formatted de: formatted(locale: "de")
        there: formatted(locale: $there) } } } } } }"""
    known = Projectors(root.SCHEMA)
    item = an_event(BALANCE)

    indian = Question(text, {"there": "fr"}, known, a_context("en-IN"))
    german = Question(text, {"there": "fr"}, known, a_context("de"))

    assert indian.projector is german.projector
    shown = [indian.projected(item), german.projected(item)]
    assert shown == [await indian.by_core(item), await german.by_core(item)]
    first, second = (event_of(one)["balance"]["available"] for one in shown)
    assert first["formatted"] == "₹1,050.00"
    assert second["formatted"] == first["de"] != first["formatted"]
    assert first["there"] == second["there"]


def test_every_kind_of_fact_is_read_without_its_object() -> None:
    def no_object(_event: object) -> object:
        raise AssertionError("the snapshot has it all")

    asked = Question(EVENTS, {})
    told = [BALANCE, *every_fact(account_of(ANN))]
    items = [an_event(fact) for fact in told]
    for item in items:
        item.make = no_object

    shown = {event_of(asked.projected(item))["__typename"] for item in items}

    assert shown == set(facts.FACTS)


async def test_a_paying_account_in_the_snapshot_needs_no_read() -> None:
    asked = Question(
        """subscription { events { event { ... on PaymentChanged { payment {
          from { maskedNumber } statusMessage payee { name } } step { source }
        } } } }"""
    )
    item = an_event(PAYMENT)

    found = asked.projected(item)

    assert found == await asked.by_core(item)
    assert event_of(found)["payment"]["from"] == {"maskedNumber": "••1234"}


async def test_a_field_beyond_the_snapshot_costs_only_its_own_kind_of_event() -> None:
    asked = Question(
        """subscription { events { event {
          ... on BalanceChanged { balance { version } }
          ... on DeviceChanged { device { name isCurrent } }
        } } }"""
    )
    device = next(
        one
        for one in every_fact(account_of(ANN))
        if isinstance(one, facts.DeviceChanged)
    )

    assert isinstance(asked.projected(an_event(BALANCE)), bytes)
    assert asked.projected(an_event(device)) == "resolver"
    answer = await asked.rendering().answer(an_event(device))
    assert answer.body == {
        "data": {"events": {"event": {"device": {"name": "Phone", "isCurrent": False}}}}
    }


async def test_null_where_none_may_be_is_left_to_the_library_with_its_error() -> None:
    asked = Question(
        "subscription { events { sequence event { ... on SecurityEvent { title } } } }"
    )
    told = next(
        one
        for one in every_fact(account_of(ANN))
        if isinstance(one, facts.SecurityEvent)
    )
    broken = an_event(replace(told, title=None))  # type: ignore[arg-type]  # our bug

    assert asked.projected(broken) == "null"
    body = (await asked.rendering().answer(broken)).body
    assert body["data"] is None
    assert [error["path"] for error in body["errors"]] == [  # type: ignore[attr-defined]  # a list
        ["events", "event", "title"]
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "subscription { balanceChanged { account { number } } }",
            "resolver",
        ),
        (
            """subscription { events { event {
              ... on DeviceChanged { device { isCurrent } } } } }""",
            None,
        ),
    ],
    ids=["a root field that needs a room", "a member that does"],
)
def test_what_cannot_be_projected_is_known_when_it_is_compiled(
    text: str, why: str | None
) -> None:
    found = Question(text).projector

    assert getattr(found, "why", None) == why


async def test_a_condition_that_is_null_is_left_to_the_library_with_its_error() -> None:
    asked = Question(
        """subscription($c: Boolean = true) {
          events { sequence cursor @include(if: $c) } }""",
        {"c": None},
    )

    answer = await asked.rendering().answer(an_event(BALANCE))

    assert getattr(asked.projector, "why", None) == "argument"
    assert answer.body.get("data") is None
    assert len(answer.body["errors"]) == 1  # type: ignore[arg-type]  # a list


async def test_sockets_with_the_same_question_share_the_bytes_of_an_event() -> None:
    text = """subscription S($after: EventCursor, $all: Boolean!) {
      events(after: $after) { sequence @include(if: $all) event { __typename } } }"""
    known = Projectors(root.SCHEMA)
    item = an_event(BALANCE)

    first = Question(text, {"after": "ec1.abc.1.20261121", "all": True}, known)
    later = Question(text, {"after": None, "all": True}, known)
    other = Question(text, {"after": None, "all": False}, known)

    assert later.projector is first.projector is not other.projector
    assert later.projected(item) is first.projected(item)
    assert other.projected(item) != first.projected(item)
    assert item.memo is not None
    assert len(item.memo) == 2


async def test_an_event_that_is_withheld_is_never_shown_from_what_others_saw() -> None:
    asked = Question(
        "subscription { events { event { __typename "
        "... on EventWithheld { reason } ... on BalanceChanged { account { id } } } } }"
    )
    seen = an_event(BALANCE)
    closed = an_event(BALANCE, seen=False)
    withheld = Shared(seen.memo, closed.sight, closed.make, closed.source)

    asked.projected(seen)

    assert event_of(asked.projected(withheld)) == {
        "__typename": "EventWithheld",
        "reason": "NOT_VISIBLE",
    }


def test_only_so_many_projectors_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "KEPT_MAX", 2)
    known = Projectors(root.SCHEMA)
    texts = [
        f"subscription {{ events {{ n{number}: sequence }} }}" for number in range(3)
    ]

    first = [Question(text, None, known).projector for text in texts]
    again = [Question(text, None, known).projector for text in reversed(texts)]

    assert all(isinstance(one, Projector) for one in first)
    assert again[0] is first[2]
    assert again[1] is first[1]
    assert again[2] is not first[0]
