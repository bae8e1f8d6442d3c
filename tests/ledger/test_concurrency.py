"""Many at once on one account: nothing is lost, nothing is spent twice."""

import asyncio
from contextlib import suppress
from random import Random

import pytest

from app.ledger.book import Book
from app.ledger.errors import Refused
from app.ledger.posting import No
from tests.ledger.world import RENT, an_account, an_op, figures, inr, rows_of


async def test_fifty_payers_of_money_for_ten_are_exactly_ten(book: Book) -> None:
    asha, ben = await an_account(book, 1000), await an_account(book)

    async def pay() -> No | None:
        try:
            await book.transfer(an_op(), asha, ben, inr(100), RENT)
        except Refused as refusal:
            return refusal.no
        return None

    said = await asyncio.gather(*(pay() for _ in range(50)))

    assert said.count(None) == 10
    assert said.count(No.INSUFFICIENT_FUNDS) == 40
    assert await figures(asha) == (0, 0, 11)
    assert await figures(ben) == (1000, 0, 10)


async def test_fifty_sends_of_one_id_are_one_debit(book: Book) -> None:
    asha, ben = await an_account(book, 1000), await an_account(book)
    op = an_op()

    answers = await asyncio.gather(
        *(book.transfer(op, asha, ben, inr(100), RENT) for _ in range(50))
    )

    assert len(set(answers)) == 1
    assert await figures(asha) == (900, 0, 2)


@pytest.mark.parametrize(
    "transfers",
    [640, pytest.param(50_000, marks=pytest.mark.chaos)],
    ids=["640", "50000"],
)
async def test_thirty_two_workers_over_twenty_hot_accounts_lose_nothing(
    book: Book, transfers: int
) -> None:
    accounts = [await an_account(book, 1000) for _ in range(20)]
    chosen = Random(6016)  # noqa: S311  -- the same transfers in each run
    turns = iter(
        [(chosen.sample(accounts, 2), chosen.randint(1, 90)) for _ in range(transfers)]
    )
    made = 0

    async def worker() -> None:
        nonlocal made
        for (payer, payee), minor in turns:
            with suppress(Refused):  # of an account that is empty just now
                await book.transfer(an_op(), payer, payee, inr(minor), RENT)
                made += 1

    await asyncio.gather(*(worker() for _ in range(32)))

    everyone = [await figures(account) for account in accounts]
    assert sum(booked for booked, _held, _version in everyone) == 20_000
    assert sum(version for _booked, _held, version in everyone) == 20 + 2 * made
    assert made > transfers / 2


async def test_fifty_sends_of_one_id_that_is_refused_are_one_refusal(
    book: Book,
) -> None:
    asha, ben = await an_account(book, 10), await an_account(book)
    op = an_op()

    async def pay() -> No | None:
        try:
            await book.transfer(op, asha, ben, inr(100), RENT)
        except Refused as refusal:
            return refusal.no
        return None

    said = await asyncio.gather(*(pay() for _ in range(50)))

    assert said == [No.INSUFFICIENT_FUNDS] * 50
    assert await figures(asha) == (10, 0, 1)
    assert await rows_of("ledger_op") == 2
