"""The two carriers of pushes, as a phone knows them; pure.

An app on Android has an installation id of Firebase, an iPhone a device token of
Apple's. The bank learns that and nothing else of the service.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mock_mobile_client.enums import Platform
from mock_mobile_client.signing import b64url

TOKEN_BYTES: Final = 32


def new_installation() -> str:
    """An installation id as Firebase makes it: 22 characters, the first of c to f."""
    raw = bytearray(secrets.token_bytes(17))
    raw[0] = 0b0111_0000 | raw[0] & 0b0000_1111
    return b64url(bytes(raw))[:22]


def new_device_token() -> str:
    """A device token as Apple makes it: 64 hexadecimal digits.

    It begins with a digit, because the sandbox gives words at that place a meaning.
    """
    return "7e" + secrets.token_hex(TOKEN_BYTES - 1)


@dataclass(frozen=True, slots=True)
class Carrier:
    """One of the two.

    Attributes:
        name: As people call it.
        kind: What the bank calls its addresses.
        inbox_kind: What the sandbox calls its messages.
        form: What its addresses look like.
        make: Makes one, as the operating system does at the app's first start.
    """

    name: str
    kind: str
    inbox_kind: str
    form: re.Pattern[str]
    make: Callable[[], str]


FCM: Final = Carrier(
    "FCM", "FCM_FID", "fcm", re.compile(r"[c-f][A-Za-z0-9_-]{21}"), new_installation
)
APNS: Final = Carrier(
    "APNs", "APNS", "apns", re.compile(r"[0-9a-f]{64}"), new_device_token
)


def carrier_of(platform: Platform) -> Carrier:
    """The service of a kind of phone."""
    return APNS if platform is Platform.IOS else FCM
