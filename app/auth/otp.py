"""One-time codes by SMS: six digits, bound to one enrolment, three tries, one live.

They prove the SIM and nothing else: no sign-in, no approval (auth.md 1.3, 2.11).
"""

import secrets
from datetime import datetime, timedelta

from app.auth import signing
from app.clock import Clock
from app.database import Tx
from app.ids import Id, uuid7
from app.settings import Settings
from app.vault import Vault

_DIGITS = 6
_PURPOSE = "mac/otp"


class EnrolmentId(Id):
    """One enrolment: 128 random bits, treated as a secret."""

    prefix = "enr"


class Otps:
    """Makes and compares codes.

    Args:
        clock: the bank's clock.
        settings: life and tries.
        vault: its pepper makes the stored MACs.
    """

    def __init__(self, *, clock: Clock, settings: Settings, vault: Vault) -> None:
        self._clock = clock
        self._settings = settings
        self._vault = vault

    async def make(self, tx: Tx, enrolment: EnrolmentId) -> tuple[str, datetime]:
        """Make the one live code of an enrolment; the one before it dies."""
        code = f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}d}"
        now = self._clock.now()
        expires_at = now + timedelta(seconds=self._settings.otp_s)
        await self.consume(tx, enrolment)
        await tx.rows(
            "INSERT INTO otp_code "
            "(id, enrolment_id, code_mac, key_id, sent_at, expires_at) "
            "VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
            uuid7(),
            enrolment,
            self._mac(enrolment, code, self._vault.pepper.current),
            self._vault.pepper.current,
            now,
            expires_at,
        )
        return code, expires_at

    async def check(
        self, tx: Tx, enrolment: EnrolmentId, code: str, *, proven: bool
    ) -> bool | None:
        """Compare a code; the try is counted and given back when it is right.

        Args:
            tx: commits also when the code is wrong.
            enrolment: whose code.
            code: what was typed.
            proven: whether it was right once before: a lost answer is asked for again,
                also after the code's own end.

        Returns:
            Whether it is right; None when no live code with a try is left.
        """
        row = await tx.one(
            "UPDATE otp_code SET attempts = attempts + 1 WHERE enrolment_id = $1 "
            "AND used_at IS NULL AND attempts < $2 AND (expires_at > $3 OR $4 = 1) "
            "RETURNING code_mac, key_id",
            enrolment,
            self._settings.otp_tries,
            self._clock.now(),
            int(proven),
        )
        if row is None:
            return None
        given = self._mac(enrolment, code, row.get("key_id", int))
        if not signing.same(given, row.get("code_mac", bytes)):
            return False
        await tx.rows(
            "UPDATE otp_code SET attempts = attempts - 1 "
            "WHERE enrolment_id = $1 AND used_at IS NULL RETURNING id",
            enrolment,
        )
        return True

    async def consume(self, tx: Tx, enrolment: EnrolmentId) -> bool:
        """Use the live code up; False when there is none."""
        row = await tx.one(
            "UPDATE otp_code SET used_at = $2 "
            "WHERE enrolment_id = $1 AND used_at IS NULL RETURNING id",
            enrolment,
            self._clock.now(),
        )
        return row is not None

    def _mac(self, enrolment: EnrolmentId, code: str, key_id: int) -> bytes:
        message = signing.otp_message(str(enrolment), code.strip())
        return self._vault.mac(_PURPOSE, message, key_id)
