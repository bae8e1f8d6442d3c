"""The tail of a watch grows by its next number only."""

from datetime import date

from app.ids import CustomerId
from app.realtime.cursor import EventCursor
from app.realtime.logged import LoggedEvent
from app.realtime.watch import TAIL_MAX, Watch
from tests.realtime.world import NOW, account_shot, balance_fact

ANN = CustomerId.new()
DAY = date(2026, 11, 21)
ACCOUNT = account_shot()


def event(seq: int) -> LoggedEvent:
    return LoggedEvent(ANN, "abcdefgh", seq, DAY, NOW, balance_fact(ANN, seq, ACCOUNT))


def watch_at(seq: int) -> Watch:
    watch = Watch(ANN)
    watch.begin(EventCursor("abcdefgh", seq, DAY))
    return watch


def test_doubled_reordered_and_far_events_do_not_change_a_tail() -> None:
    watch = watch_at(4)

    watch.extend([event(4), event(6), event(5), event(5), event(6), event(9)])

    assert [one.seq for one in watch.tail] == [5, 6]
    assert watch.last == 6
    assert watch.at(5) == event(5)
    assert watch.at(4) is None
    assert watch.at(7) is None


def test_a_tail_keeps_the_last_64_events() -> None:
    watch = watch_at(0)

    watch.extend(event(seq) for seq in range(1, 101))

    assert len(watch.tail) == TAIL_MAX
    assert watch.at(36) is None
    assert watch.at(37) == event(37)
    assert watch.at(100) == event(100)


def test_older_and_equal_hints_are_no_news() -> None:
    watch = watch_at(4)

    assert [watch.heard(seq) for seq in (3, 4, 6, 6, 5)] == [
        False,
        False,
        True,
        False,
        False,
    ]
    assert watch.behind


def test_what_was_heard_before_the_first_read_is_not_forgotten() -> None:
    watch = Watch(ANN)
    watch.heard(9)
    before = watch.behind

    watch.begin(EventCursor("abcdefgh", 4, DAY))

    assert (before, watch.behind) == (False, True)
    assert (watch.last, watch.head) == (4, 9)


def test_a_rebuilt_stream_voids_the_tail_and_the_old_numbers() -> None:
    watch = watch_at(4)
    watch.extend([event(5)])
    watch.heard(40)

    watch.begin(EventCursor("hgfedcba", 2, DAY))

    assert (watch.epoch, watch.last, watch.head) == ("hgfedcba", 2, 2)
    assert watch.at(5) is None
