"""What a rail or core said, put into a move of the payment. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import assert_never

from app.errors import ErrorCode
from app.integrations.outcome import Ok, Outcome, PortCode, Rejected, Unknown
from app.integrations.rails import RailAnswer, RailStatus

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


@dataclass(frozen=True, slots=True)
class Booked:
    """Both sides are booked, for good."""

    provider_ref: str | None


@dataclass(frozen=True, slots=True)
class NotBooked:
    """Surely nothing moved, and nothing will.

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

    `sent` is False when surely nothing left: then it has not happened, yet.
    """

    cause: str
    sent: bool = True


Verdict = Booked | NotBooked | Unsure


def of_transfer(outcome: Outcome[RailAnswer]) -> Verdict:
    """Judge the answer of a rail that books in one call.

    Anything but SETTLED in an Ok is not in that rail's contract, so it proves nothing.
    """
    match outcome:
        case Ok(RailAnswer(status=RailStatus.SETTLED), provider_ref):
            return Booked(provider_ref)
        case Ok(answer):
            return Unsure(f"an atomic rail answered {answer.status}")
        case Rejected(code, provider_ref):
            reason = _REASONS.get(code, ErrorCode.SERVICE_UNAVAILABLE)
            return NotBooked(reason, code, provider_ref)
        case Unknown(cause):
            return Unsure(cause)
        case _:
            assert_never(outcome)
