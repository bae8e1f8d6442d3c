"""Keys that the core still works on (425), for longer than any command takes.

A server that died inside a command leaves its key under way for ever, and its database
has rolled the command back. So after five minutes the evidence is asked; two empty
looks, and a quarter of an hour since the first 425, make it a definite no: the key
cannot be carried out any more. Source: banking.md section 6.2.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.clock import Clock
from app.shelf import Shelf

EARLY = "status 425"  # what the HTTP client calls the silence of such an answer
PATIENCE = timedelta(minutes=5)
BELIEVED = timedelta(minutes=15)
PASSES = 2
ASK_AFTER_S = 30.0
_KEPT = 10_000


@dataclass(slots=True)
class Wait:
    """Since when a key is under way, and how often nothing was found of it."""

    since: datetime
    passes: int = 0


class Stuck:
    """Remembers keys under way, in this process: a restart waits anew.

    Args:
        clock: measures the wait.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waits = Shelf[UUID, Wait](_KEPT)

    def is_early(self, op: UUID) -> datetime | None:
        """Note a 425; gives since when, once it is time for the evidence."""
        now = self._clock.now()
        wait = self._waits.of(op)
        if wait is None:
            self._waits.keep(op, Wait(now))
            return None
        return wait.since if now - wait.since >= PATIENCE else None

    def is_dead(self, op: UUID) -> bool:
        """Note an empty look; tells whether the operation surely never happens."""
        wait = self._waits.of(op)
        if wait is None:
            return False
        wait.passes += 1
        long_ago = self._clock.now() - wait.since >= BELIEVED
        return long_ago and wait.passes >= PASSES

    def ended(self, op: UUID) -> None:
        """Forget a key: its outcome is known."""
        self._waits.drop(op)
