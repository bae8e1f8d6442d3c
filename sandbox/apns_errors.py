"""Every refusal of Apple's push service, and the addresses that provoke them.

A device token is hexadecimal, so the magic words are: `dead` at its beginning, `bad0`
and so on; `ee00` to `ee31` is the error at that place of the table. Source: Apple,
"Handling notification responses from APNs".
"""

import re
from typing import Final

from starlette.responses import JSONResponse, Response

STATUS: Final = {
    "BadCollapseId": 400,
    "BadDeviceToken": 400,
    "BadExpirationDate": 400,
    "BadMessageId": 400,
    "BadPriority": 400,
    "BadTopic": 400,
    "DeviceTokenNotForTopic": 400,
    "DuplicateHeaders": 400,
    "IdleTimeout": 400,
    "InvalidPushType": 400,
    "MissingDeviceToken": 400,
    "MissingTopic": 400,
    "PayloadEmpty": 400,
    "TopicDisallowed": 400,
    "BadCertificate": 403,
    "BadCertificateEnvironment": 403,
    "BadEnvironmentKeyIdInToken": 403,
    "ExpiredProviderToken": 403,
    "Forbidden": 403,
    "InvalidProviderToken": 403,
    "MissingProviderToken": 403,
    "UnrelatedKeyIdInToken": 403,
    "BadPath": 404,
    "MethodNotAllowed": 405,
    "ExpiredToken": 410,
    "Unregistered": 410,
    "PayloadTooLarge": 413,
    "TooManyProviderTokenUpdates": 429,
    "TooManyRequests": 429,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
    "Shutdown": 503,
}
MAGIC: Final = {
    "dead": "Unregistered",
    "01d0": "ExpiredToken",
    "bad0": "BadDeviceToken",
    "70b1c": "DeviceTokenNotForTopic",
    "f100d": "TooManyRequests",
    "c105ed": "ServiceUnavailable",
    "0ddba11": "InternalServerError",
}
SLOW: Final = "510e"  # delivered all the same, after longer than the bank waits
DEVELOPMENT: Final = "de7e"  # known to Apple's development service and to it alone
ONE_SIDED: Final = "bad0b0c5"  # at the development service the key is not good for it
RETRY_S: Final = 30
_PLACE: Final = re.compile(r"ee([0-9]{2})")
_GONE: Final = 410
_BUSY: Final = 503


class No(Exception):
    """A documented refusal; the message is its reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def answer(self, now_ms: int, message_id: str) -> Response:
        """Give the answer that the real server sends.

        Args:
            now_ms: since when a token is gone, milliseconds since 1970.
            message_id: `apns-id` of the request.
        """
        status = STATUS[self.reason]
        body: dict[str, object] = {"reason": self.reason}
        headers = {"apns-id": message_id} if message_id else {}
        if status == _GONE:
            body["timestamp"] = now_ms
        if status == _BUSY:
            headers["retry-after"] = str(RETRY_S)
        return JSONResponse(body, status, headers)


def magic(token: str) -> str | None:
    """Give the reason why a magic address is refused; None where it is none."""
    found = _PLACE.match(token)
    if found and int(found[1]) < len(STATUS):
        return list(STATUS)[int(found[1])]
    return next((why for word, why in MAGIC.items() if token.startswith(word)), None)


def address_of(reason: str) -> str:
    """Give a device token that is refused for this reason."""
    return f"ee{list(STATUS).index(reason):02d}".ljust(64, "0")
