"""Which phone listens right now, and how far each has acknowledged its stream.

Presence is written in batches and may be wrong for a while: that costs a push three
seconds, never the push. An acknowledgement is exact, of one device, and only rises
(realtime.md section 11.2 of the design).
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from app import database
from app.clock import Clock
from app.database import Tx
from app.errors import Outage
from app.ids import CustomerId, DeviceId
from app.realtime.cursor import EventCursor
from app.rows import Scalar

CONSTRAINTS = ("device_stream_acked",)

_LIVE = timedelta(seconds=90)
_AGAIN_S = 60.0
_GATHER_S = 0.05
_BATCH = 250


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one phone stands: live until when, and what it has shown."""

    live_until: datetime | None = None
    epoch: str | None = None
    seq: int = 0

    def is_live(self, now: datetime) -> bool:
        """Tell whether a socket of the phone was open a moment ago."""
        return self.live_until is not None and self.live_until > now

    def has_shown(self, epoch: str, seq: int) -> bool:
        """Tell whether the phone acknowledged an event."""
        return self.epoch == epoch and self.seq >= seq


class Presence:
    """Which phones follow their stream in this process, told to the database.

    Args:
        clock: the bank's clock.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._streams: Counter[DeviceId] = Counter()
        self._owners: dict[DeviceId, CustomerId] = {}
        self._news: dict[DeviceId, CustomerId] = {}
        self._woken = asyncio.Event()

    def came(self, device: DeviceId | None, customer: CustomerId) -> None:
        """Count a phone as live while its stream is open; None is nobody's phone."""
        if device is None:
            return
        self._streams[device] += 1
        self._owners[device] = customer
        self._tell(device, customer)

    def went(self, device: DeviceId | None, customer: CustomerId) -> None:
        """Count an open stream of a phone less."""
        if device is None:
            return
        self._streams[device] -= 1
        if not self._streams[device]:
            del self._streams[device]
            del self._owners[device]
            self._tell(device, customer)

    @contextmanager
    def of(self, device: DeviceId | None, customer: CustomerId) -> Iterator[None]:
        """Count a phone as live inside the block."""
        self.came(device, customer)
        try:
            yield
        finally:
            self.went(device, customer)

    async def run(self) -> None:
        """Write who came and went at once, and who is there once a minute."""
        while True:
            try:
                async with asyncio.timeout(_AGAIN_S):
                    await self._woken.wait()
            except TimeoutError:
                self._news.update(self._owners)
            await asyncio.sleep(_GATHER_S)
            with suppress(Outage):  # the next minute tells it again
                await self.flush()

    async def flush(self) -> None:
        """Write what is new: live for 90 s more, or not live."""
        self._woken.clear()
        news, self._news = list(self._news.items()), {}
        until = self._clock.now() + _LIVE
        for start in range(0, len(news), _BATCH):
            batch = news[start : start + _BATCH]
            values: list[Scalar] = []
            for device, customer in batch:
                values += [
                    device,
                    customer,
                    until if device in self._owners else None,
                ]
            await _write(values, len(batch))

    def _tell(self, device: DeviceId, customer: CustomerId) -> None:
        self._news[device] = customer
        self._woken.set()


async def _write(values: list[Scalar], rows: int) -> None:
    async def work(tx: Tx) -> None:
        await tx.rows(
            "INSERT INTO device_stream (device_id, customer_id, live_until) VALUES "  # noqa: S608  -- placeholders only
            f"{database.placeholders(rows, 3)} ON CONFLICT (device_id) DO UPDATE SET "
            "live_until = excluded.live_until RETURNING device_id",
            *values,
        )

    await database.transaction(work, name="receipts.live")


async def acknowledge(
    tx: Tx, customer: CustomerId, device: DeviceId, upto: EventCursor, at: datetime
) -> EventCursor | None:
    """Note how far a phone has shown its stream; a lower number changes nothing.

    Args:
        tx: the caller's transaction.
        customer: whose stream.
        device: whose phone.
        upto: position of the last event it applied.
        at: when.

    Returns:
        The position, or None when it is none of this stream: another customer's, of
        before a restore, or beyond the end. Such a one is not noted.
    """
    there = await tx.one(
        "SELECT 1 AS there FROM stream_head "
        "WHERE customer_id = $1 AND epoch = $2 AND seq >= $3",
        customer,
        upto.epoch,
        upto.seq,
    )
    if there is None:
        return None
    await tx.rows(
        "INSERT INTO device_stream "
        "(device_id, customer_id, acked_epoch, acked_seq, acked_at) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (device_id) DO UPDATE SET "
        "acked_epoch = excluded.acked_epoch, acked_seq = excluded.acked_seq, "
        "acked_at = excluded.acked_at WHERE device_stream.acked_seq IS NULL "
        "OR device_stream.acked_epoch <> excluded.acked_epoch "
        "OR device_stream.acked_seq < excluded.acked_seq RETURNING device_id",
        device,
        customer,
        upto.epoch,
        upto.seq,
        at,
    )
    return upto


async def standings(tx: Tx, devices: Sequence[DeviceId]) -> dict[DeviceId, Standing]:
    """Tell where phones stand; one that was never heard of is not live."""
    if not devices:
        return {}
    rows = await tx.rows(
        "SELECT device_id, live_until, acked_epoch, acked_seq FROM device_stream "  # noqa: S608  -- placeholders only
        f"WHERE device_id IN {database.placeholders(1, len(devices))}",
        *devices,
    )
    found = {
        row.get("device_id", DeviceId): Standing(
            row.find("live_until", datetime),
            row.find("acked_epoch", str),
            row.find("acked_seq", int) or 0,
        )
        for row in rows
    }
    return {device: found.get(device, Standing()) for device in devices}
