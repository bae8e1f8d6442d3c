"""Many at once on one account: nothing is lost, nothing is spent twice."""

import asyncio

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


async def test_a_hot_account_under_thirty_two_workers_loses_nothing(
    book: Book,
) -> None:
    hot = await an_account(book, 10_000)
    others = [await an_account(book, 1000) for _ in range(7)]

    async def worker(number: int) -> None:
        for turn in range(13):
            other = others[(number + turn) % len(others)]
            pair = (hot, other) if (number + turn) % 2 else (other, hot)
            await book.transfer(an_op(), *pair, inr(1 + turn % 3), RENT)

    await asyncio.gather(*(worker(number) for number in range(32)))

    everyone = [await figures(account) for account in (hot, *others)]
    assert sum(booked for booked, _held, _version in everyone) == 17_000
    assert everyone[0][2] == 1 + 32 * 13


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
