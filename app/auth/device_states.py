"""States of a bound phone: one pure table of its moves (auth.md 6.5).

A phone stands where its binding brought it, COOLING or ACTIVE, under the locks laid
upon it since, the newest last. Taking a lock away brings back what was before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from app.auth.actor import DeviceState, LockReason
from app.ids import DeviceId


class DeviceEvent(StrEnum):
    """What can happen to a binding."""

    COOLED = "COOLED"
    UNUSED = "UNUSED"
    FAILURES = "FAILURES"
    SUSPENDED = "SUSPENDED"
    REPLACED = "REPLACED"
    PANIC = "PANIC"
    STAFF = "STAFF"
    UNLOCKED = "UNLOCKED"
    UNLOCKED_BY_STAFF = "UNLOCKED_BY_STAFF"
    RETURNED = "RETURNED"
    SUCCEEDED = "SUCCEEDED"
    REVOKED = "REVOKED"


_FRESH = frozenset({DeviceState.COOLING})
_USABLE = frozenset({DeviceState.COOLING, DeviceState.ACTIVE})
_LOCKED = frozenset({DeviceState.LOCKED})
_BOUND = _USABLE | _LOCKED
_FROM: Mapping[DeviceEvent, frozenset[DeviceState]] = MappingProxyType(
    {
        DeviceEvent.COOLED: _FRESH,
        DeviceEvent.UNUSED: _FRESH,
        DeviceEvent.FAILURES: _USABLE,
        DeviceEvent.SUSPENDED: _USABLE,
        DeviceEvent.REPLACED: _BOUND,
        DeviceEvent.PANIC: _BOUND,
        DeviceEvent.STAFF: _USABLE,
        DeviceEvent.UNLOCKED: _LOCKED,
        DeviceEvent.UNLOCKED_BY_STAFF: _LOCKED,
        DeviceEvent.RETURNED: _LOCKED,
        DeviceEvent.SUCCEEDED: _LOCKED,
        DeviceEvent.REVOKED: _BOUND,
    }
)
_FINAL = frozenset({DeviceEvent.UNUSED, DeviceEvent.SUCCEEDED, DeviceEvent.REVOKED})
_LAYS: Mapping[DeviceEvent, LockReason] = MappingProxyType(
    {DeviceEvent(reason.value): reason for reason in LockReason}
)
# Only the bank, or a new enrolment, takes these away.
NOT_THE_CUSTOMERS = frozenset({LockReason.PANIC, LockReason.STAFF})
_REVERSED = frozenset({LockReason.SUSPENDED, LockReason.REPLACED})


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock upon a phone, and the phone that laid it, if one did."""

    reason: LockReason
    by: DeviceId | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a phone stands.

    Args:
        base: COOLING, ACTIVE or REVOKED; of a locked phone what it was before.
        locks: those upon it, the newest last; none once it is revoked.
    """

    base: DeviceState
    locks: tuple[Lock, ...] = ()

    @property
    def state(self) -> DeviceState:
        """The state as the row and the contract name it."""
        return DeviceState.LOCKED if self.locks else self.base

    @property
    def reason(self) -> LockReason | None:
        """Why it is locked: the newest lock."""
        return self.locks[-1].reason if self.locks else None

    @property
    def was_active(self) -> bool:
        """Whether its waiting time was ever over."""
        return self.base is DeviceState.ACTIVE

    def is_locked_for(self, *reasons: LockReason) -> bool:
        """Tell whether one of these locks lies upon it, on top or below."""
        return any(lock.reason in reasons for lock in self.locks)


def moved(
    standing: Standing,
    event: DeviceEvent,
    *,
    by: DeviceId | None = None,
    cools: bool = False,
) -> Standing | None:
    """Give the standing an event leads to, or None where it changes nothing.

    Args:
        standing: where the phone stands.
        event: what happened.
        by: the phone that laid a lock, was revoked (RETURNED) or grew ACTIVE
            (SUCCEEDED).
        cools: whether the waiting time is not over; an unlocked phone cools on.
    """
    if standing.state not in _FROM[event]:
        return None
    if event in _LAYS:
        return _locked(standing, Lock(_LAYS[event], by))
    if event in _FINAL:
        return _ended(standing, event, by)
    if event is DeviceEvent.COOLED:
        return None if cools else Standing(DeviceState.ACTIVE)
    return _unlocked(standing, event, by, cools=cools)


def _ended(
    standing: Standing, event: DeviceEvent, by: DeviceId | None
) -> Standing | None:
    replaced = Lock(LockReason.REPLACED, by)
    if event is DeviceEvent.SUCCEEDED and replaced not in standing.locks:
        return None
    return Standing(DeviceState.REVOKED)


def _locked(standing: Standing, lock: Lock) -> Standing | None:
    """Lay a lock upon the others; the emergency stop's stands instead of all."""
    if lock.reason is LockReason.PANIC:
        return None if standing.locks == (lock,) else replace(standing, locks=(lock,))
    if lock in standing.locks:
        return None
    return replace(standing, locks=(*standing.locks, lock))


def _unlocked(
    standing: Standing, event: DeviceEvent, by: DeviceId | None, *, cools: bool
) -> Standing | None:
    left: Sequence[Lock] = ()
    if event is DeviceEvent.UNLOCKED and standing.is_locked_for(*NOT_THE_CUSTOMERS):
        return None
    if event is DeviceEvent.RETURNED:
        left = tuple(
            lock
            for lock in standing.locks
            if lock.by != by or lock.reason not in _REVERSED
        )
        if len(left) == len(standing.locks):
            return None
    if left:
        return replace(standing, locks=tuple(left))
    cooling = standing.base is DeviceState.COOLING and cools
    return Standing(DeviceState.COOLING if cooling else DeviceState.ACTIVE)
