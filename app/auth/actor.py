"""Who is calling: customer, device, session, and how strongly that was proven.

First argument of every public method above this room. The enums of phones and factors
stand here too, because every file of the room speaks of them.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from app import audit
from app.ids import CustomerId, DeviceId, SessionId

if TYPE_CHECKING:
    from app.auth.dpop import Proof

ALL_SCOPES = frozenset({"payments", "cards", "security", "chat"})


class Level(IntEnum):
    """How strongly the caller is known; a higher level includes the lower ones."""

    ANONYMOUS = 0
    DEVICE = 1
    LOGIN = 2
    STEP_UP = 3


class Platform(StrEnum):
    """What kind of phone."""

    IOS = "IOS"
    ANDROID = "ANDROID"
    WEB = "WEB"


class DeviceState(StrEnum):
    """Life of one binding (auth.md 6.5)."""

    COOLING = "COOLING"
    ACTIVE = "ACTIVE"
    LOCKED = "LOCKED"
    REVOKED = "REVOKED"


class LockReason(StrEnum):
    """Why a device is LOCKED."""

    FAILURES = "FAILURES"
    SUSPENDED = "SUSPENDED"
    REPLACED = "REPLACED"
    PANIC = "PANIC"
    STAFF = "STAFF"


class AttestationGrade(StrEnum):
    """What a device proved about itself when it was bound."""

    NONE = "NONE"
    BASIC = "BASIC"
    STRONG = "STRONG"


class FactorKind(StrEnum):
    """What proves the person."""

    MPIN = "MPIN"
    WEBAUTHN = "WEBAUTHN"
    BIOMETRIC = "BIOMETRIC"
    TOTP = "TOTP"
    RECOVERY_CODE = "RECOVERY_CODE"


class FactorState(StrEnum):
    """Whether a factor can be used."""

    NOT_SET = "NOT_SET"
    ACTIVE = "ACTIVE"
    LOCKED = "LOCKED"


class CustomerStatus(StrEnum):
    """Whether a customer may sign in at all (auth.md 6.5)."""

    ACTIVE = "ACTIVE"
    LOCKED_BY_CUSTOMER = "LOCKED_BY_CUSTOMER"
    HARD_LOCKED = "HARD_LOCKED"
    BLOCKED_BY_STAFF = "BLOCKED_BY_STAFF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a request came from.

    Args:
        request_id: shown and logged.
        address: the client's address, proxies already taken off.
        language: BCP 47 tag that it asks to be answered in; empty where it asks none.
        agent: User-Agent, cut to 200 characters by the edge.
        app_version: version of the app, if it told.
    """

    request_id: str
    address: str
    language: str = ""
    agent: str | None = None
    app_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The caller of one operation.

    `proof` is set whenever a DPoP proof verified, also of a key nobody bound: then the
    level is ANONYMOUS.
    """

    origin: Origin
    level: Level = Level.ANONYMOUS
    customer: CustomerId | None = None
    device: DeviceId | None = None
    session: SessionId | None = None
    proof: "Proof | None" = None
    scopes: frozenset[str] = frozenset()
    locale: str = "en"

    @property
    def known_customer(self) -> CustomerId:
        """The customer; asking below DEVICE is our bug."""
        assert self.customer is not None, "the guard let nobody through"  # noqa: S101  -- our bug
        return self.customer

    @property
    def known_device(self) -> DeviceId:
        """The device; asking below DEVICE is our bug."""
        assert self.device is not None, "the guard let no device through"  # noqa: S101  -- our bug
        return self.device

    @property
    def known_session(self) -> SessionId:
        """The session; asking below LOGIN is our bug."""
        assert self.session is not None, "the guard let no session through"  # noqa: S101  -- our bug
        return self.session

    def entry(
        self,
        action: str,
        at: datetime,
        *,
        object: str | None = None,  # noqa: A002  -- the column's name
        outcome: audit.Outcome = audit.Outcome.OK,
        code: str | None = None,
        detail: dict[str, str | int | bool | None] | None = None,
    ) -> audit.Entry:
        """Start an audit entry of this caller's act.

        Args:
            action: name of the act, for example `session.started`.
            at: the clock's instant.
            object: outside id of what was touched.
            outcome: OK, DENIED or FAILED.
            code: the refusal's code, where there was one.
            detail: ids and figures, never a secret or a name.
        """
        customer = self.customer
        kind = audit.ActorKind.CUSTOMER if customer else audit.ActorKind.SYSTEM
        return audit.Entry(
            action=action,
            at=at,
            request_id=self.origin.request_id,
            customer=customer,
            actor_kind=kind,
            actor_id=str(customer) if customer else None,
            device=self.device,
            session=self.session,
            address=self.origin.address,
            object=object,
            outcome=outcome,
            code=code,
            detail=detail or {},
        )
