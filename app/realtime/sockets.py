"""The live sockets of this process: by session, device, customer; close, limits, pings.

Knows no protocol: a socket is a `Link` that can be pinged and closed with a code. The
codes are those of graphql.md section 11 of the design.
"""

import asyncio
import secrets
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app import telemetry
from app.clock import Clock
from app.ids import CustomerId, DeviceId, Id, SessionId
from app.realtime.admission import Admission, Turned, later, network_of
from app.settings import Settings

GOING = 1012
EXPIRED = 4419
REPLACED = 4413
SILENT = 4499
_BACK_FIRST_MS = 500
_SPOKES = 4
_ENDED_MAX = 10_000


class Link(Protocol):
    """What the protocol side of a socket offers. Both calls return at once."""

    def ping(self) -> None:
        """Ask the phone for a sign of life."""

    def close(self, code: int, reason: str = "") -> None:
        """End the socket with a close code; a second call changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who signed in on a socket; all None for an anonymous one."""

    customer: CustomerId | None = None
    device: DeviceId | None = None
    session: SessionId | None = None
    expires_at: datetime | None = None


class Seat:
    """One live socket in the register. Times are seconds of `Clock.monotonic`."""

    __slots__ = ("acknowledged", "address", "heard_at", "holder", "link", "pinged")

    def __init__(self, link: Link, address: str, now: float) -> None:
        self.link = link
        self.address = network_of(address)
        self.holder = Holder()
        self.acknowledged = False
        self.heard_at = now
        self.pinged = False


_Index = defaultdict[Id, set[Seat]]


class Sockets:
    """The register of one process."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.admission = Admission(settings, clock)
        self._seats: dict[Seat, float] = {}  # with the silence after which we ping
        self._signed_in = 0
        self._ended: OrderedDict[SessionId, int] = OrderedDict()
        self._by_session: _Index = defaultdict(set)
        self._by_device: _Index = defaultdict(set)
        self._by_customer: _Index = defaultdict(set)
        self._anonymous: dict[str, set[Seat]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._seats)

    # -------------------------------------------------------------- coming and going

    async def admit(self, address: str) -> Turned | None:
        """Judge a handshake before it is accepted; None lets it in."""
        waiting = len(self._seats) - self._signed_in
        if (
            len(self._seats) >= self._settings.sockets_max
            or waiting >= self._settings.sockets_anonymous_max
        ):
            return later()
        return await self.admission.judge(address)

    def open(self, link: Link, address: str) -> Seat:
        """Register an accepted socket that has not said who it is."""
        seat = Seat(link, address, self._clock.monotonic())
        swing = 0.9 + secrets.randbelow(201) / 1000  # pings of a storm spread out
        self._seats[seat] = self._settings.socket_ping_s * swing
        telemetry.sockets_open.inc()
        return seat

    def seat(self, seat: Seat, holder: Holder) -> int | None:
        """Seat a socket whose proof was verified.

        A third socket of a device takes the place of the one that was silent longest: a
        phone that changed network leaves half-dead ones behind. A customer's sixth and
        an address's anonymous 51st are refused themselves.

        Returns:
            The code to close the newcomer with, or None.
        """
        if holder.customer is None:
            return self._seat_anonymous(seat)
        if holder.session is not None and holder.session in self._ended:
            return self._ended[holder.session]  # it ended while the proof was checked
        if holder.device is not None:
            self._make_room(holder.device)
        most = self._settings.limit_sockets_customer * self._settings.limit_factor
        if len(self._by_customer.get(holder.customer, ())) >= most:
            return REPLACED
        self._signed_in += 1
        seat.holder, seat.acknowledged = holder, True
        for index, key in self._indexes(holder):
            index[key].add(seat)
        return None

    def leave(self, seat: Seat) -> None:
        """Take a socket off the register; a second call changes nothing."""
        if self._seats.pop(seat, None) is None:
            return
        telemetry.sockets_open.dec()
        self._unseat(seat)

    def heard(self, seat: Seat) -> None:
        """Note a frame of the client: any traffic counts as life."""
        seat.heard_at = self._clock.monotonic()
        seat.pinged = False

    # -------------------------------------------------------------- closing

    def close(self, session: SessionId, code: int, reason: str = "") -> None:
        """Close the sockets of a session, also one that is about to be seated."""
        self._ended[session] = code
        while len(self._ended) > _ENDED_MAX:
            self._ended.popitem(last=False)
        _close(self._by_session.get(session, ()), code, reason)

    def close_device(self, device: DeviceId, code: int, reason: str = "") -> None:
        """Close the sockets of a device."""
        _close(self._by_device.get(device, ()), code, reason)

    def close_customer(self, customer: CustomerId, code: int, reason: str = "") -> None:
        """Close the sockets of a customer."""
        _close(self._by_customer.get(customer, ()), code, reason)

    def close_all(self, code: int, reason: str = "") -> None:
        """Admit none any more and close all."""
        self.admission.shut()
        _close(self._seats, code, reason)

    async def send_away(self, hurried: Callable[[], bool] = lambda: False) -> None:
        """Admit none any more; close all, one after the other, each with its return.

        Ends and returns lie as far apart as the next process admits sockets, within the
        jitter of the settings: all at once would be a storm (realtime.md section 10).

        Args:
            hurried: whether the rest has to go at once.
        """
        most_s = len(self._seats) / self._settings.socket_admit_per_s
        spread_s = min(self._settings.shutdown_jitter_s, most_s)
        self.admission.shut()
        for seat in [*self._seats]:
            wait_ms = _BACK_FIRST_MS + secrets.randbelow(int(spread_s * 1000) + 1)
            seat.link.close(GOING, f'{{"retryAfterMs":{wait_ms}}}')
            if not hurried():
                await asyncio.sleep(spread_s / max(1, len(self._seats)))
        self.close_all(GOING, f'{{"retryAfterMs":{_BACK_FIRST_MS}}}')  # who came late

    # -------------------------------------------------------------- the wheel

    async def run(self) -> None:
        """Ping the silent, drop the dead and end expired ones, until cancelled.

        One task for the whole process: each turn looks at every socket, a quarter of
        them at each step, so that no step is long.
        """
        settings = self._settings
        turn_s = min(1.0, settings.socket_ping_s / 4, settings.socket_pong_s / 4)
        spoke = 0
        while True:
            await asyncio.sleep(turn_s / _SPOKES)
            spoke = (spoke + 1) % _SPOKES
            self._look_at(list(self._seats.items())[spoke::_SPOKES])

    def _look_at(self, seats: Iterable[tuple[Seat, float]]) -> None:
        now, instant = self._clock.monotonic(), self._clock.now()
        for seat, ping_s in seats:
            expires_at = seat.holder.expires_at
            silent_s = now - seat.heard_at
            if expires_at is not None and instant >= expires_at:
                seat.link.close(EXPIRED, "TOKEN_EXPIRED")
            elif not seat.acknowledged or silent_s < ping_s:
                continue
            elif not seat.pinged:
                seat.pinged = True
                seat.link.ping()
            elif silent_s >= ping_s + self._settings.socket_pong_s:
                seat.link.close(SILENT, "NO_PONG")

    # -------------------------------------------------------------- the register

    def _seat_anonymous(self, seat: Seat) -> int | None:
        here = self._anonymous[seat.address]
        most = self._settings.limit_address_sockets * self._settings.limit_factor
        if len(here) >= most:
            return REPLACED
        here.add(seat)
        seat.acknowledged = True
        return None

    def _make_room(self, device: DeviceId) -> None:
        seats = self._by_device.get(device, set())
        while len(seats) >= self._settings.sockets_per_device:
            silent = min(seats, key=lambda seat: seat.heard_at)
            silent.link.close(REPLACED, "REPLACED")
            self._unseat(silent)

    def _unseat(self, seat: Seat) -> None:
        """Take a socket off the indexes: it no longer counts, even while it closes."""
        holder, seat.holder = seat.holder, Holder()
        if holder.customer is not None:
            self._signed_in -= 1
        for index, key in self._indexes(holder):
            index[key].discard(seat)
            if not index[key]:
                del index[key]
        here = self._anonymous.get(seat.address)
        if here is not None:
            here.discard(seat)
            if not here:
                del self._anonymous[seat.address]

    def _indexes(self, holder: Holder) -> list[tuple[_Index, Id]]:
        pairs: list[tuple[_Index, Id | None]] = [
            (self._by_session, holder.session),
            (self._by_device, holder.device),
            (self._by_customer, holder.customer),
        ]
        return [(index, key) for index, key in pairs if key is not None]


def _close(seats: Iterable[Seat], code: int, reason: str) -> None:
    for seat in list(seats):
        seat.link.close(code, reason)
