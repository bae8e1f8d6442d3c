from collections.abc import Sequence

from structlog.testing import capture_logs

from app.integrations.push import (
    AddressDead,
    AddressSuspect,
    ConfigError,
    PayloadError,
    PushKind,
    PushMessage,
    PushOutcome,
    Retry,
    Sent,
    Unknown,
)
from app.integrations.push.console import ConsolePush
from app.status.health import Component, Health, State
from app.status.pushes import WatchedPush
from tests.integrations.push_world import a_clock, a_hint


async def test_the_console_tells_of_a_hint_but_not_to_whom() -> None:
    with capture_logs() as logged:
        found = await ConsolePush().send([a_hint("secret-address")])

    assert found == [Sent("psh_1")]
    assert logged == [
        {
            "event": "push_would_go",
            "log_level": "info",
            "object": "psh_1",
            "kind": "FCM_FID",
            "name": "push.money_in.body",
        }
    ]


def test_an_address_is_not_in_the_repr_of_its_message() -> None:
    assert "secret-address" not in repr(a_hint("secret-address"))


class Moody:
    """Answers as told."""

    kinds = frozenset({PushKind.APNS})

    def __init__(self) -> None:
        self.answers: list[PushOutcome] = []
        self.closed = False

    async def send(self, batch: Sequence[PushMessage]) -> list[PushOutcome]:
        return self.answers[: len(batch)]

    async def close(self) -> None:
        self.closed = True


async def test_outcomes_of_messages_are_the_health_of_notifications() -> None:
    health, moody = Health(a_clock()), Moody()
    watched = WatchedPush(health, moody)

    moody.answers = [Sent("1"), AddressDead(), AddressSuspect(), PayloadError("x")]
    await watched.send([a_hint("a")] * 4)
    well = health.of(Component.NOTIFICATIONS)
    moody.answers = [Retry(), Unknown("x"), ConfigError("x"), Retry()]
    await watched.send([a_hint("a")] * 4)
    unwell = health.of(Component.NOTIFICATIONS)
    await watched.close()

    assert (well.state, well.success_rate_1m) == (State.OPERATIONAL, 1.0)
    assert (unwell.state, unwell.success_rate_1m) == (State.PARTIAL_OUTAGE, 0.5)
    assert watched.kinds == moody.kinds
    assert moody.closed
