"""The biometric key of a phone: a second key that a finger or a face opens (2.7).

The new key signs for itself, over a current nonce of the server and both thumbprints;
the device key vouches for it by the proof of the request. The first factor is free for
fifteen minutes after binding; later a session and an approval are needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app import audit, database
from app.auth import alerts, factors, replacing, signing
from app.auth.actor import Actor
from app.auth.attestation import Evidence, Rejected, Summary
from app.auth.attestation.grading import Attestations
from app.auth.device import Device, of_caller
from app.auth.dpop import Proofs
from app.auth.errors import AttestationRejected, ChallengeFailed
from app.auth.gate import require_usable
from app.auth.keys import Jwk
from app.auth.permission import Permission
from app.auth.step_up import StepUps, StepUpWish
from app.clock import Clock
from app.database import Tx
from app.settings import Settings

_OPERATION = "biometricKeySet"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """A new biometric key as the phone sends it.

    Args:
        jwk: the key.
        nonce: a current value of the `DPoP-Nonce` header.
        signature: b64url signature of the new key.
        attestation: what the phone's vendor says about the key, if it was sent along.
        coerced: the whole input, as an approval shows it.
    """

    jwk: Jwk
    nonce: str
    signature: str
    attestation: Evidence | None
    coerced: Mapping[str, object] = field(repr=False)


class Biometrics:
    """Sets biometric keys.

    Args:
        clock: the bank's clock.
        settings: how long a factor set by a passkey alone is young.
        proofs: knows the server's nonces.
        attestations: judges what a key's vendor says about it.
        step_ups: asks for the approval of a change.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        settings: Settings,
        proofs: Proofs,
        attestations: Attestations,
        step_ups: StepUps,
    ) -> None:
        self._clock = clock
        self._proofs = proofs
        self._attestations = attestations
        self._permission = Permission(clock=clock, settings=settings, step_ups=step_ups)

    async def set(self, actor: Actor, request: KeyRequest) -> Device:
        """Keep a new key in place of the former one; the same key changes nothing.

        Args:
            actor: the phone, with or without a session.
            request: key, nonce, signature, attestation.

        Raises:
            ChallengeFailed: the nonce is not current, the key signed something else, or
                it is a key of some phone already.
            AttestationRejected: policy asks for one, or the one that came is not good.
            Forbidden: a factor exists and there is no session.
            StepUpRequired: a factor exists; the change must be approved.
            NotAllowed: no factor, and the time for a first one is over.
            DeviceLocked, DeviceBlocked: the phone may not.
        """
        device = await of_caller(actor, self._clock.now())
        require_usable(device.state)
        nonce = self._require_signed(device, request)
        free = await self._permission.is_free(actor, device)
        if await self._is_same(device, request.jwk):
            return device
        found = await self._judged(actor, device, request, nonce)
        await _require_unused(request.jwk)
        wish = StepUpWish(
            operation=_OPERATION,
            input=request.coerced,
            summary=f"Use finger or face on {device.name}",
        )
        grant = await self._permission.grant(actor, wish, free=free)

        async def work(tx: Tx) -> None:
            await factors.take_turn(tx, device.customer)
            if await _has_key(tx, device, request.jwk):
                return  # the identical call was faster
            full_from = await self._permission.use(tx, device, grant)
            now = self._clock.now()
            await replacing.take_key(tx, request.jwk, device.id, now)
            await self._keep(tx, actor, device, (request.jwk, full_from, found))

        await database.transaction(work, name="auth.biometric_set")
        return device

    # -------------------------------------------------------------- what came

    def _require_signed(self, device: Device, request: KeyRequest) -> bytes:
        """Demand a current nonce and the key's own signature; gives the nonce."""
        if not self._proofs.is_current(request.nonce):
            raise ChallengeFailed(field=["nonce"])
        nonce = signing.unb64u(request.nonce, signing.NONCE_BYTES)
        jkt = request.jwk.thumbprint
        message = signing.biometric_message(nonce, device.jkt, jkt)
        try:
            signature = signing.unb64u(request.signature, signing.SIGNATURE_BYTES)
        except signing.MalformedText:
            raise ChallengeFailed(field=["signature"]) from None
        if not signing.is_signed(request.jwk.public, signature, message):
            raise ChallengeFailed(field=["signature"])
        return nonce

    async def _is_same(self, device: Device, jwk: Jwk) -> bool:
        """Recognise a lost answer: the phone sends the same key again."""
        row = await database.read_one(
            "SELECT id FROM device WHERE id = $1 AND bio_jkt = $2",
            device.id,
            jwk.thumbprint,
        )
        return row is not None

    async def _judged(
        self, actor: Actor, device: Device, request: KeyRequest, nonce: bytes
    ) -> Summary:
        """Judge the key's attestation; a refused one leaves a line in the audit."""
        try:
            return await self._attestations.judge_personal(
                device.platform, request.attestation, nonce, request.jwk
            )
        except Rejected as no:
            entry = actor.entry(
                "biometric_key.failed",
                self._clock.now(),
                object=str(device.id),
                outcome=audit.Outcome.DENIED,
                code=AttestationRejected.code,
                detail={"why": no.fault.value},
            )
            await audit.denied(entry)
            raise AttestationRejected from None

    # -------------------------------------------------------------- rows

    async def _keep(
        self, tx: Tx, actor: Actor, device: Device, kept: tuple[Jwk, datetime, Summary]
    ) -> None:
        jwk, full_from, found = kept
        now = self._clock.now()
        row = await tx.one(
            "UPDATE device SET bio_jkt = $2, bio_jwk = $3, bio_failed = 0, "
            "bio_paused_until = NULL, bio_set_at = $4, bio_full_from = $5 "
            "WHERE id = $1 AND state IN ('COOLING', 'ACTIVE') RETURNING id",
            device.id,
            jwk.thumbprint,
            jwk.text,
            now,
            full_from,
        )
        if row is None:  # locked or removed since it was looked at
            raise ChallengeFailed
        entry = actor.entry(
            "biometric_key.set", now, object=str(device.id), detail=dict(found)
        )
        alerts.tell(tx, entry, f"Finger or face was switched on for {device.name}.")


async def _has_key(tx: Tx, device: Device, jwk: Jwk) -> bool:
    row = await tx.one(
        "SELECT id FROM device WHERE id = $1 AND bio_jkt = $2",
        device.id,
        jwk.thumbprint,
    )
    return row is not None


async def _require_unused(jwk: Jwk) -> None:
    """Refuse a key of some phone before anybody approves it."""
    used = await database.read_one(
        "SELECT jkt FROM used_key WHERE jkt = $1", jwk.thumbprint
    )
    if used is not None:
        raise ChallengeFailed
