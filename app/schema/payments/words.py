"""Sentences about payments, made where the language of the session is known."""

from collections.abc import Mapping
from types import MappingProxyType

from app.errors import ErrorCode
from app.payments.lifecycle import Status
from app.payments.payment import StepDetail

_STEPS: Mapping[StepDetail, str] = MappingProxyType(
    {
        StepDetail.CREATED: "You created this payment.",
        StepDetail.APPROVED: "You approved this payment.",
        StepDetail.REFUSED: "You refused this payment.",
        StepDetail.CANCELLED: "You cancelled this payment.",
        StepDetail.ACCESS_STOPPED: "Your access was locked before any money left.",
        StepDetail.ACCOUNT_WITHDRAWN: "One of the accounts is no longer here.",
        StepDetail.TOO_MANY_ANSWERS: "It was not approved rightly three times.",
        StepDetail.NOT_APPROVED_IN_TIME: "It was not approved in time.",
        StepDetail.HELD: "We look at this payment before it can go on.",
        StepDetail.STOPPED: "For your safety we did not accept this payment.",
        StepDetail.RELEASED: "We looked at this payment. You can approve it now.",
        StepDetail.REFUSED_BY_BANK: "We looked at this payment and did not accept it.",
        StepDetail.NOT_DECIDED_IN_TIME: "We did not come to a decision in time.",
        StepDetail.HANDED_OVER: "The payment is on its way.",
        StepDetail.OUTCOME_UNSURE: "We are checking whether the payment arrived.",
        StepDetail.BOOKED: "The money was booked.",
        StepDetail.NOT_BOOKED: "The payment was not booked.",
        StepDetail.MONEY_HELD: "The money is set aside on your account.",
        StepDetail.TAKEN_BY_RAIL: "The payment network has taken the payment.",
        StepDetail.PROBABLY_SETTLED: "It probably arrived. We wait for the last word.",
        StepDetail.SETTLED_BY_RAIL: "The payee's bank has the money.",
        StepDetail.REFUSED_BY_RAIL: "The payee's bank refused the payment.",
        StepDetail.MONEY_FREED: "The money on your account is free again.",
        StepDetail.RETURNED_BY_RAIL: "The payee's bank sent the money back.",
        StepDetail.CREDITED_BACK: "The money is on your account again.",
        StepDetail.WITH_STAFF: "Our staff find out what became of it.",
    }
)
_STATUSES: Mapping[Status, str] = MappingProxyType(
    {
        Status.AWAITING_AUTHORISATION: "Please approve this payment.",
        Status.HELD_FOR_REVIEW: "We look at this payment before it can go on.",
        Status.SUBMITTED: "The payment is on its way.",
        Status.PENDING_CONFIRMATION: (
            "We are checking whether the payment arrived. Do not pay again."
        ),
        Status.SETTLED: "The payment is booked.",
        Status.DECLINED: "The payment was declined. No money moved.",
        Status.FAILED: "The payment failed. The money is free again.",
        Status.REVERSED: "The money was given back.",
        Status.CANCELLED: "The payment was cancelled. No money moved.",
        Status.EXPIRED: "The payment was not approved in time. No money moved.",
    }
)
_REASONS: Mapping[ErrorCode, str] = MappingProxyType(
    {
        ErrorCode.INSUFFICIENT_FUNDS: "There was not enough money on the account.",
        ErrorCode.ACCOUNT_BLOCKED: "One of the accounts is blocked.",
        ErrorCode.PAYEE_REJECTED: "The payee cannot be paid.",
        ErrorCode.CURRENCY_MISMATCH: "The accounts are of different currencies.",
        ErrorCode.LIMIT_EXCEEDED: "A limit would have been passed.",
        ErrorCode.CHALLENGE_FAILED: "It was not approved rightly three times.",
        ErrorCode.PARTNER_DECLINED: "The payee's bank refused it.",
        ErrorCode.RISK_DECLINED: "For your safety we did not accept it.",
        ErrorCode.SERVICE_UNAVAILABLE: "Something went wrong at our side.",
    }
)


def step(detail: StepDetail) -> str:
    """Word one line of a timeline."""
    return _STEPS[detail]


def status(found: Status, reason: ErrorCode | None) -> str:
    """Word where a payment stands, and why."""
    if reason is None or reason not in _REASONS:
        return _STATUSES[found]
    return f"{_STATUSES[found]} {_REASONS[reason]}"
