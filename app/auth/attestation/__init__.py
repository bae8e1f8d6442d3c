"""What a phone's vendor says about its key: what comes in and what it is worth.

A statement is verified whole or refused: there is no "mostly good" (auth.md 5). What is
kept of one names no piece of hardware and repeats no challenge.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.auth.actor import AttestationGrade
from app.auth.keys import Jwk

Summary = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class AndroidChain:
    """Android Key Attestation as sent: certificates, leaf first, DER in base64url."""

    certificates: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class AppAttestation:
    """App Attest as sent.

    Args:
        key_id: the key's name as iOS gives it, or the same in base64url.
        statement: the attestation object, CBOR in base64url.
    """

    key_id: str
    statement: str = field(repr=False)


Evidence = AndroidChain | AppAttestation


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """A statement that verified.

    Args:
        level: STRONG, or BASIC where only part of it could be trusted.
        summary: what was found, fit for the audit.
        key: the attested key where it is not the device key (App Attest).
        counter: that key's counter.
    """

    level: AttestationGrade
    summary: Summary
    key: Jwk | None = None
    counter: int | None = None


class Fault(StrEnum):
    """The check that failed; written to the audit, never shown to the phone."""

    ABSENT = "ABSENT"
    PLATFORM = "PLATFORM"
    WEAK = "WEAK"
    FORMAT = "FORMAT"
    CHAIN = "CHAIN"
    SIGNATURE = "SIGNATURE"
    ROOT = "ROOT"
    DATES = "DATES"
    REVOKED = "REVOKED"
    EXTENSION = "EXTENSION"
    CHALLENGE = "CHALLENGE"
    KEY = "KEY"
    LEVEL = "LEVEL"
    ORIGIN = "ORIGIN"
    PURPOSE = "PURPOSE"
    SHARED = "SHARED"
    PERSON = "PERSON"
    BOOT = "BOOT"
    PATCH = "PATCH"
    APP = "APP"
    NONCE = "NONCE"
    COUNTER = "COUNTER"
    ENVIRONMENT = "ENVIRONMENT"


class Rejected(Exception):
    """A statement is not good enough; the room makes one refusal of every fault.

    Args:
        fault: the check that failed.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault
