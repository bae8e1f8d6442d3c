"""The server as a whole: its books, clock, commands and knobs, and how rows come in."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sandbox.clock import WorldClock
from sandbox.fineract.book import Account, Book, Client, Row, next_id
from sandbox.fineract.knobs import Knobs
from sandbox.fineract.refusals import not_found

OFFICE = 1  # "Head Office", the only one
USER_ID = 1


@dataclass(slots=True)
class Core:
    """One bank behind the double.

    Args:
        clock: of the world.
        book: what the bank holds.
        knobs: how the server behaves.
    """

    clock: WorldClock
    book: Book = field(default_factory=Book)
    knobs: Knobs = field(default_factory=Knobs)

    def now(self) -> datetime:
        """Give the instant in the bank's own zone."""
        return self.clock.now().astimezone(ZoneInfo(self.knobs.timezone))

    def today(self) -> date:
        """Give the business day: the date in the bank's own zone."""
        return self.now().date()

    def enter(
        self,
        account: Account,
        kind: str,
        amount: Decimal,
        day: date,
        *,
        at: datetime | None = None,
    ) -> Row:
        """Put a row into an account; what may not be was asked before."""
        made = at or self.now()
        row = Row(
            id=next_id(self.book.rows),
            account=account.id,
            kind=kind,
            amount=amount,
            day=day,
            at=made.astimezone(UTC).isoformat(),
            entered=made.astimezone(ZoneInfo(self.knobs.timezone)).date(),
        )
        self.book.put(row)
        self.book.put(account)
        return row

    def account(self, number: object) -> Account:
        """Find an account by the server's id.

        Raises:
            Refusal: 404, there is none.
        """
        text = str(number)
        found = self.book.accounts.get(int(text) if text.isdecimal() else -1)
        if found is None:
            raise not_found(
                "error.msg.saving.account.id.invalid",
                f"Savings account with identifier {text} does not exist",
                text,
            )
        return found

    def external(self, external: str) -> Account:
        """Find an account by its external id.

        Raises:
            Refusal: 404, there is none.
        """
        found = self.book.external(external)
        if found is None:
            raise not_found(
                "error.msg.saving.account.id.invalid",
                f"Savings account with external identifier {external} does not exist",
                external,
            )
        return found

    def client(self, number: str, *, external: bool = False) -> Client:
        """Find a client by the server's id, or by the bank's own number.

        Raises:
            Refusal: 404, there is none.
        """
        by_id = self.book.clients.get(int(number) if number.isdecimal() else -1)
        found = self.book.client_of(number) if external else by_id
        if found is None:
            raise not_found(
                "error.msg.client.id.invalid",
                f"Client with identifier {number} does not exist",
                number,
            )
        return found

    def row(self, account: Account, number: str) -> Row:
        """Find a row of an account by the server's id.

        Raises:
            Refusal: 404, there is none.
        """
        found = self.book.rows.get(int(number) if number.isdecimal() else -1)
        if found is None or found.account != account.id:
            raise not_found(
                "error.msg.saving.account.trasaction.id.invalid",  # the server's word
                f"Savings account with savings identifier {account.id} and trasaction "
                f"identifier {number} does not exist",
                account.id,
                number,
            )
        return found
