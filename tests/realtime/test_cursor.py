"""The cursor and the table of resume verdicts."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.realtime.cursor import EventCursor, MalformedCursor, Verdict, judge

DAY = date(2026, 11, 21)
HEAD = EventCursor("abcdefgh", 600, DAY)


@given(
    st.from_regex(r"[a-z2-7]{8}", fullmatch=True),
    st.integers(0, 10**18),
    st.dates(min_value=date(1000, 1, 1)),
)
def test_a_cursor_is_read_back_as_it_was_written(
    epoch: str, seq: int, day: date
) -> None:
    cursor = EventCursor(epoch, seq, day)

    assert EventCursor.parse(str(cursor)) == cursor


def test_the_outside_form_is_fixed() -> None:
    assert str(HEAD) == "ec1.abcdefgh.600.20261121"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ec1.abcdefgh.600",
        "ec2.abcdefgh.600.20261121",
        "ec1.ABCDEFGH.600.20261121",
        "ec1.abcdefgh.-1.20261121",
        "ec1.abcdefgh.007.20261121",
        "ec1.abcdefgh.6.20261341",
        "ec1.abcdefgh.6.20261121\n",
        "ec1.abcdefgh.99999999999999999999.20261121",
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(MalformedCursor):
        EventCursor.parse(text)


@pytest.mark.parametrize(
    ("epoch", "seq", "next_is_there", "verdict"),
    [
        ("abcdefgh", 600, False, Verdict.RESUME),
        ("abcdefgh", 599, True, Verdict.RESUME),
        ("abcdefgh", 100, True, Verdict.RESUME),
        ("abcdefgh", 99, True, Verdict.TOO_FAR_BEHIND),
        ("abcdefgh", 599, False, Verdict.EXPIRED),
        ("abcdefgh", 601, False, Verdict.AHEAD),
        ("aaaaaaaa", 600, False, Verdict.EPOCH_CHANGED),
        ("aaaaaaaa", 601, True, Verdict.EPOCH_CHANGED),
    ],
)
def test_each_row_of_the_verdict_table(
    epoch: str,
    seq: int,
    next_is_there: bool,  # noqa: FBT001  -- a table
    verdict: Verdict,
) -> None:
    after = EventCursor(epoch, seq, DAY)

    found = judge(after, HEAD, next_is_there=next_is_there, replay_max=500)

    assert found is verdict
