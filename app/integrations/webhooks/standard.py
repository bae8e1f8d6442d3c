"""Signed calls in the form of Standard Webhooks: HMAC-SHA256 over id.timestamp.body.

The header `webhook-signature` may hold several signatures, so a partner can change keys
without a pause; one of ours that fits is enough. Source: standardwebhooks.com,
specification 1.0.0, with its tolerance of five minutes.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from app.integrations.webhooks import (
    BODY_BYTES_MAX,
    Expired,
    Forged,
    InboundEvent,
)
from app.settings import Misconfigured

TOLERANCE = timedelta(minutes=5)
SIGNATURES_MAX = 10
_VERSION = "v1"
_PREFIX = "whsec_"
_KEY_BYTES_MIN, _KEY_BYTES_MAX = 24, 64  # of the specification
_ID = re.compile(r"[\x21-\x7e]{1,120}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


class StandardWebhooks:
    """Fits `WebhookVerifier`.

    Args:
        keys: secrets shared with the partner, of 24 to 64 bytes; any of them counts.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)
        self.is_deaf = not self._keys

    def verify(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> InboundEvent:
        """Believe or refuse a call; header names come in lower case.

        The age is judged only after the signature, so a stranger learns nothing of it.

        Raises:
            Forged: too long, a header is missing or malformed, or nothing fits.
            Expired: more than five minutes old, or ahead.
        """
        if len(body) > BODY_BYTES_MAX:
            raise Forged("too long")
        event = headers.get("webhook-id", "")
        stamp = headers.get("webhook-timestamp", "")
        if not _ID.fullmatch(event) or not _TIMESTAMP.fullmatch(stamp):
            raise Forged("no id or no timestamp")
        given = [
            _decoded(text)
            for version, _, text in (
                one.partition(",")
                for one in headers.get("webhook-signature", "").split()[:SIGNATURES_MAX]
            )
            if version == _VERSION
        ]
        fits = False
        for key in self._keys:
            expected = signature(key, event, stamp, body)
            for one in given:
                fits |= hmac.compare_digest(expected, one)
        if not fits:
            raise Forged("no signature fits")
        if abs(now.timestamp() - int(stamp)) > TOLERANCE.total_seconds():
            raise Expired("signed too long ago or ahead of time")
        return InboundEvent(event, body)


def signature(key: bytes, event: str, stamp: str, body: bytes) -> bytes:
    """Give the MAC of one call."""
    signed = f"{event}.{stamp}.".encode() + body
    return hmac.digest(key, signed, hashlib.sha256)


def connect(secrets: Path | None) -> StandardWebhooks:
    """Read the secrets, one `whsec_` and base64 a line; no file holds none.

    Raises:
        Misconfigured: the file cannot be read, or a line has another form.
    """
    if secrets is None:
        return StandardWebhooks(())
    try:
        lines = [line.strip() for line in secrets.read_text().splitlines()]
        return StandardWebhooks([_key(line) for line in lines if line])
    except (OSError, ValueError):
        raise Misconfigured(
            f"{secrets} is no file of webhook secrets: lines of `whsec_` and base64 of "
            f"{_KEY_BYTES_MIN} to {_KEY_BYTES_MAX} bytes"
        ) from None


def _key(line: str) -> bytes:
    if not line.startswith(_PREFIX):
        raise ValueError
    key = base64.b64decode(line.removeprefix(_PREFIX), validate=True)
    if not _KEY_BYTES_MIN <= len(key) <= _KEY_BYTES_MAX:
        raise ValueError
    return key


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
