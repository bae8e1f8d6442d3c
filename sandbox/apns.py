"""Apple's push service: takes a message for an iPhone, delivers it to its inbox.

In the inbox a message is `{"id", "environment", "topic", "pushType", "priority",
"expiration", "collapseId", "payload"}`; only the payload reaches the app. There are two
services, as at Apple: a token is known to the one or the other. Real is HTTP/2 with
TLS; on this machine HTTP/1.1 without does, since the server speaks no more than that.
Source: Apple, "Sending notification requests to APNs".
"""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Final
from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.responses import Response

from sandbox.apns_errors import DEVELOPMENT, ONE_SIDED, SLOW, No, magic
from sandbox.apns_key import Signers
from sandbox.clock import WorldClock
from sandbox.inbox import Inboxes
from sandbox.intake import Refused, raw_body

ROUTE: Final = "/apns/3/device/{token}"
DEVELOPMENT_ROUTE: Final = "/apns/development/3/device/{token}"
LOST_ROUTE: Final = "/apns/{path:path}"
TOPIC: Final = "app.sixpence.mock"
PAYLOAD_BYTES_MAX: Final = 4096
VOIP_BYTES_MAX: Final = 5120
COLLAPSE_BYTES_MAX: Final = 64
SLOW_S: Final = 12.0  # longer than the bank waits; delivered all the same
_HEADERS: Final = ("topic", "push-type", "priority", "expiration", "collapse-id", "id")
# What an app's name is followed by in the topic, by push type.
_SUFFIX: Final = {
    "alert": "",
    "background": "",
    "controls": ".push-type.controls",
    "location": ".location-query",
    "voip": ".voip",
    "complication": ".complication",
    "fileprovider": ".pushkit.fileprovider",
    "liveactivity": ".push-type.liveactivity",
    "pushtotalk": ".voip-ptt",
    "widgets": ".push-type.widgets",
}
_PRIORITIES: Final = {"background": {"5", "1"}, "pushtotalk": {"10"}}
_ANY_PRIORITY: Final = {"10", "5", "1"}
_TOKEN: Final = re.compile(r"([0-9a-f]{2}){32,100}")
_TOPIC: Final = re.compile(r"[A-Za-z0-9.-]{1,255}")
_SECONDS: Final = re.compile(r"[0-9]{1,12}")


class Apns:
    """Accepts messages for the demo's app and delivers them at once.

    Args:
        inboxes: where they arrive.
        signers: who may send.
        clock: by which provider tokens age and device tokens are gone.
    """

    def __init__(self, inboxes: Inboxes, signers: Signers, clock: WorldClock) -> None:
        self._inboxes = inboxes
        self._signers = signers
        self._clock = clock

    async def accept(self, request: Request) -> Response:
        """`POST …/3/device/{token}`: check it as the real one does, and deliver it."""
        message_id = request.headers.get("apns-id", "") or str(uuid4())
        try:
            return await self._delivered(request, message_id)
        except No as no:
            return self._no(no, message_id)

    async def lost(self, request: Request) -> Response:
        """Answer what is no `POST` to `…/3/device/{token}`."""
        path = request.path_params["path"].removeprefix("development/")
        what = re.fullmatch(r"3/device/([^/]*)", path)
        if what is None:
            return self._no(No("BadPath"), "")
        known = request.method != "POST"
        return self._no(No("MethodNotAllowed" if known else "MissingDeviceToken"), "")

    def _no(self, no: No, message_id: str) -> Response:
        return no.answer(int(self._clock.now().timestamp() * 1000), message_id)

    async def _delivered(self, request: Request, message_id: str) -> Response:
        """Put a message into its inbox.

        Raises:
            No: whatever the real one would not take.
        """
        self._signers.admit(
            request.headers.get("authorization", ""), self._clock.now().timestamp()
        )
        around = _headers(request)
        payload = await _payload(request, around)
        token = request.path_params["token"].lower()
        development = request.url.path.startswith("/apns/development/")
        _check_token(token, development=development)
        if token.startswith(SLOW):
            await asyncio.sleep(SLOW_S)
        environment = "DEVELOPMENT" if development else "PRODUCTION"
        body = {"id": message_id, "environment": environment, **around}
        self._inboxes.deliver(token, "apns", {**body, "payload": payload})
        return Response(status_code=200, headers={"apns-id": message_id})


async def apns_address(request: Request) -> str | None:
    """Give whom a message is for."""
    return str(request.path_params["token"]).lower()


def _check_token(token: str, *, development: bool) -> None:
    reason = magic(token)
    if development and token.startswith(ONE_SIDED):
        raise No("BadEnvironmentKeyIdInToken")
    if reason is not None:
        raise No(reason)
    if not _TOKEN.fullmatch(token) or token.startswith(DEVELOPMENT) is not development:
        raise No("BadDeviceToken")


def _headers(request: Request) -> dict[str, str | None]:
    """Read what stands around a message.

    Raises:
        No: a header is missing, double, or breaks a rule.
    """
    if any(len(request.headers.getlist(f"apns-{name}")) > 1 for name in _HEADERS):
        raise No("DuplicateHeaders")
    found = {name: request.headers.get(f"apns-{name}") for name in _HEADERS}
    kind = found["push-type"]
    _check_kind_and_topic(kind, found["topic"])
    priority = found["priority"] or "10"
    if priority not in _PRIORITIES.get(str(kind), _ANY_PRIORITY):
        raise No("BadPriority")
    if not _SECONDS.fullmatch(found["expiration"] or "0"):
        raise No("BadExpirationDate")
    if len((found["collapse-id"] or "").encode()) > COLLAPSE_BYTES_MAX:
        raise No("BadCollapseId")
    if found["id"] is not None and not _is_uuid(found["id"]):
        raise No("BadMessageId")
    return {
        "topic": found["topic"],
        "pushType": kind,
        "priority": priority,
        "expiration": found["expiration"],
        "collapseId": found["collapse-id"],
    }


def _check_kind_and_topic(kind: str | None, topic: str | None) -> None:
    """Refuse a push type there is not, and a topic that is not its and ours.

    Apple guesses a missing type; a bank has no reason to let it.
    """
    if kind not in _SUFFIX:
        raise No("InvalidPushType")
    if not topic:
        raise No("MissingTopic")
    if not _TOPIC.fullmatch(topic):
        raise No("BadTopic")
    if topic != TOPIC + _SUFFIX[kind]:
        raise No("TopicDisallowed")


async def _payload(
    request: Request, around: Mapping[str, str | None]
) -> dict[str, object]:
    """Read the payload: one JSON object of at most 4,096 bytes, 5,120 for a call.

    Raises:
        No: it is too large, or there is none.
    """
    try:
        raw = await raw_body(request)
    except Refused:
        raise No("PayloadTooLarge") from None
    is_call = around["pushType"] == "voip"
    if len(raw) > (VOIP_BYTES_MAX if is_call else PAYLOAD_BYTES_MAX):
        raise No("PayloadTooLarge")
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not found:
        raise No("PayloadEmpty")
    return found


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
