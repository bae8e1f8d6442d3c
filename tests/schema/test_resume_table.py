"""Every row of the table of resumes, as a phone gets it, and how the bank counts it."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from app import telemetry
from app.clock import StoppedClock
from app.ids import CustomerId
from app.realtime import log
from app.realtime.cursor import EventCursor
from tests.realtime.world import balance_fact, cursor_at, record
from tests.schema.follower import ANN, EVENTS, Phone, code_of, event_of


@dataclass(frozen=True)
class Row:
    """What a phone stored, and what it is told.

    Attributes:
        events: How many happened, the first of them 20 days ago.
        after: Number the phone stored; None for no cursor.
        kind: The first frame.
        reason: Of a reset.
        told: Numbers that are replayed.
    """

    events: int
    after: int | None
    kind: str
    reason: str | None = None
    told: tuple[int, ...] = ()


ROWS = {
    "nothing stored": Row(3, None, "StreamReady"),
    "at the head": Row(3, 3, "StreamReady"),
    "the next one is kept": Row(5, 3, "StreamReady", told=(4, 5)),
    "the most that is replayed": Row(501, 1, "StreamReady", told=(*range(2, 502),)),
    "too far behind": Row(502, 1, "StreamReset", "TOO_FAR_BEHIND"),
    "the next one is gone": Row(3, 0, "StreamReset", "EXPIRED"),
    "beyond the head": Row(3, 4, "StreamReset", "AHEAD"),
    "of another stream": Row(3, 2, "StreamReset", "EPOCH_CHANGED"),
}


async def stored(row: Row, clock: StoppedClock) -> str | None:
    """Let it all happen; gives the cursor that the phone has."""
    await record(balance_fact(ANN))
    clock.move(days=20)
    await log.prune(clock.today() - timedelta(days=14))
    await record(*(balance_fact(ANN) for _ in range(row.events - 1)))
    head = await log.head(ANN)
    if row.reason == "EPOCH_CHANGED":
        head = await log.head(CustomerId.new())
    return None if row.after is None else str(cursor_at(head, row.after))


@pytest.mark.parametrize("name", ROWS)
async def test_each_resume_gets_its_answer_and_goes_on_live(
    phone: Phone, clock: StoppedClock, name: str
) -> None:
    row = ROWS[name]
    after = await stored(row, clock)
    head = await log.head(ANN)
    verdict = row.reason or ("NOW" if after is None else "RESUME")
    counted = telemetry.stream_resumes.labels(verdict)
    before = counted._value.get()  # noqa: SLF001  -- what the counter stands at

    with capture_logs() as logs:
        async with phone.follow(EVENTS, after=after) as stream:
            opening = await event_of(stream)
            replay = [await event_of(stream) for _ in row.told]
            if after is not None and row.reason is None:
                caught_up = await event_of(stream)
                assert caught_up["event"]["__typename"] == "CaughtUp"
                assert caught_up["cursor"] == str(head)
            await record(balance_fact(ANN))
            live = await event_of(stream)

    assert opening["event"]["__typename"] == row.kind
    assert opening["event"].get("resetReason") == row.reason
    starts_at = head if row.reason or after is None else EventCursor.parse(after)
    assert opening["cursor"] == str(starts_at)
    assert opening["event"].get("missed", 0) == len(row.told)
    assert tuple(int(one["sequence"]) for one in replay) == row.told
    assert int(live["sequence"]) == head.seq + 1
    assert counted._value.get() == before + 1  # noqa: SLF001  -- same
    alarms = [one for one in logs if one["event"] == "stream_ahead"]
    assert bool(alarms) is (row.reason == "AHEAD")


async def test_what_is_no_cursor_is_refused_and_leaves_nothing_behind(
    phone: Phone,
) -> None:
    for after in ("", "ec1.nonsense", "ec2.abcdefgh.1.20261121"):
        async with phone.follow(EVENTS, after=after) as stream:
            assert await code_of(stream) == "BAD_REQUEST"

    assert phone.bank.hub.readers == 0
