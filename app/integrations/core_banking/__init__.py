"""The CoreBank port: where the money is. Reads raise Outage, writes return Outcome.

References (`ref`) are the core's own names of its objects, opaque to us.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable
from uuid import UUID

from app.database import Proof
from app.ids import CustomerId
from app.integrations.outcome import OpRef, Outcome
from app.money import Money


class AccountKind(StrEnum):
    """What an account is for."""

    CURRENT = "CURRENT"
    SAVINGS = "SAVINGS"
    POT = "POT"
    CREDIT = "CREDIT"
    LOAN = "LOAN"
    DEPOSIT = "DEPOSIT"


class AccountState(StrEnum):
    """What may move on an account."""

    OPEN = "OPEN"
    BLOCK_DEBIT = "BLOCK_DEBIT"
    BLOCK_CREDIT = "BLOCK_CREDIT"
    BLOCKED = "BLOCKED"
    CLOSED = "CLOSED"


class OpKind(StrEnum):
    """Which write an OpRef names."""

    TRANSFER = "TRANSFER"
    HOLD = "HOLD"
    CAPTURE = "CAPTURE"
    RELEASE = "RELEASE"
    REVERSE = "REVERSE"


@dataclass(frozen=True, slots=True)
class CoreCaps:
    """What this core can do; rooms ask before they rely on it."""

    local: bool
    joins_transaction: bool
    holds: bool
    partial_capture: bool
    native_idempotency: bool
    event_feed: bool
    reverse: bool


@dataclass(frozen=True, slots=True)
class CoreAccount:
    """An account as the core keeps it."""

    ref: str
    kind: AccountKind
    name: str
    masked_number: str
    currency: str
    state: AccountState


@dataclass(frozen=True, slots=True)
class CoreBalance:
    """Committed and held money of one account; `version` grows with every change."""

    ref: str
    committed: Money
    held: Money
    available: Money
    as_of: datetime
    version: int


@dataclass(frozen=True, slots=True)
class Narrative:
    """Words that go with a movement.

    Args:
        memo: line of the bank's statement.
        payment: our payment, if one caused it.
        rail: name of the rail.
        reference: text both sides see.
        payer_name, payer_masked, payee_name, payee_masked: the two sides.
    """

    memo: str
    payment: UUID | None = None
    rail: str = "INTERNAL"
    reference: str | None = None
    payer_name: str | None = None
    payer_masked: str | None = None
    payee_name: str | None = None
    payee_masked: str | None = None


@dataclass(frozen=True, slots=True)
class CoreTxn:
    """One row of an account, as a customer sees it. `amount` is positive.

    `original` is the amount in the other side's currency where that differs.
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
class Posting:
    """A booked movement."""

    journal: UUID
    booked_at: datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """Money set aside; named by the op that made it."""

    id: UUID
    ref: str
    amount: Money


@dataclass(frozen=True, slots=True)
class OpContext:
    """What helps a core without native idempotency to find an op again."""

    src: str
    dst: str | None
    amount: Money
    first_sent_at: datetime


@dataclass(frozen=True, slots=True)
class CoreEvent:
    """A change that a remote core reports; at least once, in order per account."""

    ref: str
    cursor: str


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the core answers, and whether it takes postings."""

    reachable: bool
    detail: str = ""
    posts: bool = True


class CoreBank(Protocol):
    """The core bank."""

    caps: CoreCaps

    async def accounts(self, customer: CustomerId) -> list[CoreAccount]:
        """List the accounts of one of our customers."""
        ...

    async def balances(self, refs: Sequence[str]) -> list[CoreBalance]:
        """Give the balances of accounts, in one call where the core can."""
        ...

    async def transactions(
        self, refs: Sequence[str], query: TxnQuery
    ) -> dict[str, list[CoreTxn]]:
        """Give a page of rows per account, in one call where the core can."""
        ...

    async def transactions_by_id(self, ids: Sequence[UUID]) -> list[CoreTxn]:
        """Give rows by their ids, unknown ones left out."""
        ...

    async def transactions_of(self, payments: Sequence[UUID]) -> list[CoreTxn]:
        """Give all rows that payments of ours made, oldest first, in one call."""
        ...

    async def transfer(
        self, op: OpRef, src: str, dst: str, amount: Money, text: Narrative
    ) -> Outcome[Posting]:
        """Move money at once between two accounts of this core."""
        ...

    async def hold(
        self, op: OpRef, src: str, amount: Money, text: Narrative
    ) -> Outcome[Hold]:
        """Set money aside."""
        ...

    async def capture(
        self, op: OpRef, hold: Hold, amount: Money | None
    ) -> Outcome[Posting]:
        """Book held money, wholly or in part; the rest is free again."""
        ...

    async def release(self, op: OpRef, hold: Hold) -> Outcome[None]:
        """Free held money."""
        ...

    async def reverse(
        self, op: OpRef, posting: Posting, reason: str
    ) -> Outcome[Posting]:
        """Book the opposite of an earlier movement, once."""
        ...

    async def lookup(
        self, op: OpRef, kind: OpKind, context: OpContext
    ) -> Outcome[Posting | Hold | None]:
        """Tell what became of an op; Rejected(NEVER_SEEN) is an answer."""
        ...

    async def set_state(
        self, op: OpRef, ref: str, state: AccountState
    ) -> Outcome[None]:
        """Block, unblock or close an account."""
        ...

    def events(self, after: str | None) -> AsyncIterator[CoreEvent]:
        """Yield changes that were not made through us."""
        ...

    async def health(self) -> Health:
        """Ask whether the core answers; one that does not is told, never raised.

        Raises:
            Outage: our own database is lost.
        """
        ...


@runtime_checkable
class CanProve(Protocol):
    """A core whose books lie in our database: the embedded one only."""

    def proofs(self) -> list[Proof]:
        """Give the coherence proofs of the book."""
        ...

    async def freeze(self, reason: str) -> bool:
        """Stop all postings; gives whether they went on until now."""
        ...

    async def unfreeze(self, reason: str) -> None:
        """Allow postings again."""
        ...


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to open in a core that opens accounts.

    Args:
        id: its id here and in the core.
        owner: whose it is.
        kind, name, currency: what it is.
        masked_number: what may be shown of its number.
        floor_minor: lowest booked-and-held balance in minor units, 0 or minus the
            arranged overdraft.
    """

    id: UUID
    owner: CustomerId
    kind: AccountKind
    name: str
    currency: str
    masked_number: str
    floor_minor: int = 0


@runtime_checkable
class CanSeed(Protocol):
    """A core that opens accounts and takes opening money: the embedded one only."""

    async def open_account(self, account: NewAccount) -> str:
        """Open an account; the same id again changes nothing. Gives its `ref`."""
        ...

    async def deposit(self, op: OpRef, ref: str, amount: Money, memo: str) -> None:
        """Put money in from the bank's own cash, once per op."""
        ...
