"""What a rail or core said, put into what became of one operation. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import assert_never

from app.errors import ErrorCode
from app.integrations.core_banking import Hold, Posting
from app.integrations.outcome import Ok, Outcome, PortCode, Rejected, Unknown
from app.integrations.rails import RailAnswer, RailStatus
from app.payments.ops import Kind

_REASONS: Mapping[PortCode, ErrorCode] = MappingProxyType(
    {
        PortCode.INSUFFICIENT_FUNDS: ErrorCode.INSUFFICIENT_FUNDS,
        PortCode.ACCOUNT_BLOCKED: ErrorCode.ACCOUNT_BLOCKED,
        PortCode.ACCOUNT_CLOSED: ErrorCode.ACCOUNT_BLOCKED,
        PortCode.ACCOUNT_NOT_FOUND: ErrorCode.PAYEE_REJECTED,
        PortCode.PAYEE_INVALID: ErrorCode.PAYEE_REJECTED,
        PortCode.CURRENCY_MISMATCH: ErrorCode.CURRENCY_MISMATCH,
        PortCode.LIMIT_EXCEEDED: ErrorCode.LIMIT_EXCEEDED,
    }
)
# What a core answers in an Ok, by what it was asked to do.
_ANSWERS: Mapping[Kind, type] = MappingProxyType(
    {
        Kind.HOLD: Hold,
        Kind.CAPTURE: Posting,
        Kind.RELEASE: object,
        Kind.CREDIT_BACK: Posting,
    }
)


@dataclass(frozen=True, slots=True)
class Booked:
    """It happened, for good."""

    provider_ref: str | None


@dataclass(frozen=True, slots=True)
class NotBooked:
    """Surely nothing moved, and nothing will under this id.

    Args:
        reason: what the customer is told.
        code: the partner's word, for staff.
        provider_ref: the partner's reference.
    """

    reason: ErrorCode
    code: PortCode
    provider_ref: str | None

    @property
    def is_ours(self) -> bool:
        """Whether our request was wrong: nobody but us can mend that."""
        return self.reason is ErrorCode.SERVICE_UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Unsure:
    """Nobody knows yet; `cause` is for the log.

    Args:
        cause: what went wrong.
        sent: False when surely nothing left: then it has not happened, yet.
        ask_after_s: the partner's own wish, in seconds.
        unseen: a partner that keeps no op ids says that it never saw it.
    """

    cause: str
    sent: bool = True
    ask_after_s: float | None = None
    unseen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A two-phase rail's word on an order."""

    status: RailStatus
    code: PortCode | None = None
    expected_by: datetime | None = None
    provider_ref: str | None = None


Verdict = Booked | NotBooked | Unsure | Said


def not_booked(code: PortCode, provider_ref: str | None = None) -> NotBooked:
    """Put a definite no into what the customer is told."""
    reason = _REASONS.get(code, ErrorCode.SERVICE_UNAVAILABLE)
    return NotBooked(reason, code, provider_ref)


def of_transfer(outcome: Outcome[RailAnswer]) -> Verdict:
    """Judge the answer of a rail that books in one call.

    Anything but SETTLED in an Ok is not in that rail's contract, so it proves nothing;
    nor does an id known with another body: that one may have moved money.
    """
    match outcome:
        case Ok(RailAnswer(status=RailStatus.SETTLED), provider_ref):
            return Booked(provider_ref)
        case Ok(answer):
            return Unsure(f"an atomic rail answered {answer.status}")
        case Rejected(code=PortCode.DUPLICATE_MISMATCH):
            return Unsure("the core knows this id with another body")
        case Rejected(code, provider_ref):
            return not_booked(code, provider_ref)
        case Unknown(cause, ask_after_s):
            return Unsure(cause, ask_after_s=ask_after_s)
        case _:
            assert_never(outcome)


def of_order(outcome: Outcome[RailAnswer]) -> Verdict:
    """Judge the answer of a rail that takes an order and settles it later.

    An id that it knows with another body may have had an effect: nobody knows.
    """
    match outcome:
        case Ok(answer, provider_ref):
            return heard(answer, provider_ref)
        case Rejected(code=PortCode.DUPLICATE_MISMATCH):
            return Unsure("the rail knows this id with another body")
        case Rejected(PortCode.CONFLICT_RETRY, provider_ref):
            return not_booked(PortCode.CONFLICT_RETRY, provider_ref)
        case Rejected(code, provider_ref):
            return Said(
                status=RailStatus.REJECTED, code=code, provider_ref=provider_ref
            )
        case Unknown(cause, ask_after_s):
            return Unsure(cause, ask_after_s=ask_after_s)
        case _:
            assert_never(outcome)


def heard(answer: RailAnswer, provider_ref: str | None) -> Said:
    """Take a rail's word as it is."""
    return Said(
        status=answer.status,
        code=answer.code,
        expected_by=answer.expected_by,
        provider_ref=provider_ref,
    )


def of_core(
    outcome: Outcome[Posting | Hold | None]
    | Outcome[Posting]
    | Outcome[Hold]
    | Outcome[None],
    kind: Kind,
) -> Verdict:
    """Judge a core's answer to a hold, to its end, or to a credit back.

    An Ok of another shape is not in the core's contract, so it proves nothing.
    """
    match outcome:
        case Ok(value, provider_ref) if isinstance(value, _ANSWERS[kind]):
            return Booked(provider_ref)
        case Ok(value):
            return Unsure(f"the core answers a {kind} with {type(value).__name__}")
        case Rejected(code=PortCode.DUPLICATE_MISMATCH):
            return Unsure("the core knows this id with another body")
        case Rejected(code, provider_ref):
            return not_booked(code, provider_ref)
        case Unknown(cause, ask_after_s):
            return Unsure(cause, ask_after_s=ask_after_s)
        case _:
            assert_never(outcome)
