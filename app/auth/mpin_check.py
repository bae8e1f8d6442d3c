"""The mPIN as an answer: five wrong ones in a row erase its secret (auth.md 6.1)."""

from collections.abc import Mapping

from app import audit
from app.auth import alerts, lockout, signing
from app.auth.actor import Actor, FactorKind
from app.auth.errors import CredentialLocked, InvalidCredential
from app.auth.proving import Asked
from app.database import Tx
from app.errors import Refusal
from app.vault import Vault


class MpinCheck:
    """Compares mPIN proofs and counts the wrong ones.

    Args:
        vault: opens the secret a proof is compared with.
        tries: wrong mPINs in a row.
    """

    kind = FactorKind.MPIN

    def __init__(self, *, vault: Vault, tries: int) -> None:
        self._vault = vault
        self._tries = tries

    async def ready(self) -> None:
        """Need nothing."""

    async def charge(self, tx: Tx, actor: Actor, asked: Asked) -> bytes:  # noqa: ARG002  -- the shape of a factor
        """Count one try; gives the sealed secret.

        Raises:
            InvalidCredential: the device has no mPIN.
            CredentialLocked: no try is left.
        """
        device = actor.known_device
        row = await tx.one(
            "UPDATE mpin_secret SET failed = failed + 1 WHERE device_id = $1 "
            "AND state = 'ACTIVE' AND failed < $2 RETURNING sealed",
            device,
            self._tries,
        )
        if row is not None:
            return row.get("sealed", bytes)
        known = await tx.one(
            "SELECT device_id FROM mpin_secret WHERE device_id = $1", device
        )
        raise InvalidCredential if known is None else CredentialLocked

    def check(self, charged: bytes, asked: Asked) -> bool | None:
        """Compare in constant time."""
        device = str(asked.challenge.device)
        secret = self._vault.open("mpin_secret", device, charged)
        expected = signing.mpin_proof(secret, device, asked.challenge.digest)
        return signing.same(_bytes(asked.given.mpin_proof), expected) or None

    async def refund(
        self,
        tx: Tx,
        actor: Actor,
        asked: Asked,  # noqa: ARG002  -- the shape of a factor
        charged: bytes,  # noqa: ARG002  -- same
        proven: bool,  # noqa: ARG002, FBT001  -- same
    ) -> Refusal | None:
        """Forget the wrong tries; CredentialLocked when the secret was erased."""
        row = await tx.one(
            "UPDATE mpin_secret SET failed = 0 WHERE device_id = $1 "
            "AND state = 'ACTIVE' RETURNING device_id",
            actor.known_device,
        )
        return CredentialLocked() if row is None else None

    async def wrong(
        self,
        tx: Tx,
        actor: Actor,
        asked: Asked,
        charged: bytes,  # noqa: ARG002  -- the shape of a factor
    ) -> Refusal:
        """Tell the customer before and when it locks; erase it at the end."""
        left = await self._left(tx, actor)
        verdict = lockout.judge(self._tries - left, self._tries)
        entry = actor.entry(
            "mpin.failed",
            asked.now,
            object=str(actor.known_device),
            outcome=audit.Outcome.DENIED,
            detail={"attemptsLeft": verdict.attempts_left},
        )
        if verdict.warns:
            alerts.tell(tx, entry, "Wrong PIN. One more try, then it is locked.")
        else:
            audit.append(tx, entry)
        if not verdict.ends:
            return InvalidCredential(verdict.attempts_left)
        await self._erase(tx, actor, asked)
        return CredentialLocked()

    async def again(self, tx: Tx, actor: Actor, asked: Asked) -> Refusal:  # noqa: ARG002  -- the shape of a factor
        """Refuse the same wrong proof again."""
        left = await self._left(tx, actor)
        return InvalidCredential(left, repeated=True) if left else CredentialLocked()

    def evidence(self, charged: bytes, proven: bool) -> Mapping[str, object]:  # noqa: ARG002, FBT001  -- the shape of a factor
        """Keep the verdict alone: the secret is shared with the bank (2.6)."""
        return {}

    async def _left(self, tx: Tx, actor: Actor) -> int:
        """Give the tries that are left; 0 once it is erased."""
        row = await tx.one(
            "SELECT failed FROM mpin_secret WHERE device_id = $1 AND state = 'ACTIVE'",
            actor.known_device,
        )
        return 0 if row is None else max(self._tries - row.get("failed", int), 0)

    async def _erase(self, tx: Tx, actor: Actor, asked: Asked) -> None:
        erased = await tx.one(
            "UPDATE mpin_secret SET state = 'LOCKED', sealed = NULL "
            "WHERE device_id = $1 AND state = 'ACTIVE' RETURNING device_id",
            actor.known_device,
        )
        if erased is not None:
            name = str(actor.known_device)
            entry = actor.entry("mpin.locked", asked.now, object=name)
            alerts.tell(tx, entry, "Too many wrong PINs. The PIN is locked.")


def _bytes(text: str | None) -> bytes:
    try:
        return signing.unb64u(text or "")
    except signing.MalformedText:
        return b""
