"""What a phone is asked when a new one wants in, and the rows of it (auth.md 3.2).

One challenge for each phone that may vouch; all of one asking carry the name of the
enrolment, which is the hash of its id, because the id itself is the new phone's secret.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from app import database
from app.auth import factors, signing
from app.auth.actor import Actor, DeviceState, FactorKind, Platform
from app.auth.applicant import Enrolment, IdentityMethod, shown_model
from app.auth.challenge import (
    COLUMNS,
    Challenge,
    ChallengeState,
    ChallengeWish,
    read_challenge,
)
from app.auth.device import COLUMNS as DEVICE_COLUMNS
from app.auth.device import read_device
from app.auth.otp import EnrolmentId
from app.auth.signing import Purpose
from app.clock import rfc3339
from app.database import Tx
from app.ids import ChallengeId, CustomerId, DeviceId
from app.rows import Row
from app.settings import Settings

TAKEN = (FactorKind.BIOMETRIC, FactorKind.MPIN)  # a passkey proves no phone (1.3)
_OF_ENROLMENT = "customer_id = $1 AND purpose = 'login-approval' AND intent_hash = $2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A new phone that waits for this phone's answer.

    Args:
        challenge: what is signed.
        model: what the new phone calls itself, in plain characters.
        platform: its platform.
        address: where it asks from.
        asked_at: when it asked.
    """

    challenge: Challenge
    model: str | None
    platform: Platform
    address: str
    asked_at: datetime

    @property
    def name(self) -> str:
        """What to call it before it has a name of its own."""
        return self.model or "New phone"


def name_of(enrolment: EnrolmentId) -> bytes:
    """Name an enrolment without telling its id."""
    return signing.sha256(str(enrolment).encode())


def named_in(challenge: Challenge) -> bytes:
    """Give the name of the enrolment that a challenge is about."""
    facts = orjson.loads(challenge.payload)
    return signing.unb64u(facts["enrolmentId"], signing.NONCE_BYTES)


def wish(
    found: Enrolment, device: DeviceId, address: str, life_s: int
) -> ChallengeWish:
    """Say what one phone is asked.

    Args:
        found: the enrolment of the new phone.
        device: the phone that is asked.
        address: where the new phone asks from.
        life_s: seconds it may be answered.
    """
    model, name = shown_model(found.model) or None, name_of(found.id)

    def payload(challenge: ChallengeId, expires_at: datetime) -> Mapping[str, object]:
        return {
            "v": 1,
            "challengeId": str(challenge),
            "enrolmentId": signing.b64u(name),
            "deviceId": str(device),
            "phoneModel": model,
            "platform": found.platform.value,
            "network": address,
            "summary": f'Let a new phone into your bank: "{model or "new phone"}", '
            f"asking from {address}",
            "expiresAt": rfc3339(expires_at),
        }

    pair = signing.sha256(name + str(device).encode())
    return ChallengeWish(
        purpose=Purpose.LOGIN_APPROVAL,
        subject=signing.b64u(pair),
        allowed=TAKEN,
        life_s=life_s,
        payload=payload,
        intent_hash=name,
        full=True,
    )


async def may_vouch(
    tx: Tx,
    applicant: Actor,
    found: Enrolment,
    customer: CustomerId,
    at: tuple[Settings, datetime],
) -> list[tuple[Actor, tuple[FactorKind, ...]]]:
    """Give the phones that may be asked, each with the factors that answer there.

    ACTIVE ones bound before the enrolment began that have an mPIN or a biometric key
    which counts in full.

    Args:
        tx: the transaction that asks.
        applicant: the new phone.
        found: its enrolment.
        customer: whose phones are asked.
        at: how many tries a factor has, and the instant.
    """
    settings, now = at
    rows = await tx.rows(
        f"SELECT {DEVICE_COLUMNS} FROM device WHERE customer_id = $1 "  # noqa: S608  -- our own column list
        "AND state <> 'REVOKED' AND bound_at < $2 ORDER BY bound_at, id",
        customer,
        found.created_at,
    )
    phones = []
    for row in rows:
        device = read_device(row, now)
        if device.state is not DeviceState.ACTIVE:
            continue
        holder = replace(
            applicant, customer=customer, device=device.id, session=None, proof=None
        )
        there = await factors.usable(tx.rows, holder, settings, now)
        allowed = there.among(TAKEN, full=True)
        if allowed:
            phones.append((holder, allowed))
    return phones


async def reserve(
    tx: Tx, found: Enrolment, customer: CustomerId, mac: tuple[int, bytes]
) -> bool:
    """Note on the enrolment that other phones are asked; a former proof gives way.

    Args:
        tx: the transaction that asks.
        found: the enrolment.
        customer: whose phones are asked.
        mac: what the question is recognised by, after its key's id.

    Returns:
        False when the enrolment is over.
    """
    row = await tx.one(
        "UPDATE enrolment SET state = 'PHONE_PROVEN', customer_id = $2, "
        "proof_kind = $3, proof_ref = NULL, proof_step = NULL, proof_mac = $4, "
        "proof_key_id = $5, nonce_hash = NULL "
        "WHERE id = $1 AND state IN ('PHONE_PROVEN', 'IDENTITY_PROVEN') RETURNING id",
        found.id,
        customer,
        IdentityMethod.OTHER_DEVICE,
        mac[1],
        mac[0],
    )
    return row is not None


async def waits_for(tx: Tx, customer: CustomerId, name: bytes) -> EnrolmentId | None:
    """Give the enrolment of a name while it waits for the answer."""
    rows = await tx.rows(
        "SELECT id FROM enrolment WHERE customer_id = $1 AND proof_kind = $2 "
        "AND state = 'PHONE_PROVEN'",
        customer,
        IdentityMethod.OTHER_DEVICE,
    )
    ids = (row.get("id", EnrolmentId) for row in rows)
    return next((one for one in ids if name_of(one) == name), None)


async def end(tx: Tx, enrolment: EnrolmentId) -> None:
    """Let an enrolment die."""
    await tx.rows(
        "UPDATE enrolment SET state = 'DEAD' WHERE id = $1 AND state <> 'DONE' "
        "RETURNING id",
        enrolment,
    )


async def withdraw(tx: Tx, customer: CustomerId, name: bytes) -> None:
    """Cancel what is still asked about an enrolment."""
    await tx.rows(
        f"UPDATE challenge SET state = 'CANCELLED' WHERE {_OF_ENROLMENT} "  # noqa: S608  -- our own condition
        "AND state = 'PENDING' RETURNING id",
        customer,
        name,
    )


async def asked_until(
    tx: Tx, customer: CustomerId, now: datetime
) -> tuple[bytes, datetime] | None:
    """Give which enrolment the customer's phones are asked about now, and until when.

    Only one at a time (3.2).
    """
    row = await tx.one(
        "SELECT intent_hash, expires_at FROM challenge WHERE customer_id = $1 "
        "AND purpose = 'login-approval' AND state = 'PENDING' AND expires_at > $2 "
        "ORDER BY expires_at DESC LIMIT 1",
        customer,
        now,
    )
    if row is None:
        return None
    return row.get("intent_hash", bytes), row.get("expires_at", datetime)


async def use(tx: Tx, customer: CustomerId, challenge: ChallengeId) -> bool:
    """Use an approval up in deviceBind's transaction; False: it was taken back."""
    row = await tx.one(
        "UPDATE challenge SET state = 'CONSUMED' WHERE id = $1 AND customer_id = $2 "
        "AND purpose = 'login-approval' AND state = 'APPROVED' RETURNING id",
        challenge,
        customer,
    )
    return row is not None


async def of_enrolment(
    customer: CustomerId, name: bytes, now: datetime
) -> dict[ChallengeState, ChallengeId]:
    """Give where the challenges of an enrolment stand, one of each state.

    APPROVED counts as long as the enrolment lives: its own time is to be answered in.
    """
    rows = await database.read(
        f"SELECT id, state, expires_at FROM challenge WHERE {_OF_ENROLMENT}",  # noqa: S608  -- our own condition
        customer,
        name,
    )
    return {_state(row, now): row.get("id", ChallengeId) for row in rows}


async def of_device(device: DeviceId, now: datetime) -> list[Asking]:
    """Give the new phones that wait for a phone's answer, oldest first."""
    rows = await database.read(
        f"SELECT {COLUMNS}, created_at FROM challenge WHERE device_id = $1 "  # noqa: S608  -- our own column list
        "AND purpose = 'login-approval' AND state = 'PENDING' AND expires_at > $2 "
        "ORDER BY created_at, id",
        device,
        now,
    )
    return [_asking(row, now) for row in rows]


def _state(row: Row, now: datetime) -> ChallengeState:
    state = row.get("state", ChallengeState)
    over = row.get("expires_at", datetime) <= now
    return ChallengeState.EXPIRED if over and state is ChallengeState.PENDING else state


def _asking(row: Row, now: datetime) -> Asking:
    challenge = read_challenge(row, now)
    facts = orjson.loads(challenge.payload)
    return Asking(
        challenge=challenge,
        model=facts["phoneModel"],
        platform=Platform(facts["platform"]),
        address=facts["network"],
        asked_at=row.get("created_at", datetime),
    )
