"""A push provider whose outcomes count for the health of notifications."""

from collections.abc import Sequence

from app.integrations.push import (
    ConfigError,
    PushMessage,
    PushOutcome,
    PushProvider,
    Retry,
    Unknown,
)
from app.status.health import Component, Health


class WatchedPush:
    """Fits `PushProvider`; stands before one.

    Each message counts for NOTIFICATIONS: Retry, Unknown and ConfigError as bad, a
    definite answer about the address or the message as good.

    Args:
        health: where it counts.
        provider: the one behind.
    """

    def __init__(self, health: Health, provider: PushProvider) -> None:
        self._health = health
        self._provider = provider
        self.kinds = provider.kinds
        health.leads(Component.NOTIFICATIONS, provider)

    async def send(self, batch: Sequence[PushMessage]) -> list[PushOutcome]:
        """Send by the provider behind; one outcome each, in order."""
        began = self._health.clock.monotonic()
        found = await self._provider.send(batch)
        took_ms = (self._health.clock.monotonic() - began) * 1000
        for outcome in found:
            good = not isinstance(outcome, Retry | Unknown | ConfigError)
            self._health.note(Component.NOTIFICATIONS, good=good, took_ms=took_ms)
        return found

    async def close(self) -> None:
        """Close the provider behind."""
        await self._provider.close()
