"""Passkey registrations that wait: one per phone, five minutes, used once.

The identical answer to a used one gives what the first one gave (auth.md 3.9); any
other answer comes too late.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app import database
from app.auth.actor import Actor
from app.auth.errors import ChallengeExpired
from app.clock import Clock
from app.database import Tx
from app.ids import Id, PasskeyId, SessionId
from app.rows import Row

_CHALLENGE_BYTES = 32


class RegistrationId(Id):
    """One attempt to register a passkey."""

    prefix = "reg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One attempt to register a passkey.

    Args:
        id: its id.
        session: session that asked; None for the first factor of a phone.
        challenge: 32 bytes the authenticator answers.
        pending: whether it was neither used nor failed.
        answer_hash: names the bytes that ended it.
        passkey: what it made.
        expires_at: end of its life.
    """

    id: RegistrationId
    session: SessionId | None
    challenge: bytes = field(repr=False)
    pending: bool = True
    answer_hash: bytes | None = None
    passkey: PasskeyId | None = None
    expires_at: datetime


class Registrations:
    """Keeps the attempts.

    Args:
        clock: the bank's clock.
        life_s: how long one can be answered, seconds.
    """

    def __init__(self, clock: Clock, life_s: int) -> None:
        self._clock = clock
        self._life = timedelta(seconds=life_s)

    async def pending(self, actor: Actor) -> Registration | None:
        """Give the one that waits for this phone and session."""
        row = await database.read_one(
            "SELECT * FROM passkey_registration WHERE device_id = $1 "
            "AND state = 'PENDING' AND expires_at > $2",
            actor.known_device,
            self._clock.now(),
        )
        found = None if row is None else _read(row)
        same = found is not None and found.session == actor.session
        return found if same else None

    async def find(self, actor: Actor, registration: RegistrationId) -> Registration:
        """Read one of this phone.

        Raises:
            ChallengeExpired: there is none, or it is another phone's.
        """
        row = await database.read_one(
            "SELECT * FROM passkey_registration WHERE id = $1 AND device_id = $2",
            registration,
            actor.known_device,
        )
        if row is None:
            raise ChallengeExpired
        return _read(row)

    async def open(self, tx: Tx, actor: Actor) -> Registration:
        """Make one; what waited for this phone before is gone."""
        now = self._clock.now()
        made = Registration(
            id=RegistrationId.new(),
            session=actor.session,
            challenge=secrets.token_bytes(_CHALLENGE_BYTES),
            expires_at=now + self._life,
        )
        await tx.rows(
            "DELETE FROM passkey_registration WHERE device_id = $1 "
            "AND state = 'PENDING' RETURNING id",
            actor.known_device,
        )
        await tx.rows(
            "INSERT INTO passkey_registration (id, customer_id, device_id, "
            "session_id, challenge, state, created_at, expires_at) "
            "VALUES ($1, $2, $3, $4, $5, 'PENDING', $6, $7) RETURNING id",
            made.id,
            actor.known_customer,
            actor.known_device,
            made.session,
            made.challenge,
            now,
            made.expires_at,
        )
        return made

    async def use(
        self, tx: Tx, registration: RegistrationId, digest: bytes, passkey: PasskeyId
    ) -> bool:
        """Use one up; False when another answer was faster, or it is too late."""
        row = await tx.one(
            "UPDATE passkey_registration SET state = 'CONSUMED', answer_hash = $2, "
            "passkey_id = $3 WHERE id = $1 AND state = 'PENDING' AND expires_at > $4 "
            "RETURNING id",
            registration,
            digest,
            passkey,
            self._clock.now(),
        )
        return row is not None

    async def fail(self, tx: Tx, registration: RegistrationId, digest: bytes) -> None:
        """End one whose answer did not fit."""
        await tx.rows(
            "UPDATE passkey_registration SET state = 'FAILED', answer_hash = $2, "
            "passkey_id = NULL WHERE id = $1 AND state <> 'FAILED' RETURNING id",
            registration,
            digest,
        )


def _read(row: Row) -> Registration:
    return Registration(
        id=row.get("id", RegistrationId),
        session=row.find("session_id", SessionId),
        challenge=row.get("challenge", bytes),
        pending=row.get("state", str) == "PENDING",
        answer_hash=row.find("answer_hash", bytes),
        passkey=row.find("passkey_id", PasskeyId),
        expires_at=row.get("expires_at", datetime),
    )
