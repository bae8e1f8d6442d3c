"""Typed, time-ordered ids: UUIDv7 inside, a prefix and 32 hex digits outside.

Source: RFC 9562 section 5.7 for the layout, graphql.md section 2.2 for prefixes.
"""

import os
import re
import secrets
import time
from dataclasses import dataclass
from typing import ClassVar, Self
from uuid import UUID

from typing_extensions import override

_HEX = re.compile(r"[0-9a-f]{32}")


def uuid7(milliseconds: int | None = None) -> UUID:
    """Make a UUIDv7 from the machine's time, or from given epoch milliseconds.

    The time part orders rows, and bounds how far back a far core is searched for what
    an id names; no rule of the bank reads it, so it does not follow its movable clock.
    """
    stamp = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    chance = int.from_bytes(os.urandom(10), "big")
    value = (stamp & 0xFFFFFFFFFFFF) << 80
    value |= 0x7 << 76 | (chance >> 68 & 0xFFF) << 64
    value |= 0b10 << 62 | (chance & 0x3FFFFFFFFFFFFFFF)
    return UUID(int=value)


class MalformedId(ValueError):
    """A text is not an id of the expected kind."""


@dataclass(frozen=True, slots=True, order=True)
class Id:
    """One object's id. `str()` gives the outside form; `value` is the UUID inside."""

    value: UUID
    prefix: ClassVar[str] = ""

    @override
    def __str__(self) -> str:
        return f"{self.prefix}_{self.value.hex}"

    @classmethod
    def new(cls) -> Self:
        """Make an id that sorts after those made before it."""
        return cls(uuid7())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the outside form.

        Raises:
            MalformedId: another prefix, or not 32 lower-case hex digits.
        """
        head, mark, digits = text.partition("_")
        if head != cls.prefix or not mark or not _HEX.fullmatch(digits):
            raise MalformedId(cls.__name__)
        return cls(UUID(hex=digits))


class CustomerId(Id):
    """A person who banks here."""

    prefix = "cus"


class DeviceId(Id):
    """One binding of one phone."""

    prefix = "dev"


class SessionId(Id):
    """One sign-in of one device."""

    prefix = "ses"


class ChallengeId(Id):
    """Something a customer is asked to sign, once."""

    prefix = "chl"


class PasskeyId(Id):
    """One passkey of a customer."""

    prefix = "pky"


class AccountId(Id):
    """One account of a customer."""

    prefix = "acc"


class TransactionId(Id):
    """One row of an account; keeps its id from pending to booked."""

    prefix = "txn"


class PaymentId(Id):
    """One intent to move money."""

    prefix = "pay"


class BeneficiaryId(Id):
    """A saved payee."""

    prefix = "ben"


class LimitId(Id):
    """One limit of one customer, or of one payee."""

    prefix = "lim"


class NotificationId(Id):
    """Something a customer is told, once: an item of the inbox."""

    prefix = "ntf"


class AuditId(Id):
    """One entry of the audit chain."""

    prefix = "aud"


def request_id() -> str:
    """Make the id of one request: 16 hex digits, shown and logged."""
    return secrets.token_hex(8)
