"""Codes of an authenticator app: RFC 6238, each step once, counted per customer.

SHA-1, 6 digits, 30 s, one step of skew either way. The library accepts the same code
twice, so the steps are walked here and only `step > last_step` is taken, by guarded
UPDATE (auth.md 2.11). Five wrong ones in a row pause it; its counter neither feeds nor
clears another one's (6.1).
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import pyotp

from app import audit
from app.auth import alerts, lockout, signing
from app.auth.actor import Actor, FactorKind
from app.auth.errors import CredentialLocked, InvalidCredential
from app.auth.proving import Asked
from app.database import Tx
from app.errors import Refusal
from app.ids import CustomerId
from app.settings import Settings
from app.vault import Vault

STEP_S = 30
_SKEW = 1
TABLE = "totp_secret"


def step_of(secret: bytes, code: str, now: datetime, last_step: int) -> int | None:
    """Give the step a code is of, if it is a fresh one around now (pure).

    Args:
        secret: 20 bytes.
        code: what was typed; spaces between the digits do not matter.
        now: the bank's clock.
        last_step: the newest step that was used; it and older ones are refused.
    """
    typed = code.replace(" ", "").encode(errors="replace")
    generator = pyotp.TOTP(base64.b32encode(secret).decode())
    current = int(now.timestamp()) // STEP_S
    found = None
    for step in range(current - _SKEW, current + _SKEW + 1):
        right = signing.same(typed, generator.generate_otp(step).encode())
        if right and step > last_step and found is None:
            found = step
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """An authenticator one of whose tries was counted."""

    id: UUID
    customer: CustomerId
    secret: bytes = field(repr=False)
    last_step: int
    failed: int
    paused_until: datetime | None


class TotpCheck:
    """Compares codes of ACTIVE authenticators and counts the wrong ones.

    It fits `Factor`, for the sign-ins that ask for a code besides (3.4); enrolment uses
    the same steps with the customer's name.

    Args:
        vault: opens the secrets.
        settings: tries and pauses.
    """

    kind = FactorKind.TOTP

    def __init__(self, *, vault: Vault, settings: Settings) -> None:
        self._vault = vault
        self._settings = settings

    async def ready(self) -> None:
        """Need nothing."""

    async def charge(self, tx: Tx, actor: Actor, asked: Asked) -> Charged:  # noqa: ARG002  -- the shape of a factor
        """Count one try of the customer's authenticator.

        Raises:
            InvalidCredential: there is none.
            CredentialLocked: it is paused.
        """
        return await self.counted(tx, asked.customer, asked.now)

    async def counted(self, tx: Tx, customer: CustomerId, now: datetime) -> Charged:
        """Count one try; the one that ends a row of tries pauses at once.

        Raises:
            InvalidCredential, CredentialLocked: as `charge`.
        """
        row = await tx.one(
            "UPDATE totp_secret SET failed = failed + 1 WHERE customer_id = $1 "
            "AND state = 'ACTIVE' AND (paused_until IS NULL OR paused_until <= $2) "
            "RETURNING id, sealed, last_step, failed",
            customer,
            now,
        )
        if row is None:
            paused_until = await _paused_until(tx, customer)
            raise CredentialLocked(paused_until) if paused_until else InvalidCredential
        failed = row.get("failed", int)
        pause = lockout.pause(failed, self._settings)
        if pause is not None:
            await tx.rows(
                "UPDATE totp_secret SET paused_until = $2 WHERE customer_id = $1 "
                "RETURNING id",
                customer,
                now + pause,
            )
        return Charged(
            id=row.get("id", UUID),
            customer=customer,
            secret=self._vault.open(TABLE, str(customer), row.get("sealed", bytes)),
            last_step=row.get("last_step", int),
            failed=failed,
            paused_until=None if pause is None else now + pause,
        )

    def check(self, charged: Charged, asked: Asked) -> int | None:
        """Give the step of a right and fresh code."""
        code = asked.given.totp or ""
        return step_of(charged.secret, code, asked.now, charged.last_step)

    async def refund(
        self,
        tx: Tx,
        actor: Actor,  # noqa: ARG002  -- the shape of a factor
        asked: Asked,  # noqa: ARG002  -- same
        charged: Charged,
        proven: int,
    ) -> Refusal | None:
        """Use the step up and forget the wrong tries; a used step is a wrong code."""
        used = await use(tx, charged.id, charged.customer, proven)
        if not used:
            return InvalidCredential()
        await self.forget(tx, charged)
        return None

    async def forget(self, tx: Tx, charged: Charged) -> None:
        """Forget the wrong tries after a right code."""
        await tx.rows(
            "UPDATE totp_secret SET failed = 0, paused_until = NULL WHERE id = $1 "
            "RETURNING id",
            charged.id,
        )

    async def wrong(
        self, tx: Tx, actor: Actor, asked: Asked, charged: Charged
    ) -> Refusal:
        """Write the try down; tell the customer when it pauses."""
        entry = actor.entry("totp.failed", asked.now, outcome=audit.Outcome.DENIED)
        return self.noted(tx, entry, charged)

    def noted(self, tx: Tx, entry: audit.Entry, charged: Charged) -> Refusal:
        """Write a wrong try down as this entry; gives the refusal."""
        if charged.paused_until is None:
            audit.append(tx, entry)
            tries = self._settings.factor_tries
            return InvalidCredential(tries - charged.failed % tries)
        alerts.tell(tx, entry, "Too many wrong codes of your authenticator app.")
        return CredentialLocked(charged.paused_until)

    async def again(self, tx: Tx, actor: Actor, asked: Asked) -> Refusal:  # noqa: ARG002  -- the shape of a factor
        """Refuse the same wrong code again."""
        paused_until = await _paused_until(tx, asked.customer)
        if paused_until is not None and paused_until > asked.now:
            return CredentialLocked(paused_until)
        return InvalidCredential(repeated=True)

    def evidence(self, charged: Charged, proven: int) -> Mapping[str, object]:  # noqa: ARG002  -- the shape of a factor
        """Keep the step: the secret is shared with the bank."""
        return {"step": proven}


async def use(tx: Tx, secret: UUID, customer: CustomerId, step: int) -> bool:
    """Use a step up in the transaction of its effect; False when it was used before."""
    row = await tx.one(
        "UPDATE totp_secret SET last_step = $3 WHERE id = $1 AND customer_id = $2 "
        "AND state = 'ACTIVE' AND last_step < $3 RETURNING id",
        secret,
        customer,
        step,
    )
    return row is not None


async def is_active(tx: Tx, customer: CustomerId) -> bool:
    """Tell whether a customer has an authenticator, inside a transaction."""
    row = await tx.one(
        "SELECT id FROM totp_secret WHERE customer_id = $1 AND state = 'ACTIVE'",
        customer,
    )
    return row is not None


async def _paused_until(tx: Tx, customer: CustomerId) -> datetime | None:
    row = await tx.one(
        "SELECT paused_until FROM totp_secret WHERE customer_id = $1 "
        "AND state = 'ACTIVE'",
        customer,
    )
    return None if row is None else row.find("paused_until", datetime)
