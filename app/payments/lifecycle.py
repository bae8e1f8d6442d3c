"""States of a payment and the only legal moves between them. Pure.

One frozen table for every rail. A move that is not in it raises `IllegalMove`: a bug
of ours, never a "no" for the customer. Source: banking.md section 4.2.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a payment stands inside the bank."""

    HELD_FOR_REVIEW = "HELD_FOR_REVIEW"
    AWAITING_AUTHORISATION = "AWAITING_AUTHORISATION"
    APPROVED = "APPROVED"
    HOLDING = "HOLDING"
    SUBMITTING = "SUBMITTING"
    IN_FLIGHT = "IN_FLIGHT"
    CAPTURING = "CAPTURING"
    RELEASING = "RELEASING"
    SETTLED = "SETTLED"
    DECLINED = "DECLINED"
    FAILED = "FAILED"
    REVERSED = "REVERSED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class Status(StrEnum):
    """Where a payment stands as the customer sees it."""

    AWAITING_AUTHORISATION = "AWAITING_AUTHORISATION"
    HELD_FOR_REVIEW = "HELD_FOR_REVIEW"
    SUBMITTED = "SUBMITTED"
    PENDING_CONFIRMATION = "PENDING_CONFIRMATION"
    SETTLED = "SETTLED"
    DECLINED = "DECLINED"
    FAILED = "FAILED"
    REVERSED = "REVERSED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class Event(StrEnum):
    """What can happen to a payment."""

    CREATED = "CREATED"
    CREATED_FOR_REVIEW = "CREATED_FOR_REVIEW"
    BLOCKED_BY_RISK = "BLOCKED_BY_RISK"
    SCHEDULE_RAN = "SCHEDULE_RAN"
    RELEASED_BY_REVIEW = "RELEASED_BY_REVIEW"
    REFUSED_BY_REVIEW = "REFUSED_BY_REVIEW"
    CHALLENGE_RENEWED = "CHALLENGE_RENEWED"
    ACCOUNT_WITHDRAWN = "ACCOUNT_WITHDRAWN"
    APPROVED = "APPROVED"
    ANSWERS_FAILED = "ANSWERS_FAILED"
    TIME_RAN_OUT = "TIME_RAN_OUT"
    CANCELLED = "CANCELLED"
    HOLD_STARTED = "HOLD_STARTED"
    HOLD_MADE = "HOLD_MADE"
    HOLD_REJECTED = "HOLD_REJECTED"
    TRANSFER_STARTED = "TRANSFER_STARTED"
    TRANSFER_MADE = "TRANSFER_MADE"
    TRANSFER_REJECTED = "TRANSFER_REJECTED"
    RAIL_ACCEPTED = "RAIL_ACCEPTED"
    RAIL_SETTLED = "RAIL_SETTLED"
    RAIL_REJECTED = "RAIL_REJECTED"
    CAPTURED = "CAPTURED"
    HOLD_RELEASED = "HOLD_RELEASED"
    CREDITED_BACK = "CREDITED_BACK"


class IllegalMove(AssertionError):
    """An event met a state that does not know it: our mistake."""


FINAL = frozenset(
    {
        State.SETTLED,
        State.DECLINED,
        State.FAILED,
        State.REVERSED,
        State.CANCELLED,
        State.EXPIRED,
    }
)
BOOKED = frozenset({State.SETTLED, State.REVERSED})  # the payee had the money
NOTHING_MOVED = FINAL - BOOKED
CANCELLABLE = frozenset({State.HELD_FOR_REVIEW, State.AWAITING_AUTHORISATION})

MOVES: Mapping[tuple[State | None, Event], State] = MappingProxyType(
    {
        (None, Event.CREATED): State.AWAITING_AUTHORISATION,
        (None, Event.CREATED_FOR_REVIEW): State.HELD_FOR_REVIEW,
        (None, Event.BLOCKED_BY_RISK): State.DECLINED,
        (None, Event.SCHEDULE_RAN): State.APPROVED,
        (State.HELD_FOR_REVIEW, Event.RELEASED_BY_REVIEW): State.AWAITING_AUTHORISATION,
        (State.HELD_FOR_REVIEW, Event.REFUSED_BY_REVIEW): State.DECLINED,
        (State.HELD_FOR_REVIEW, Event.TIME_RAN_OUT): State.EXPIRED,
        (State.HELD_FOR_REVIEW, Event.CANCELLED): State.CANCELLED,
        (
            State.AWAITING_AUTHORISATION,
            Event.CHALLENGE_RENEWED,
        ): State.AWAITING_AUTHORISATION,
        (State.AWAITING_AUTHORISATION, Event.APPROVED): State.APPROVED,
        (State.AWAITING_AUTHORISATION, Event.ANSWERS_FAILED): State.DECLINED,
        (State.AWAITING_AUTHORISATION, Event.TIME_RAN_OUT): State.EXPIRED,
        (State.AWAITING_AUTHORISATION, Event.CANCELLED): State.CANCELLED,
        (State.AWAITING_AUTHORISATION, Event.ACCOUNT_WITHDRAWN): State.DECLINED,
        (State.APPROVED, Event.CANCELLED): State.CANCELLED,
        (State.APPROVED, Event.ACCOUNT_WITHDRAWN): State.DECLINED,
        (State.APPROVED, Event.HOLD_STARTED): State.HOLDING,
        (State.APPROVED, Event.TRANSFER_STARTED): State.SUBMITTING,
        (State.HOLDING, Event.HOLD_MADE): State.SUBMITTING,
        (State.HOLDING, Event.HOLD_REJECTED): State.DECLINED,
        (State.SUBMITTING, Event.TRANSFER_MADE): State.SETTLED,
        (State.SUBMITTING, Event.TRANSFER_REJECTED): State.DECLINED,
        (State.SUBMITTING, Event.RAIL_ACCEPTED): State.IN_FLIGHT,
        (State.SUBMITTING, Event.RAIL_SETTLED): State.CAPTURING,
        (State.SUBMITTING, Event.RAIL_REJECTED): State.RELEASING,
        (State.IN_FLIGHT, Event.RAIL_SETTLED): State.CAPTURING,
        (State.IN_FLIGHT, Event.RAIL_REJECTED): State.RELEASING,
        (State.CAPTURING, Event.CAPTURED): State.SETTLED,
        (State.RELEASING, Event.HOLD_RELEASED): State.FAILED,
        (State.SETTLED, Event.CREDITED_BACK): State.REVERSED,
    }
)

_SHOWN: Mapping[State, Status] = MappingProxyType(
    {
        State.APPROVED: Status.SUBMITTED,
        State.HOLDING: Status.SUBMITTED,
        State.SUBMITTING: Status.SUBMITTED,
        State.IN_FLIGHT: Status.SUBMITTED,
        State.CAPTURING: Status.SUBMITTED,
        State.RELEASING: Status.PENDING_CONFIRMATION,
    }
)


def listed(states: Collection[State]) -> str:
    """Write states as an SQL list, in their order.

    Always the same words: a partial index serves only statements that repeat its own.
    """
    return ", ".join(f"'{state}'" for state in State if state in states)


def moved(state: State | None, event: Event) -> State:
    """Give the state after an event; `None` is before the payment exists.

    Raises:
        IllegalMove: the table does not know this move.
    """
    found = MOVES.get((state, event))
    if found is None:
        raise IllegalMove(f"{event} in {state}")
    return found


def shown(state: State, *, unsure: bool) -> Status:
    """Give what the customer sees.

    Args:
        state: inside state.
        unsure: an operation under way is UNKNOWN or deemed: the money may be gone.
    """
    status = _SHOWN.get(state)
    if status is None:
        return Status(state.value)
    return Status.PENDING_CONFIRMATION if unsure else status


def states_shown_as(status: Status, *, unsure: bool) -> frozenset[State]:
    """Give the inside states that show as `status`, for lists by status."""
    return frozenset(state for state in State if shown(state, unsure=unsure) is status)
