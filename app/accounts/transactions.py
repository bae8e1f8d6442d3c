"""The rows of accounts: keyset pages with a filter, mini statements, single rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import orjson
from typing_extensions import override

from app.accounts.account import Account
from app.accounts.accounts import Accounts
from app.accounts.row import Direction, Transaction, TransactionStatus
from app.accounts.sheet import Rows, Sheet
from app.auth.actor import Actor
from app.errors import ValidationFailed
from app.ids import AccountId, PaymentId, TransactionId
from app.integrations.core_banking import CoreTxn, TxnQuery
from app.money import Money

PAGE_MAX = 100
MINI = 5
_TEXT_MAX = 100
_BEGINNING = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))


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

    @override
    def __hash__(self) -> int:
        return hash((self.size, self.after, self.before))  # filters are rare


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows of one account, newest first, and what was asked.

    Args:
        query: what was asked.
        account: whose rows they are; None where there are none.
        told: the rows as the core gave them.
        has_next, has_previous: whether there are more on either side.
        as_of, stale: when the core confirmed them, and whether it is away since.
    """

    query: PageQuery
    account: Account | None
    told: Sequence[CoreTxn]
    has_next: bool
    has_previous: bool
    as_of: datetime
    stale: bool

    @property
    def rows(self) -> tuple[Transaction, ...]:
        """The rows as this room shows them, made at each call."""
        account = self.account
        if account is None:
            return ()
        return tuple([Transaction(account, row) for row in self.told])


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
        return {one.id: page_of(one, found[one.id], query) for one in accounts}

    async def by_ids(
        self, actor: Actor, ids: Sequence[TransactionId]
    ) -> dict[TransactionId, Transaction]:
        """Give rows by their ids; those of other customers are left out."""
        rows = await self._sheet.rows([one.value for one in ids])
        accounts = await self._accounts.by_refs(actor, [row.ref for row in rows])
        return {
            TransactionId(row.id): Transaction(accounts[row.ref], row)
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
                found.setdefault(payment, Transaction(account, row))
        return found


def page_of(account: Account, found: Rows, query: PageQuery) -> Page:
    """Make a page of what was read, one row more than it has."""
    more = len(found.rows) > query.size
    told = found.rows[: query.size]
    return Page(
        query=query,
        account=account,
        told=[*reversed(told)] if query.backward else told,
        has_next=query.before is not None if query.backward else more,
        has_previous=more if query.backward else query.after is not None,
        as_of=found.as_of,
        stale=found.stale,
    )


def no_page(query: PageQuery, at: datetime) -> Page:
    """Give nothing, of an account that is not the caller's any more."""
    return Page(
        query=query,
        account=None,
        told=(),
        has_next=False,
        has_previous=False,
        as_of=at,
        stale=True,
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
