"""The three ways a call ends badly, and the codes the phones know them by.

The tree::

    Refusal            the bank says no to the customer: shown as `userErrors`
      ValidationFailed NotFound NotAllowed Conflict RateLimited IdempotencyKeyReused
      NotSupported     ... and one subclass per business "no" in the room that owns it
    Outage             a partner, or our own database, is unwell: nothing happened
      ServiceUnavailable is what the customer sees of it
    RequestFault       the request itself was refused: top-level `errors`, no data
      BadRequest TooComplex PersistedQueryNotFound Unauthenticated DpopRequired
      DpopInvalid DpopReplayed UseDpopNonce Forbidden TooManyRequests

Anything else that is raised is a bug: it is masked as INTERNAL and logged.
Source of the codes: graphql.md section 3 of the design, printed in docs/errors.md.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """Why the bank said no. Closed list: new values only at the end."""

    VALIDATION_FAILED = "VALIDATION_FAILED"
    NOT_FOUND = "NOT_FOUND"
    NOT_ALLOWED = "NOT_ALLOWED"
    CONFLICT = "CONFLICT"
    RATE_LIMITED = "RATE_LIMITED"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    STEP_UP_REQUIRED = "STEP_UP_REQUIRED"
    APP_UPDATE_REQUIRED = "APP_UPDATE_REQUIRED"
    INVALID_CREDENTIAL = "INVALID_CREDENTIAL"
    CREDENTIAL_LOCKED = "CREDENTIAL_LOCKED"
    DEVICE_BLOCKED = "DEVICE_BLOCKED"
    DEVICE_LOCKED = "DEVICE_LOCKED"
    SESSION_LOCKED = "SESSION_LOCKED"
    SESSION_ENDED = "SESSION_ENDED"
    ATTESTATION_REJECTED = "ATTESTATION_REJECTED"
    TOO_MANY_DEVICES = "TOO_MANY_DEVICES"
    PASSKEY_REJECTED = "PASSKEY_REJECTED"
    ENROLMENT_EXPIRED = "ENROLMENT_EXPIRED"
    CHALLENGE_EXPIRED = "CHALLENGE_EXPIRED"
    CHALLENGE_FAILED = "CHALLENGE_FAILED"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    COOLING_PERIOD = "COOLING_PERIOD"
    PAYEE_NAME_MISMATCH = "PAYEE_NAME_MISMATCH"
    PAYEE_REJECTED = "PAYEE_REJECTED"
    ACCOUNT_BLOCKED = "ACCOUNT_BLOCKED"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    QUOTE_EXPIRED = "QUOTE_EXPIRED"
    RISK_DECLINED = "RISK_DECLINED"
    TOO_LATE = "TOO_LATE"
    PARTNER_DECLINED = "PARTNER_DECLINED"


class Refusal(Exception):
    """The bank says no. Raised in a transaction it rolls back, returned it commits.

    Subclasses set `code` and `sentence`; facts are typed attributes of the subclass.

    Args:
        sentence: what the customer reads; the class's own sentence if left out.
        field: path inside the GraphQL `input` that is to blame, outermost first.
    """

    code: ClassVar[ErrorCode]
    sentence: ClassVar[str]

    def __init__(
        self, sentence: str | None = None, *, field: Sequence[str] | None = None
    ) -> None:
        self.message = sentence or self.sentence
        self.field = list(field) if field else None
        super().__init__(self.message)


class ValidationFailed(Refusal):
    """The input is well formed but breaks a rule; `field` points at it."""

    code = ErrorCode.VALIDATION_FAILED
    sentence = "Something in the form is not valid."


class NotFound(Refusal):
    """The object does not exist or is not the caller's: both look the same."""

    code = ErrorCode.NOT_FOUND
    sentence = "We cannot find that."


class NotAllowed(Refusal):
    """The object is the caller's, but its state does not allow this."""

    code = ErrorCode.NOT_ALLOWED
    sentence = "That is not possible right now."


class Conflict(Refusal):
    """Another change came first, or the object exists already."""

    code = ErrorCode.CONFLICT
    sentence = "Something changed in the meantime. Please look again."


class RateLimited(Refusal):
    """A quota of this action is used up.

    Args:
        retry_after_s: whole seconds until the next try may succeed.
    """

    code = ErrorCode.RATE_LIMITED
    sentence = "Too many tries. Please wait a little."

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class IdempotencyKeyReused(Refusal):
    """The key was used before with another body; nothing happens."""

    code = ErrorCode.IDEMPOTENCY_KEY_REUSED
    sentence = "This request was already used for something else."


class NotSupported(Refusal):
    """The core bank or rail behind this server does not offer this."""

    code = ErrorCode.NOT_SUPPORTED
    sentence = "This is not offered here."


class ServiceUnavailable(Refusal):
    """A partner is unwell; nothing happened, the same key may be sent again.

    Args:
        component: name of the ServiceComponent that is down.
        retry_after_s: whole seconds until a retry makes sense, if known.
    """

    code = ErrorCode.SERVICE_UNAVAILABLE
    sentence = "This part of the bank is not available at the moment."

    def __init__(self, component: str, retry_after_s: int | None = None) -> None:
        super().__init__()
        self.component = component
        self.retry_after_s = retry_after_s


class Outage(Exception):
    """A partner or the database is unwell. Nothing happened at our side.

    Args:
        cause: short reason for the log, never shown to a customer.
        component: name of the ServiceComponent that is affected.
        retry_after_s: whole seconds until a retry makes sense, if known.
    """

    def __init__(
        self, cause: str, *, component: str = "TRANSFERS", retry_after_s: int | None = 2
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        self.component = component
        self.retry_after_s = retry_after_s


class RequestFault(Exception):
    """The request never became an operation: top-level `errors`, no data.

    `message` is one fixed sentence per code; `facts` become `extensions` beside
    code and request id.
    """

    code: ClassVar[str]
    sentence: ClassVar[str]
    status: ClassVar[int]

    def __init__(self, **facts: object) -> None:
        super().__init__(self.sentence)
        self.facts = facts


class BadRequest(RequestFault):
    """Syntax, validation, coercion, malformed cursor, too many root fields.

    Args:
        why: a fixed or schema-made sentence for developers; holds no input value.
    """

    code = "BAD_REQUEST"
    sentence = "The request is not a valid GraphQL request."
    status = 400

    def __init__(self, why: str | None = None, **facts: object) -> None:
        super().__init__(**facts)
        self.why = why


class TooComplex(RequestFault):
    """The document passes one of the budgets of graphql.md section 6."""

    code = "TOO_COMPLEX"
    sentence = "The document asks for too much."
    status = 400

    def __init__(self, budget: str) -> None:
        super().__init__(budget=budget)


class PersistedQueryNotFound(RequestFault):
    """The document is on no list of this server; sending its text adds it to none."""

    code = "PERSISTED_QUERY_NOT_FOUND"
    sentence = "This server does not know the document."
    status = 400


class Unauthenticated(RequestFault):
    """Token missing, expired or wrong, or the device is not one of ours.

    Args:
        reason: TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_ENDED,
            DEVICE_UNKNOWN or DEVICE_LOCKED.
    """

    code = "UNAUTHENTICATED"
    sentence = "Please sign in."
    status = 401

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)
        self.reason = reason


class DpopRequired(RequestFault):
    """The request needs a proof of the device key and carries none."""

    code = "DPOP_REQUIRED"
    sentence = "A DPoP proof is required."
    status = 401


class DpopInvalid(RequestFault):
    """The proof does not verify, or names another method, URL, token or body."""

    code = "DPOP_INVALID"
    sentence = "The DPoP proof is not valid."
    status = 401


class DpopReplayed(RequestFault):
    """The `jti` of this proof was seen before (RFC 9449 section 11.1)."""

    code = "DPOP_REPLAYED"
    sentence = "The DPoP proof was used before."
    status = 401


class UseDpopNonce(RequestFault):
    """The phone's clock is off or the server wants its nonce (RFC 9449 section 8)."""

    code = "USE_DPOP_NONCE"
    sentence = "Put the DPoP-Nonce header into a new proof."
    status = 401


class Forbidden(RequestFault):
    """Level or scope of the caller is too low for the document."""

    code = "FORBIDDEN"
    sentence = "The caller may not do this."
    status = 403


class TooManyRequests(RequestFault):
    """The caller's bucket is empty."""

    code = "RATE_LIMITED"
    sentence = "Too many requests."
    status = 429

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retryAfterSeconds=retry_after_s)
        self.retry_after_s = retry_after_s
