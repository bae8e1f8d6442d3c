"""Rules for the texts a customer writes, and the canonical hash of an input. Pure."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence

from app.auth import signing
from app.errors import ValidationFailed

REFERENCE_MAX = 35
NOTE_MAX = 140
NICKNAME_MAX = 40
NAME_MAX = 70
# The character set every SEPA bank passes on (EPC217-08, section 6.2).
_SEPA = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]+")
_NUMBER = re.compile(r"[A-Z0-9]{4,34}")


def fingerprint(given: Mapping[str, object]) -> bytes:
    """SHA-256 of the canonical input without its idempotency key.

    Raises:
        ValidationFailed: a text is not well-formed Unicode.
    """
    body = {name: value for name, value in given.items() if name != "idempotencyKey"}
    try:
        return hashlib.sha256(signing.jcs(body).encode()).digest()
    except signing.MalformedText:
        raise ValidationFailed("A text holds characters that do not exist.") from None


def reference(text: str | None) -> str | None:
    """Read the words the payee sees; blank is none.

    Raises:
        ValidationFailed: longer than 35 characters, or outside the SEPA set.
    """
    trimmed = (text or "").strip()
    if not trimmed:
        return None
    slashes = trimmed.startswith("/") or trimmed.endswith("/") or "//" in trimmed
    if len(trimmed) > REFERENCE_MAX or slashes or not _SEPA.fullmatch(trimmed):
        raise ValidationFailed(
            "The reference has at most 35 letters, digits and . , - + ? / : ( ) '.",
            field=["reference"],
        )
    return trimmed


def note(text: str | None) -> str | None:
    """Read the words only the customer sees; blank is none.

    Raises:
        ValidationFailed: longer than 140 characters, or control characters.
    """
    return _line(text, NOTE_MAX, ["note"]) if text and text.strip() else None


def nickname(text: str) -> str:
    """Read what the customer calls a payee.

    Raises:
        ValidationFailed: blank, longer than 40 characters, or control characters.
    """
    return _line(text, NICKNAME_MAX, ["nickname"])


def name(text: str) -> str:
    """Read the name of a payee.

    Raises:
        ValidationFailed: blank, longer than 70 characters, or control characters.
    """
    return _line(text, NAME_MAX, ["name"])


def account_number(text: str) -> str:
    """Read an account number: spaces and dashes do not count.

    Raises:
        ValidationFailed: not 4 to 34 letters and digits.
    """
    plain = text.replace(" ", "").replace("-", "").upper()
    if not _NUMBER.fullmatch(plain):
        raise ValidationFailed(
            "An account number has 4 to 34 letters and digits.",
            field=["payee", "account", "accountNumber"],
        )
    return plain


def _line(text: str, longest: int, field: Sequence[str]) -> str:
    trimmed = unicodedata.normalize("NFC", text.strip())
    unseen = any(unicodedata.category(one)[0] == "C" for one in trimmed)
    if not 1 <= len(trimmed) <= longest or unseen:
        raise ValidationFailed(f"One line of 1 to {longest} characters.", field=field)
    return trimmed
