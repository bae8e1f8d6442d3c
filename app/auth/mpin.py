"""The mPIN: a secret that only the right PIN unmasks on the phone (auth.md 2.6).

The PIN never reaches the bank. The first one is free for fifteen minutes after binding;
later ones need a session and an approval. One that a passkey alone approved is young:
it signs in, but counts as a passkey until it has cooled (1.3).
"""

import re
from datetime import datetime, timedelta

from app import database
from app.auth import alerts, factors, signing
from app.auth.actor import Actor, Level
from app.auth.device import COLUMNS, Device, read_device
from app.auth.gate import require_usable
from app.auth.step_up import Grant, StepUps, StepUpWish
from app.clock import Clock
from app.database import Tx
from app.errors import Forbidden, NotAllowed, ValidationFailed
from app.settings import Settings
from app.vault import Vault

_KDF = re.compile(r"v=0[12];PBKDF2-HMAC-SHA256;i=([0-9]{6,9});s=([0-9]{2,3})")
_ROUNDS_MIN = 100_000
_SALT_MIN = 16
_OPERATION = "mpinSet"


class Mpins:
    """Sets mPINs.

    Args:
        clock: the bank's clock.
        settings: how long a factor set by a passkey alone is young.
        vault: seals the secret.
        step_ups: asks for the approval of a change.
    """

    def __init__(
        self, *, clock: Clock, settings: Settings, vault: Vault, step_ups: StepUps
    ) -> None:
        self._clock = clock
        self._young = timedelta(seconds=settings.cooling_s)
        self._vault = vault
        self._step_ups = step_ups

    async def set(self, actor: Actor, pin_secret: str, kdf: str) -> Device:
        """Keep the secret of a new mPIN; the same bytes again change nothing.

        Args:
            actor: the phone, with or without a session.
            pin_secret: 32 bytes made on the phone, b64url.
            kdf: how the phone masks it, for example
                `v=02;PBKDF2-HMAC-SHA256;i=100000;s=16`.

        Raises:
            ValidationFailed: the secret or the label is not as described.
            Forbidden: a factor exists and there is no session.
            StepUpRequired: a factor exists; the change must be approved.
            NotAllowed: no factor, and the time for a first one is over.
            DeviceLocked, DeviceBlocked: the phone may not.
        """
        secret = _checked(pin_secret, kdf)
        device = await self._device(actor)
        require_usable(device.state)
        if await self._is_same(device, secret):
            return device
        grant = await self._grant(actor, device, pin_secret, kdf)

        async def work(tx: Tx) -> None:
            await factors.take_turn(tx, device.customer)
            full_from = self._clock.now()
            if grant is None:
                await self._require_first(tx, device)
            else:
                full_from = await self._full_from(tx, device, grant)
            await self._keep(tx, actor, device, (secret, kdf, full_from))

        await database.transaction(work, name="auth.mpin_set")
        return device

    async def _grant(
        self, actor: Actor, device: Device, pin_secret: str, kdf: str
    ) -> Grant | None:
        """Decide between the two faces: the free first set, or an approved change."""
        first = await database.read_one(factors.ANY, device.id) is None
        if first and (self._in_time(device) or actor.level < Level.LOGIN):
            return None
        if actor.level < Level.LOGIN:
            raise Forbidden(requiredLevel="LOGIN")
        hashed = signing.b64u(signing.sha256(pin_secret.encode()))
        wish = StepUpWish(
            operation=_OPERATION,
            input={"pinSecret": {"sha256": hashed}, "kdf": kdf},
            summary=f"Change the PIN of {device.name}",
        )
        return await self._step_ups.require(actor, wish)

    async def _require_first(self, tx: Tx, device: Device) -> None:
        if await factors.has_any(tx, device.id):
            raise Forbidden(requiredLevel="LOGIN")
        if not self._in_time(device):
            raise NotAllowed("Please enrol this phone again.")

    def _in_time(self, device: Device) -> bool:
        until = device.first_factor_until
        return until is not None and until > self._clock.now()

    async def _full_from(self, tx: Tx, device: Device, grant: Grant) -> datetime:
        """Use the approval up; what gave it decides whether the mPIN is young (1.3)."""
        await factors.hold_wishes(tx, grant.actor.known_session)
        by = await self._step_ups.consume(tx, grant)
        now = self._clock.now()
        full_from = await factors.full_from(tx, device.id, by, now, self._young)
        await factors.void_wishes(tx, device.id, full_from, now)
        return full_from

    async def _device(self, actor: Actor) -> Device:
        row = await database.read_one(
            f"SELECT {COLUMNS} FROM device WHERE id = $1",  # noqa: S608  -- our own column list
            actor.known_device,
        )
        assert row is not None  # noqa: S101  -- the guard found it
        return read_device(row, self._clock.now())

    async def _is_same(self, device: Device, secret: bytes) -> bool:
        """Recognise a lost answer: the phone sends the same 32 bytes again."""
        row = await database.read_one(
            "SELECT sealed FROM mpin_secret WHERE device_id = $1 AND state = 'ACTIVE'",
            device.id,
        )
        if row is None:
            return False
        sealed = row.get("sealed", bytes)
        kept = self._vault.open("mpin_secret", str(device.id), sealed)
        return signing.same(kept, secret)

    async def _keep(
        self, tx: Tx, actor: Actor, device: Device, kept: tuple[bytes, str, datetime]
    ) -> None:
        secret, kdf, full_from = kept
        now: datetime = self._clock.now()
        await tx.rows(
            "INSERT INTO mpin_secret "
            "(device_id, sealed, kdf, failed, state, set_at, full_from) "
            "VALUES ($1, $2, $3, 0, 'ACTIVE', $4, $5) ON CONFLICT (device_id) "
            "DO UPDATE SET sealed = excluded.sealed, kdf = excluded.kdf, failed = 0, "
            "state = 'ACTIVE', set_at = excluded.set_at, "
            "full_from = excluded.full_from RETURNING device_id",
            device.id,
            self._vault.seal("mpin_secret", str(device.id), secret),
            kdf,
            now,
            full_from,
        )
        entry = actor.entry("mpin.set", now, object=str(device.id))
        alerts.tell(tx, entry, f"The PIN of {device.name} was set.")


def _checked(pin_secret: str, kdf: str) -> bytes:
    try:
        secret = signing.unb64u(pin_secret, signing.SECRET_BYTES)
    except signing.MalformedText:
        raise ValidationFailed(field=["pinSecret"]) from None
    label = _KDF.fullmatch(kdf)
    if label is None or int(label[1]) < _ROUNDS_MIN or int(label[2]) < _SALT_MIN:
        raise ValidationFailed(field=["kdf"])
    return secret
