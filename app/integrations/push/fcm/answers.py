"""What each answer of FCM means for a message, for the breaker and for the provider.

Pure: status, headers and body in, a verdict out. No text of an answer is kept, for it
may repeat the address. Source: realtime.md section 12.1; FCM's reference of ErrorCode.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from app.integrations.push import (
    AddressDead,
    AddressSuspect,
    ConfigError,
    PayloadError,
    PushOutcome,
    Retry,
    Unknown,
)

PAUSE_S_MIN = 60.0  # of the whole provider after 429, whatever Retry-After says
PAUSE_S_MAX = 3600.0
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_ADDRESS_FIELDS = {"message.fid", "message.token"}
_ADDRESS_WORDS = re.compile(
    r"registration[ -]token|installation id|\bfid\b", re.IGNORECASE
)
_FIELD = re.compile(r"[A-Za-z0-9_.\[\]-]{1,80}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows an answer.

    `fine` is for the breaker: None where the answer says nothing about how the provider
    is. `pause_s` rests the whole provider. `stranger` asks for one fresh sign-in.
    """

    outcome: PushOutcome
    fine: bool | None
    pause_s: float = 0.0
    stranger: bool = False


def read(status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
    """Judge an answer that is not a 2xx."""
    error = _error(body)
    code = _fcm_code(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Verdict(Retry(_retry_after_s(headers)), fine=False)
    if code == "UNREGISTERED":
        return Verdict(AddressDead(), fine=True)
    if code == "SENDER_ID_MISMATCH":
        return Verdict(AddressSuspect(), fine=True)
    if code in {"THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR"}:
        return Verdict(ConfigError("THIRD_PARTY_AUTH_ERROR"), fine=False)
    return _by_status(status, headers, error)


def silence(cause: str, *, sent: bool) -> Verdict:
    """Judge a call without an answer.

    Args:
        cause: short name of what broke.
        sent: whether the message may have left this process.
    """
    return Verdict(Unknown(cause) if sent else Retry(), fine=False)


def _by_status(
    status: int, headers: Mapping[str, str], error: Mapping[str, object]
) -> Verdict:
    match status:
        case HTTPStatus.TOO_MANY_REQUESTS:
            asked_s = _retry_after_s(headers) or 0.0
            pause_s = min(max(asked_s, PAUSE_S_MIN), PAUSE_S_MAX)
            return Verdict(Retry(pause_s), fine=None, pause_s=pause_s)
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN | HTTPStatus.NOT_FOUND:
            stranger = status == HTTPStatus.UNAUTHORIZED
            outcome = ConfigError(_word(error, status))
            return Verdict(outcome, fine=False, stranger=stranger)
        case HTTPStatus.REQUEST_TIMEOUT:
            return Verdict(Retry(), fine=False)
        case HTTPStatus.BAD_REQUEST if _names_address(error):
            return Verdict(AddressDead(), fine=True)
        case _:
            fields = sorted({one for one in _fields(error) if _FIELD.fullmatch(one)})
            what = " ".join([_word(error, status), *fields])
            return Verdict(PayloadError(what), fine=True)


def _error(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, dict) else {}


def _details(error: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    found = error.get("details")
    if isinstance(found, list):
        yield from (one for one in found if isinstance(one, dict))


def _fcm_code(error: Mapping[str, object]) -> str | None:
    for one in _details(error):
        if one.get("@type") == _FCM_ERROR:
            return str(one.get("errorCode"))
    return None


def _fields(error: Mapping[str, object]) -> Iterator[str]:
    for one in _details(error):
        found = one.get("fieldViolations")
        for violation in found if isinstance(found, list) else []:
            if isinstance(violation, dict):
                yield str(violation.get("field"))


def _names_address(error: Mapping[str, object]) -> bool:
    """Tell whether a 400 is about the address: by its field, else by its sentence."""
    fields = set(_fields(error))
    if fields:
        return fields <= _ADDRESS_FIELDS
    return _ADDRESS_WORDS.search(str(error.get("message"))) is not None


def _word(error: Mapping[str, object], status: int) -> str:
    word = str(error.get("status", ""))
    return word if _FIELD.fullmatch(word) else f"status {status}"


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read whole seconds; a date, which RFC 9110 section 10.2.3 allows too, is none."""
    text = headers.get("retry-after", "")
    is_number = text.isascii() and text.isdigit() and len(text) <= len("3600")
    return float(text) if is_number else None
