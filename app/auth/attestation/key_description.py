"""The extension 1.3.6.1.4.1.11129.2.1.17 of Android: what the key store says of a key.

Read after the published schema (source.android.com, "Key and ID attestation"), versions
1 to 400, which all have eight members. Lists may be empty, and what is not asked for is
not read; hardware identifiers stay unread (auth.md 5.1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from app.auth.attestation import Fault, Rejected, der
from app.auth.attestation.der import Element, Malformed

AuthorisationList = Mapping[int, Element]


class SecurityLevel(IntEnum):
    """Where a key lives: `SecurityLevel` of the schema."""

    SOFTWARE = 0
    TEE = 1
    STRONGBOX = 2


class Tag(IntEnum):
    """The authorisations this bank looks at (KeyMint `Tag.aidl`, without the type)."""

    PURPOSE = 1
    ALGORITHM = 2
    KEY_SIZE = 3
    EC_CURVE = 10
    NO_AUTH_REQUIRED = 503
    USER_AUTH_TYPE = 504
    AUTH_TIMEOUT = 505
    ALL_APPLICATIONS = 600
    ORIGIN = 702
    ROOT_OF_TRUST = 704
    OS_PATCH_LEVEL = 706
    ATTESTATION_APPLICATION_ID = 709


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDescription:
    """The eight members, as far as they are looked at."""

    attestation_level: SecurityLevel
    keymaster_level: SecurityLevel
    challenge: bytes
    software: AuthorisationList
    hardware: AuthorisationList

    @property
    def level(self) -> SecurityLevel:
        """The weaker of the two: who signs is as good as what it signs."""
        return min(self.attestation_level, self.keymaster_level)

    @property
    def facts(self) -> AuthorisationList:
        """What holds of the key: the hardware's list; a software store has no other."""
        if self.level is SecurityLevel.SOFTWARE:
            return {**self.software, **self.hardware}
        return self.hardware


@dataclass(frozen=True, slots=True)
class RootOfTrust:
    """How the phone was started."""

    locked: bool
    verified: bool


@dataclass(frozen=True, slots=True)
class CallingApp:
    """Who asked for the key: packages of one user id, and who signed them."""

    packages: frozenset[str]
    digests: frozenset[bytes]


_MEMBERS = 8
_VERIFIED = 0


def read(raw: bytes) -> KeyDescription:
    """Read the extension.

    Raises:
        Rejected: not strict DER, or not of the schema.
    """
    try:
        return _described(raw)
    except ValueError:
        raise Rejected(Fault.EXTENSION) from None


def _described(raw: bytes) -> KeyDescription:
    members = der.read(raw).sequence()
    if len(members) != _MEMBERS:
        raise Malformed("not eight members")
    members[0].integer()
    members[2].integer()
    members[5].octets()
    return KeyDescription(
        attestation_level=SecurityLevel(members[1].enumerated()),
        keymaster_level=SecurityLevel(members[3].enumerated()),
        challenge=members[4].octets(),
        software=der.by_tag(members[6].sequence()),
        hardware=der.by_tag(members[7].sequence()),
    )


def number(facts: AuthorisationList, tag: Tag) -> int | None:
    """Read an authorisation that is a number; None where it is missing.

    Raises:
        Rejected: it is something else.
    """
    try:
        return facts[tag].integer() if tag in facts else None
    except Malformed:
        raise Rejected(Fault.EXTENSION) from None


def numbers(facts: AuthorisationList, tag: Tag) -> frozenset[int]:
    """Read an authorisation that is a set of numbers; empty where it is missing.

    Raises:
        Rejected: it is something else.
    """
    try:
        members = facts[tag].members_of_set() if tag in facts else []
        return frozenset(member.integer() for member in members)
    except Malformed:
        raise Rejected(Fault.EXTENSION) from None


def root_of_trust(facts: AuthorisationList) -> RootOfTrust | None:
    """Read how the phone was started; None where nothing is said.

    Raises:
        Rejected: it is not of the schema. Above all: a boolean that is
            neither 00 nor FF is never taken for true.
    """
    if Tag.ROOT_OF_TRUST not in facts:
        return None
    try:
        _, locked, state, *_ = facts[Tag.ROOT_OF_TRUST].sequence()
        return RootOfTrust(locked.boolean(), state.enumerated() == _VERIFIED)
    except ValueError:
        raise Rejected(Fault.EXTENSION) from None


def calling_app(software: AuthorisationList) -> CallingApp | None:
    """Read who asked for the key, a DER value of its own inside the software list.

    Raises:
        Rejected: it is not of the schema.
    """
    if Tag.ATTESTATION_APPLICATION_ID not in software:
        return None
    try:
        inner = software[Tag.ATTESTATION_APPLICATION_ID].octets()
        packages, digests = der.read(inner).sequence()
        return CallingApp(
            frozenset(_package(one) for one in packages.members_of_set()),
            frozenset(one.octets() for one in digests.members_of_set()),
        )
    except ValueError:
        raise Rejected(Fault.EXTENSION) from None


def _package(found: Element) -> str:
    name, version = found.sequence()
    version.integer()
    return name.octets().decode()
