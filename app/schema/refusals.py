"""How a "no" of the bank is shown: Refusal and Outage become `userErrors`.

Mapped by class: a slice registers the typed kind of a refusal that carries facts, all
others are GenericError. A resolver wraps its one call in `answered`::

    return await answered(MpinSetPayload, _mpin_set(info.context, input))

Source: graphql.md section 3.3.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import Enum
from typing import Any, Protocol, TypeVar

import strawberry

from app import telemetry
from app.errors import NotFound, Outage, RateLimited, Refusal, ServiceUnavailable
from app.ids import MalformedId
from app.status.health import Component

ServiceComponent = strawberry.enum(Component, name="ServiceComponent")


def _code(name: str, description: str) -> Any:  # noqa: ANN401  -- an enum member is built from it
    return strawberry.enum_value(name, description=description)


@strawberry.enum(
    description=(
        "Why the bank said no. Closed list: new values are added only at the end and "
        "only together with GenericError, so treat an unknown value as "
        "VALIDATION_FAILED and show `message`. What the app should do for each: "
        "graphql.md."
    )
)
class ErrorCode(Enum):
    """The contract's view of `app.errors.ErrorCode`: same names, same order."""

    VALIDATION_FAILED = _code(
        "VALIDATION_FAILED",
        "The input is well formed but breaks a rule; `field` points at it.",
    )
    NOT_FOUND = _code(
        "NOT_FOUND",
        "The object does not exist, or is not the caller's: both look the same.",
    )
    NOT_ALLOWED = _code(
        "NOT_ALLOWED",
        "The object exists and is the caller's, but its state does not allow this.",
    )
    CONFLICT = _code(
        "CONFLICT",
        "Another change came first; read again and decide again.",
    )
    RATE_LIMITED = _code(
        "RATE_LIMITED",
        "A quota of this action is used up (RateLimitedError).",
    )
    IDEMPOTENCY_KEY_REUSED = _code(
        "IDEMPOTENCY_KEY_REUSED",
        "The key was used before with another body.",
    )
    SERVICE_UNAVAILABLE = _code(
        "SERVICE_UNAVAILABLE",
        "A partner is unwell (ServiceUnavailableError). Nothing happened; "
        "the same key may be sent again.",
    )
    NOT_SUPPORTED = _code(
        "NOT_SUPPORTED",
        "The bank's core or rail behind this server does not offer this.",
    )
    STEP_UP_REQUIRED = _code(
        "STEP_UP_REQUIRED",
        "The call needs an approval (StepUpRequiredError).",
    )
    APP_UPDATE_REQUIRED = _code(
        "APP_UPDATE_REQUIRED",
        "This build of the app is too old for the action (see appPolicy).",
    )
    INVALID_CREDENTIAL = _code(
        "INVALID_CREDENTIAL",
        "Sign-in, code or identity proof was refused. Deliberately one code "
        "for unknown device, wrong signature, wrong factor, wrong one-time "
        "code and wrong refresh token.",
    )
    CREDENTIAL_LOCKED = _code(
        "CREDENTIAL_LOCKED",
        "Too many wrong tries: the factor is paused or locked, or the "
        "customer is blocked over all devices (CredentialError).",
    )
    DEVICE_BLOCKED = _code(
        "DEVICE_BLOCKED",
        "This device was removed; told only to the holder of its key. Erase "
        "local keys and enrol again.",
    )
    DEVICE_LOCKED = _code(
        "DEVICE_LOCKED",
        "This device is suspended (DeviceState.LOCKED); told only to the "
        "holder of its key. Keep the keys: another active device unlocks it "
        "(deviceUnlock), or a new enrolment replaces it.",
    )
    SESSION_LOCKED = _code(
        "SESSION_LOCKED",
        "No operation of the user for 5 minutes: show the lock screen and "
        "sign in (loginStart).",
    )
    SESSION_ENDED = _code(
        "SESSION_ENDED",
        "The session is over: 12 hours, signed out, revoked, replaced, or "
        "its refresh token was reused. Sign in again.",
    )
    ATTESTATION_REJECTED = _code(
        "ATTESTATION_REJECTED",
        "Policy asks for an attestation and none came, or it does not "
        "verify, or it names another key or app.",
    )
    TOO_MANY_DEVICES = _code(
        "TOO_MANY_DEVICES",
        "Three devices are bound already and `replaceDeviceIds` names none of them.",
    )
    PASSKEY_REJECTED = _code(
        "PASSKEY_REJECTED",
        "The new passkey does not fit: algorithm, origin, user "
        "verification, or the limit of 10.",
    )
    ENROLMENT_EXPIRED = _code(
        "ENROLMENT_EXPIRED",
        "The enrolment is older than 10 minutes, finished, or used up its "
        "tries. Start again.",
    )
    CHALLENGE_EXPIRED = _code(
        "CHALLENGE_EXPIRED",
        "The challenge is older than its `expiresAt`, was answered with "
        "other bytes, or never existed. Ask for a new one.",
    )
    CHALLENGE_FAILED = _code(
        "CHALLENGE_FAILED",
        "The signature does not cover the challenge as the server stores "
        "it, for example because amount or payee differ.",
    )
    INSUFFICIENT_FUNDS = _code(
        "INSUFFICIENT_FUNDS",
        "Available balance is lower than amount and fee (InsufficientFundsError).",
    )
    LIMIT_EXCEEDED = _code("LIMIT_EXCEEDED", "LimitExceededError carries the limit.")
    COOLING_PERIOD = _code(
        "COOLING_PERIOD",
        "A new device, factor or payee is still in its waiting time "
        "(CoolingPeriodError).",
    )
    PAYEE_NAME_MISMATCH = _code(
        "PAYEE_NAME_MISMATCH",
        "The name given and the name at the payee's bank differ "
        "(PayeeNameMismatchError).",
    )
    PAYEE_REJECTED = _code(
        "PAYEE_REJECTED",
        "The payee's bank does not accept credits to this account.",
    )
    ACCOUNT_BLOCKED = _code(
        "ACCOUNT_BLOCKED",
        "The account is blocked, dormant or closed for this direction.",
    )
    CURRENCY_MISMATCH = _code(
        "CURRENCY_MISMATCH",
        "The currencies of account, amount and destination do not fit.",
    )
    QUOTE_EXPIRED = _code("QUOTE_EXPIRED", "The quote is older than its `expiresAt`.")
    RISK_DECLINED = _code(
        "RISK_DECLINED",
        "Refused by fraud rules. As `Payment.reason` it explains a declined payment.",
    )
    TOO_LATE = _code("TOO_LATE", "`cancellableUntil` has passed.")
    PARTNER_DECLINED = _code(
        "PARTNER_DECLINED",
        "The partner answered with a definite no; only as `Payment.reason`.",
    )


@strawberry.interface(
    description=(
        "A refusal the app can handle. Old apps read `code` and `message` of kinds "
        "they do not know. `message` is in the session's language and safe to show. "
        '`field` is the path inside `input`, for example ["to", "beneficiaryId"].'
    )
)
class UserError:
    """What every refusal shows."""

    code: ErrorCode
    message: str
    field: list[str] | None


@strawberry.type(description="A refusal with no further facts.")
class GenericError(UserError):
    """The kind of every refusal that registered no other."""


@strawberry.type(
    description=(
        "Wrong factor or code. Facts are given only after the device key has been "
        "proven, so a stranger learns nothing."
    )
)
class CredentialError(UserError):
    """Shows how many tries are left, or until when there are none."""

    attempts_left: int | None = strawberry.field(
        description=(
            "Tries left before the factor locks; null when the caller's device is not "
            "proven."
        )
    )
    locked_until: datetime | None = strawberry.field(
        description="Null when the lock needs a new enrolment of the factor."
    )


@strawberry.type
class RateLimitedError(UserError):
    """A quota of one action is used up."""

    retry_after_seconds: int


@strawberry.type
class ServiceUnavailableError(UserError):
    """A partner is unwell; nothing happened."""

    component: ServiceComponent  # type: ignore[valid-type]  # an enum of the room, shown
    retry_after_seconds: int | None = strawberry.field(
        description=(
            "Null when no estimate exists; follow serviceStatusChanged instead of "
            "polling."
        )
    )


KINDS = (GenericError, CredentialError, RateLimitedError, ServiceUnavailableError)

P = TypeVar("P")
R = TypeVar("R", bound=Refusal)
P_co = TypeVar("P_co", covariant=True)
Shape = Callable[[R], UserError]
_shapes: dict[type[Refusal], Callable[[Any], UserError]] = {}


def kind(refusal: type[R]) -> Callable[[Shape[R]], Shape[R]]:
    """Register how one class of refusals, and its subclasses, are shown.

    The shape takes the refusal and answers its UserError; `facts(refusal)` gives the
    three fields that all kinds share.
    """

    def register(shape: Shape[R]) -> Shape[R]:
        _shapes[refusal] = shape
        return shape

    return register


def facts(refusal: Refusal) -> dict[str, Any]:
    """Give code, message and field of a refusal, as keyword arguments of its kind."""
    return {
        "code": ErrorCode[refusal.code.name],
        "message": refusal.message,
        "field": refusal.field,
    }


def shown(refusal: Refusal) -> UserError:
    """Show a refusal as its own kind: the nearest registered class decides."""
    telemetry.refusals_total.labels(code=refusal.code.value).inc()
    for cls in type(refusal).__mro__:
        shape = _shapes.get(cls)
        if shape is not None:
            return shape(refusal)
    return GenericError(**facts(refusal))


class Payload(Protocol[P_co]):
    """A payload type: it can be made from its refusals alone."""

    def __call__(self, *, user_errors: list[UserError]) -> P_co:
        """Make the answer that holds nothing but a refusal."""


async def answered(payload: Payload[P], work: Awaitable[P]) -> P:
    """Answer a payload: the work's, or one that holds the refusal.

    An Outage is shown as SERVICE_UNAVAILABLE; a malformed id looks like an id that
    never existed. Everything else goes on up: it is a fault of the request or a bug.

    Args:
        payload: the payload class; every field but `user_errors` has a default.
        work: the call on the room, shaped into the payload.
    """
    try:
        return await work
    except Refusal as refusal:
        return payload(user_errors=[shown(refusal)])
    except MalformedId:
        return payload(user_errors=[shown(NotFound())])
    except Outage as outage:
        telemetry.log.warning(
            "partner_unwell", component=outage.component, cause=outage.cause
        )
        no = ServiceUnavailable(outage.component, outage.retry_after_s)
        return payload(user_errors=[shown(no)])


@kind(RateLimited)
def _rate_limited(no: RateLimited) -> UserError:
    return RateLimitedError(**facts(no), retry_after_seconds=no.retry_after_s)


@kind(ServiceUnavailable)
def _service_unavailable(no: ServiceUnavailable) -> UserError:
    return ServiceUnavailableError(
        **facts(no),
        component=Component[no.component],
        retry_after_seconds=no.retry_after_s,
    )
