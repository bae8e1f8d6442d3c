"""What each answer of APNs means for a message, for the breaker and for the provider.

Pure: status, headers and body in, a verdict out. Source: realtime.md section 12.2;
Apple, "Handling notification responses from APNs".
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from http import HTTPStatus

from app.integrations.push import (
    AddressDead,
    ConfigError,
    PayloadError,
    PushOutcome,
    Retry,
    Unknown,
)

PAUSE_S = 60.0  # of the whole provider while it takes none of our tokens
OTHER_KEY = "BadEnvironmentKeyIdInToken"  # the key is for the other environment only
_WORD = re.compile(r"[A-Za-z]{1,60}", re.ASCII)
_NONE: Mapping[str, object] = {}


class Then(Enum):
    """What else an answer asks for, besides its outcome."""

    NOTHING = auto()
    TRY_ELSEWHERE = auto()  # the token may be of the other environment
    SIGN_ANEW = auto()
    SIGN_NO_MORE = auto()  # for a while
    DOUBT_THE_TOPIC = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows an answer.

    `fine` is for the breaker: None where the answer says nothing about how the provider
    is. `pause_s` rests the whole provider.
    """

    outcome: PushOutcome
    fine: bool | None
    then: Then = Then.NOTHING
    pause_s: float = 0.0


_BY_REASON = {
    "BadDeviceToken": Verdict(AddressDead(), fine=True, then=Then.TRY_ELSEWHERE),
    "DeviceTokenNotForTopic": Verdict(
        AddressDead(), fine=True, then=Then.DOUBT_THE_TOPIC
    ),
    "IdleTimeout": Verdict(Retry(), fine=None),
    OTHER_KEY: Verdict(ConfigError(OTHER_KEY), fine=None),
    "ExpiredProviderToken": Verdict(
        ConfigError("ExpiredProviderToken"), fine=False, then=Then.SIGN_ANEW
    ),
    "TooManyProviderTokenUpdates": Verdict(
        Retry(PAUSE_S), fine=None, then=Then.SIGN_NO_MORE, pause_s=PAUSE_S
    ),
}


def read(status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
    """Judge an answer that is not 200."""
    said = _said(body)
    reason = str(said.get("reason", ""))
    if status < HTTPStatus.INTERNAL_SERVER_ERROR and reason in _BY_REASON:
        return _BY_REASON[reason]
    what = reason if _WORD.fullmatch(reason) else f"status {status}"
    return _by_status(status, what, _since(said), _retry_after_s(headers))


def silence(cause: str, *, sent: bool) -> Verdict:
    """Judge a call without an answer.

    Args:
        cause: short name of what broke.
        sent: whether the message may have left this process.
    """
    return Verdict(Unknown(cause) if sent else Retry(), fine=False)


def _by_status(
    status: int, what: str, since: datetime | None, after_s: float | None
) -> Verdict:
    match status:
        case HTTPStatus.GONE:
            return Verdict(AddressDead(since), fine=True)
        case HTTPStatus.TOO_MANY_REQUESTS:  # of one device, not ours in all
            return Verdict(Retry(after_s), fine=True)
        case HTTPStatus.BAD_REQUEST | HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return Verdict(PayloadError(what), fine=True)
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Verdict(Retry(after_s), fine=False)
        case _:
            return Verdict(ConfigError(what), fine=False)


def _said(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return _NONE
    return found if isinstance(found, dict) else _NONE


def _since(said: Mapping[str, object]) -> datetime | None:
    """Read since when a device token is gone: milliseconds since 1970."""
    found = said.get("timestamp")
    if not isinstance(found, int | float) or isinstance(found, bool):
        return None
    try:
        return datetime.fromtimestamp(found / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read whole seconds; a date, which RFC 9110 section 10.2.3 allows too, is none."""
    text = headers.get("retry-after", "")
    is_number = text.isascii() and text.isdigit() and len(text) <= len("3600")
    return float(text) if is_number else None
