"""The biometric key as an answer: paused after five wrong signatures (auth.md 6.1).

It signs the same bytes as the device key, and its counter is its own: wrong signatures
never feed or clear those of mPIN or passkeys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from app import audit
from app.auth import alerts, lockout, signing
from app.auth.actor import Actor, FactorKind
from app.auth.errors import CredentialLocked, InvalidCredential
from app.auth.keys import Jwk, read_jwk
from app.auth.proving import Asked
from app.database import Tx
from app.errors import Refusal
from app.ids import DeviceId
from app.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """A key one of whose tries was counted."""

    key: Jwk
    failed: int
    paused_until: datetime | None


class BiometricCheck:
    """Verifies signatures of biometric keys and counts the wrong ones.

    Args:
        settings: tries and pauses.
    """

    kind = FactorKind.BIOMETRIC

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def ready(self) -> None:
        """Need nothing."""

    async def charge(self, tx: Tx, actor: Actor, asked: Asked) -> Charged:
        """Count one try; the one that ends a row of tries pauses at once.

        Raises:
            InvalidCredential: the device has no such key.
            CredentialLocked: it is paused.
        """
        device = actor.known_device
        row = await tx.one(
            "UPDATE device SET bio_failed = bio_failed + 1 WHERE id = $1 "
            "AND bio_jkt IS NOT NULL "
            "AND (bio_paused_until IS NULL OR bio_paused_until <= $2) "
            "RETURNING bio_jwk, bio_failed",
            device,
            asked.now,
        )
        if row is None:
            raise await _refusal(tx, device)
        failed = row.get("bio_failed", int)
        pause = lockout.pause(failed, self._settings)
        if pause is not None:
            await tx.rows(
                "UPDATE device SET bio_paused_until = $2 WHERE id = $1 RETURNING id",
                device,
                asked.now + pause,
            )
        return Charged(
            key=read_jwk(row.get("bio_jwk", dict)),
            failed=failed,
            paused_until=None if pause is None else asked.now + pause,
        )

    def check(self, charged: Charged, asked: Asked) -> str | None:
        """Verify the signature over `M`; gives it back when it is right."""
        given = asked.given.device_signature or ""
        try:
            raw = signing.unb64u(given, signing.SIGNATURE_BYTES)
        except signing.MalformedText:
            return None
        message = asked.challenge.message
        return given if signing.is_signed(charged.key.public, raw, message) else None

    async def refund(
        self,
        tx: Tx,
        actor: Actor,
        asked: Asked,  # noqa: ARG002  -- the shape of a factor
        charged: Charged,
        proven: str,  # noqa: ARG002  -- same
    ) -> Refusal | None:
        """Forget the wrong tries; CredentialLocked when the key went meanwhile."""
        row = await tx.one(
            "UPDATE device SET bio_failed = 0, bio_paused_until = NULL "
            "WHERE id = $1 AND bio_jkt = $2 RETURNING id",
            actor.known_device,
            charged.key.thumbprint,
        )
        return CredentialLocked() if row is None else None

    async def wrong(
        self, tx: Tx, actor: Actor, asked: Asked, charged: Charged
    ) -> Refusal:
        """Write the try down; tell the customer when the key pauses."""
        entry = actor.entry(
            "biometric_key.failed",
            asked.now,
            object=str(actor.known_device),
            outcome=audit.Outcome.DENIED,
        )
        if charged.paused_until is None:
            audit.append(tx, entry)
            return InvalidCredential(self._left(charged.failed))
        alerts.tell(tx, entry, "Too many wrong tries. The biometric key is paused.")
        return CredentialLocked(charged.paused_until)

    async def again(self, tx: Tx, actor: Actor, asked: Asked) -> Refusal:
        """Refuse the same wrong signature again."""
        row = await tx.one(
            "SELECT bio_failed FROM device WHERE id = $1 AND bio_jkt IS NOT NULL "
            "AND (bio_paused_until IS NULL OR bio_paused_until <= $2)",
            actor.known_device,
            asked.now,
        )
        if row is None:
            return await _refusal(tx, actor.known_device)
        return InvalidCredential(self._left(row.get("bio_failed", int)), repeated=True)

    def evidence(self, charged: Charged, proven: str) -> Mapping[str, object]:
        """Keep key and signature: anyone can verify them offline."""
        key = {"crv": "P-256", "kty": "EC", "x": charged.key.x, "y": charged.key.y}
        return {"key": key, "signature": proven}

    def _left(self, failed: int) -> int:
        """Give the tries that are left in this row of them."""
        return self._settings.factor_tries - failed % self._settings.factor_tries


async def _refusal(tx: Tx, device: DeviceId) -> Refusal:
    row = await tx.one(
        "SELECT bio_paused_until FROM device WHERE id = $1 AND bio_jkt IS NOT NULL",
        device,
    )
    if row is None:
        return InvalidCredential()
    return CredentialLocked(row.find("bio_paused_until", datetime))
