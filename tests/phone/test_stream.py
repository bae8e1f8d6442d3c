"""Client rules of realtime.md §5: in order, once, no silent hole, newest version."""

from mock_mobile_client.stream import Event, Picture
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
