"""Text messages on the console, for a developer who runs without the sandbox."""

import sys
from typing import TextIO

from pydantic_settings import BaseSettings, SettingsConfigDict

from app.clock import Clock, rfc3339
from app.integrations.outcome import Ok, OpRef, Outcome


class Settings(BaseSettings):
    """There is nothing to choose."""

    model_config = SettingsConfigDict(env_prefix="SIXPENCE_SMS_CONSOLE_", frozen=True)


class ConsoleSms:
    """Fits `SmsSender`: prints each text once per op id, and not into the log.

    Args:
        clock: tells when a text was sent.
        out: where it is printed.
    """

    def __init__(self, clock: Clock, out: TextIO) -> None:
        self._clock = clock
        self._out = out
        self._last: OpRef | None = None

    async def send(self, op: OpRef, to: str, text: str) -> Outcome[str]:
        """Print a text; the same op once more prints nothing."""
        if op != self._last:
            self._last = op
            self._out.write(f"{rfc3339(self._clock.now())} SMS to {to}: {text}\n")
            self._out.flush()
        return Ok(str(op.id), str(op.id))

    async def close(self) -> None:
        """Leave the console as it is."""


async def connect(_settings: Settings, *, clock: Clock) -> ConsoleSms:
    """Print to standard error, where the log goes too."""
    return ConsoleSms(clock, sys.stderr)
