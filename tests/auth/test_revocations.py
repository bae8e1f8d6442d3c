"""Ends of sessions in other processes: by hint, by poll, whatever the clock shows."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from app import telemetry
from app.auth.revocations import EndReason, Revocations
from app.ids import DeviceId, SessionId
from app.realtime.announce import Revoke
from tests.auth.moved_clock import MovedClock
from tests.auth.room import Phone, Room
from tests.auth.test_sessions import change
from tests.conftest import NOON
from tests.realtime.patience import until

KEPT_S = 310


@pytest.fixture
def clock() -> MovedClock:
    """Give a clock that can be moved both ways."""
    return MovedClock(NOON)


@dataclass
class Elsewhere:
    """Another process: its own clock, and what it closed, forgot and announced."""

    clock: MovedClock
    closed: list[tuple[SessionId, int]] = field(default_factory=list)
    forgotten: list[DeviceId] = field(default_factory=list)
    announced: list[Revoke] = field(default_factory=list)

    def of(self, room: Room) -> Revocations:
        return Revocations(
            clock=self.clock,
            settings=room.settings,
            closer=lambda session, code: self.closed.append((session, code)),
            forget=self.forgotten.append,
            announce=self.announced.append,
        )


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere(MovedClock(NOON))


async def signed_out(phone: Phone) -> SessionId:
    """Sign in and out; gives the session that ended just now."""
    signed_in = await phone.login()
    await phone.room.sessions.logout(await phone.as_device())
    return signed_in.actor.known_session


@pytest.mark.parametrize("shift_s", [-40_000, -400, -6, 0, 6, 400, 40_000])
async def test_a_moved_clock_hides_no_end(
    room: Room, phone: Phone, clock: MovedClock, elsewhere: Elsewhere, shift_s: float
) -> None:
    polled = elsewhere.of(room)
    await polled.poll()
    for one in (clock, elsewhere.clock):
        one.move(seconds=1)
        one.shift(seconds=shift_s)

    ended = await signed_out(phone)
    await polled.poll()

    assert polled.reason(ended) is EndReason.LOGOUT
    assert elsewhere.closed == [(ended, 4401)]


@pytest.mark.parametrize("shift_s", [-400, -6, 6, 400])
async def test_a_process_that_learns_of_the_move_late_is_still_heard(
    room: Room, phone: Phone, elsewhere: Elsewhere, shift_s: float
) -> None:
    """This one's clock is moved already; the other still writes the former time."""
    polled = elsewhere.of(room)
    await polled.poll()
    elsewhere.clock.move(seconds=1)
    elsewhere.clock.shift(seconds=shift_s)
    await polled.poll()

    room.clock.move(seconds=1.2)
    ended = await signed_out(phone)
    elsewhere.clock.move(seconds=1)
    await polled.poll()

    assert polled.reason(ended) is EndReason.LOGOUT


@pytest.mark.parametrize("shift_s", [-400, 400])
async def test_what_ended_while_the_database_was_away_is_found_after_a_move(
    room: Room, phone: Phone, clock: MovedClock, elsewhere: Elsewhere, shift_s: float
) -> None:
    polled = elsewhere.of(room)
    await polled.poll()
    clock.move(seconds=1)
    clock.shift(seconds=shift_s)
    ended = await signed_out(phone)

    elsewhere.clock.shift(seconds=shift_s)
    elsewhere.clock.move(seconds=90)
    await polled.poll()

    assert polled.reason(ended) is EndReason.LOGOUT


async def test_a_token_that_a_clock_makes_young_again_stays_refused(
    room: Room, phone: Phone, clock: MovedClock, elsewhere: Elsewhere
) -> None:
    polled = elsewhere.of(room)
    ended = await signed_out(phone)
    await polled.poll()

    for seconds in (400, -400, -300):
        clock.shift(seconds=seconds)
        elsewhere.clock.shift(seconds=seconds)
        elsewhere.clock.move(seconds=1)
        await polled.poll()
        assert polled.reason(ended) is EndReason.LOGOUT

    while elsewhere.clock.now() < NOON + timedelta(seconds=300):
        elsewhere.clock.move(seconds=1)
        await polled.poll()
        assert polled.reason(ended) is EndReason.LOGOUT


async def test_an_old_end_is_forgotten(
    room: Room, phone: Phone, elsewhere: Elsewhere
) -> None:
    polled = elsewhere.of(room)
    ended = await signed_out(phone)
    elsewhere.clock.move(seconds=10)
    await polled.poll()
    await polled.poll()

    elsewhere.clock.move(seconds=KEPT_S)
    await polled.poll()
    assert polled.reason(ended) is EndReason.LOGOUT
    elsewhere.clock.move(seconds=1)
    await polled.poll()

    assert polled.reason(ended) is None
    assert len(elsewhere.closed) == 1


async def test_a_hint_closes_at_once_and_the_row_says_why(
    room: Room, phone: Phone, elsewhere: Elsewhere
) -> None:
    polled = elsewhere.of(room)
    signed_in = await phone.login()
    ended, device = signed_in.actor.known_session, signed_in.actor.known_device
    await change(
        "UPDATE session SET ended_at = $1, ended_reason = 'LOCKED'", room.clock.now()
    )

    polled.heard(Revoke(ended))
    assert elsewhere.closed == [(ended, 4401)]
    assert polled.reason(ended) is EndReason.REVOKED
    polled.heard(Revoke(ended))
    await polled.poll()

    assert polled.reason(ended) is EndReason.LOCKED
    assert elsewhere.closed == [(ended, 4401)]
    assert elsewhere.forgotten == [device]
    assert elsewhere.announced == []


async def test_the_same_phone_signing_in_again_closes_with_its_own_code(
    room: Room, elsewhere: Elsewhere
) -> None:
    polled = elsewhere.of(room)
    hinted, own = SessionId.new(), SessionId.new()

    polled.heard(Revoke(hinted, superseded=True))
    polled.ended(own, DeviceId.new(), EndReason.SUPERSEDED)

    assert elsewhere.closed == [(hinted, 4419), (own, 4419)]
    assert elsewhere.announced == [Revoke(own, superseded=True)]


async def test_lost_hints_make_it_look_at_once(
    room: Room, phone: Phone, elsewhere: Elsewhere
) -> None:
    rare = room.settings.model_copy(update={"revocation_poll_s": 60.0})
    room.settings = rare
    polled = elsewhere.of(room)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(polled.run())
        await asyncio.sleep(0.05)
        ended = await signed_out(phone)
        polled.hurry()
        await until(lambda: polled.reason(ended) is not None, seconds=1)
        task.cancel()

    assert elsewhere.closed == [(ended, 4401)]


async def test_how_long_an_end_elsewhere_took_is_measured_once(
    room: Room, phone: Phone, elsewhere: Elsewhere
) -> None:
    polled = elsewhere.of(room)
    await signed_out(phone)
    await polled.poll()  # what ended before it opened says nothing about its speed
    before = measured()

    for by_hint, seconds in ((False, 0.7), (True, 0.2)):
        ended = await signed_out(phone)
        elsewhere.clock.move(seconds=seconds)
        if by_hint:
            polled.heard(Revoke(ended))
        await polled.poll()
        await polled.poll()
        elsewhere.clock.move(seconds=-seconds)

    count, total_s = measured()
    assert count == before[0] + 2
    assert round(total_s - before[1], 3) == 0.9


def measured() -> tuple[float, float]:
    """Read how many ends were measured, and their seconds in all."""
    name, read = "sixpence_revocation_seconds", telemetry.registry.get_sample_value
    return read(f"{name}_count") or 0, read(f"{name}_sum") or 0
