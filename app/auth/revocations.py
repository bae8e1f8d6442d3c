"""The sessions that ended lately, in this process: by hint, by poll, by asking.

Hints may be lost and other processes end sessions too, so the table is read once a
second with an overlap; a token lives at most five minutes, so older ends are forgotten.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

from app import database, telemetry
from app.clock import Clock
from app.errors import Outage
from app.ids import DeviceId, SessionId
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
    STAFF = "STAFF"


class Revocations:
    """Remembers ended sessions and closes their sockets.

    Args:
        clock: the bank's clock.
        settings: how often to poll, how long a token lives.
        closer: closes the sockets of a session with a code; `bank.py` sets it.
        forget: drops what is kept about a device.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        settings: Settings,
        closer: Closer | None = None,
        forget: Callable[[DeviceId], None] | None = None,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self.closer = closer
        self.forget = forget
        self._ended: dict[SessionId, tuple[EndReason, datetime]] = {}
        self._read_from: datetime | None = None

    def reason(self, session: SessionId) -> EndReason | None:
        """Tell why a session ended, or None while it lives as far as we know."""
        found = self._ended.get(session)
        return None if found is None else found[0]

    def ended(self, session: SessionId, device: DeviceId, reason: EndReason) -> None:
        """Take note that a session ended; called after the commit or by a bus hint."""
        if session in self._ended:
            return
        self._ended[session] = reason, self._clock.now()
        if self.forget is not None:
            self.forget(device)
        if self.closer is not None:
            superseded = reason is EndReason.SUPERSEDED
            self.closer(session, CLOSE_SUPERSEDED if superseded else CLOSE_ENDED)

    async def poll(self) -> None:
        """Read the sessions that ended since the last poll, with an overlap."""
        now = self._clock.now()
        kept = timedelta(seconds=self._settings.access_ttl_s + _KEPT_BEYOND_TOKEN_S)
        since = self._read_from or now - kept
        rows = await database.read(
            "SELECT id, device_id, ended_reason FROM session "
            "WHERE ended_at IS NOT NULL AND ended_at >= $1",
            since,
        )
        for row in rows:
            reason = row.get("ended_reason", EndReason)
            self.ended(row.get("id", SessionId), row.get("device_id", DeviceId), reason)
        self._read_from = now - timedelta(seconds=_OVERLAP_S)
        old = [key for key, (_, at) in self._ended.items() if at < now - kept]
        for key in old:
            del self._ended[key]

    async def run(self) -> None:
        """Poll until cancelled. Owned by the bank's task group."""
        while True:
            try:
                await self.poll()
            except Outage as lost:
                telemetry.log.warning("revocations_not_read", cause=lost.cause)
            await asyncio.sleep(self._settings.revocation_poll_s)
