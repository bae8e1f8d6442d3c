"""Every write to a partner ends as Ok, Rejected (surely no effect) or Unknown.

An id is stored before the first byte is sent; Unknown is resolved by asking, never by
trying again under a new id (banking.md section 5).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar
from uuid import UUID

from app.errors import Outage

T = TypeVar("T")


class PortCode(StrEnum):
    """Why a partner said no, in our words."""

    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    ACCOUNT_NOT_FOUND = "ACCOUNT_NOT_FOUND"
    ACCOUNT_BLOCKED = "ACCOUNT_BLOCKED"
    ACCOUNT_CLOSED = "ACCOUNT_CLOSED"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    PAYEE_INVALID = "PAYEE_INVALID"
    DUPLICATE_MISMATCH = "DUPLICATE_MISMATCH"
    CONFLICT_RETRY = "CONFLICT_RETRY"
    VALIDATION = "VALIDATION"
    PERMISSION = "PERMISSION"
    CHALLENGE_REQUIRED = "CHALLENGE_REQUIRED"
    CHALLENGE_FAILED = "CHALLENGE_FAILED"
    NEVER_SEEN = "NEVER_SEEN"
    NOT_SUPPORTED = "NOT_SUPPORTED"


@dataclass(frozen=True, slots=True)
class OpRef:
    """Name of one write, stored before it is sent; the partner's idempotency key."""

    id: UUID
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Ok(Generic[T]):
    """It happened."""

    value: T
    provider_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Surely no effect, now and later.

    Args:
        code: why.
        provider_ref: the partner's reference.
        detail: for the log.
        unasked: the adapter refused by itself, so nothing left this time; of an op that
            was sent before it proves nothing.
    """

    code: PortCode
    provider_ref: str | None = None
    detail: str = ""
    unasked: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have happened; ask after `ask_after_s` seconds."""

    cause: str
    ask_after_s: float | None = None


Outcome = Ok[T] | Rejected | Unknown


class NotSent(Outage):
    """Surely nothing left this process: safe to send again under the same id."""


class Busy(NotSent):
    """The partner asked us to come back later (429), or our own lane is full."""


class BreakerOpen(NotSent):
    """Too many failures lately; the partner is left alone for a moment."""


class AuthFailed(NotSent):
    """The partner refused our credentials: a matter for operations."""


class ContractBroken(Outage):
    """A read answered something the contract does not allow."""
