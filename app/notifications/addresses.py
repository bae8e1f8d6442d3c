"""Where phones get pushes: set, moved between phones, muted at sign-out, given up.

An address belongs to a device binding and outlives sessions. Its value is sealed, a
MAC finds it again. One value has one owner: who sets it last took the phone over, and
the customer before never hears there again (realtime.md section 11.3 of the design).
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from app import audit, database
from app.accounts import quick_balance
from app.auth import alerts
from app.auth.actor import Actor, Level
from app.auth.throttle import Throttle
from app.clock import Clock
from app.database import Tx
from app.errors import Conflict, ValidationFailed
from app.ids import CustomerId, DeviceId, uuid7
from app.integrations.push import PushKind
from app.rows import Row
from app.vault import Vault

_VALUE_MAX = 4096
_APP_ID = re.compile(r"[A-Za-z0-9._-]{1,255}")
_VALUE = re.compile(r"[\x21-\x7e]+")
_HEX = re.compile(r"([0-9a-fA-F]{2})+")
_PURPOSE = "mac/push-address"
_MOVED = "Another customer now uses the push address of one of your phones."


class AddressState(StrEnum):
    """What may be sent to an address: everything, security only, or nothing ever."""

    ACTIVE = "ACTIVE"
    MUTED = "MUTED"
    SUSPECT = "SUSPECT"
    DEAD = "DEAD"


class PushEnvironment(StrEnum):
    """Which service of Apple's an address is of; others have only PRODUCTION."""

    PRODUCTION = "PRODUCTION"
    DEVELOPMENT = "DEVELOPMENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressWish:
    """An address as the phone sends it.

    Args:
        kind: whose address it is.
        value: the provider's text; never shown again.
        app_id: bundle id or package name of the build.
        environment: of the build's signature.
    """

    kind: PushKind
    value: str = field(repr=False)
    app_id: str
    environment: PushEnvironment = PushEnvironment.PRODUCTION


@dataclass(frozen=True, slots=True)
class Phone:
    """A device that can be reached, and whether for security only."""

    device: DeviceId
    address: UUID
    state: AddressState


class Addresses:
    """The addresses of this bank's phones.

    Args:
        clock: the bank's clock.
        vault: seals values and makes their MACs.
        throttle: counts new addresses.
    """

    def __init__(self, *, clock: Clock, vault: Vault, throttle: Throttle) -> None:
        self._clock = clock
        self._vault = vault
        self._throttle = throttle

    async def set(self, actor: Actor, wish: AddressWish | None) -> None:
        """Let this device's pushes go to an address; None stops them.

        The same address again only renews it. A phone that is signed out stays muted.

        Raises:
            ValidationFailed: the value does not look like one of its kind.
            RateLimited: too many new addresses of this device today.
            Conflict: another phone set the same value at this very moment.
        """
        if wish is None:
            await self._stop(actor)
            return
        _require_sound(wish)
        hashes = self._hashes(wish.value)
        if not await self._is_known(actor, hashes):
            await self._throttle.push_set(actor)

        async def work(tx: Tx) -> None:
            before = await self._of_device(tx, actor.known_device)
            if before is not None and before.get("value_hash", bytes) in hashes:
                await self._renew(tx, actor, before)
                return
            muted = _is_muted(before) and actor.level < Level.LOGIN
            if before is not None:
                await self._give_up(tx, before.get("id", UUID), "REPLACED")
            await self._take_over(tx, actor, hashes)
            await self._insert(tx, actor, wish, muted=muted)
            self._note(tx, actor, kind=wish.kind)

        await database.transaction(work, name="notifications.push_set")

    async def signed_out(self, tx: Tx, device: DeviceId) -> None:
        """Mute a phone to security hints, in the sign-out's transaction.

        It shows no balance any more before the next sign-in.
        """
        await tx.rows(
            "UPDATE push_address SET state = 'MUTED' WHERE device_id = $1 "
            "AND state IN ('ACTIVE', 'SUSPECT') RETURNING id",
            device,
        )
        await quick_balance.forget(tx, device)

    async def signed_in(self, tx: Tx, device: DeviceId) -> None:
        """Let a phone be told everything again, in the sign-in's transaction."""
        await tx.rows(
            "UPDATE push_address SET state = 'ACTIVE' WHERE device_id = $1 "
            "AND state = 'MUTED' RETURNING id",
            device,
        )

    async def revoked(self, tx: Tx, device: DeviceId) -> None:
        """Give the address of a phone up that is bound no more."""
        await give_up_of(tx, [device])
        await quick_balance.forget(tx, device)

    async def enabled(self, devices: Sequence[DeviceId]) -> dict[DeviceId, bool]:
        """Tell which devices have an address that is not given up."""
        rows = await database.read(
            "SELECT device_id FROM push_address WHERE state <> 'DEAD' "  # noqa: S608  -- placeholders only
            f"AND device_id IN {database.placeholders(1, len(devices))}",
            *devices,
        )
        there = {row.get("device_id", DeviceId) for row in rows}
        return {device: device in there for device in devices}

    # -------------------------------------------------------------- inside

    async def _stop(self, actor: Actor) -> None:
        async def work(tx: Tx) -> None:
            before = await self._of_device(tx, actor.known_device)
            if before is not None:
                await self._give_up(tx, before.get("id", UUID), "REMOVED")
                self._note(tx, actor, kind=None)

        await database.transaction(work, name="notifications.push_stop")

    def _hashes(self, value: str) -> list[bytes]:
        """Give the MACs under every pepper, current first, its id before each.

        The bare ones find rows that were written before the id stood there.
        """
        macs = list(self._vault.macs(_PURPOSE, value.encode()))
        return [bytes((key_id,)) + mac for key_id, mac in macs] + [m for _, m in macs]

    async def _is_known(self, actor: Actor, hashes: Sequence[bytes]) -> bool:
        row = await database.read_one(
            "SELECT value_hash FROM push_address "
            "WHERE device_id = $1 AND state <> 'DEAD'",
            actor.known_device,
        )
        return row is not None and row.get("value_hash", bytes) in hashes

    async def _of_device(self, tx: Tx, device: DeviceId) -> Row | None:
        return await tx.one(
            "SELECT id, value_hash, state FROM push_address "
            "WHERE device_id = $1 AND state <> 'DEAD'",
            device,
        )

    async def _renew(self, tx: Tx, actor: Actor, before: Row) -> None:
        """Note that the value is still the phone's: older bad news is void."""
        unmuted = actor.level >= Level.LOGIN and _is_muted(before)
        state = AddressState.ACTIVE if unmuted else before.get("state", AddressState)
        await tx.rows(
            "UPDATE push_address SET set_at = $2, state = $3 "
            "WHERE id = $1 AND state <> 'DEAD' RETURNING id",
            before.get("id", UUID),
            self._clock.now(),
            state,
        )

    async def _give_up(self, tx: Tx, address: UUID, reason: str) -> None:
        await tx.rows(
            "UPDATE push_address SET state = 'DEAD', value = NULL, dead_reason = $2 "
            "WHERE id = $1 AND state <> 'DEAD' RETURNING id",
            address,
            reason,
        )

    async def _take_over(self, tx: Tx, actor: Actor, hashes: Sequence[bytes]) -> None:
        """End the address where another phone has it; tell another customer."""
        rows = await tx.rows(
            "UPDATE push_address SET state = 'DEAD', value = NULL, "  # noqa: S608  -- placeholders only
            "dead_reason = 'MOVED' WHERE state <> 'DEAD' "
            f"AND value_hash IN {database.placeholders(1, len(hashes))} "
            "RETURNING customer_id, device_id",
            *hashes,
        )
        for row in rows:
            loser = row.get("customer_id", CustomerId)
            if loser == actor.known_customer:
                continue
            entry = audit.Entry(
                action="device.push_moved",
                at=self._clock.now(),
                request_id=actor.origin.request_id,
                customer=loser,
                object=str(row.get("device_id", DeviceId)),
            )
            alerts.tell(tx, entry, _MOVED)

    async def _insert(
        self, tx: Tx, actor: Actor, wish: AddressWish, *, muted: bool
    ) -> None:
        address = uuid7()
        row = await tx.one(
            "INSERT INTO push_address (id, device_id, customer_id, kind, value, "
            "value_hash, environment, app_id, state, set_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
            "ON CONFLICT DO NOTHING RETURNING id",
            address,
            actor.known_device,
            actor.known_customer,
            wish.kind,
            self._vault.seal("push_address", str(address), wish.value.encode()),
            self._hashes(wish.value)[0],
            wish.environment,
            wish.app_id,
            AddressState.MUTED if muted else AddressState.ACTIVE,
            self._clock.now(),
        )
        if row is None:
            raise Conflict

    def _note(self, tx: Tx, actor: Actor, *, kind: PushKind | None) -> None:
        entry = actor.entry(
            "device.push_set",
            self._clock.now(),
            object=str(actor.known_device),
            detail={"kind": kind.value if kind else None},
        )
        audit.append(tx, entry)


async def of_customers(
    tx: Tx, customers: Collection[CustomerId]
) -> dict[CustomerId, list[Phone]]:
    """List the phones that can be reached; a customer without one is left out."""
    if not customers:
        return {}
    rows = await tx.rows(
        "SELECT id, customer_id, device_id, state FROM push_address "  # noqa: S608  -- placeholders only
        f"WHERE customer_id IN {database.placeholders(1, len(customers))} "
        "AND state <> 'DEAD' ORDER BY id",
        *sorted(customers),
    )
    found: dict[CustomerId, list[Phone]] = {}
    for row in rows:
        phone = Phone(
            row.get("device_id", DeviceId),
            row.get("id", UUID),
            row.get("state", AddressState),
        )
        found.setdefault(row.get("customer_id", CustomerId), []).append(phone)
    return found


async def give_up_of(tx: Tx, devices: Sequence[DeviceId]) -> None:
    """End the addresses of phones that are bound no more."""
    if not devices:
        return
    await tx.rows(
        "UPDATE push_address SET state = 'DEAD', value = NULL, "  # noqa: S608  -- placeholders only
        "dead_reason = 'REVOKED' WHERE state <> 'DEAD' "
        f"AND device_id IN {database.placeholders(1, len(devices))} RETURNING id",
        *devices,
    )


def opened(vault: Vault, address: UUID, sealed: bytes) -> str:
    """Unseal a value, for the one moment it is sent to."""
    return vault.open("push_address", str(address), sealed).decode()


def _is_muted(row: Row | None) -> bool:
    return row is not None and row.get("state", AddressState) is AddressState.MUTED


def _require_sound(wish: AddressWish) -> None:
    """Refuse what no provider ever gave out.

    Raises:
        ValidationFailed: names the part.
    """
    value_ok = len(wish.value) <= _VALUE_MAX and _VALUE.fullmatch(wish.value)
    if wish.kind is PushKind.APNS and not _HEX.fullmatch(wish.value):
        value_ok = None
    if not value_ok:
        raise ValidationFailed(field=["address", "value"])
    if not _APP_ID.fullmatch(wish.app_id):
        raise ValidationFailed(field=["address", "appId"])
    production = wish.environment is PushEnvironment.PRODUCTION
    if not production and wish.kind is not PushKind.APNS:
        raise ValidationFailed(field=["address", "environment"])
