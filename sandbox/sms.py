"""The SMS gateway: takes a text for a telephone number and puts it into its inbox."""

import re
from collections import OrderedDict
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.inbox import Inboxes
from sandbox.intake import Refused, json_object, only

TEXT_MAX = 480  # about three parts of a concatenated message (3GPP TS 23.040)
REMEMBERED_MAX = 10_000  # ids; the oldest is forgotten first

_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)  # ITU-T E.164: 15 digits at most


class SmsGateway:
    """Accepts each message id once and delivers it at once.

    Args:
        inboxes: where the texts arrive.
    """

    def __init__(self, inboxes: Inboxes) -> None:
        self._inboxes = inboxes
        self._accepted: OrderedDict[str, dict[str, str]] = OrderedDict()

    async def accept(self, request: Request) -> Response:
        """`POST /sms/messages {"id", "to", "text"}`; the same id delivers once."""
        body = await json_object(request)
        only(body, {"id", "to", "text"})
        message_id, to = _uuid(body.get("id")), _number(body.get("to"))
        message = {"id": message_id, "to": to, "text": _text(body.get("text"))}
        known = self._accepted.get(message_id)
        if known is None:
            self._remember(message_id, message)
            self._inboxes.deliver(to, "sms", message)
        elif known != message:
            raise Refused(409, "ID_USED", "This id was used for another message.")
        return JSONResponse({"id": message_id, "state": "ACCEPTED"}, status_code=202)

    def _remember(self, message_id: str, message: dict[str, str]) -> None:
        self._accepted[message_id] = message
        if len(self._accepted) > REMEMBERED_MAX:
            self._accepted.popitem(last=False)


def _uuid(value: object) -> str:
    try:
        return str(UUID(str(value)))
    except ValueError:
        raise Refused(422, "ID_INVALID", "id must be a UUID.") from None


def _number(value: object) -> str:
    if isinstance(value, str) and _E164.fullmatch(value):
        return value
    raise Refused(
        422, "NUMBER_INVALID", "to must be an E.164 number such as +919876543210."
    )


def _text(value: object) -> str:
    if isinstance(value, str) and 1 <= len(value) <= TEXT_MAX:
        return value
    raise Refused(
        422, "TEXT_INVALID", f"text must have from 1 to {TEXT_MAX} characters."
    )
