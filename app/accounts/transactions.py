"""The rows of accounts: keyset pages with a filter, mini statements, single rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from uuid import UUID

import orjson

from app.accounts.account import Account
from app.accounts.account import shot as account_shot
from app.accounts.accounts import Accounts
from app.accounts.sheet import Rows, Sheet
from app.auth.actor import Actor
from app.errors import ValidationFailed
from app.ids import AccountId, PaymentId, TransactionId
from app.integrations.core_banking import CoreTxn, TxnQuery
from app.money import Money
from app.realtime.shots import CounterpartyShot, TransactionShot

PAGE_MAX = 100
MINI = 5
_TEXT_MAX = 100
_BEGINNING = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))


class TransactionStatus(StrEnum):
    """How far a row is; it keeps its id and place."""

    PENDING = "PENDING"
    BOOKED = "BOOKED"
    REVERSED = "REVERSED"
    DECLINED = "DECLINED"


class Direction(StrEnum):
    """Whether money came or went."""

    IN = "IN"
    OUT = "OUT"


class TransactionKind(StrEnum):
    """What moved the money."""

    TRANSFER = "TRANSFER"
    FEE = "FEE"
    INTEREST = "INTEREST"
    TAX = "TAX"
    CASH = "CASH"
    REVERSAL = "REVERSAL"
    ADJUSTMENT = "ADJUSTMENT"
    OTHER = "OTHER"


class Rail(StrEnum):
    """Over which network money moves; INTERNAL is inside the bank."""

    INTERNAL = "INTERNAL"
    IMPS = "IMPS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What rows must be like; all given parts must hold.

    Args:
        since: created at or after it.
        until: created before it.
        direction: IN or OUT.
        statuses: any of these; empty is all.
        least, most: bounds of the amount, inclusive, in the account's currency.
        text: looked for in counterparty, narration and reference, any case; in the
            customer's notes as far as the query names their payments.
    """

    since: datetime | None = None
    until: datetime | None = None
    direction: Direction | None = None
    statuses: tuple[TransactionStatus, ...] = ()
    least: Money | None = None
    most: Money | None = None
    text: str | None = None

    @property
    def name(self) -> str:
        """Text that is the same for the same filter: cursors hold its hash."""
        if self == Filter():
            return ""
        parts = (
            self.since,
            self.until,
            self.direction,
            sorted(set(self.statuses)),
            self.least,
            self.most,
            self.text,
        )
        return orjson.dumps(parts).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class PageQuery:
    """A page of one or many accounts.

    Args:
        size: rows per account, 1 to 100.
        after: keyset of the row above the page; going on to older rows.
        before: keyset of the row below the page; only backward.
        backward: take the rows just above `before`, or the oldest of all.
        filter: what rows must be like.
        noted: payments in whose note the filter's text was found.
    """

    size: int
    after: tuple[datetime, UUID] | None = None
    before: tuple[datetime, UUID] | None = None
    backward: bool = False
    filter: Filter = field(default_factory=Filter)
    noted: tuple[PaymentId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One row of one account. `amount` is positive; `direction` gives the sign."""

    id: TransactionId
    account: Account
    status: TransactionStatus
    kind: TransactionKind
    direction: Direction
    amount: Money
    running_balance: Money | None
    created_at: datetime
    booked_at: datetime | None
    value_on: date | None
    counterparty_name: str | None
    counterparty_masked: str | None
    narration: str | None
    rail: Rail
    reference: str | None
    payment: PaymentId | None
    original: Money | None = None
    decline_code: str | None = None

    @property
    def key(self) -> tuple[datetime, UUID]:
        """Where the row stands in its account's list."""
        return self.created_at, self.id.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows of one account, newest first."""

    rows: tuple[Transaction, ...]
    has_next: bool
    has_previous: bool
    as_of: datetime
    stale: bool


def shot(row: Transaction) -> TransactionShot:
    """Give the display snapshot that facts carry."""
    other = row.counterparty_name
    return TransactionShot(
        id=str(row.id),
        account=account_shot(row.account),
        status=row.status,
        kind=row.kind,
        direction=row.direction,
        amount=row.amount.minor,
        currency=row.amount.currency,
        running_balance=row.running_balance.minor if row.running_balance else None,
        created_at=row.created_at,
        booked_at=row.booked_at,
        value_date=row.value_on,
        counterparty=CounterpartyShot(
            name=other, masked_account=row.counterparty_masked
        )
        if other
        else None,
        narration=row.narration,
        rail=row.rail,
        reference=row.reference,
        payment_id=str(row.payment) if row.payment else None,
        decline_reason=row.decline_code,
    )


class Transactions:
    """Reads rows of accounts whose owner has been decided before.

    Args:
        sheet: where the rows are read.
        accounts: decides ownership for rows asked by id.
    """

    def __init__(self, *, sheet: Sheet, accounts: Accounts) -> None:
        self._sheet = sheet
        self._accounts = accounts

    async def pages(
        self, accounts: Sequence[Account], query: PageQuery
    ) -> dict[AccountId, Page]:
        """Give one page of each account, in one call.

        While a remote core is away: what it told before, if only no row, as stale.

        Raises:
            ValidationFailed: size, bounds, currency or text of the filter.
            Outage: our database does not answer.
        """
        _check(accounts, query)
        found = await self._sheet.pages(accounts, _asked(query))
        return {one.id: _page(one, found[one.id], query) for one in accounts}

    async def by_ids(
        self, actor: Actor, ids: Sequence[TransactionId]
    ) -> dict[TransactionId, Transaction]:
        """Give rows by their ids; those of other customers are left out."""
        rows = await self._sheet.rows([one.value for one in ids])
        accounts = await self._accounts.by_refs(actor, [row.ref for row in rows])
        return {
            TransactionId(row.id): transaction(accounts[row.ref], row)
            for row in rows
            if row.ref in accounts
        }

    async def of_payments(
        self, wanted: Mapping[PaymentId, Account]
    ) -> dict[PaymentId, Transaction]:
        """Give the row each payment made on the account it was paid from.

        Args:
            wanted: the paying account of each payment, whose owner has been decided.
        """
        found: dict[PaymentId, Transaction] = {}
        for row in await self._sheet.rows_of([one.value for one in wanted]):
            payment = PaymentId(row.payment) if row.payment else None
            account = None if payment is None else wanted.get(payment)
            if payment is None or account is None or account.ref != row.ref:
                continue
            if row.direction == Direction.OUT:
                found.setdefault(payment, transaction(account, row))
        return found


def _page(account: Account, found: Rows, query: PageQuery) -> Page:
    more = len(found.rows) > query.size
    kept = [transaction(account, row) for row in found.rows[: query.size]]
    if query.backward:
        kept.reverse()
    return Page(
        rows=tuple(kept),
        has_next=query.before is not None if query.backward else more,
        has_previous=more if query.backward else query.after is not None,
        as_of=found.as_of,
        stale=found.stale,
    )


def _asked(query: PageQuery) -> TxnQuery:
    """Ask the core for one row more than the page, to know whether there is more."""
    wanted = query.filter
    backward = query.backward
    return TxnQuery(
        first=query.size + 1,
        after=query.after,
        before=query.before or (_BEGINNING if backward else None),
        since=wanted.since,
        until=wanted.until,
        direction=wanted.direction,
        statuses=wanted.statuses,
        min_minor=wanted.least.minor if wanted.least else None,
        max_minor=wanted.most.minor if wanted.most else None,
        text=wanted.text.strip().lower() if wanted.text else None,
        noted=tuple(payment.value for payment in query.noted),
    )


def _check(accounts: Sequence[Account], query: PageQuery) -> None:
    wanted = query.filter
    if not 1 <= query.size <= PAGE_MAX:
        raise ValidationFailed("A page has 1 to 100 rows.", field=["first"])
    bounds = [one for one in (wanted.least, wanted.most) if one is not None]
    if any(one.currency != each.currency for one in bounds for each in accounts):
        raise ValidationFailed(
            "The amounts are not in the account's currency.", field=["filter", "min"]
        )
    if any(one.minor < 0 for one in bounds):
        raise ValidationFailed("Amounts are positive.", field=["filter", "min"])
    if wanted.text is not None and not 1 <= len(wanted.text.strip()) <= _TEXT_MAX:
        raise ValidationFailed(
            "The text to look for has 1 to 100 characters.", field=["filter", "text"]
        )


def transaction(account: Account, row: CoreTxn) -> Transaction:
    """Give a row of a core as one of an account."""
    return Transaction(
        id=TransactionId(row.id),
        account=account,
        status=TransactionStatus(row.status),
        kind=TransactionKind(row.kind),
        direction=Direction(row.direction),
        amount=row.amount,
        running_balance=row.running_balance,
        created_at=row.created_at,
        booked_at=row.booked_at,
        value_on=row.value_on,
        counterparty_name=row.counterparty_name,
        counterparty_masked=row.counterparty_masked,
        narration=row.narration,
        rail=Rail(row.rail),
        reference=row.reference,
        payment=PaymentId(row.payment) if row.payment else None,
        original=row.original,
        decline_code=row.decline_code,
    )
