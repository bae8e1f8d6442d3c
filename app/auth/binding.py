"""Step 4 of enrolment: what a phone sends to be bound, and the row it becomes."""

from dataclasses import dataclass, field

from app.auth import signing
from app.auth.actor import Actor
from app.auth.attestation import Evidence
from app.auth.attestation.grading import Graded
from app.auth.device import Device
from app.auth.errors import ChallengeFailed
from app.auth.keys import Jwk
from app.database import Tx
from app.ids import DeviceId


@dataclass(frozen=True, slots=True, kw_only=True)
class BindRequest:
    """Step 4 as the phone sends it.

    Args:
        binding_nonce: 32 bytes from step 3.
        name: chosen by the customer, 1..64 characters.
        jwk: the device key.
        signature: b64url signature of that key over `B`.
        attestation: what the phone's vendor says about the key, if it was sent along.
        replaces: phones whose place this one takes.
    """

    binding_nonce: bytes = field(repr=False)
    name: str
    jwk: Jwk
    signature: str
    attestation: Evidence | None
    replaces: tuple[DeviceId, ...] = ()


def require_key(request: BindRequest, proof_jkt: str) -> None:
    """Demand that key, signature and the request's proof are of one phone.

    Raises:
        ChallengeFailed: they are not.
    """
    jkt = request.jwk.thumbprint
    message = signing.binding_message(request.binding_nonce, jkt)
    try:
        signature = signing.unb64u(request.signature, signing.SIGNATURE_BYTES)
    except signing.MalformedText:
        raise ChallengeFailed from None
    if jkt != proof_jkt:
        raise ChallengeFailed
    if not signing.is_signed(request.jwk.public, signature, message):
        raise ChallengeFailed


async def insert(
    tx: Tx, actor: Actor, device: Device, graded: Graded, profile: str
) -> None:
    """Write a new phone with what its vendor said about it."""
    await tx.rows(
        "INSERT INTO device (id, customer_id, jkt, jwk, platform, model, name, "
        "app_version, attestation, state, cooling_until, cooling_profile, "
        "bound_at, bound_from, first_factor_until, last_seen_at, "
        "attestation_summary, attestation_until, attest_key, attest_counter) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $20, $12, "
        "$13, $14, $15, $16, $17, $18, $19) RETURNING id",
        device.id,
        device.customer,
        device.jkt,
        device.jwk.text,
        device.platform,
        device.model,
        device.name,
        device.app_version,
        device.attestation,
        device.state,
        device.cooling_until,
        device.bound_at,
        actor.origin.address,
        device.first_factor_until,
        device.last_seen_at,
        signing.jcs(graded.summary) if graded.summary else None,
        graded.until,
        graded.key.text if graded.key else None,
        graded.counter,
        profile,
    )
