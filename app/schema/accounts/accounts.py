"""Accounts and their transactions as the phone sees them; every read is batched."""

from dataclasses import replace
from datetime import date, datetime
from operator import attrgetter

import strawberry
from strawberry import UNSET

from app.accounts import account as accounts
from app.accounts import balances, transactions
from app.accounts import row as rows
from app.accounts.account import AccountStatus
from app.accounts.row import Direction, Rail, TransactionKind, TransactionStatus
from app.accounts.transactions import Page, PageQuery
from app.errors import BadRequest, ValidationFailed
from app.ids import AccountId, TransactionId
from app.integrations.core_banking import AccountKind
from app.realtime.shots import AccountShot, TransactionShot
from app.schema import paging
from app.schema.accounts.asking import asked, asked_of_all
from app.schema.accounts.batches import (
    ACCOUNT,
    BALANCE,
    NUMBER,
    PAGE,
    noted,
)
from app.schema.accounts.columns import ROW_COLUMNS, kept_together
from app.schema.accounts.figures import (
    BALANCE_ROW,
    MONEY_ROW,
    Balance,
    Counterparty,
    TransactionFilter,
    money_of,
)
from app.schema.context import Info
from app.schema.paging import Edge, PageInfo, Position
from app.schema.plan.shapes import Part, Shape
from app.schema.scalars import (
    SENSITIVE,
    Batched,
    CurrencyCode,
    Money,
    Node,
    field,
)


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

    async def _room(self, info: Info) -> accounts.Account | None:
        """Give the room's account; None: by now it is another client's."""
        if self.known is None:
            self.known = await ACCOUNT.find(info.context, AccountId.parse(self.id))
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
        found = await self._room(info)
        return None if found is None else found.bank_code

    @field(
        description=(
            "Null only when the core has never answered for this account; a core that "
            "is down later gives the last figures with `stale: true`."
        ),
        batched=Batched(
            BALANCE, lambda: True, lambda row, _asked: row, lambda: BALANCE_ROW
        ),
    )
    async def balance(self, info: Info) -> Balance | None:
        """Read the figures, together with those of the other accounts."""
        known = await self._room(info)
        found = None if known is None else await BALANCE.find(info.context, known)
        return None if found is None else Balance.of(balances.shot(found))

    @field(
        description=(
            "Newest first; `createdAt` then `id` decide the order; pending rows are "
            "part of it. `first` or `last` at most 100."
        ),
        batched=Batched(
            PAGE,
            asked_of_all,
            lambda row, query: (row, query),
            lambda: PAGE_ROWS,
        ),
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
        query = asked(first, after, last, before, filter)
        notes = await noted(info.context, query.filter.text)
        return TransactionConnection(
            page=await self._page(info, replace(query, noted=notes))
        )

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
        found = await self._room(info)
        low = None if found is None else found.low_balance
        return None if low is None else Money.of(low)

    async def _page(self, info: Info, query: PageQuery) -> Page:
        found = await self._room(info)
        if found is None:
            return transactions.no_page(query, info.context.bank.clock.now())
        try:
            return await PAGE.load(info.context, (found, query))
        except ValidationFailed as no:
            # A look-up has no userErrors: a filter that breaks a rule is a bad request.
            raise BadRequest(no.message) from no


def counterparty_of(row: rows.Transaction) -> Counterparty:
    """Show the other side of a row that has one."""
    return Counterparty(
        name=row.counterparty_name or "",
        masked_account=row.counterparty_masked,
        bank_name=None,
    )


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
    def from_row(
        cls, row: rows.Transaction, account: Account | None = None
    ) -> "Transaction":
        """Show a row of the room, as `of` shows its snapshot.

        Args:
            row: what the room gave.
            account: its account where that is made already; a page has one.
        """
        running = row.running_balance
        return cls(
            id=strawberry.ID(str(row.id)),
            account=account or Account.from_row(row.account),
            status=row.status,
            kind=row.kind,
            direction=row.direction,
            amount=Money.of(row.amount),
            original=None if row.original is None else Money.of(row.original),
            running_balance=None if running is None else Money.of(running),
            created_at=row.created_at,
            booked_at=row.booked_at,
            value_date=row.value_on,
            counterparty=counterparty_of(row) if row.counterparty_name else None,
            narration=row.narration,
            rail=row.rail,
            reference=row.reference,
            payment_id=None if row.payment is None else str(row.payment),
            decline_code=row.decline_code,
        )


# Where the fields of both are in the values of the room, which a plan reads itself.
ACCOUNT_ROW = Shape(Account, Account.from_row, {"id": Part(lambda row: str(row.id))})
ROW = Shape(
    Transaction,
    Transaction.from_row,
    {
        "id": Part(lambda row: f"{TransactionId.prefix}_{row.told.hex}"),
        "account": Part(attrgetter("account"), ACCOUNT_ROW),
        # What screens show most is read past the room's types: of enums the value.
        **{
            name: Part(attrgetter(f"told.{name}"))
            for name in ("status", "kind", "direction", "rail", "narration")
        },
        "amount": Part(
            attrgetter("told"),
            Shape(
                Money,
                lambda told: Money.of(told.amount),
                {"minor_units": Part(attrgetter("minor"))},
            ),
        ),
        "original": Part(attrgetter("original"), MONEY_ROW),
        "running_balance": Part(attrgetter("running_balance"), MONEY_ROW),
        "value_date": Part(attrgetter("value_on")),
        "counterparty": Part(
            lambda row: row if row.counterparty_name else None,
            Shape(
                Counterparty,
                counterparty_of,
                {
                    "name": Part(attrgetter("counterparty_name")),
                    "masked_account": Part(attrgetter("counterparty_masked")),
                    "bank_name": Part(lambda _row: None),
                },
            ),
        ),
    },
)


@strawberry.type
class TransactionConnection:
    """One page of rows."""

    page: strawberry.Private[Page]

    @field()
    def edges(self) -> list[Edge[Transaction]]:
        """Show the rows with their cursors."""
        shown = zip(self.page.rows, self.nodes(), strict=True)
        return [Edge(cursor=self._cursor(row), node=node) for row, node in shown]

    @field(snapshots=(lambda connection: connection.page.rows, ROW))
    def nodes(self) -> list[Transaction]:
        """Show the rows."""
        rows = self.page.rows
        own = Account.from_row(rows[0].account) if rows else None
        return [Transaction.from_row(row, own) for row in rows]

    @field()
    def page_info(self) -> PageInfo:
        """Tell whether there is more."""
        rows = self.page.rows
        return PageInfo(
            has_next_page=self.page.has_next,
            has_previous_page=self.page.has_previous,
            start_cursor=self._cursor(rows[0]) if rows else None,
            end_cursor=self._cursor(rows[-1]) if rows else None,
        )

    @field()
    def as_of(self) -> datetime:
        """Tell when the core confirmed the rows."""
        return self.page.as_of

    @field(
        description=(
            "True when the core did not answer and rows may be missing at the new end."
        )
    )
    def stale(self) -> bool:
        """Tell whether the core did not answer."""
        return self.page.stale

    def _cursor(self, row: rows.Transaction) -> str:
        return paging.encode(Position(*row.key), self.page.query.filter.name)


PAGE_ROWS: Shape = Shape(
    TransactionConnection,
    lambda page: TransactionConnection(page=page),
    {
        "nodes": Part(attrgetter("rows"), ROW, kept_together, ROW_COLUMNS),
        "as_of": Part(attrgetter("as_of")),
        "stale": Part(attrgetter("stale")),
    },
)
