"""Counting wrong tries: charge first, refund on success, lock at the end.

The charge is committed before the comparison, so two hundred parallel guesses get at
most five comparisons and a crash errs on the safe side (auth.md 6.1). Only answers with
a valid signature of the device key are ever charged: a stranger can lock nobody out.

Each factor counts its own tries in its own file; the phone's tries over all factors are
counted here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.auth import alerts
from app.auth.actor import Actor, DeviceState, LockReason
from app.auth.device import COLUMNS, read_device
from app.auth.errors import DeviceLocked
from app.auth.failures import DAY, FORGIVEN, Failures, forgive
from app.auth.revocations import EndReason
from app.auth.sessions import Sessions
from app.database import Tx
from app.ids import CustomerId, DeviceId
from app.realtime import log
from app.realtime.facts import DeviceChanged
from app.settings import Settings

# One answer of a phone is judged at a time, by whichever process took the turn. A
# process that dies in its turn blocks the phone for this long.
TURN = timedelta(seconds=2)
_STEPS_MAX = 32


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a wrong try leads to.

    Args:
        attempts_left: tries before the factor locks.
        warns: whether the customer is told that one try is left.
        ends: whether no try is left: the secret is erased.
    """

    attempts_left: int
    warns: bool
    ends: bool


def judge(failed: int, tries: int) -> Verdict:
    """Decide about a wrong try that was already counted (pure; table of auth.md 6.1).

    Args:
        failed: wrong tries of this factor in a row.
        tries: how many it may have.
    """
    left = max(tries - failed, 0)
    return Verdict(attempts_left=left, warns=left == 1, ends=left == 0)


def pause(failed: int, settings: Settings) -> timedelta | None:
    """Give how long a factor pauses after its latest wrong try; None: not at all.

    Args:
        failed: wrong tries since its last success, this one included (pure).
        settings: tries in a row, first and longest pause.
    """
    rows, rest = divmod(failed, settings.factor_tries)
    if rows == 0 or rest:
        return None
    doubled = settings.factor_pause_s * 2 ** min(rows - 1, _STEPS_MAX)
    return timedelta(seconds=min(doubled, settings.factor_pause_max_s))


async def charge(tx: Tx, device: DeviceId, tries: int, now: datetime) -> bool:
    """Count one try of a phone over all factors, and take its turn.

    Returns:
        False while another answer of this phone is judged: nothing was counted.

    Raises:
        DeviceLocked: no try is left over all factors.
    """
    counted = await tx.one(
        "UPDATE device SET failed = failed + 1, answering_until = $4 WHERE id = $1 "
        "AND failed < $2 AND state IN ('COOLING', 'ACTIVE') "
        "AND (answering_until IS NULL OR answering_until <= $3) RETURNING id",
        device,
        tries,
        now,
        now + TURN,
    )
    if counted is not None:
        return True
    left = await tx.one(
        "SELECT id FROM device WHERE id = $1 AND failed < $2 "
        "AND state IN ('COOLING', 'ACTIVE')",
        device,
        tries,
    )
    if left is None:
        raise DeviceLocked
    return False


async def end_turn(tx: Tx, device: DeviceId) -> None:
    """Let the next answer of a phone be judged; first in every judging transaction."""
    await tx.rows(
        "UPDATE device SET answering_until = NULL WHERE id = $1 RETURNING id", device
    )


async def refund(tx: Tx, customer: CustomerId, device: DeviceId, now: datetime) -> None:
    """End a phone's turn and forget its wrong tries: the person proved herself."""
    row = await tx.one(
        "UPDATE device SET failed = 0, answering_until = NULL WHERE id = $1 "  # noqa: S608  -- our own condition
        f"RETURNING EXISTS (SELECT 1 FROM failure_day WHERE {FORGIVEN}) AS wronged",
        device,
        customer,
        now - DAY,
    )
    if row is not None and row.get("wronged", bool):
        await forgive(tx, customer, device, now)


class Lockout:
    """Locks phones that used up their tries.

    Args:
        sessions: ends those of a device that is locked.
        device_tries: wrong answers of any kind.
        failures: counts them over all phones of the customer.
    """

    def __init__(
        self,
        *,
        sessions: Sessions,
        device_tries: int,
        failures: Failures | None = None,
    ) -> None:
        self._sessions = sessions
        self._failures = failures
        self.device_tries = device_tries

    async def settle(self, tx: Tx, actor: Actor, now: datetime) -> None:
        """Count a wrong answer; the last one over all factors locks the phone."""
        if self._failures is not None:
            await self._failures.count(tx, actor, now)
        row = await tx.one(
            "UPDATE device SET state = $2, lock_reason = $3, lock_before = CASE "  # noqa: S608  -- our own column list
            "WHEN cooling_until > $5 THEN state ELSE 'ACTIVE' END "
            "WHERE id = $1 AND state IN ('COOLING', 'ACTIVE') AND failed >= $4 "
            f"RETURNING {COLUMNS}",
            actor.known_device,
            DeviceState.LOCKED,
            LockReason.FAILURES,
            self.device_tries,
            now,
        )
        if row is None:
            return
        device = read_device(row, now)
        await self._sessions.end_of_device(tx, device.id, EndReason.LOCKED)
        entry = actor.entry(
            "device.locked", now, object=str(device.id), detail={"reason": "FAILURES"}
        )
        title = f"{device.name} is locked after too many wrong tries."
        alerts.tell(tx, entry, title)
        if self._failures is not None:
            await self._failures.tell(tx, device.customer, title, now)
        log.append(
            tx,
            DeviceChanged(
                customer=device.customer, occurred_at=now, device=device.shot()
            ),
        )
