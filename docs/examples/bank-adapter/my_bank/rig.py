"""What the kit tries My Bank's adapter on: the stand-in, and its book read directly."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from typing_extensions import override

from app.ids import CustomerId
from app.integrations.core_banking import AccountState, CoreCustomer
from app.money import Money
from my_bank.core import Settings
from my_bank.stand_in import Book, a_stand_in
from tests.integrations.kit.rig import Books, CoreRig, Fault, nobody_listens


class MyBankRig(CoreRig):
    """The stand-in runs in a thread of this process, so its book is at hand."""

    faults = tuple(Fault)

    def __init__(self, book: Book, url: str, token_file: Path) -> None:
        self._book, self._url, self._token_file = book, url, token_file
        self.secrets = (token_file.read_text(),)

    @override
    def settings(self, *, away: bool = False, hasty: bool = False) -> Settings:
        url = nobody_listens() if away else self._url
        given = {"base_url": url, "token_file": self._token_file}
        wait_s = 0.2 if hasty else 10
        return Settings.model_validate({**given, "wait_s": wait_s, "page_rows": 4})

    @override
    async def fault(self, kind: Fault, calls: int = 1) -> None:
        self._book.faults = [kind.name] * calls

    @override
    async def no_faults(self) -> None:
        self._book.faults = []

    @override
    async def calls(self) -> int:
        return self._book.calls

    @override
    async def customer(self) -> CoreCustomer:
        return CoreCustomer(CustomerId.new(), f"77{secrets.randbelow(10**8):08d}")

    @override
    async def account(self, money: Money, customer: CoreCustomer | None = None) -> str:
        amount = Decimal(money.minor).scaleb(-money.exponent)
        owner = (customer or await self.customer()).number
        return self._book.open(money.currency, owner, amount).ref

    @override
    async def set_state(self, ref: str, state: AccountState) -> None:
        self._book.accounts[ref].state = state.value

    @override
    async def books(self, ref: str) -> Books:
        account = self._book.accounts[ref]

        def minor(amount: Decimal | str) -> int:
            places = Money(0, account.currency).exponent
            return int(Decimal(amount).scaleb(places))

        return Books(
            committed=Money(minor(account.booked), account.currency),
            held=Money(minor(account.held), account.currency),
            postings=tuple(minor(row["amount"]) for row in account.movements),
        )


@contextmanager
def core_banking(folder: Path) -> Iterator[MyBankRig]:
    """Start the stand-in; the kit enters this once for a whole run."""
    token_file = folder / "token"
    token_file.write_text(secrets.token_urlsafe(24))
    with a_stand_in(token_file.read_text()) as (book, url):
        yield MyBankRig(book, url, token_file)
