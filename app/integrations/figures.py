"""What a core tells of accounts: states, balances, rows, and pages of them."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from app.money import Money


class AccountState(StrEnum):
    """What may move on an account."""

    OPEN = "OPEN"
    BLOCK_DEBIT = "BLOCK_DEBIT"
    BLOCK_CREDIT = "BLOCK_CREDIT"
    BLOCKED = "BLOCKED"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class CoreBalance:
    """Committed and held money of one account.

    `version` grows with every change; 0 from a core that counts none: the mirror does.
    """

    ref: str
    committed: Money
    held: Money
    available: Money
    as_of: datetime
    version: int


@dataclass(frozen=True, slots=True)
class CoreTxn:
    """One row of an account, as a customer sees it. `amount` is positive.

    `original` is the amount in the other side's currency where that differs; `op` is
    our write that made the row, as far as a remote core shows it.
    """

    id: UUID
    ref: str
    status: str
    kind: str
    direction: str
    amount: Money
    running_balance: Money | None
    created_at: datetime
    booked_at: datetime | None
    value_on: date | None
    counterparty_name: str | None
    counterparty_masked: str | None
    narration: str | None
    rail: str
    reference: str | None
    payment: UUID | None
    decline_code: str | None = None
    original: Money | None = None
    op: UUID | None = None

    @property
    def hex(self) -> str:
        """The id's 32 digits."""
        return self.id.hex

    @property
    def minor(self) -> int:
        """The amount in minor units."""
        return self.amount.minor

    @property
    def currency(self) -> str:
        """The amount's currency."""
        return self.amount.currency


@dataclass(frozen=True, slots=True)
class TxnQuery:
    """A keyset page over several accounts at once, newest first, pending included.

    Args:
        first: rows per account, 1..101.
        after: rows older than this (created_at, id).
        before: rows newer than this (created_at, id); they come oldest first.
        since, until: bounds of created_at, the first inclusive.
        direction: IN or OUT.
        statuses: PENDING, BOOKED, REVERSED, DECLINED; empty is all.
        min_minor, max_minor: bounds of the amount in minor units, inclusive.
        text: lower-case text that counterparty, narration or reference contains.
        noted: payments whose rows pass `text` too: it is in the customer's own note.
    """

    first: int
    after: tuple[datetime, UUID] | None = None
    before: tuple[datetime, UUID] | None = None
    since: datetime | None = None
    until: datetime | None = None
    direction: str | None = None
    statuses: tuple[str, ...] = ()
    min_minor: int | None = None
    max_minor: int | None = None
    text: str | None = None
    noted: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """One account of a remote core as it is now.

    Args:
        ref: which.
        state: what may move on it.
        balance: its figures.
        rows: its newest rows, newest first, open holds among them as PENDING.
        older: opaque place where `Remote.older` goes on; None: these are all.
    """

    ref: str
    state: AccountState
    balance: CoreBalance
    rows: tuple[CoreTxn, ...]
    older: str | None


@dataclass(frozen=True, slots=True)
class OlderRows:
    """A page of an account's history, newest first; `older` as in `Look`."""

    rows: tuple[CoreTxn, ...]
    older: str | None
