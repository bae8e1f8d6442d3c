"""Bound devices by their key, kept in this process for half a minute."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from app import database
from app.auth.device import COLUMNS, Device, read_device
from app.clock import Clock
from app.ids import DeviceId

_KEPT = 10_000
_KEPT_S = 30


@dataclass(frozen=True, slots=True)
class _Entry:
    device: Device
    until: datetime


class BoundDevices:
    """Finds the device of a key.

    Args:
        clock: the bank's clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Entry] = OrderedDict()
        self._keys: dict[DeviceId, str] = {}

    async def find(self, jkt: str) -> Device | None:
        """Give the device of a key in whatever state, at most half a minute old."""
        now = self._clock.now()
        entry = self._kept.get(jkt)
        if entry is not None and entry.until > now:
            return entry.device
        device = await self.read(jkt)
        if device is not None:
            self._keep(device, now)
        return device

    async def read(self, jkt: str) -> Device | None:
        """Give the device of a key as it is now."""
        row = await database.read_one(
            f"SELECT {COLUMNS} FROM device WHERE jkt = $1",  # noqa: S608  -- our own column list
            jkt,
        )
        return None if row is None else read_device(row, self._clock.now())

    def forget(self, device: DeviceId) -> None:
        """Drop what is kept about a device: it was locked, revoked or signed out."""
        jkt = self._keys.pop(device, None)
        if jkt is not None:
            self._kept.pop(jkt, None)

    def _keep(self, device: Device, now: datetime) -> None:
        self._kept[device.jkt] = _Entry(device, now + timedelta(seconds=_KEPT_S))
        self._keys[device.id] = device.jkt
        if len(self._kept) > _KEPT:
            _, oldest = self._kept.popitem(last=False)
            self._keys.pop(oldest.device.id, None)
