"""Step 3 of enrolment: which second proof of the person is good, and its using up.

Proofs are reserved here and used up in the transaction that binds the phone, each by a
guarded UPDATE: a lost answer costs no code, and of two enrolments one is faster
(auth.md 3.1). Who has an authenticator app proves with it, a recovery code or a reset
code; an activation code is not enough then: the answer to a stolen SIM.
"""

from dataclasses import replace
from uuid import UUID

from app import audit, database
from app.auth import alerts, approval, totp_check
from app.auth.actor import Actor
from app.auth.applicant import Activation, IdentityMethod, Reserved, Shown
from app.auth.recovery import RecoveryCodes
from app.auth.totp_check import TotpCheck, step_of
from app.clock import Clock
from app.database import Tx
from app.ids import ChallengeId, CustomerId
from app.integrations.identity import CodeKind, IdentityProof, ProofRef

_NOBODY = CustomerId(UUID(int=0))
_OPEN = (
    "SELECT (SELECT count(*) FROM totp_secret t JOIN customer c "
    "ON c.id = t.customer_id WHERE c.phone_lookup = $1 AND c.phone_key_id = $2 "
    "AND t.state = 'ACTIVE') AS totp, "
    "(SELECT count(*) FROM recovery_code r JOIN customer c "
    "ON c.id = r.customer_id WHERE c.phone_lookup = $1 AND c.phone_key_id = $2 "
    "AND r.used_at IS NULL) AS codes, "
    "(SELECT count(*) FROM device d JOIN customer c ON c.id = d.customer_id "
    "LEFT JOIN mpin_secret m ON m.device_id = d.id AND m.state = 'ACTIVE' "
    "WHERE c.phone_lookup = $1 AND c.phone_key_id = $2 AND c.status = 'ACTIVE' "
    "AND (d.state = 'ACTIVE' OR (d.state = 'COOLING' AND d.cooling_until <= $3)) "
    "AND (d.bio_jkt IS NOT NULL OR m.device_id IS NOT NULL)) AS phones"
)


class IdentityProofs:
    """Compares and uses up proofs of the person.

    Args:
        clock: the bank's clock.
        identity: activation and reset codes.
        totp: codes of authenticator apps.
        recovery: recovery codes.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        identity: IdentityProof,
        totp: TotpCheck,
        recovery: RecoveryCodes,
    ) -> None:
        self._clock = clock
        self._identity = identity
        self._totp = totp
        self._recovery = recovery

    async def methods(self, phone: tuple[int, bytes]) -> list[IdentityMethod]:
        """Give the ways that are open to a number that was proven, in the bank's order.

        Args:
            phone: key id and look-up value; families share a number.
        """
        row = await database.read_one(_OPEN, phone[1], phone[0], self._clock.now())
        assert row is not None  # noqa: S101  -- counts have a row
        found = [IdentityMethod.ACTIVATION_CODE]
        if row.get("totp", int):
            found.append(IdentityMethod.TOTP)
        if row.get("codes", int):
            found.append(IdentityMethod.RECOVERY_CODE)
        if row.get("phones", int):
            found.append(IdentityMethod.OTHER_DEVICE)
        return found

    async def check(
        self, actor: Actor, customer: CustomerId | None, given: Shown
    ) -> Reserved | None:
        """Compare a proof; wrong ones are counted, unless there is no such customer.

        Args:
            actor: the applicant.
            customer: whose number was given, if it fits the phone.
            given: what was shown.

        Raises:
            CredentialLocked: this way is paused.
        """
        if given.method is IdentityMethod.TOTP:
            return await self._by_totp(actor, customer, given.code)
        if given.method is IdentityMethod.RECOVERY_CODE:
            return await self._by_recovery(actor, customer, given.code)
        found = await self._identity.check(
            customer or _NOBODY,
            given.code,
            at=self._clock.now(),
            charge=customer is not None,
        )
        if found is None or customer is None:
            return None
        if found.kind != CodeKind.RESET and await _has_totp(customer):
            return None
        return Reserved(kind=found.kind, ref=found.id)

    async def check_code_first(
        self, customer: CustomerId | None, given: Activation
    ) -> bool:
        """Compare a code that came with step 1; its ten tries are not touched."""
        found = await self._identity.check(
            customer or _NOBODY, given.code, at=self._clock.now(), charge=False
        )
        return found is not None and customer is not None

    async def use(self, tx: Tx, binder: Actor, proof: Reserved) -> bool:
        """Use a proof up in deviceBind's transaction; False: another was faster.

        A reset code takes authenticator, recovery codes and passkeys along.
        """
        customer = binder.known_customer
        if proof.kind == IdentityMethod.TOTP:
            step = proof.step or 0
            return await totp_check.use(tx, proof.ref, customer, step)
        if proof.kind == IdentityMethod.RECOVERY_CODE:
            return await self._recovery.use(tx, binder, proof.ref)
        if proof.kind == IdentityMethod.OTHER_DEVICE:
            return await approval.use(tx, customer, ChallengeId(proof.ref))
        return await self._use_code(tx, binder, proof)

    # -------------------------------------------------------------- inside

    async def _use_code(self, tx: Tx, binder: Actor, proof: Reserved) -> bool:
        now, customer = self._clock.now(), binder.known_customer
        resets = proof.kind == CodeKind.RESET
        if not resets and await totp_check.is_active(tx, customer):
            return False
        if not await self._identity.consume(
            tx, ProofRef(proof.kind, proof.ref), at=now
        ):
            return False
        if resets:
            await _reset(tx, customer)
            entry = binder.entry("reset_code.used", now)
            alerts.tell(
                tx,
                entry,
                "A reset code was used: authenticator app, recovery codes and "
                "passkeys are gone.",
            )
        return True

    async def _by_totp(
        self, actor: Actor, customer: CustomerId | None, code: str
    ) -> Reserved | None:
        now = self._clock.now()
        if customer is None or not await _has_totp(customer):
            step_of(bytes(20), code, now, 0)  # the same work for nobody
            return None
        charged = await database.transaction(
            lambda tx: self._totp.counted(tx, customer, now), name="auth.totp_charge"
        )
        step = step_of(charged.secret, code, now, charged.last_step)

        async def work(tx: Tx) -> None:
            if step is not None:
                await self._totp.forget(tx, charged)
                return
            entry = replace(actor, customer=customer).entry(
                "totp.failed", now, outcome=audit.Outcome.DENIED
            )
            self._totp.noted(tx, entry, charged)

        await database.transaction(work, name="auth.totp_judged")
        if step is None:
            return None
        return Reserved(kind=IdentityMethod.TOTP.value, ref=charged.id, step=step)

    async def _by_recovery(
        self, actor: Actor, customer: CustomerId | None, code: str
    ) -> Reserved | None:
        if customer is None:
            await self._recovery.find(_NOBODY, code)
            return None
        charged = await database.transaction(
            lambda tx: self._recovery.charge(tx, customer), name="auth.recovery_charge"
        )
        found = await self._recovery.find(customer, code)

        async def work(tx: Tx) -> None:
            if found is not None:
                await self._recovery.forget(tx, customer)
                return
            entry = replace(actor, customer=customer).entry(
                "recovery.failed", self._clock.now(), outcome=audit.Outcome.DENIED
            )
            self._recovery.noted(tx, entry, charged)

        await database.transaction(work, name="auth.recovery_judged")
        if found is None:
            return None
        return Reserved(kind=IdentityMethod.RECOVERY_CODE.value, ref=found)


async def _has_totp(customer: CustomerId) -> bool:
    row = await database.read_one(
        "SELECT id FROM totp_secret WHERE customer_id = $1 AND state = 'ACTIVE'",
        customer,
    )
    return row is not None


async def _reset(tx: Tx, customer: CustomerId) -> None:
    """Remove what a lost authenticator, lost codes or a stolen passkey may hold."""
    for table in ("totp_secret", "recovery_code", "passkey"):
        await tx.rows(
            f"DELETE FROM {table} WHERE customer_id = $1 RETURNING id",  # noqa: S608  -- our own names
            customer,
        )
    await tx.rows(
        "UPDATE customer SET recovery_failed = 0, recovery_paused_until = NULL "
        "WHERE id = $1 RETURNING id",
        customer,
    )
