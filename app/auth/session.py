"""A sign-in of one device as a value, and what a phone gets for it."""

from dataclasses import dataclass, field
from datetime import datetime

from app.database import Tx
from app.ids import CustomerId, DeviceId, SessionId
from app.rows import Row

COLUMNS = (
    "id, customer_id, device_id, jkt, seed, key_id, generation, created_at, "
    "last_active_at, absolute_end, ended_at, amr, ip"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in of one device.

    Args:
        jkt: thumbprint of the key its tokens are bound to.
        seed: 32 bytes that the refresh tokens are made of, with the pepper.
        key_id: which pepper; a rotation of the ring leaves it alone.
        generation: how often the refresh token was changed.
        factor: what proved the person, for `amr`.
    """

    id: SessionId
    customer: CustomerId
    device: DeviceId
    jkt: str
    seed: bytes = field(repr=False)
    key_id: int
    generation: int
    created_at: datetime
    last_active_at: datetime
    absolute_end: datetime
    ended_at: datetime | None
    factor: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """What a phone gets for signing in. Its repr shows no token.

    Args:
        access_token: bound to the device key.
        refresh_token: useless without the device key.
        expires_at: end of the access token.
        idle_expires_at: the session locks then without an operation of the customer.
        session_expires_at: hard end.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    idle_expires_at: datetime
    session_expires_at: datetime


async def insert_session(tx: Tx, session: Session, agent: str | None) -> None:
    """Write a new session.

    Args:
        tx: the transaction that uses the proof of the person up.
        session: generation 0, not ended.
        agent: User-Agent of the sign-in.
    """
    await tx.rows(
        "INSERT INTO session (id, customer_id, device_id, jkt, seed, key_id, "
        "generation, created_at, last_active_at, absolute_end, amr, ip, agent) "
        "VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10, $11, $12) RETURNING id",
        session.id,
        session.customer,
        session.device,
        session.jkt,
        session.seed,
        session.key_id,
        session.created_at,
        session.last_active_at,
        session.absolute_end,
        session.factor,
        session.address,
        agent,
    )


def read_session(row: Row) -> Session:
    """Read a row of `COLUMNS`."""
    return Session(
        id=row.get("id", SessionId),
        customer=row.get("customer_id", CustomerId),
        device=row.get("device_id", DeviceId),
        jkt=row.get("jkt", str),
        seed=row.get("seed", bytes),
        key_id=row.get("key_id", int),
        generation=row.get("generation", int),
        created_at=row.get("created_at", datetime),
        last_active_at=row.get("last_active_at", datetime),
        absolute_end=row.get("absolute_end", datetime),
        ended_at=row.find("ended_at", datetime),
        factor=row.get("amr", str),
        address=row.get("ip", str),
    )
