"""The mPIN: a secret that only the right PIN unmasks on the phone (auth.md 2.6).

The PIN never reaches the bank. The first one is free for fifteen minutes after binding;
later ones need a session and an approval. One that a passkey alone approved is young:
it signs in, but counts as a passkey until it has cooled (1.3).
"""

import re
from datetime import datetime

from app import database
from app.auth import alerts, factors, signing
from app.auth.actor import Actor
from app.auth.device import Device, of_caller
from app.auth.gate import require_usable
from app.auth.permission import Permission
from app.auth.step_up import StepUps, StepUpWish
from app.clock import Clock
from app.database import Tx
from app.errors import ValidationFailed
from app.rows import Row
from app.settings import Settings
from app.vault import Vault

_KDF = re.compile(r"v=0[12];PBKDF2-HMAC-SHA256;i=([0-9]{6,9});s=([0-9]{2,3})")
_ROUNDS_MIN = 100_000
_SALT_MIN = 16
_OPERATION = "mpinSet"
_SEALED = "SELECT sealed FROM mpin_secret WHERE device_id = $1 AND state = 'ACTIVE'"


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
        self._vault = vault
        self._permission = Permission(clock=clock, settings=settings, step_ups=step_ups)

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
        device = await of_caller(actor, self._clock.now())
        require_usable(device.state)
        free = await self._permission.is_free(actor, device)
        if self._is_same(device, secret, await database.read_one(_SEALED, device.id)):
            return device
        wish = _wish(device, pin_secret, kdf)
        grant = await self._permission.grant(actor, wish, free=free)

        async def work(tx: Tx) -> None:
            await factors.take_turn(tx, device.customer)
            if self._is_same(device, secret, await tx.one(_SEALED, device.id)):
                return  # the identical call was faster
            full_from = await self._permission.use(tx, device, grant)
            await self._keep(tx, actor, device, (secret, kdf, full_from))

        await database.transaction(work, name="auth.mpin_set")
        return device

    def _is_same(self, device: Device, secret: bytes, row: Row | None) -> bool:
        """Recognise a lost answer: the phone sends the same 32 bytes again."""
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


def _wish(device: Device, pin_secret: str, kdf: str) -> StepUpWish:
    hashed = signing.b64u(signing.sha256(pin_secret.encode()))
    return StepUpWish(
        operation=_OPERATION,
        input={"pinSecret": {"sha256": hashed}, "kdf": kdf},
        summary=f"Change the PIN of {device.name}",
    )


def _checked(pin_secret: str, kdf: str) -> bytes:
    try:
        secret = signing.unb64u(pin_secret, signing.SECRET_BYTES)
    except signing.MalformedText:
        raise ValidationFailed(field=["pinSecret"]) from None
    label = _KDF.fullmatch(kdf)
    if label is None or int(label[1]) < _ROUNDS_MIN or int(label[2]) < _SALT_MIN:
        raise ValidationFailed(field=["kdf"])
    return secret
