"""Recovery codes: ten on paper, 120 bits each, one use each, to enrol again.

Stored as peppered MACs with the key's id beside; a slow hash would add nothing to 120
bits (auth.md 2.11). Five wrong ones in a row pause them (6.1). They neither sign in nor
approve (1.3).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from app import audit, crockford, database
from app.auth import alerts, lockout, signing
from app.auth.actor import Actor
from app.auth.cooling import require_cooled, require_cooled_inside
from app.auth.errors import CredentialLocked, InvalidCredential
from app.auth.factors import take_turn
from app.auth.outcomes import Outcomes
from app.auth.step_up import StepUps, StepUpWish
from app.clock import Clock
from app.database import Tx
from app.errors import Refusal
from app.ids import CustomerId, uuid7
from app.settings import Settings
from app.vault import Vault

COUNT = 10
_LENGTH = 24
_PURPOSE = "mac/recovery"
_WISH = StepUpWish(
    operation="recoveryCodesRegenerate",
    input={},
    summary="Make ten new recovery codes; the old ones stop working",
    sensitive=True,
)


class RecoveryCodes:
    """Makes, compares and uses up recovery codes.

    Args:
        clock: the bank's clock.
        settings: tries and pauses.
        vault: its pepper makes the stored MACs.
        step_ups: asks for the approval of new ones.
        outcomes: gives a lost answer again.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        settings: Settings,
        vault: Vault,
        step_ups: StepUps,
        outcomes: Outcomes,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._vault = vault
        self._step_ups = step_ups
        self._outcomes = outcomes

    async def regenerate(self, actor: Actor) -> list[str]:
        """Make ten new codes; the old ones die. Asked again: the same ten, 5 minutes.

        Raises:
            StepUpRequired: it must be approved, by mPIN or biometric key.
            CoolingPeriod: this phone is COOLING.
        """

        async def act() -> Mapping[str, object]:
            await require_cooled(actor, _WISH.operation, self._clock.now())
            grant = await self._step_ups.require(actor, _WISH)

            async def work(tx: Tx) -> Mapping[str, object]:
                await self._step_ups.consume(tx, grant)
                await require_cooled_inside(tx, actor.known_device, self._clock.now())
                made = {"codes": await self.make(tx, actor.known_customer)}
                await self._outcomes.keep(tx, grant, made)
                entry = actor.entry("recovery.regenerated", self._clock.now())
                alerts.tell(tx, entry, "New recovery codes were made.")
                return made

            return await database.transaction(work, name="auth.recovery_regenerate")

        kept = await self._outcomes.once(actor, _WISH, act)
        return cast("list[str]", kept["codes"])

    async def left(self, actor: Actor) -> int:
        """Give how many codes the caller has left."""
        row = await database.read_one(
            "SELECT count(*) AS n FROM recovery_code WHERE customer_id = $1 "
            "AND used_at IS NULL",
            actor.known_customer,
        )
        assert row is not None  # noqa: S101  -- a count has a row
        return row.get("n", int)

    async def make(self, tx: Tx, customer: CustomerId) -> list[str]:
        """Replace all ten; gives them as they are shown, once."""
        await take_turn(tx, customer)
        await tx.rows(
            "DELETE FROM recovery_code WHERE customer_id = $1 RETURNING slot", customer
        )
        now, shown = self._clock.now(), []
        for slot in range(COUNT):
            code = crockford.made(_LENGTH)
            await tx.rows(
                "INSERT INTO recovery_code (customer_id, slot, id, mac, key_id, "
                "made_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING slot",
                customer,
                slot,
                uuid7(),
                self._mac(customer, code, self._vault.pepper.current),
                self._vault.pepper.current,
                now,
            )
            shown.append(crockford.printed(code))
        return shown

    # -------------------------------------------------------------- proving

    async def charge(
        self, tx: Tx, customer: CustomerId
    ) -> tuple[int, timedelta | None]:
        """Count one try; gives the tries in a row, and the pause they lead to.

        Raises:
            CredentialLocked: the customer's codes are paused.
        """
        now = self._clock.now()
        row = await tx.one(
            "UPDATE customer SET recovery_failed = recovery_failed + 1 WHERE id = $1 "
            "AND (recovery_paused_until IS NULL OR recovery_paused_until <= $2) "
            "RETURNING recovery_failed",
            customer,
            now,
        )
        if row is None:
            raise CredentialLocked(await _paused_until(tx, customer))
        failed = row.get("recovery_failed", int)
        pause = lockout.pause(failed, self._settings)
        if pause is not None:
            await tx.rows(
                "UPDATE customer SET recovery_paused_until = $2 WHERE id = $1 "
                "RETURNING id",
                customer,
                now + pause,
            )
        return failed, pause

    async def find(self, customer: CustomerId, code: str) -> UUID | None:
        """Give the unused code this is, compared with all of them in constant time."""
        rows = await database.read(
            "SELECT id, mac, key_id FROM recovery_code WHERE customer_id = $1 "
            "AND used_at IS NULL ORDER BY slot",
            customer,
        )
        typed = crockford.plain(code)
        keys = {row.get("key_id", int) for row in rows} | {self._vault.pepper.current}
        given = {key: self._mac(customer, typed, key) for key in keys}
        found = None
        for row in rows:
            if signing.same(given[row.get("key_id", int)], row.get("mac", bytes)):
                found = row.get("id", UUID)
        return found

    async def forget(self, tx: Tx, customer: CustomerId) -> None:
        """Forget the wrong tries after a right code."""
        await tx.rows(
            "UPDATE customer SET recovery_failed = 0, recovery_paused_until = NULL "
            "WHERE id = $1 RETURNING id",
            customer,
        )

    def noted(
        self, tx: Tx, entry: audit.Entry, charged: tuple[int, timedelta | None]
    ) -> Refusal:
        """Write a wrong try down; tell the customer when the codes pause."""
        _, pause = charged
        if pause is None:
            audit.append(tx, entry)
            return InvalidCredential()
        alerts.tell(tx, entry, "Too many wrong recovery codes. They are paused.")
        return CredentialLocked(entry.at + pause)

    async def use(self, tx: Tx, actor: Actor, code: UUID) -> bool:
        """Use a code up and tell all phones; False when another was faster.

        Args:
            tx: the transaction that binds the phone.
            actor: the binding phone, with its customer.
            code: from `find`; codes made since then do not count.
        """
        now, customer = self._clock.now(), actor.known_customer
        row = await tx.one(
            "UPDATE recovery_code SET used_at = $3 WHERE id = $1 AND customer_id = $2 "
            "AND used_at IS NULL RETURNING slot",
            code,
            customer,
            now,
        )
        if row is None:
            return False
        rest = await tx.rows(
            "SELECT slot FROM recovery_code WHERE customer_id = $1 AND used_at IS NULL",
            customer,
        )
        entry = actor.entry("recovery.used", now, detail={"left": len(rest)})
        alerts.tell(tx, entry, f"A recovery code was used. {len(rest)} are left.")
        return True

    def _mac(self, customer: CustomerId, code: str, key_id: int) -> bytes:
        message = signing.recovery_message(str(customer), code)
        return self._vault.mac(_PURPOSE, message, key_id)


async def _paused_until(tx: Tx, customer: CustomerId) -> datetime | None:
    row = await tx.one(
        "SELECT recovery_paused_until FROM customer WHERE id = $1", customer
    )
    return None if row is None else row.find("recovery_paused_until", datetime)
