"""The register of live sockets; its limits over real sockets: test_socket_limits.py."""

import asyncio
from datetime import timedelta

import pytest

from app import settings as app_settings
from app.clock import StoppedClock
from app.ids import CustomerId, DeviceId, SessionId
from app.realtime import sockets as room
from app.realtime.sockets import Holder, Sockets
from tests.realtime.patience import until

ANN = CustomerId.new()


class FakeLink:
    """Remembers what was asked of it."""

    def __init__(self) -> None:
        self.pings = 0
        self.codes: list[int] = []

    def ping(self) -> None:
        self.pings += 1

    def close(self, code: int, reason: str = "") -> None:
        assert reason is not None
        self.codes.append(code)


@pytest.fixture
def register(clock: StoppedClock) -> Sockets:
    chosen = app_settings.load(env="test").model_copy(
        update={"limit_factor": 1, "socket_ping_s": 0.2, "socket_pong_s": 0.2}
    )
    return Sockets(chosen, clock)


def holder(clock: StoppedClock, device: DeviceId | None = None) -> Holder:
    return Holder(
        customer=ANN,
        device=device or DeviceId.new(),
        session=SessionId.new(),
        expires_at=clock.now() + timedelta(minutes=5),
    )


def test_leaving_twice_changes_nothing(register: Sockets, clock: StoppedClock) -> None:
    seat = register.open(FakeLink(), "192.0.2.1")
    register.seat(seat, holder(clock))

    register.leave(seat)
    register.leave(seat)

    assert len(register) == 0


def test_a_socket_that_was_replaced_no_longer_counts_while_it_closes(
    register: Sockets, clock: StoppedClock
) -> None:
    device, links = DeviceId.new(), [FakeLink() for _ in range(9)]

    for link in links:
        seat = register.open(link, "192.0.2.1")
        assert register.seat(seat, holder(clock, device)) is None
        clock.move(seconds=1)

    assert [link.codes for link in links] == [[4413]] * 7 + [[], []]


def test_an_ended_session_stays_known_for_a_while(
    register: Sockets, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_ENDED_MAX", 2)
    holders = [holder(clock) for _ in range(3)]
    for one in holders:
        assert one.session is not None
        register.close(one.session, 4419)

    codes = [
        register.seat(register.open(FakeLink(), "192.0.2.1"), one) for one in holders
    ]

    assert codes == [None, 4419, 4419]


async def test_the_wheel_pings_the_silent_and_ends_the_dead_and_the_expired(
    register: Sockets, clock: StoppedClock
) -> None:
    silent, alive, expired, waiting = (FakeLink() for _ in range(4))
    register.seat(register.open(silent, "192.0.2.1"), holder(clock))
    lively = register.open(alive, "192.0.2.1")
    register.seat(lively, holder(clock))
    register.open(waiting, "192.0.2.1")
    wheel = asyncio.ensure_future(register.run())

    clock.move(seconds=0.3)
    await until(lambda: silent.pings == 1 and alive.pings == 1)
    register.heard(lively)
    clock.move(seconds=0.19)
    await until(lambda: silent.codes == [4499])
    short = Holder(customer=ANN, expires_at=clock.now())
    register.seat(register.open(expired, "192.0.2.1"), short)
    await until(lambda: expired.codes == [4419])
    wheel.cancel()

    assert alive.codes == []
    assert (waiting.pings, waiting.codes) == (0, [])
