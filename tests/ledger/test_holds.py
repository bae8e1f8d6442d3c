"""A hold is a promise: resolved once, wholly or in part, and never twice."""

import asyncio
from uuid import UUID

import pytest

from app.errors import Outage
from app.ids import CustomerId, uuid7
from app.ledger import reading
from app.ledger.book import Book
from app.ledger.errors import Refused
from app.ledger.holds import Holds
from app.ledger.lines import Line, Words, line_of
from app.ledger.posting import No, State
from app.ledger.reading import LineQuery
from app.money import Money
from app.realtime import log
from app.realtime.facts import BalanceChanged, TransactionUpdated
from tests.ledger.world import an_account, an_op, figures, inr, sizes

SHOP = Words(narration="Shop", rail="IMPS", payee=("Shop", "••••7777"))


async def newest(account: UUID) -> Line:
    rows = await reading.page([account], LineQuery(first=1))
    return line_of(rows[0])


async def test_held_money_cannot_be_spent_and_shows_as_pending(
    book: Book, holds: Holds
) -> None:
    asha = await an_account(book, 1000)

    answer = await holds.hold(an_op(), asha, inr(600), SHOP)

    assert (answer.account, answer.amount, answer.currency) == (asha, 600, "INR")
    assert await figures(asha) == (1000, 600, 2)
    line = await newest(asha)
    assert (line.status, line.amount, line.running_balance) == ("PENDING", 600, None)
    assert (line.booked_at, line.value_on) == (None, None)
    with pytest.raises(Refused) as caught:
        await holds.hold(an_op(), asha, inr(401), SHOP)
    assert caught.value.no is No.INSUFFICIENT_FUNDS


async def test_a_capture_books_the_same_row_and_frees_the_rest(
    book: Book, holds: Holds
) -> None:
    asha = CustomerId.new()
    account = await an_account(book, 1000, owner=asha)
    op = an_op()
    await holds.hold(op, account, inr(600), SHOP)
    pending = await newest(account)

    answer = await holds.capture(an_op(), op.id, "INR", inr(450))

    assert await figures(account) == (550, 0, 3)
    line = await newest(account)
    assert (line.id, line.created_at) == (pending.id, pending.created_at)
    assert (line.status, line.amount, line.running_balance) == ("BOOKED", 450, 550)
    assert line.journal == answer.journal
    facts = [type(event.fact) for event in await log.read_after(asha, 4, 9)]
    assert facts == [TransactionUpdated, BalanceChanged]


async def test_a_release_frees_all_and_keeps_the_row_as_declined(
    book: Book, holds: Holds
) -> None:
    asha = await an_account(book, 1000)
    op = an_op()
    await holds.hold(op, asha, inr(600), SHOP)

    await holds.release(an_op(), op.id, "INR")

    assert await figures(asha) == (1000, 0, 3)
    line = await newest(asha)
    assert (line.status, line.amount, line.booked_at) == ("DECLINED", 600, None)


async def test_a_hold_is_resolved_once(book: Book, holds: Holds) -> None:
    asha = await an_account(book, 1000)
    op = an_op()
    await holds.hold(op, asha, inr(600), SHOP)
    await holds.capture(an_op(), op.id, "INR", None)
    before = await sizes()

    for work in (
        holds.capture(an_op(), op.id, "INR", None),
        holds.release(an_op(), op.id, "INR"),
        holds.release(an_op(), uuid7(), "INR"),
    ):
        with pytest.raises(Refused) as caught:
            await work
        assert caught.value.no is No.VALIDATION

    assert await sizes() == before
    assert await figures(asha) == (400, 0, 3)


async def test_many_who_resolve_one_hold_at_once_are_one(
    book: Book, holds: Holds
) -> None:
    asha = await an_account(book, 1000)
    op = an_op()
    await holds.hold(op, asha, inr(600), SHOP)

    async def resolve(number: int) -> bool:
        try:
            if number % 2:
                await holds.capture(an_op(), op.id, "INR", None)
            else:
                await holds.release(an_op(), op.id, "INR")
        except Refused:
            return False
        return True

    done = await asyncio.gather(*(resolve(number) for number in range(20)))

    assert done.count(True) == 1
    booked, held, version = await figures(asha)
    assert (booked in {400, 1000}, held, version) == (True, 0, 3)


@pytest.mark.parametrize(
    ("amount", "no"),
    [
        (Money(601, "INR"), No.VALIDATION),
        (Money(0, "INR"), No.VALIDATION),
        (Money(-1, "INR"), No.VALIDATION),
        (Money(5, "EUR"), No.CURRENCY_MISMATCH),
    ],
)
async def test_no_other_amount_than_a_part_of_the_hold_is_captured(
    book: Book, holds: Holds, amount: Money, no: No
) -> None:
    asha = await an_account(book, 1000)
    op = an_op()
    await holds.hold(op, asha, inr(600), SHOP)
    before = await sizes()

    with pytest.raises(Refused) as caught:
        await holds.capture(an_op(), op.id, "INR", amount)

    assert caught.value.no is no
    assert await sizes() == before
    assert await figures(asha) == (1000, 600, 2)


async def test_a_hold_of_nothing_is_refused(book: Book, holds: Holds) -> None:
    asha = await an_account(book, 1000)

    with pytest.raises(Refused) as caught:
        await holds.hold(an_op(), asha, inr(0), SHOP)

    assert caught.value.no is No.VALIDATION
    assert await figures(asha) == (1000, 0, 1)


async def test_a_blocked_account_keeps_the_promise_of_its_open_hold(
    book: Book, holds: Holds
) -> None:
    asha = await an_account(book, 1000)
    op = an_op()
    await holds.hold(op, asha, inr(600), SHOP)
    await book.set_state(an_op(), asha, State.BLOCKED)

    await holds.capture(an_op(), op.id, "INR", None)
    with pytest.raises(Refused) as caught:
        await holds.hold(an_op(), asha, inr(1), SHOP)

    assert caught.value.no is No.ACCOUNT_BLOCKED
    assert await figures(asha) == (400, 0, 3)


async def test_an_account_with_an_open_hold_is_not_closed(
    book: Book, holds: Holds
) -> None:
    asha = await an_account(book, floor=-100)
    await holds.hold(an_op(), asha, inr(100), SHOP)

    with pytest.raises(Refused) as caught:
        await book.set_state(an_op(), asha, State.CLOSED)

    assert caught.value.no is No.VALIDATION


async def test_a_frozen_book_resolves_no_hold(book: Book, holds: Holds) -> None:
    asha = await an_account(book, 1000)
    op = an_op()
    await holds.hold(op, asha, inr(600), SHOP)
    await book.freeze("C4 is broken")

    with pytest.raises(Outage):
        await holds.capture(an_op(), op.id, "INR", None)

    assert await figures(asha) == (1000, 600, 2)


async def test_a_captured_hold_can_be_reversed(book: Book, holds: Holds) -> None:
    asha = await an_account(book, 1000)
    op = an_op()
    await holds.hold(op, asha, inr(600), SHOP)
    answer = await holds.capture(an_op(), op.id, "INR", inr(450))
    assert answer.journal is not None

    await book.reverse(an_op(), answer.journal, "Returned")

    assert await figures(asha) == (1000, 0, 4)
    assert (await newest(asha)).kind == "REVERSAL"


async def test_an_unknown_rail_holds_against_what_is_unmatched(
    book: Book, holds: Holds
) -> None:
    asha = await an_account(book, 1000)

    await holds.hold(an_op(), asha, inr(1), Words(narration="?", rail="NEFT"))

    assert await figures(asha) == (1000, 1, 2)
