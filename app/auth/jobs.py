"""What this room does behind the counter: sends texts, sweeps.

The worker calls each function in its loop; every one is short, leased or guarded, and
safe to run in several processes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app import database, telemetry
from app.auth import outcomes, signing, totp
from app.auth.outbox import Outbox
from app.clock import Clock
from app.database import Tx
from app.errors import Outage
from app.integrations.outcome import OpRef, Rejected, Unknown
from app.integrations.sms import SmsSender
from app.rows import Row
from app.vault import Vault

_BATCH = 20
_LEASE_S = 30
_BACKOFF_S = (2, 5, 15, 60)
_SPENT_KEPT_H = 24
_ENDED_KEPT_DAYS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    id: UUID
    to: str
    text: str
    attempts: int


async def send_due_sms(*, clock: Clock, vault: Vault, sms: SmsSender) -> int:
    """Send the texts that are due; gives how many left.

    Each is leased first, sent without a transaction under its own id as the gateway's
    idempotency key, then erased. A text that expired unsent is deleted.
    """
    leased = [_opened(row, vault) for row in await _leased(clock)]
    sent = 0
    for due in leased:
        if await _send(due, sms):
            await _erase(due, clock)
            sent += 1
        else:
            await _later(due, clock)
    return sent


async def run_sms(
    *, clock: Clock, vault: Vault, sms: SmsSender, outbox: Outbox
) -> None:
    """Send what is due, now and at every wake. Owned by the worker's task group."""
    while True:
        outbox.wake.clear()
        try:
            while await send_due_sms(clock=clock, vault=vault, sms=sms):
                pass
        except Outage as lost:
            telemetry.log.warning("sms_not_read", cause=lost.cause)
        await outbox.wait()


async def sweep(clock: Clock) -> None:
    """Delete what is spent: challenges, codes, sessions.

    A challenge that holds evidence of an approval stays: it is what can be shown years
    later (auth.md 3.10). Sign-ins prove nothing to anybody else and go.
    """
    now = clock.now()
    spent = now - timedelta(hours=_SPENT_KEPT_H)
    ended = now - timedelta(days=_ENDED_KEPT_DAYS)

    async def work(tx: Tx) -> None:
        await tx.rows(
            "DELETE FROM challenge WHERE expires_at < $1 "
            "AND (evidence IS NULL OR purpose = 'login') RETURNING id",
            spent,
        )
        for table in ("otp_code", "enrolment", "passkey_registration"):
            await tx.rows(
                f"DELETE FROM {table} WHERE expires_at < $1 RETURNING id",  # noqa: S608  -- our own table names
                spent,
            )
        await outcomes.erase_old(tx, now)
        await totp.erase_old(tx, now)
        await tx.rows(
            "DELETE FROM session WHERE ended_at IS NOT NULL AND ended_at < $1 "
            "RETURNING id",
            ended,
        )

    await database.transaction(work, name="auth.sweep")


async def _leased(clock: Clock) -> list[Row]:
    now = clock.now()

    async def work(tx: Tx) -> list[Row]:
        await tx.rows(
            "DELETE FROM sms_message WHERE sent_at IS NULL AND expires_at <= $1 "
            "RETURNING id",
            now,
        )
        return await tx.rows(
            "UPDATE sms_message SET lease_until = $2, attempts = attempts + 1 "
            "WHERE id IN (SELECT id FROM sms_message WHERE sent_at IS NULL "
            "AND due_at <= $1 AND (lease_until IS NULL OR lease_until <= $1) "
            "ORDER BY due_at LIMIT $3) AND (lease_until IS NULL OR lease_until <= $1) "
            "RETURNING id, to_sealed, text_sealed, attempts",
            now,
            now + timedelta(seconds=_LEASE_S),
            _BATCH,
        )

    return await database.transaction(work, name="auth.sms_lease")


def _opened(row: Row, vault: Vault) -> _Due:
    name = row.get("id", UUID)
    to, text = (
        vault.open("sms_message", f"{name}|{what}", row.get(f"{what}_sealed", bytes))
        for what in ("to", "text")
    )
    attempts = row.get("attempts", int)
    return _Due(id=name, to=to.decode(), text=text.decode(), attempts=attempts)


async def _send(due: _Due, sms: SmsSender) -> bool:
    """Tell whether the text needs no further try."""
    op = OpRef(due.id, signing.sha256(f"{due.to}|{due.text}".encode()))
    try:
        outcome = await sms.send(op, due.to, due.text)
    except Outage as down:
        telemetry.log.warning("sms_not_sent", cause=down.cause, attempt=due.attempts)
        return False
    if isinstance(outcome, Rejected):
        telemetry.log.warning("sms_rejected", code=outcome.code.value)
    return not isinstance(outcome, Unknown)


async def _erase(due: _Due, clock: Clock) -> None:
    at: datetime = clock.now()

    async def work(tx: Tx) -> None:
        await tx.rows(
            "UPDATE sms_message SET sent_at = $2, text_sealed = NULL, "
            "to_sealed = NULL, lease_until = NULL WHERE id = $1 RETURNING id",
            due.id,
            at,
        )

    await database.transaction(work, name="auth.sms_sent")


async def _later(due: _Due, clock: Clock) -> None:
    step = min(due.attempts, len(_BACKOFF_S)) - 1
    due_at = clock.now() + timedelta(seconds=_BACKOFF_S[step])

    async def work(tx: Tx) -> None:
        await tx.rows(
            "UPDATE sms_message SET due_at = $2, lease_until = NULL "
            "WHERE id = $1 AND sent_at IS NULL RETURNING id",
            due.id,
            due_at,
        )

    await database.transaction(work, name="auth.sms_later")
