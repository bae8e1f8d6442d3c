"""What the bank answers, as frozen values."""

from dataclasses import dataclass, field
from typing import Any, Self

from mock_mobile_client.enums import (
    ChallengePurpose,
    DeviceState,
    Direction,
    FactorKind,
    PaymentStatus,
    TransactionStatus,
)
from mock_mobile_client.money import MoneyValue

JsonObject = dict[str, Any]


def read_money(node: JsonObject) -> MoneyValue:
    """Read the fragment MoneyParts."""
    return MoneyValue(
        minor_units=int(node["minorUnits"]),
        currency=node["currency"],
        exponent=node["exponent"],
        formatted=node["formatted"],
    )


@dataclass(frozen=True, slots=True)
class BalanceValue:
    """The figures of one account at one version."""

    available: MoneyValue
    booked: MoneyValue
    held: MoneyValue
    version: int
    as_of: str = field(compare=False)
    stale: bool = field(compare=False)

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read the fragment BalanceParts."""
        return cls(
            available=read_money(node["available"]),
            booked=read_money(node["booked"]),
            held=read_money(node["held"]),
            version=int(node["version"]),
            as_of=node["asOf"],
            stale=node["stale"],
        )


@dataclass(frozen=True, slots=True)
class TransactionValue:
    """One row of an account."""

    id: str
    status: TransactionStatus
    direction: Direction
    amount: MoneyValue
    running_balance: MoneyValue | None
    created_at: str
    counterparty: str
    reference: str | None

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read the fragment TransactionRow."""
        running = node["runningBalance"]
        other_side = node["counterparty"]
        return cls(
            id=node["id"],
            status=TransactionStatus(node["status"]),
            direction=Direction(node["direction"]),
            amount=read_money(node["amount"]),
            running_balance=None if running is None else read_money(running),
            created_at=node["createdAt"],
            counterparty="" if other_side is None else other_side["name"],
            reference=node["reference"],
        )


@dataclass(frozen=True, slots=True)
class AccountValue:
    """One account of the home screen; `balance` is None if the core never told."""

    id: str
    name: str
    kind: str
    masked_number: str
    currency: str
    balance: BalanceValue | None
    transactions: tuple[TransactionValue, ...]

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read one account of the operation Home or Statement."""
        balance = node["balance"]
        return cls(
            id=node["id"],
            name=node["name"],
            kind=node["kind"],
            masked_number=node["maskedNumber"],
            currency=node["currency"],
            balance=None if balance is None else BalanceValue.read(balance),
            transactions=tuple(
                TransactionValue.read(row) for row in node["transactions"]["nodes"]
            ),
        )


@dataclass(frozen=True, slots=True)
class BeneficiaryValue:
    """A saved payee."""

    id: str
    nickname: str
    name: str
    masked_account: str | None

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read the fragment BeneficiaryRow."""
        return cls(node["id"], node["nickname"], node["name"], node["maskedAccount"])


@dataclass(frozen=True, slots=True)
class HomeValue:
    """Everything the home screen shows, from one query."""

    display_name: str
    stream_position: str
    unread: int
    accounts: tuple[AccountValue, ...]

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read `me` of the operation Home."""
        return cls(
            display_name=node["displayName"],
            stream_position=node["streamPosition"],
            unread=node["unreadCount"],
            accounts=tuple(AccountValue.read(row) for row in node["accounts"]),
        )


@dataclass(frozen=True, slots=True)
class ChallengeValue:
    """What the bank asks the phone to sign."""

    id: str
    purpose: ChallengePurpose
    nonce: str
    payload: str
    binding_hash: str
    allowed: tuple[FactorKind, ...]
    attempts_left: int
    expires_at: str
    webauthn_options: JsonObject | None = None

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read the fragment ChallengeParts."""
        return cls(
            id=node["id"],
            purpose=ChallengePurpose(node["purpose"]),
            nonce=node["nonce"],
            payload=node["payload"],
            binding_hash=node["bindingHash"],
            allowed=tuple(FactorKind(kind) for kind in node["allowed"]),
            attempts_left=node["attemptsLeft"],
            expires_at=node["expiresAt"],
            webauthn_options=node["webauthnOptions"],
        )


@dataclass(frozen=True, slots=True)
class PaymentValue:
    """One payment as it is now; `replayed` only as an answer of paymentCreate."""

    id: str
    idempotency_key: str | None
    status: PaymentStatus
    reason: str | None
    status_message: str | None
    amount: MoneyValue
    payee_name: str
    challenge: ChallengeValue | None
    replayed: bool = False

    @classmethod
    def read(cls, node: JsonObject, *, replayed: bool = False) -> Self:
        """Read the fragment PaymentParts."""
        challenge = node["challenge"]
        return cls(
            id=node["id"],
            idempotency_key=node["idempotencyKey"],
            status=PaymentStatus(node["status"]),
            reason=node["reason"],
            status_message=node["statusMessage"],
            amount=read_money(node["amount"]),
            payee_name=node["payee"]["name"],
            challenge=None if challenge is None else ChallengeValue.read(challenge),
            replayed=replayed,
        )


@dataclass(frozen=True, slots=True)
class DeviceValue:
    """The binding of this phone."""

    id: str
    name: str
    state: DeviceState
    cooling_until: str | None

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read `device` of the operation DeviceBind."""
        return cls(
            id=node["id"],
            name=node["name"],
            state=DeviceState(node["state"]),
            cooling_until=node["coolingUntil"],
        )


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One phone of the customer, as the bank lists it."""

    id: str
    name: str
    model: str | None
    state: DeviceState
    cooling_until: str | None
    last_seen_at: str | None
    is_current: bool
    push_enabled: bool

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read the fragment DeviceRow."""
        return cls(
            id=node["id"],
            name=node["name"],
            model=node["model"],
            state=DeviceState(node["state"]),
            cooling_until=node["coolingUntil"],
            last_seen_at=node["lastSeenAt"],
            is_current=node["isCurrent"],
            push_enabled=node["pushEnabled"],
        )


@dataclass(frozen=True, slots=True)
class PanicValue:
    """What an emergency stop stopped."""

    locked_at: str
    sessions: int
    devices: int
    payments: int

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read the payload of panicLock."""
        return cls(
            locked_at=node["lockedAt"],
            sessions=node["endedSessionCount"],
            devices=node["lockedDeviceCount"],
            payments=node["cancelledPaymentCount"],
        )


@dataclass(frozen=True, slots=True)
class PasskeyValue:
    """A passkey of the customer, as the bank lists it."""

    id: str
    label: str
    backed_up: bool

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read the fragment PasskeyRow."""
        return cls(node["id"], node["label"], node["backedUp"])


@dataclass(frozen=True, slots=True)
class TokenValue:
    """The tokens of one session; never shown."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: str
    idle_expires_at: str
    session_expires_at: str

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read the fragment TokenParts."""
        return cls(
            access_token=node["accessToken"],
            refresh_token=node["refreshToken"],
            expires_at=node["expiresAt"],
            idle_expires_at=node["idleExpiresAt"],
            session_expires_at=node["sessionExpiresAt"],
        )
