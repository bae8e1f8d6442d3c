"""Moving phones between their states: rows, sessions, pushes, and who is told.

Whoever moves a phone first takes the turn of its customer and the rows of all phones,
so that two changes of one customer come one after the other (auth.md 3.8, 6.5).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from app import audit
from app.auth import alerts, factors
from app.auth.actor import DeviceState, LockReason
from app.auth.device import COLUMNS, Device, read_device
from app.auth.device_states import DeviceEvent, Lock, Standing, moved
from app.auth.revocations import EndReason
from app.auth.sessions import Bell, Sessions
from app.clock import Clock
from app.database import Tx
from app.ids import CustomerId, DeviceId, PasskeyId
from app.realtime import log
from app.realtime.facts import DeviceChanged
from app.rows import Row

_HELD = f"{COLUMNS}, lock_before, locked_by, locks_under"


@dataclass(frozen=True, slots=True)
class Held:
    """A phone whose row this transaction holds.

    Args:
        device: as it is now.
        standing: with every lock upon it.
        cooling_until: when its waiting time ends, or ended.
    """

    device: Device
    standing: Standing
    cooling_until: datetime | None

    @property
    def counts(self) -> bool:
        """Whether it takes one of the customer's places: replaced ones do not."""
        return not self.standing.is_locked_for(LockReason.REPLACED)


Phones = dict[DeviceId, Held]
Telling = Callable[[str, DeviceId, Mapping[str, str]], audit.Entry]


class DeviceMoves:
    """Writes the moves of phones.

    Args:
        clock: the bank's clock.
        sessions: ends those of a phone that is locked or revoked.
        bell: mutes the phone's pushes, or gives their address up.
        forget: drops what this process keeps about a phone, after the commit.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        sessions: Sessions,
        bell: Bell | None = None,
        forget: Callable[[DeviceId], None] | None = None,
    ) -> None:
        self._clock = clock
        self._sessions = sessions
        self._bell = bell
        self._forget = forget

    async def hold(self, tx: Tx, customer: CustomerId) -> Phones:
        """Take the customer's turn; gives the phones that are not revoked."""
        await factors.take_turn(tx, customer)
        # An update that changes nothing: it locks the rows on both engines.
        rows = await tx.rows(
            "UPDATE device SET failed = failed "  # noqa: S608  -- our own column list
            f"WHERE customer_id = $1 AND state <> 'REVOKED' RETURNING {_HELD}",
            customer,
        )
        now = self._clock.now()
        held = [_held(row, now) for row in rows]
        held.sort(key=lambda one: (one.device.bound_at, one.device.id.value))
        return {one.device.id: one for one in held}

    def moved(
        self, held: Held, event: DeviceEvent, by: DeviceId | None = None
    ) -> Standing | None:
        """Ask the table where an event leads this phone."""
        until = held.cooling_until
        cools = until is not None and until > self._clock.now()
        return moved(held.standing, event, by=by, cools=cools)

    async def write(self, tx: Tx, held: Held, to: Standing) -> Device:
        """Write where a phone stands now, and tell its list."""
        now = self._clock.now()
        top = to.locks[-1] if to.locks else None
        unlocked = held.standing.locks and not to.locks
        row = await tx.one(
            "UPDATE device SET state = $2, lock_reason = $3, locked_by = $4, "  # noqa: S608  -- our own column list
            "lock_before = $5, locks_under = $6, failed = $7 "
            f"WHERE id = $1 RETURNING {COLUMNS}",
            held.device.id,
            to.state,
            top.reason if top else None,
            top.by if top else None,
            to.base if top else None,
            _text(to.locks[:-1]) if to.locks[1:] else None,
            0 if unlocked else held.device.failed,
        )
        assert row is not None  # noqa: S101  -- the row is held
        device = read_device(row, now)
        fact = DeviceChanged(
            customer=device.customer, occurred_at=now, device=device.shot()
        )
        log.append(tx, fact)
        if self._forget is not None:
            forget = self._forget
            tx.after_commit(lambda: forget(device.id))
        return device

    async def lock(self, tx: Tx, held: Held, to: Standing) -> tuple[Device, int]:
        """Lock a phone and end its session; gives how many sessions ended."""
        device = await self.write(tx, held, to)
        ended = await self._close(tx, device.id, EndReason.LOCKED)
        if self._bell is not None:
            await self._bell.signed_out(tx, device.id)
        return device, ended

    async def revoke(
        self, tx: Tx, phones: Phones, held: Held, told: Telling, title: str
    ) -> Device:
        """End a binding for good, in the caller's transaction (auth.md 3.8).

        Secrets and keys of the person on that phone are erased. Of one that was never
        ACTIVE also the passkeys it registered go, and phones that it suspended or
        replaced get their former state back.

        Args:
            tx: the transaction that asked `hold`.
            phones: what `hold` gave.
            held: the phone that goes.
            told: makes the entries of the audit.
            title: one sentence for the customer.
        """
        device = await self.write(tx, held, Standing(DeviceState.REVOKED))
        await self._close(tx, device.id, EndReason.REVOKED)
        await _erase(tx, device.id)
        if self._bell is not None:
            await self._bell.revoked(tx, device.id)
        alerts.tell(tx, told("device.revoked", device.id, {}), title)
        phones.pop(device.id, None)
        if not held.standing.was_active:
            await self._undo(tx, phones, device.id, told)
        return device

    # -------------------------------------------------------------- inside

    async def _undo(
        self, tx: Tx, phones: Phones, gone: DeviceId, told: Telling
    ) -> None:
        """Take back what a phone did that was never ACTIVE."""
        rows = await tx.rows(
            "DELETE FROM passkey WHERE device_id = $1 RETURNING id", gone
        )
        for row in rows:
            entry = told("passkey.removed", gone, {})
            entry = replace(entry, object=str(row.get("id", PasskeyId)))
            alerts.tell(tx, entry, "A passkey of a removed phone was removed.")
        for held in list(phones.values()):
            back = self.moved(held, DeviceEvent.RETURNED, gone)
            if back is None:
                continue
            device = await self.write(tx, held, back)
            phones[device.id] = replace(held, device=device, standing=back)
            if not back.locks:
                entry = told("device.unlocked", device.id, {"reason": "RETURNED"})
                alerts.tell(tx, entry, f"{device.name} works again.")

    async def _close(self, tx: Tx, device: DeviceId, reason: EndReason) -> int:
        """End the session of a phone, and whatever it was asked to sign."""
        ended = await self._sessions.end_of_device(tx, device, reason)
        await tx.rows(
            "UPDATE challenge SET state = 'CANCELLED' WHERE device_id = $1 "
            "AND state IN ('PENDING', 'APPROVED') RETURNING id",
            device,
        )
        return len(ended)


async def _erase(tx: Tx, device: DeviceId) -> None:
    """Erase what a phone proved its person with."""
    await tx.rows(
        "UPDATE mpin_secret SET sealed = NULL, state = 'LOCKED' "
        "WHERE device_id = $1 RETURNING device_id",
        device,
    )
    await tx.rows(
        "UPDATE device SET bio_jkt = NULL, bio_jwk = NULL WHERE id = $1 RETURNING id",
        device,
    )


def _held(row: Row, now: datetime) -> Held:
    device = read_device(row, now)
    base, locks = device.state, []
    if device.lock_reason is not None:
        base = row.find("lock_before", DeviceState) or DeviceState.COOLING
        for reason, by in orjson.loads(row.find("locks_under", str) or "[]"):
            laid_by = None if by is None else DeviceId.parse(by)
            locks.append(Lock(LockReason(reason), laid_by))
        locks.append(Lock(device.lock_reason, row.find("locked_by", DeviceId)))
    return Held(
        device, Standing(base, tuple(locks)), row.find("cooling_until", datetime)
    )


def _text(locks: tuple[Lock, ...]) -> str:
    plain = [[one.reason.value, str(one.by) if one.by else None] for one in locks]
    return orjson.dumps(plain).decode()
