"""Counting wrong tries: charge first, refund on success, erase and lock at the end.

The charge is committed before the comparison, so two hundred parallel guesses get at
most five comparisons and a crash errs on the safe side (auth.md 6.1). Only answers with
a valid signature of the device key are ever charged: a stranger can lock nobody out.
"""

from dataclasses import dataclass
from datetime import datetime

from app import audit
from app.auth import alerts
from app.auth.actor import Actor, DeviceState, LockReason
from app.auth.device import COLUMNS, read_device
from app.auth.errors import CredentialLocked, DeviceLocked, InvalidCredential
from app.auth.revocations import EndReason
from app.auth.sessions import Sessions
from app.database import Tx
from app.ids import DeviceId
from app.realtime import log
from app.realtime.facts import DeviceChanged


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a wrong try leads to.

    Args:
        attempts_left: tries before the factor locks.
        warns: whether the customer is told that one try is left.
        erases: whether the factor's secret is erased now.
        locks: whether the whole device is locked now.
    """

    attempts_left: int
    warns: bool
    erases: bool
    locks: bool


def judge(failed: int, tries: int, device_failed: int, device_tries: int) -> Verdict:
    """Decide about a wrong try that was already counted (pure; table of auth.md 6.1).

    Args:
        failed: wrong tries of this factor in a row.
        tries: how many it may have.
        device_failed: wrong tries of all factors since the last success.
        device_tries: how many the device may have.
    """
    left = max(tries - failed, 0)
    return Verdict(
        attempts_left=left,
        warns=left == 1,
        erases=left == 0,
        locks=device_failed >= device_tries,
    )


async def charge(tx: Tx, device: DeviceId, tries: int, device_tries: int) -> bytes:
    """Count one try of the mPIN before it is compared; gives its sealed secret.

    Raises:
        InvalidCredential: the device has no mPIN.
        CredentialLocked: no try is left.
        DeviceLocked: no try is left over all factors.
    """
    counted = await tx.one(
        "UPDATE device SET failed = failed + 1 WHERE id = $1 AND failed < $2 "
        "AND state IN ('COOLING', 'ACTIVE') RETURNING failed",
        device,
        device_tries,
    )
    if counted is None:
        raise DeviceLocked
    row = await tx.one(
        "UPDATE mpin_secret SET failed = failed + 1 "
        "WHERE device_id = $1 AND state = 'ACTIVE' AND failed < $2 RETURNING sealed",
        device,
        tries,
    )
    if row is not None:
        return row.get("sealed", bytes)
    known = await tx.one(
        "SELECT device_id FROM mpin_secret WHERE device_id = $1", device
    )
    raise InvalidCredential if known is None else CredentialLocked


async def refund(tx: Tx, device: DeviceId) -> None:
    """Forget the wrong tries: the person proved herself.

    Raises:
        CredentialLocked: parallel wrong answers erased the secret meanwhile.
    """
    row = await tx.one(
        "UPDATE mpin_secret SET failed = 0 WHERE device_id = $1 AND state = 'ACTIVE' "
        "RETURNING device_id",
        device,
    )
    if row is None:
        raise CredentialLocked
    await tx.rows("UPDATE device SET failed = 0 WHERE id = $1 RETURNING id", device)


async def left(tx: Tx, device: DeviceId, tries: int) -> int:
    """Give the tries the mPIN of a device has left; 0 once it is erased."""
    row = await tx.one(
        "SELECT failed FROM mpin_secret WHERE device_id = $1 AND state = 'ACTIVE'",
        device,
    )
    return 0 if row is None else max(tries - row.get("failed", int), 0)


class Lockout:
    """Does what a verdict says.

    Args:
        sessions: ends those of a device that is locked.
        tries: wrong mPINs in a row.
        device_tries: wrong answers of any kind.
    """

    def __init__(self, *, sessions: Sessions, tries: int, device_tries: int) -> None:
        self._sessions = sessions
        self.tries = tries
        self.device_tries = device_tries

    async def wrong(self, tx: Tx, actor: Actor, now: datetime) -> Verdict:
        """Judge a wrong mPIN that was charged; erase, lock and tell as needed."""
        device = actor.known_device
        remaining = await left(tx, device, self.tries)
        row = await tx.one("SELECT failed FROM device WHERE id = $1", device)
        assert row is not None  # noqa: S101  -- devices are never deleted
        failed = row.get("failed", int)
        verdict = judge(self.tries - remaining, self.tries, failed, self.device_tries)
        entry = actor.entry(
            "mpin.failed",
            now,
            object=str(device),
            outcome=audit.Outcome.DENIED,
            detail={"attemptsLeft": verdict.attempts_left},
        )
        if verdict.warns:
            alerts.tell(tx, entry, "Wrong PIN. One more try, then it is locked.")
        else:
            audit.append(tx, entry)
        if verdict.erases:
            await self._erase(tx, actor, now)
        if verdict.locks:
            await self._lock(tx, actor, now)
        return verdict

    async def _erase(self, tx: Tx, actor: Actor, now: datetime) -> None:
        erased = await tx.one(
            "UPDATE mpin_secret SET state = 'LOCKED', sealed = NULL "
            "WHERE device_id = $1 AND state = 'ACTIVE' RETURNING device_id",
            actor.known_device,
        )
        if erased is not None:
            entry = actor.entry("mpin.locked", now, object=str(actor.known_device))
            alerts.tell(tx, entry, "Too many wrong PINs. The PIN is locked.")

    async def _lock(self, tx: Tx, actor: Actor, now: datetime) -> None:
        row = await tx.one(
            "UPDATE device SET state = $2, lock_reason = $3, lock_before = state "  # noqa: S608  -- our own column list
            "WHERE id = $1 AND state IN ('COOLING', 'ACTIVE') "
            f"RETURNING {COLUMNS}",
            actor.known_device,
            DeviceState.LOCKED,
            LockReason.FAILURES,
        )
        if row is None:
            return
        device = read_device(row, now)
        await self._sessions.end_of_device(tx, device.id, EndReason.LOCKED)
        entry = actor.entry(
            "device.locked", now, object=str(device.id), detail={"reason": "FAILURES"}
        )
        alerts.tell(tx, entry, f"{device.name} is locked after too many wrong tries.")
        log.append(
            tx,
            DeviceChanged(
                customer=device.customer, occurred_at=now, device=device.shot()
            ),
        )
