"""A phone as rows, bound and signed in; the payee book wired."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.accounts.accounts import Accounts
from app.auth.actor import Actor
from app.auth.keys import Jwk
from app.auth.sessions import Sessions
from app.auth.step_up import StepUps
from app.clock import Clock
from app.database import Tx
from app.payments.address_book import AddressBook
from app.payments.name_checks import NameChecks
from app.payments.payee_changes import PayeeChanges
from app.payments.payees import Payees
from app.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far the phone is trusted.

    Args:
        cooling_until: end of its waiting time; None: it is over.
        grade: what it proved about itself.
        good_until: until when that counts; None: for ever.
    """

    cooling_until: datetime | None
    grade: str
    good_until: datetime | None


async def bind(
    tx: Tx, actor: Actor, now: datetime, jwk: Jwk, sealed: bytes, standing: Standing
) -> None:
    """Write the phone of an actor, with the sealed secret of its mPIN."""
    device = actor.known_device
    await tx.rows(
        "INSERT INTO device (id, customer_id, jkt, jwk, platform, name, attestation, "
        "attestation_until, state, cooling_until, bound_at) "
        "VALUES ($1, $2, $3, $4, 'ANDROID', 'Phone', $5, $6, $7, $8, $9)",
        device,
        actor.known_customer,
        jwk.thumbprint,
        jwk.text,
        standing.grade,
        standing.good_until,
        "ACTIVE" if standing.cooling_until is None else "COOLING",
        standing.cooling_until,
        now,
    )
    await tx.rows(
        "INSERT INTO mpin_secret (device_id, sealed, kdf, state, set_at, full_from) "
        "VALUES ($1, $2, 'test', 'ACTIVE', $3, $3)",
        device,
        sealed,
        now,
    )
    await tx.rows(
        "INSERT INTO session (id, customer_id, device_id, jkt, seed, key_id, "
        "created_at, last_active_at, absolute_end, amr, ip) "
        "VALUES ($1, $2, $3, $4, $5, 1, $6, $6, $7, 'mpin', '127.0.0.1')",
        actor.known_session,
        actor.known_customer,
        device,
        jwk.thumbprint,
        secrets.token_bytes(32),
        now,
        now + timedelta(days=30),
    )


def payees_of(
    settings: Settings,
    clock: Clock,
    book: AddressBook,
    accounts: Accounts,
    auth: tuple[Sessions, StepUps],
    checks: NameChecks,
) -> tuple[Payees, PayeeChanges]:
    """Wire what keeps payees and what changes them."""
    sessions, step_ups = auth
    kept = Payees(
        checks=checks,
        settings=settings,
        clock=clock,
        book=book,
        accounts=accounts,
        sessions=sessions,
        step_ups=step_ups,
    )
    changes = PayeeChanges(
        settings=settings,
        clock=clock,
        book=book,
        accounts=accounts,
        sessions=sessions,
        step_ups=step_ups,
    )
    return kept, changes
