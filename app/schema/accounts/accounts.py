"""Accounts and their transactions as the phone sees them; every read is batched."""

from datetime import date, datetime
from typing import TypeVar
from uuid import UUID

import strawberry
from strawberry import UNSET

from app.accounts import account as accounts
from app.accounts import balances, transactions
from app.accounts.account import AccountStatus
from app.accounts.transactions import (
    Direction,
    Filter,
    Page,
    PageQuery,
    Rail,
    TransactionKind,
    TransactionStatus,
)
from app.errors import BadRequest, ValidationFailed
from app.ids import AccountId, MalformedId, TransactionId
from app.integrations.core_banking import AccountKind
from app.realtime.shots import AccountShot, TransactionShot
from app.schema import paging
from app.schema.accounts.batches import (
    ACCOUNT,
    BALANCE,
    NUMBER,
    PAGE,
    TRANSACTION,
    noted,
)
from app.schema.accounts.figures import (
    Balance,
    Counterparty,
    TransactionFilter,
    money_of,
)
from app.schema.context import Context, Info
from app.schema.paging import Connection, Edge, PageInfo, Position
from app.schema.scalars import (
    SENSITIVE,
    CurrencyCode,
    Money,
    Node,
    field,
)

G = TypeVar("G")


@strawberry.type
class Account(Node):
    """One account. Made from a row or from a fact; it reads the rest when asked."""

    kind: AccountKind
    name: str
    nickname: str | None
    masked_number: str = strawberry.field(
        description="Only the last four characters are readable."
    )
    status: AccountStatus
    can_debit: bool = strawberry.field(
        description=(
            "False: no money can leave, whatever the balance; paymentCreate answers "
            "ACCOUNT_BLOCKED."
        )
    )
    can_credit: bool = strawberry.field(description="False: no money can come in.")
    currency: CurrencyCode
    known: strawberry.Private[accounts.Account | None] = None

    @classmethod
    def of(cls, shot: AccountShot, known: accounts.Account | None = None) -> "Account":
        """Show the account of a fact; `known` spares a read."""
        return cls(
            id=strawberry.ID(shot.id),
            kind=AccountKind(shot.kind),
            name=shot.name,
            nickname=shot.nickname,
            masked_number=shot.masked_number,
            status=AccountStatus(shot.status),
            can_debit=shot.can_debit,
            can_credit=shot.can_credit,
            currency=CurrencyCode(shot.currency),
            known=known,
        )

    @classmethod
    def from_row(cls, found: accounts.Account) -> "Account":
        """Show an account of the room."""
        return cls.of(accounts.shot(found), found)

    async def _room(self, info: Info) -> accounts.Account:
        if self.known is None:
            self.known = await ACCOUNT.load(info.context, AccountId.parse(self.id))
        return self.known

    @field(
        description=(
            "Full account number for receiving money. Select it only on the screen "
            "that shows it; null when the core does not tell."
        ),
        directives=SENSITIVE,
    )
    async def number(self, info: Info) -> str | None:
        """Open the full number."""
        return await NUMBER.find(info.context, AccountId.parse(self.id))

    @field(description="What payers need besides the number: IFSC, BIC or sort code.")
    async def bank_code(self, info: Info) -> str | None:
        """Give the bank code."""
        return (await self._room(info)).bank_code

    @field(
        description=(
            "Null only when the core has never answered for this account; a core that "
            "is down later gives the last figures with `stale: true`."
        )
    )
    async def balance(self, info: Info) -> Balance | None:
        """Read the figures, together with those of the other accounts."""
        found = await BALANCE.find(info.context, await self._room(info))
        return None if found is None else Balance.of(balances.shot(found))

    @field(
        description=(
            "Newest first; `createdAt` then `id` decide the order; pending rows are "
            "part of it. `first` or `last` at most 100."
        )
    )
    async def transactions(
        self,
        info: Info,
        first: int | None = 25,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        filter: TransactionFilter | None = UNSET,  # noqa: A002  -- the contract's name
    ) -> "TransactionConnection":
        """Read one page, together with those of the other accounts."""
        size, start, end = _given(last), _given(after), _given(before)
        backward = size is not None
        if (start if backward else end) is not None:
            raise BadRequest("`first` goes with `after`, `last` goes with `before`.")
        wanted = filter.read() if filter else Filter()
        query = PageQuery(
            size=paging.size(size if backward else first, 25),
            after=_key(start, wanted),
            before=_key(end, wanted),
            backward=backward,
            filter=wanted,
            noted=await noted(info.context, wanted.text),
        )
        return _connection(await self._page(info, query), wanted)

    @field(
        description=(
            "The last five transactions: what a feature phone's mini statement shows."
        )
    )
    async def mini_statement(self, info: Info) -> list["Transaction"]:
        """Read the last five rows."""
        page = await self._page(info, PageQuery(size=transactions.MINI))
        return [Transaction.from_row(row) for row in page.rows]

    @field(
        description=(
            "A LOW_BALANCE notice is made when `available` falls below it; see "
            "accountUpdate."
        )
    )
    async def low_balance_alert(self, info: Info) -> Money | None:
        """Give the amount under which a notice is made."""
        low = (await self._room(info)).low_balance
        return None if low is None else Money.of(low)

    async def _page(self, info: Info, query: PageQuery) -> Page:
        try:
            return await PAGE.load(info.context, (await self._room(info), query))
        except ValidationFailed as no:
            # A look-up has no userErrors: a filter that breaks a rule is a bad request.
            raise BadRequest(no.message) from no


@strawberry.type
class Transaction(Node):
    """One row of one account."""

    account: Account
    status: TransactionStatus
    kind: TransactionKind
    direction: Direction
    amount: Money = strawberry.field(
        description="Always positive; `direction` gives the sign.",
        directives=SENSITIVE,
    )
    original: Money | None = strawberry.field(
        description=("Amount in the payee's or merchant's currency when it differs.")
    )
    running_balance: Money | None = strawberry.field(
        description="Booked balance after this row; null while PENDING or DECLINED.",
        directives=SENSITIVE,
    )
    created_at: datetime
    booked_at: datetime | None
    value_date: date | None = strawberry.field(
        description="Bank day from which it counts for interest; null while PENDING."
    )
    counterparty: Counterparty | None = strawberry.field(
        description="Null where there is no other side: fees, interest, cash."
    )
    narration: str | None = strawberry.field(
        description="The line as the bank's statement prints it.",
        directives=SENSITIVE,
    )
    rail: Rail
    reference: str | None = strawberry.field(
        description=(
            "Text the other side sees; for rails that give one, the bank reference "
            "(RRN, end-to-end id)."
        )
    )

    payment_id: strawberry.Private[str | None] = None
    decline_code: strawberry.Private[str | None] = None

    @classmethod
    def of(cls, shot: TransactionShot, account: Account | None = None) -> "Transaction":
        """Show the row of a fact: our own book's, whose rows have one currency."""
        other = shot.counterparty
        return cls(
            id=strawberry.ID(shot.id),
            account=account or Account.of(shot.account),
            status=TransactionStatus(shot.status),
            kind=TransactionKind(shot.kind),
            direction=Direction(shot.direction),
            amount=money_of(shot.amount, shot.currency),
            original=None,
            running_balance=None
            if shot.running_balance is None
            else money_of(shot.running_balance, shot.currency),
            created_at=shot.created_at,
            booked_at=shot.booked_at,
            value_date=shot.value_date,
            counterparty=None if other is None else Counterparty.of(other),
            narration=shot.narration,
            rail=Rail(shot.rail),
            reference=shot.reference,
            payment_id=shot.payment_id,
            decline_code=shot.decline_reason,
        )

    @classmethod
    def from_row(cls, row: transactions.Transaction) -> "Transaction":
        """Show a row of the room."""
        made = cls.of(transactions.shot(row), Account.from_row(row.account))
        made.original = None if row.original is None else Money.of(row.original)
        return made


@strawberry.type(name="TransactionConnection")
class TransactionConnection(Connection[Transaction]):
    """One page of rows."""

    as_of: datetime
    stale: bool = strawberry.field(
        description=(
            "True when the core did not answer and rows may be missing at the new end."
        )
    )


@strawberry.type
class CustomerFields:
    """What the customer's own object shows of this room."""

    @field(
        description=(
            "All accounts, pots not included (see Account.pots), in the customer's "
            "order. At most 50."
        )
    )
    async def accounts(self, info: Info) -> list[Account]:
        """List the caller's accounts."""
        context = info.context
        found = await context.bank.accounts.of_customer(context.actor.known_customer)
        return [Account.from_row(one) for one in found]

    @field()
    async def account(self, info: Info, id: strawberry.ID) -> Account | None:  # noqa: A002  -- the contract's name
        """Give one account of the caller, or null."""
        try:
            return await account_node(info.context, AccountId.parse(id))
        except MalformedId:
            return None


# ------------------------------------------------------------------ look-ups by id


async def account_node(context: Context, account: AccountId) -> Account | None:
    """Give an account of the caller; null for anybody else's."""
    found = await ACCOUNT.find(context, account)
    return None if found is None else Account.from_row(found)


async def transaction_node(
    context: Context, transaction: TransactionId
) -> Transaction | None:
    """Give a row of the caller; null for anybody else's."""
    found = await TRANSACTION.find(context, transaction)
    return None if found is None else Transaction.from_row(found)


# ------------------------------------------------------------------ shaping


def _given(argument: G | None) -> G | None:
    return None if argument is UNSET else argument


def _key(cursor: str | None, wanted: Filter) -> tuple[datetime, UUID] | None:
    position = paging.decode(cursor, wanted.name)
    return None if position is None else (position.at, position.id)


def _connection(page: Page, wanted: Filter) -> TransactionConnection:
    edges = [
        Edge(
            cursor=paging.encode(Position(*row.key), wanted.name),
            node=Transaction.from_row(row),
        )
        for row in page.rows
    ]
    return TransactionConnection(
        edges=edges,
        nodes=[edge.node for edge in edges],
        page_info=PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        as_of=page.as_of,
        stale=page.stale,
    )
