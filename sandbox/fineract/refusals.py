"""The server's errors: one outer shape, the reason inside, codes as the server has."""

from collections.abc import Sequence
from typing import NamedTuple

_NOT_FOUND = "The requested resource is not available."
_INVALID = (
    "The request was invalid. This typically will happen due to validation errors "
    "which are provided."
)
_UNAVAILABLE = (
    "The server is currently unable to handle the request , please try after some time."
)


class Reason(NamedTuple):
    """One inner error."""

    code: str
    says: str
    parameter: str = "id"
    args: tuple[object, ...] = ()


class Refusal(Exception):
    """An error answer.

    Args:
        status: of HTTP.
        code, says: outer code and sentence.
        developer: sentence for developers, the same as `says` if empty.
        reasons: what is inside.
    """

    def __init__(
        self,
        status: int,
        code: str,
        says: str,
        developer: str = "",
        reasons: Sequence[Reason] = (),
    ) -> None:
        super().__init__(says)
        self.status = status
        self.code = code
        self.body: dict[str, object] = {
            "developerMessage": developer or says,
            "httpStatusCode": str(status),
            "defaultUserMessage": says,
            "userMessageGlobalisationCode": code,
            "errors": [_inner(reason) for reason in reasons],
        }


def _inner(reason: Reason) -> dict[str, object]:
    return {
        "developerMessage": reason.says,
        "defaultUserMessage": reason.says,
        "userMessageGlobalisationCode": reason.code,
        "parameterName": reason.parameter,
        "args": [{"value": one} for one in reason.args],
    }


def not_found(code: str, says: str, *args: object) -> Refusal:
    """Give 404: something named does not exist."""
    inner = [Reason(code, says, args=args)]
    return Refusal(404, "error.msg.resource.not.found", _NOT_FOUND, reasons=inner)


def rule(code: str, says: str, *args: object) -> Refusal:
    """Give 403: a rule of the bank forbids it."""
    return Refusal(
        403,
        "validation.msg.domain.rule.violation",
        "Errors contain reason for domain rule violation.",
        "Request was understood but caused a domain rule violation.",
        [Reason(code, says, args=args)],
    )


def invalid(*reasons: Reason) -> Refusal:
    """Give 400: parameters are wrong, or the state of what they name."""
    return Refusal(
        400,
        "validation.msg.validation.errors.exist",
        "Validation errors exist.",
        _INVALID,
        reasons,
    )


def bad_parameter(name: str, value: str) -> Refusal:
    """Give 400: a parameter of the query cannot be read."""
    return invalid(
        Reason(
            "error.msg.query.parameter.value.unsupported",
            f"The query parameter {name} has an unsupported value of: {value}",
            name,
            (name, value),
        )
    )


def unrecognized(name: str, known: tuple[str, ...]) -> Refusal:
    """Give 400: no such command."""
    return invalid(
        Reason(
            "error.msg.query.parameter.value.unsupported",
            f"The query parameter command has an unsupported value of: {name}",
            "command",
            ("command", name, list(known)),
        )
    )


def not_json() -> Refusal:
    """Give 400: the body cannot be read."""
    says = "The referenced JSON data is invalid, validate date format or other cases."
    return Refusal(400, "error.msg.invalid.request.body", says, _INVALID)


def conflict(kind: str) -> Refusal:
    """Give 409: somebody else changed the same thing at the same time."""
    says = (
        "The server is currently unable to handle the request due to concurrent "
        f"modification  on {kind}, please try again"
    )
    return Refusal(409, f"error.msg.platform.service.{kind}.conflict", says)


def unavailable(code: str, says: str, *args: object) -> Refusal:
    """Give 503: the server's word for what may not be changed any more."""
    inner = [Reason(code, says, args=args)]
    code = "error.msg.platform.service.unavailable"
    return Refusal(503, code, _UNAVAILABLE, reasons=inner)


def broken(says: str) -> Refusal:
    """Give 500: the server failed."""
    return Refusal(
        500,
        "error.msg.platform.server.side.error",
        "An unexpected error occured on the platform server.",
        reasons=[Reason("error.msg.platform.server.side.error", says)],
    )


def not_signed_in() -> Refusal:
    """Give 401: nobody we know."""
    return Refusal(
        401,
        "error.msg.not.authenticated",
        "Unauthenticated. Please login.",
        "Invalid authentication details were passed in api request.",
    )


def no_tenant() -> Refusal:
    """Give 401: no bank of this name is kept here."""
    return Refusal(
        401,
        "error.msg.invalid.tenant.identifier",
        "Invalid tenant identifier provided with request.",
        "Invalid tenant details were passed in api request.",
    )


def read_only(method: str) -> Refusal:
    """Give 405: this server only reads."""
    return Refusal(
        405,
        "error.msg.invalid.instance.type",
        f"Invalid method {method} used with request to this instance type.",
        f"Invalid instance type called in api request for the method {method}",
    )
