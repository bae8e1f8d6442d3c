"""Activation codes by letter or branch, kept in our own table.

Twelve Crockford characters (60 bits), single use, one live code per customer; stored
as a peppered MAC, never in clear (auth.md 2.11).
"""

import hmac
from datetime import datetime, timedelta
from uuid import UUID

from app import database
from app.crockford import made, plain, printed
from app.database import Tx
from app.ids import CustomerId, uuid7
from app.integrations.identity import CodeKind, ProofRef
from app.settings import Environment, Misconfigured, Settings
from app.vault import Vault

_LENGTH = 12
_PURPOSE = "mac/activation"


class EmbeddedIdentity:
    """Fits the IdentityProof port.

    Args:
        settings: life, tries, and whether codes may be used again (demo only).
        vault: its pepper makes the stored MACs.
    """

    def __init__(self, *, settings: Settings, vault: Vault) -> None:
        self._settings = settings
        self._vault = vault

    async def issue(
        self,
        tx: Tx,
        customer: CustomerId,
        *,
        by: str,
        at: datetime,
        code: str | None,
        kind: CodeKind = CodeKind.ACTIVATION,
    ) -> str:
        """Make the one live code of a customer; the one before it dies.

        Raises:
            Misconfigured: a code was chosen in production.
        """
        if code is not None and self._settings.env is Environment.PRODUCTION:
            raise Misconfigured("production makes its activation codes itself")
        chosen = plain(code or made(_LENGTH))
        await tx.rows(
            "UPDATE activation_code SET used_at = $2 "
            "WHERE customer_id = $1 AND used_at IS NULL RETURNING id",
            customer,
            at,
        )
        await tx.rows(
            "INSERT INTO activation_code (id, customer_id, kind, mac, key_id, "
            "issued_by, issued_at, expires_at) "
            "VALUES ($1, $2, $8, $3, $4, $5, $6, $7) RETURNING id",
            uuid7(),
            customer,
            self._vault.mac(_PURPOSE, message(customer, chosen)),
            self._vault.pepper.current,
            by,
            at,
            at + timedelta(days=self._settings.activation_code_days),
            kind,
        )
        return printed(chosen)

    async def check(
        self, customer: CustomerId, code: str, *, at: datetime, charge: bool
    ) -> ProofRef | None:
        """Compare a code; a wrong one is counted when `charge` is set.

        An unknown customer costs the same work as a known one.
        """
        row = await database.read_one(
            "SELECT id, kind, mac, key_id FROM activation_code WHERE customer_id = $1 "
            "AND used_at IS NULL AND expires_at > $2 AND tries < $3",
            customer,
            at,
            self._settings.activation_tries,
        )
        key_id = self._vault.pepper.current if row is None else row.get("key_id", int)
        given = self._vault.mac(_PURPOSE, message(customer, plain(code)), key_id)
        if row is None:
            return None
        found = row.get("id", UUID)
        if hmac.compare_digest(given, row.get("mac", bytes)):
            return ProofRef(row.get("kind", str), found)
        if charge:
            await self._charge(found)
        return None

    async def consume(self, tx: Tx, proof: ProofRef, *, at: datetime) -> bool:
        """Use a code up; a reusable one of the demo only has to be live.

        A reset code is never reusable: what it removes would be removed again.
        """
        row = await tx.one(
            "UPDATE activation_code SET used_at = CASE WHEN $3 = 1 "
            "AND kind = 'ACTIVATION' THEN used_at ELSE $2 END, tries = 0 "
            "WHERE id = $1 AND used_at IS NULL RETURNING id",
            proof.id,
            at,
            int(self._settings.activation_reusable),
        )
        return row is not None

    async def _charge(self, code: UUID) -> None:
        async def work(tx: Tx) -> None:
            await tx.rows(
                "UPDATE activation_code SET tries = tries + 1 "
                "WHERE id = $1 AND tries < $2 RETURNING id",
                code,
                self._settings.activation_tries,
            )

        await database.transaction(work, name="identity.charge")


def message(customer: CustomerId | str, code: str) -> bytes:
    """Give what the stored MAC of a code covers."""
    return b"sixpence/activation/v1\0" + f"{customer}|{code}".encode()


async def connect(settings: Settings, vault: Vault) -> EmbeddedIdentity:
    """Open the desk of activation codes."""
    return EmbeddedIdentity(settings=settings, vault=vault)
