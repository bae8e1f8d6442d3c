"""The sessions that ended lately, in this process: by hint, by poll, by asking.

Hints may be lost and other processes end sessions too, so the table is read once a
second with an overlap; a token lives at most five minutes, so older ends are forgotten.
How long ago something was is measured by the monotonic clock: the bank's own may be
moved in a demo, and be moved in one process a moment before the next.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app import database, telemetry
from app.clock import Clock
from app.errors import Outage
from app.ids import DeviceId, SessionId
from app.realtime.announce import Revoke
from app.settings import Settings

_OVERLAP_S = 5
_KEPT_BEYOND_TOKEN_S = 10

Closer = Callable[[SessionId, int], None]
CLOSE_ENDED = 4401
CLOSE_SUPERSEDED = 4419


class EndReason(StrEnum):
    """Why a session ended."""

    LOGOUT = "LOGOUT"
    SUPERSEDED = "SUPERSEDED"
    LOCKED = "LOCKED"
    REVOKED = "REVOKED"
    REUSE = "REUSE"
    STAFF = "STAFF"


@dataclass(frozen=True, slots=True)
class _End:
    """One end as this process knows it.

    Args:
        reason: why.
        felt_at: when we heard of it last, seconds of `Clock.monotonic`.
        heard_at: when we heard of it first, by the bank's clock.
        hinted: known from the bus alone, which does not say why, nor whose phone.
    """

    reason: EndReason
    felt_at: float
    heard_at: datetime
    hinted: bool = False


class Revocations:
    """Remembers ended sessions and closes their sockets.

    Args:
        clock: the bank's clock.
        settings: how often to poll, how long a token lives.
        closer: closes the sockets of a session with a code; `bank.py` sets it.
        forget: drops what is kept about a device.
        announce: tells the other processes.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        settings: Settings,
        closer: Closer | None = None,
        forget: Callable[[DeviceId], None] | None = None,
        announce: Callable[[Revoke], None] | None = None,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._closer = closer
        self._forget = forget
        self._announce = announce
        self._kept_s = settings.access_ttl_s + _KEPT_BEYOND_TOKEN_S
        self._ended: dict[SessionId, _End] = {}
        # Polls of the last seconds: what the bank's clock and the monotonic one showed.
        self._polls: deque[tuple[datetime, float]] = deque()
        self._hurried = asyncio.Event()

    def reason(self, session: SessionId) -> EndReason | None:
        """Tell why a session ended, or None while it lives as far as we know."""
        found = self._ended.get(session)
        return None if found is None else found.reason

    def ended(self, session: SessionId, device: DeviceId, reason: EndReason) -> None:
        """Take note that this process ended a session; called after the commit."""
        self._learn(session, device, reason)
        if self._announce is not None:
            superseded = reason is EndReason.SUPERSEDED
            self._announce(Revoke(session, superseded=superseded))

    def heard(self, revoke: Revoke) -> None:
        """Take a hint of the bus: close the sockets now, and read why at once."""
        if revoke.session in self._ended:
            return
        reason = EndReason.SUPERSEDED if revoke.superseded else EndReason.REVOKED
        now, felt = self._clock.now(), self._clock.monotonic()
        end = _End(reason, felt, now, hinted=True)
        self._ended[revoke.session] = end
        self._close(revoke.session, reason)
        self.hurry()

    def hurry(self) -> None:
        """Poll at once: hints may have been lost."""
        self._hurried.set()

    async def poll(self) -> None:
        """Read the sessions that ended since the last poll, with an overlap."""
        now, felt = self._clock.now(), self._clock.monotonic()
        rows = await database.read(
            "SELECT id, device_id, ended_at, ended_reason FROM session "
            "WHERE ended_at IS NOT NULL AND ended_at >= $1",
            self._since(now, felt),
        )
        for row in rows:
            reason = row.get("ended_reason", EndReason)
            session, device = row.get("id", SessionId), row.get("device_id", DeviceId)
            if self._learn(session, device, reason) and self._polls:
                took = self._ended[session].heard_at - row.get("ended_at", datetime)
                telemetry.revocation_seconds.observe(max(0.0, took.total_seconds()))
        self._polls.append((now, felt))
        while self._polls[0][1] < felt - _OVERLAP_S:
            self._polls.popleft()
        gone = felt - self._kept_s
        for key in [key for key, end in self._ended.items() if end.felt_at < gone]:
            del self._ended[key]

    async def run(self) -> None:
        """Poll until cancelled. Owned by the bank's task group."""
        while True:
            self._hurried.clear()
            try:
                await self.poll()
            except Outage as lost:
                telemetry.log.warning("revocations_not_read", cause=lost.cause)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.revocation_poll_s):
                    await self._hurried.wait()

    def _since(self, now: datetime, felt: float) -> datetime:
        """Give the instant from which on an end may be unknown.

        The last polls took place at what the bank's clock showed then; had it been
        moved before them, at what it would have shown. The earliest of all counts, so
        that no move, and no process that notices one late, hides an end.
        """
        if not self._polls:
            return now - timedelta(seconds=self._kept_s)
        polled = [
            min(shown, now - timedelta(seconds=felt - at)) for shown, at in self._polls
        ]
        return min(polled) - timedelta(seconds=_OVERLAP_S)

    def _learn(self, session: SessionId, device: DeviceId, reason: EndReason) -> bool:
        """Remember an end with its cause; tell whether that is news."""
        known = self._ended.get(session)
        heard_at = self._clock.now() if known is None else known.heard_at
        self._ended[session] = _End(reason, self._clock.monotonic(), heard_at)
        if known is not None and not known.hinted:
            return False
        if self._forget is not None:
            self._forget(device)
        if known is None:
            self._close(session, reason)
        return True

    def _close(self, session: SessionId, reason: EndReason) -> None:
        if self._closer is not None:
            superseded = reason is EndReason.SUPERSEDED
            self._closer(session, CLOSE_SUPERSEDED if superseded else CLOSE_ENDED)
