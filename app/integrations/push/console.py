"""Push on the console: the log says that a hint would go out, and to nobody."""

from collections.abc import Sequence

from pydantic_settings import BaseSettings, SettingsConfigDict

from app.clock import Clock
from app.integrations.push import PushKind, PushMessage, PushOutcome, Sent
from app.telemetry import log


class Settings(BaseSettings):
    """There is nothing to choose."""

    model_config = SettingsConfigDict(env_prefix="SIXPENCE_PUSH_CONSOLE_", frozen=True)


class ConsolePush:
    """Fits `PushProvider` for every kind of address; neither it nor the data is told.

    It keeps no state, so the same message twice is logged twice.
    """

    kinds = frozenset(PushKind)

    async def send(self, batch: Sequence[PushMessage]) -> list[PushOutcome]:
        """Log each hint by its dispatch and its sentence."""
        for message in batch:
            log.info(
                "push_would_go",
                object=message.id,
                kind=message.kind.value,
                name=message.body_key,
            )
        return [Sent(message.id) for message in batch]

    async def close(self) -> None:
        """There is nothing to let go of."""


async def connect(_settings: Settings, *, clock: Clock) -> ConsolePush:  # noqa: ARG001  -- every adapter is given the clock
    """Log through the one log of the process."""
    return ConsolePush()
