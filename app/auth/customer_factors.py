"""Factors that belong to the person, not to one phone: passkeys, authenticator, codes.

They are shown as those of a phone are (`factors.py`); nothing is decided here.
"""

from datetime import datetime

from app import database
from app.auth.actor import Actor, FactorKind, FactorState
from app.auth.factors import FactorStatus, counted
from app.auth.totp import Totps
from app.clock import Clock
from app.ids import CustomerId
from app.settings import Settings


class CustomerFactors:
    """Shows the factors of a person.

    Args:
        clock: the bank's clock.
        settings: how many wrong tries make a pause.
        totps: knows the authenticator.
    """

    def __init__(self, *, clock: Clock, settings: Settings, totps: Totps) -> None:
        self._clock = clock
        self._settings = settings
        self._totps = totps

    async def of(self, actor: Actor) -> list[FactorStatus]:
        """Give passkeys as one factor, the authenticator, the recovery codes."""
        customer = actor.known_customer
        return [
            await self._passkeys(customer),
            await self._totps.status(customer),
            await self._codes(customer),
        ]

    async def _passkeys(self, customer: CustomerId) -> FactorStatus:
        """Give the best of them; each counts its tries by itself."""
        rows = await database.read(
            "SELECT state, paused_until, created_at FROM passkey "
            "WHERE customer_id = $1 ORDER BY created_at DESC",
            customer,
        )
        kind, now = FactorKind.WEBAUTHN, self._clock.now()
        if not rows:
            return FactorStatus(kind=kind, state=FactorState.NOT_SET)
        alive = [row for row in rows if row.get("state", str) == "ACTIVE"]
        ends = [row.find("paused_until", datetime) for row in alive]
        paused = [end for end in ends if end is not None and end > now]
        usable = len(paused) < len(alive)
        return FactorStatus(
            kind=kind,
            state=FactorState.ACTIVE if usable else FactorState.LOCKED,
            locked_until=None if usable else min(paused, default=None),
            set_at=rows[0].get("created_at", datetime),
        )

    async def _codes(self, customer: CustomerId) -> FactorStatus:
        row = await database.read_one(
            "SELECT c.recovery_failed, c.recovery_paused_until, "
            "max(r.made_at) AS made_at FROM customer c JOIN recovery_code r "
            "ON r.customer_id = c.id WHERE c.id = $1 AND r.used_at IS NULL "
            "GROUP BY c.id, c.recovery_failed, c.recovery_paused_until",
            customer,
        )
        if row is None:
            return FactorStatus(
                kind=FactorKind.RECOVERY_CODE, state=FactorState.NOT_SET
            )
        return counted(
            FactorKind.RECOVERY_CODE,
            failed=row.get("recovery_failed", int),
            paused_until=row.find("recovery_paused_until", datetime),
            set_at=row.get("made_at", datetime),
            at=(self._settings, self._clock.now()),
        )
