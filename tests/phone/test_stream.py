"""Client rules of realtime.md §5: in order, once, no silent hole, newest version."""

import json

import pytest

from mock_mobile_client.stream import Event, Picture, describe
from mock_mobile_client.values import JsonObject
from tests.phone.fake_parts import Account


def event(sequence: int, kind: str, body: JsonObject | None = None) -> Event:
    cursor = f"ec1.a.{sequence}.20261121"
    return Event(cursor, sequence, "", None, kind, body or {})


def balance(version: int) -> JsonObject:
    account = Account("Everyday", "50100000001001", 100 + version, "acc_1", version)
    return {"account": account.node(), "balance": account.balance()}


def at(sequence: int) -> Picture:
    picture = Picture()
    picture.apply(event(sequence, "StreamReady"))
    return picture


def test_events_move_the_cursor_one_by_one() -> None:
    picture = at(4)

    assert picture.apply(event(5, "PaymentChanged"))

    assert (picture.sequence, picture.cursor) == (5, "ec1.a.5.20261121")


def test_an_event_that_was_applied_is_ignored() -> None:
    picture = at(4)

    assert picture.apply(event(4, "PaymentChanged"))

    assert [one.kind for one in picture.applied] == ["StreamReady"]


def test_a_hole_is_told_and_nothing_is_applied() -> None:
    picture = at(4)

    assert not picture.apply(event(6, "PaymentChanged"))

    assert picture.sequence == 4


def test_an_unknown_member_only_moves_the_cursor() -> None:
    picture = at(4)

    assert picture.apply(event(5, "SomethingNew", {"x": 1}))

    assert picture.sequence == 5
    assert picture.by_event == {}


def test_an_older_version_never_replaces_a_newer_one() -> None:
    picture = at(4)

    picture.apply(event(5, "BalanceChanged", balance(8)))
    picture.apply(event(6, "BalanceChanged", balance(7)))

    assert picture.by_event["acc_1"].version == 8
    assert picture.names == {"acc_1": "Everyday"}
    assert picture.sequence == 6


def test_a_reset_forgets_figures_and_goes_on_from_its_place() -> None:
    picture = at(4)
    picture.apply(event(5, "BalanceChanged", balance(8)))

    assert picture.apply(event(900, "StreamReset", {"reason": "TOO_FAR_BEHIND"}))

    assert picture.by_event == {}
    assert picture.apply(event(901, "BalanceChanged", balance(3)))
    assert picture.by_event["acc_1"].version == 3


def test_figures_come_back_from_the_store_with_their_cursor() -> None:
    picture = at(4)
    picture.apply(event(5, "BalanceChanged", balance(8)))

    stored = json.loads(json.dumps(picture.to_store()))
    again = Picture.stored(picture.cursor, stored)

    assert again.cursor == "ec1.a.5.20261121"
    assert again.by_event == picture.by_event
    assert again.by_event["acc_1"].available.formatted == "1.08 INR"
    assert again.names == {"acc_1": "Everyday"}
    assert again.sequence is None


def test_what_comes_twice_is_counted_and_not_applied() -> None:
    picture = at(4)
    twice = event(5, "PaymentChanged")

    picture.apply(twice)
    picture.apply(twice)

    assert picture.repeated == [twice]
    assert [one.sequence for one in picture.applied] == [4, 5]


def test_a_resume_is_told_apart_into_past_and_present() -> None:
    picture = Picture(cursor="ec1.a.4.20261121")
    picture.apply(event(4, "StreamReady", {"missed": 2}))
    picture.apply(event(5, "PaymentChanged"))

    assert [one.sequence for one in picture.resume.missed] == [5]
    assert picture.resume.caught_up is None

    picture.apply(event(6, "PaymentChanged"))
    picture.apply(event(6, "CaughtUp"))
    picture.apply(event(7, "PaymentChanged"))

    resume = picture.resume
    assert resume.opening.kind == "StreamReady"
    assert [one.sequence for one in resume.missed] == [5, 6]
    assert resume.caught_up is not None
    assert [one.sequence for one in resume.live] == [7]


def test_a_stream_that_was_never_open_has_no_resume() -> None:
    with pytest.raises(LookupError):
        _ = Picture().resume


@pytest.mark.parametrize(
    ("kind", "body", "line"),
    [
        ("StreamReady", {"missed": 3}, "ready     seq 7  3 missed"),
        ("CaughtUp", {}, "caught up seq 7"),
        (
            "StreamReset",
            {"reason": "EXPIRED"},
            "reset     seq 7  EXPIRED, loaded anew",
        ),
        ("BalanceChanged", balance(8), "balance   Everyday 1.08 INR (v 8)   seq 7"),
        (
            "PaymentChanged",
            {"payment": {"id": "pay_1", "status": "SETTLED"}},
            "payment   pay_1 SETTLED   seq 7",
        ),
        ("SomethingNew", {}, "event     SomethingNew   seq 7"),
    ],
)
def test_each_event_is_one_line_for_people(
    kind: str, body: JsonObject, line: str
) -> None:
    assert describe(event(7, kind, body)) == line
