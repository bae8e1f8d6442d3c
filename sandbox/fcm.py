"""Firebase Cloud Messaging: takes a message for an app and delivers it to its inbox.

In the inbox a message is `{"name", "data", "collapseKey", "ttl", "priority", "tag",
"titleKey", "bodyKey"}`; the last two are what an iPhone would look up and show.
Addresses that begin with a magic prefix are refused the way the real server does it.
Source of the answers: FCM's reference of ErrorCode, and google.rpc.Status.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.fcm_account import PROJECT, Tokens
from sandbox.fcm_schema import Wrong, read_request
from sandbox.inbox import Inboxes
from sandbox.intake import Refused, json_object

ROUTE: Final = "/fcm/v1/projects/{project}/messages:send"
MESSAGE_BYTES_MAX: Final = 4096
SLOW_S: Final = 7.0  # longer than the bank waits; delivered all the same
QUOTA_RETRY_S: Final = 90
_RESERVED: Final = ("google.", "gcm.notification.")
_TARGETS: Final = ("fid", "token", "topic", "condition")
_FCM_ERROR: Final = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST: Final = "type.googleapis.com/google.rpc.BadRequest"


@dataclass(frozen=True, slots=True)
class _No:
    """One documented refusal."""

    http: int
    status: str
    message: str
    code: str | None = None
    field: str | None = None
    retry_after_s: int | None = None

    def answer(self) -> Response:
        """Give the body that the real server sends."""
        details: list[dict[str, object]] = []
        if self.code is not None:
            details.append({"@type": _FCM_ERROR, "errorCode": self.code})
        if self.field is not None:
            violation = {"field": self.field, "description": self.message}
            details.append({"@type": _BAD_REQUEST, "fieldViolations": [violation]})
        error: dict[str, object] = {
            "code": self.http,
            "message": self.message,
            "status": self.status,
            "details": details,
        }
        wait = self.retry_after_s
        headers = {} if wait is None else {"retry-after": str(wait)}
        return JSONResponse({"error": error}, self.http, headers)


_MAGIC: Final = {
    "dead-": _No(404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED"),
    "bad-": _No(
        400,
        "INVALID_ARGUMENT",
        "The registration token is not a valid FCM registration token",
        "INVALID_ARGUMENT",
    ),
    "mismatch-": _No(
        403, "PERMISSION_DENIED", "SenderId mismatch", "SENDER_ID_MISMATCH"
    ),
    "quota-": _No(
        429,
        "RESOURCE_EXHAUSTED",
        "Sending limit exceeded for the message target.",
        "QUOTA_EXCEEDED",
        retry_after_s=QUOTA_RETRY_S,
    ),
    "down-": _No(
        503, "UNAVAILABLE", "The service is currently unavailable.", "UNAVAILABLE"
    ),
    "thirdparty-": _No(
        401,
        "UNAUTHENTICATED",
        "Auth error from APNS or Web Push Service",
        "THIRD_PARTY_AUTH_ERROR",
    ),
}
_STRANGER: Final = _No(
    401,
    "UNAUTHENTICATED",
    "Request had invalid authentication credentials. Expected OAuth 2 access token, "
    "login cookie or other valid authentication credential.",
)
_OTHER_PROJECT: Final = _No(
    403, "PERMISSION_DENIED", "Permission denied on resource project."
)


class _Denied(Exception):
    """A request of somebody who may not send."""

    def __init__(self, no: _No) -> None:
        super().__init__(no.status)
        self.no = no


class Fcm:
    """Accepts messages of the demo's project and delivers them at once.

    Args:
        inboxes: where they arrive.
        tokens: who may send.
    """

    def __init__(self, inboxes: Inboxes, tokens: Tokens) -> None:
        self._inboxes = inboxes
        self._tokens = tokens
        self._count = 0

    async def accept(self, request: Request) -> Response:
        """`POST …/messages:send`: check it as the real one does, deliver, name it."""
        try:
            asked = await self._admitted(request)
            message, address = _message(asked)
        except _Denied as denied:
            return denied.no.answer()
        except Wrong as wrong:
            return _invalid(wrong.sentence, wrong.path).answer()
        except Refused as refused:
            return _invalid(refused.sentence).answer()
        for prefix, no in _MAGIC.items():
            if address.startswith(prefix):
                return no.answer()
        if address.startswith("slow-"):
            await asyncio.sleep(SLOW_S)
        return JSONResponse({"name": self._deliver(asked, message, address)})

    async def _admitted(self, request: Request) -> dict[str, object]:
        if not self._tokens.knows(request.headers.get("authorization", "")):
            raise _Denied(_STRANGER)
        if request.path_params["project"] != PROJECT:
            raise _Denied(_OTHER_PROJECT)
        return read_request(await json_object(request))

    def _deliver(
        self, asked: Mapping[str, object], message: Mapping[str, object], address: str
    ) -> str:
        self._count += 1
        name = f"projects/{PROJECT}/messages/0:{self._count:016x}"
        if asked.get("validateOnly") is not True:
            self._inboxes.deliver(address, "fcm", {"name": name, **_shown(message)})
        return name


async def fcm_address(request: Request) -> str | None:
    """Give whom a message is for; a body nobody can read names nobody."""
    try:
        message = (await json_object(request)).get("message")
    except Refused:
        return None
    if not isinstance(message, dict):
        return None
    found = message.get("fid", message.get("token"))
    return found if isinstance(found, str) else None


def _message(asked: Mapping[str, object]) -> tuple[dict[str, object], str]:
    """Give the message and its one address.

    Raises:
        Wrong: no target or several, a reserved key, or over 4,096 bytes.
    """
    message = asked.get("message")
    if not isinstance(message, dict):
        raise Wrong("message", "The message is not set.")
    targets = [name for name in _TARGETS if message.get(name)]
    if targets not in (["fid"], ["token"]):
        raise Wrong(
            "message", "Recipient of the message is not set, or is not one app."
        )
    _check_keys(message.get("data") or {})
    rest = {key: part for key, part in message.items() if key not in _TARGETS}
    spoken = json.dumps(rest, ensure_ascii=False, separators=(",", ":"))
    if len(spoken.encode()) > MESSAGE_BYTES_MAX:
        raise Wrong("message", f"Message is too big: over {MESSAGE_BYTES_MAX} bytes.")
    return rest, str(message[targets[0]])


def _check_keys(data: object) -> None:
    assert isinstance(data, dict)  # noqa: S101  -- the schema was read before
    for key in data:
        if key in {"from", "message_type"} or str(key).startswith(_RESERVED):
            raise Wrong("message.data", f"Invalid data payload key: {key}")


def _shown(message: Mapping[str, object]) -> dict[str, object]:
    """Give what a phone sees of a message."""
    android, apns = _part(message, "android"), _part(message, "apns")
    alert = _part(_part(_part(apns, "payload"), "aps"), "alert")
    return {
        "data": {**_part(message, "data"), **_part(android, "data")},
        "collapseKey": android.get("collapseKey"),
        "ttl": android.get("ttl"),
        "priority": android.get("priority", "NORMAL"),
        "tag": _part(apns, "headers").get("apns-collapse-id"),
        "titleKey": alert.get("title-loc-key"),
        "bodyKey": alert.get("loc-key"),
    }


def _part(whole: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = whole.get(name)
    return found if isinstance(found, dict) else {}


def _invalid(message: str, field: str | None = None) -> _No:
    return _No(400, "INVALID_ARGUMENT", message, "INVALID_ARGUMENT", field or None)
