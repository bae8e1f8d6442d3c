"""A new phone takes places: of phones it replaces, and of a customer's lock (3.1, 3.8).

Replaced phones are locked at once and take no place; they are gone for good when the
new one is ACTIVE, and come back when it is revoked before that. So the same phone can
always come back, and a thief who enrols erases nobody's phones.
"""

from collections.abc import Sequence
from datetime import datetime

from app.auth import alerts
from app.auth.actor import Actor, CustomerStatus
from app.auth.device import Device
from app.auth.device_moves import DeviceMoves, Held
from app.auth.device_states import DeviceEvent
from app.auth.errors import ChallengeFailed, TooManyDevices
from app.auth.keys import Jwk
from app.clock import Clock
from app.database import Tx
from app.errors import NotAllowed, NotFound
from app.ids import CustomerId, DeviceId
from app.settings import Settings

_CODES = frozenset({"ACTIVATION", "RESET"})


class Replacing:
    """Finds room for a new phone.

    Args:
        clock: the bank's clock.
        settings: how many phones there may be.
        moves: locks what is replaced.
    """

    def __init__(self, *, clock: Clock, settings: Settings, moves: DeviceMoves) -> None:
        self._clock = clock
        self._places = settings.devices_max
        self._moves = moves

    async def require_room(
        self, tx: Tx, customer: CustomerId, replaces: Sequence[DeviceId]
    ) -> list[Held]:
        """Take the customer's turn; gives the phones that will be replaced.

        One that was removed meanwhile needs no replacing any more.

        Raises:
            NotFound: one of them is not this customer's.
            TooManyDevices: without them there are still too many.
        """
        phones = await self._moves.hold(tx, customer)
        named = list(dict.fromkeys(replaces))
        for name in named:
            if name not in phones:
                await _require_removed(tx, customer, name)
        left = [one for name, one in phones.items() if name not in named and one.counts]
        if len(left) >= self._places:
            raise TooManyDevices
        return [phones[name] for name in named if name in phones]

    async def let_in(self, tx: Tx, binder: Actor, proof_kind: str) -> None:
        """End the customer's own emergency stop, or a lock that a printed code ends.

        Raises:
            NotAllowed: the bank blocked the customer.
        """
        row = await tx.one(
            "SELECT status FROM customer WHERE id = $1", binder.known_customer
        )
        assert row is not None  # noqa: S101  -- customers are never deleted
        status = row.get("status", CustomerStatus)
        if status is CustomerStatus.BLOCKED_BY_STAFF:
            raise NotAllowed("Please call the bank.")
        by_hand = status is CustomerStatus.LOCKED_BY_CUSTOMER
        by_code = status is CustomerStatus.HARD_LOCKED and proof_kind in _CODES
        if not by_hand and not by_code:
            return
        await tx.rows(
            "UPDATE customer SET status = 'ACTIVE', blocked_until = NULL, "
            "block_step = 0 WHERE id = $1 RETURNING id",
            binder.known_customer,
        )
        await tx.rows(
            "DELETE FROM failure_day WHERE customer_id = $1 RETURNING customer_id",
            binder.known_customer,
        )
        entry = binder.entry("customer.unblocked", self._clock.now())
        alerts.tell(tx, entry, "A new enrolment unlocked your access.")

    async def replace(
        self, tx: Tx, binder: Actor, device: Device, old: Sequence[Held]
    ) -> None:
        """Lock the phones whose place the new one takes."""
        for held in old:
            to = self._moves.moved(held, DeviceEvent.REPLACED, device.id)
            if to is None:
                continue
            await self._moves.lock(tx, held, to)
            entry = binder.entry(
                "device.replaced", self._clock.now(), object=str(held.device.id)
            )
            title = f"{held.device.name} was locked: {device.name} replaces it."
            alerts.tell(tx, entry, title)


async def take_key(tx: Tx, jwk: Jwk, device: DeviceId, now: datetime) -> None:
    """Let a key in that never was one of any phone; two at once take turns.

    Raises:
        ChallengeFailed: it was.
    """
    taken = await tx.one(
        "INSERT INTO used_key (jkt, device_id, at) VALUES ($1, $2, $3) "
        "ON CONFLICT (jkt) DO NOTHING RETURNING jkt",
        jwk.thumbprint,
        device,
        now,
    )
    if taken is None:
        raise ChallengeFailed


async def _require_removed(tx: Tx, customer: CustomerId, device: DeviceId) -> None:
    row = await tx.one(
        "SELECT id FROM device WHERE id = $1 AND customer_id = $2", device, customer
    )
    if row is None:
        raise NotFound(field=["replaceDeviceIds"])
