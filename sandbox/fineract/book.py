"""The double's books: clients, accounts, rows, transfers, and what changed last."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TypeVar

from sandbox.fineract.kinds import ACTIVE, ASIDE, KINDS, NONE

ZERO = Decimal(0)


@dataclass(slots=True)
class Client:
    """A client; `number` is the external id, by which a bank knows its customer."""

    id: int
    number: str
    name: str = field(repr=False)
    since: date


@dataclass(slots=True)
class Account:
    """A savings account.

    `balance` is the book, `held` what is set aside of it, None before the first time;
    both follow the rows.
    """

    id: int
    number: str = field(repr=False)
    client: int
    product: str
    currency: str
    external: str | None
    since: date
    state: str = ACTIVE
    sub: str = NONE
    reason: str | None = None
    closed: date | None = None
    balance: Decimal = ZERO
    held: Decimal | None = None

    def available(self) -> Decimal:
        """Give what may still be taken: the book less what is held."""
        return self.balance - (self.held or ZERO)


@dataclass(slots=True)
class Row:
    """A transaction of one account, as the server keeps it.

    `at` is when it was entered (ISO, UTC), `day` when it counts. `receipt` is the
    transfer code of the interoperation interface. `running` follows the rows before.
    """

    id: int
    account: int
    kind: str
    amount: Decimal
    day: date
    at: str
    entered: date
    note: str | None = None
    receipt: str | None = None
    released: int = 0
    transfer: int | None = None
    reversed: bool = False
    running: Decimal = ZERO

    def moves(self) -> Decimal:
        """Give the amount with its sign; nothing once it is reversed."""
        return ZERO if self.reversed else KINDS[self.kind].sign * self.amount


@dataclass(slots=True)
class Transfer:
    """A transfer between two accounts, and the rows that it made."""

    id: int
    source: int
    target: int
    amount: Decimal
    day: date
    says: str
    out_row: int
    in_row: int


@dataclass(slots=True)
class Interop:
    """What the interoperation interface answered last about one transfer code."""

    id: int
    transaction: str
    code: str
    account: int
    done: str


_Entry = TypeVar("_Entry")
Entry = Client | Account | Row | Transfer | Interop


def next_id(table: dict[int, _Entry]) -> int:
    """Give the id after the last of a table that only grows."""
    return next(reversed(table), 0) + 1


class Book:
    """All of it, in memory. What is put is remembered as changed until it is taken."""

    def __init__(self) -> None:
        self.clients: dict[int, Client] = {}
        self.accounts: dict[int, Account] = {}
        self.rows: dict[int, Row] = {}
        self.transfers: dict[int, Transfer] = {}
        self.interop: dict[int, Interop] = {}
        self._of: dict[int, list[Row]] = {}
        self._numbers: dict[str, int] = {}
        self._externals: dict[str, int] = {}
        self._holders: dict[str, int] = {}
        self._held_by: dict[int, dict[int, Account]] = {}
        self._products: dict[str, int] = {}
        self._codes: dict[tuple[str, str], int] = {}
        self._changed: dict[tuple[str, int], Entry] = {}

    def put(self, entry: Entry) -> None:
        """Take an entry in, new or changed."""
        match entry:
            case Client():
                self.clients[entry.id] = entry
                self._holders[entry.number] = entry.id
            case Account():
                self._list(entry)
            case Row():
                self._place(entry)
            case Transfer():
                self.transfers[entry.id] = entry
            case Interop():
                self.interop[entry.id] = entry
                self._codes[entry.transaction, entry.code] = entry.id
        self._changed[type(entry).__name__, entry.id] = entry

    def changes(self) -> list[Entry]:
        """Give what was put since this was asked last."""
        found = list(self._changed.values())
        self._changed = {}
        return found

    def rows_of(self, account: int) -> list[Row]:
        """Give the rows of an account in the order in which they count."""
        return self._of.get(account, [])

    def client_of(self, number: str) -> Client | None:
        """Find a client by its external id."""
        return self.clients.get(self._holders.get(number, 0))

    def accounts_of(self, client: int) -> list[Account]:
        """Give the accounts of a client."""
        return list(self._held_by.get(client, {}).values())

    def numbered(self, number: str) -> Account | None:
        """Find an account by its number."""
        return self.accounts.get(self._numbers.get(number, 0))

    def external(self, external: str) -> Account | None:
        """Find an account by its external id."""
        return self.accounts.get(self._externals.get(external, 0))

    def product(self, name: str) -> int:
        """Give the number of a product: the order in which products appeared."""
        return self._products[name]

    def coded(self, transaction: str, code: str) -> Interop | None:
        """Find what was said about a transfer code of a transaction."""
        return self.interop.get(self._codes.get((transaction, code), 0))

    def held_under(self, account: int, code: str) -> Row | None:
        """Find the row that set money aside under a transfer code, freed or not."""
        return self.received(account, code, "amountHold")

    def received(self, account: int, code: str, kind: str) -> Row | None:
        """Find the row of a kind that a transfer code made."""
        rows = self.rows_of(account)
        return next((r for r in rows if r.receipt == code and r.kind == kind), None)

    def recount(self, account: int) -> None:
        """Count an account anew after a row was reversed or put between others."""
        mine = self.accounts[account]
        mine.balance, mine.held = ZERO, None
        for row in self.rows_of(account):
            self._count(mine, row)

    def _list(self, account: Account) -> None:
        self.accounts[account.id] = account
        self._numbers[account.number] = account.id
        self._held_by.setdefault(account.client, {})[account.id] = account
        self._products.setdefault(account.product, len(self._products) + 1)
        if account.external is not None:
            self._externals[account.external] = account.id

    def _place(self, row: Row) -> None:
        known = row.id in self.rows
        self.rows[row.id] = row
        if known:
            return
        rows = self._of.setdefault(row.account, [])
        last = rows[-1].day if rows else row.day
        rows.append(row)
        if last <= row.day:
            self._count(self.accounts[row.account], row)
            return
        rows.sort(key=lambda one: (one.day, one.id))
        self.recount(row.account)

    def _count(self, mine: Account, row: Row) -> None:
        if row.kind in ASIDE:
            mine.held = (mine.held or ZERO) - row.moves()
        else:
            mine.balance += row.moves()
        row.running = ZERO if row.reversed else mine.available()
