"""The CoreBank port: where the money is. Reads raise Outage, writes return Outcome.

References (`ref`) are the core's own names of its objects, opaque to us. A core whose
rows lie in our database is a `LocalBook` too; any other is `Remote`, and what it says
is kept in the mirror of the accounts room (banking.md section 3 of the design).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable
from uuid import UUID

from app.database import Proof
from app.ids import CustomerId
from app.integrations.figures import AccountState as AccountState
from app.integrations.figures import CoreBalance as CoreBalance
from app.integrations.figures import CoreTxn as CoreTxn
from app.integrations.figures import Look as Look
from app.integrations.figures import OlderRows as OlderRows
from app.integrations.figures import TxnQuery as TxnQuery
from app.integrations.outcome import OpRef, Outcome
from app.money import Money
from app.rows import Row, Scalar


class AccountKind(StrEnum):
    """What an account is for."""

    CURRENT = "CURRENT"
    SAVINGS = "SAVINGS"
    POT = "POT"
    CREDIT = "CREDIT"
    LOAN = "LOAN"
    DEPOSIT = "DEPOSIT"


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
    reverse: bool


@dataclass(frozen=True, slots=True)
class CoreCustomer:
    """The two names of one customer: ours, and the number the bank's systems use."""

    id: CustomerId
    number: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CoreAccount:
    """An account as the core keeps it.

    Args:
        ref: the core's name of it.
        kind, name, masked_number, currency, state: what it is.
        number: in full, as payers type it; None where we gave the number ourselves.
        external_ref: a second name that some calls of the core want instead of `ref`.
        can_hold: whether money on it can be held; else it only receives and shows.
    """

    ref: str
    kind: AccountKind
    name: str
    masked_number: str
    currency: str
    state: AccountState
    number: str | None = field(default=None, repr=False)
    external_ref: str | None = None
    can_hold: bool = True


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
    payer_name: str | None = field(default=None, repr=False)
    payer_masked: str | None = None
    payee_name: str | None = field(default=None, repr=False)
    payee_masked: str | None = None


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
    """What helps a core to find an op again.

    `earlier` is the op that this one ends or undoes: the hold of a capture or release,
    the capture of a reversal; None where there is none, or nobody says. `hold` is what
    the capture of a reversal booked, which some cores name where they name no capture.
    """

    src: str
    dst: str | None
    amount: Money
    first_sent_at: datetime
    earlier: UUID | None = None
    hold: UUID | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the core answers, and whether it takes postings."""

    reachable: bool
    detail: str = ""
    posts: bool = True


class CoreBank(Protocol):
    """The core bank."""

    caps: CoreCaps

    async def accounts(self, customer: CoreCustomer) -> list[CoreAccount]:
        """List the accounts of a customer; of one it does not know: none."""
        ...

    async def balances(self, refs: Sequence[str]) -> list[CoreBalance]:
        """Give the balances of accounts, in one call where the core can."""
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

    async def health(self) -> Health:
        """Ask whether the core answers; one that does not is told, never raised.

        Raises:
            Outage: our own database is lost.
        """
        ...


@runtime_checkable
class LocalBook(Protocol):
    """A core whose rows lie in our database, so that any page of them is one query."""

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


@dataclass(frozen=True, slots=True)
class Chosen:
    """Rows of our own `account` table, as a SELECT that a statement is built around.

    Args:
        sql: gives at least id, core_ref and `place`, which sorts them; its parameters
            are $1, $2 and so on.
        values: of the parameters.
    """

    sql: str
    values: tuple[Scalar, ...]


@runtime_checkable
class CanJoin(Protocol):
    """A core whose tables lie beside ours: a whole screen is one statement."""

    async def joined(
        self, chosen: Chosen, rows: int
    ) -> list[tuple[Row, CoreBalance | None, Sequence[CoreTxn]]]:
        """Give each chosen row in its order, its balance, and its newest rows.

        Args:
            chosen: which accounts; one unknown to the core has no balance and no rows.
            rows: how many of each, 0 to 101.
        """
        ...


@runtime_checkable
class Remote(Protocol):
    """A core behind a wire: it is looked at, and what it said is mirrored."""

    async def look(self, refs: Sequence[str], rows: int) -> list[Look]:
        """Look at accounts, in a call or two for all of them where the core can.

        Args:
            refs: which; those unknown to the core are left out.
            rows: how many of the newest rows of each, 1 to 100.

        Raises:
            Outage: the core does not answer, or not by its contract.
        """
        ...

    async def older(self, ref: str, after: str) -> OlderRows:
        """Give the page of history that follows a place which `look` or this gave.

        Raises:
            Outage: as above.
        """
        ...


@runtime_checkable
class CanHint(Protocol):
    """A core that calls us when something changed; it is a hint to look, no more."""

    def hinted(self, secret: str, body: bytes) -> str | None:
        """Name the account that a call is about; None: it names none.

        Raises:
            NotFound: the secret is wrong, or no hooks are heard.
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
