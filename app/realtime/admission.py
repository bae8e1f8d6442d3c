"""Who may open a socket now: a bucket per address and one for the whole process.

Connects, not messages, size a fleet: an admitted handshake costs two signatures. What
is over the rate waits a little in line; what is over the line is told when to return
(realtime.md section 10 of the design).
"""

import asyncio
import ipaddress
import secrets
from dataclasses import dataclass

from app.clock import Clock
from app.settings import Settings

_WAITING_MAX = 2000
_WAIT_S = 5.0
_ADDRESSES_MAX = 20_000
_RETRY_S = (2, 20)


@dataclass(slots=True)
class Bucket:
    """Tokens that come back evenly. Times are seconds of `Clock.monotonic`.

    Args:
        size: most tokens it holds; it starts full.
        per_s: tokens that come back in a second.
        at: now.
    """

    size: float
    per_s: float
    at: float
    left: float = -1.0

    def __post_init__(self) -> None:
        if self.left < 0:
            self.left = self.size

    def wait_s(self, now: float) -> float:
        """Tell in how many seconds the next token is there; 0 if one is."""
        self.left = min(self.size, self.left + (now - self.at) * self.per_s)
        self.at = now
        return max(0.0, (1.0 - self.left) / self.per_s)

    def take(self, now: float) -> bool:
        """Take a token if there is one."""
        if self.wait_s(now) > 0:
            return False
        self.left -= 1.0
        return True

    def book(self, now: float) -> float:
        """Take a token that may still have to come; tell in how many seconds."""
        wait_s = self.wait_s(now)
        self.left -= 1.0
        return wait_s


@dataclass(frozen=True, slots=True)
class Turned:
    """A handshake that is refused before it is accepted.

    Args:
        status: HTTP status, 429 or 503.
        retry_after_s: whole seconds for the Retry-After header.
    """

    status: int
    retry_after_s: int


def network_of(address: str) -> str:
    """Name what an address is counted as: itself, or the /64 of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:  # noqa: PLR2004  -- the IP version
        return address
    return str(ipaddress.ip_network((found, 64), strict=False))


class Admission:
    """Judges handshakes before they are accepted."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        rate = settings.limit_address_handshakes
        self._address_max = float(rate.count * settings.limit_factor)
        self._address_per_s = self._address_max / rate.window_s
        self._clock = clock
        per_s = float(settings.socket_admit_per_s)
        self._process = Bucket(per_s, per_s, clock.monotonic())
        self._addresses: dict[str, Bucket] = {}
        self._waiting = 0
        self._shut = False

    def shut(self) -> None:
        """Refuse every handshake from now on: the process is on its way out."""
        self._shut = True

    async def judge(self, address: str) -> Turned | None:
        """Let a handshake in, after a short wait if need be, or turn it away."""
        now = self._clock.monotonic()
        if self._is_shut():
            return later()
        if not self._bucket_of(address, now).take(now):
            return Turned(429, self._address_wait_s(address, now))
        wait_s = self._process.wait_s(now)
        if wait_s > _WAIT_S or self._waiting >= _WAITING_MAX:
            return later()
        await self._in_line(self._process.book(now))
        return later() if self._is_shut() else None

    def _is_shut(self) -> bool:
        return self._shut

    async def _in_line(self, wait_s: float) -> None:
        if wait_s <= 0:
            return
        self._waiting += 1
        try:
            await asyncio.sleep(wait_s)
        finally:
            self._waiting -= 1

    def _bucket_of(self, address: str, now: float) -> Bucket:
        network = network_of(address)
        found = self._addresses.get(network)
        if found is None:
            if len(self._addresses) >= _ADDRESSES_MAX:
                self._forget_idle(now)
            found = Bucket(self._address_max, self._address_per_s, now)
            self._addresses[network] = found
        return found

    def _address_wait_s(self, address: str, now: float) -> int:
        return 1 + int(self._bucket_of(address, now).wait_s(now))

    def _forget_idle(self, now: float) -> None:
        """Drop buckets that are full again; if none is, all of them."""
        busy = {
            network: bucket
            for network, bucket in self._addresses.items()
            if bucket.wait_s(now) > 0 or bucket.left < bucket.size
        }
        self._addresses = {} if len(busy) >= _ADDRESSES_MAX else busy


def later() -> Turned:
    """Turn a handshake away because the process is full; phones come back spread."""
    low, high = _RETRY_S
    return Turned(503, low + secrets.randbelow(high - low + 1))
