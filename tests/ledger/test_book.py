"""Money moves once, wholly, and only where every rule lets it."""

from datetime import date
from uuid import UUID

import pytest

from app import database
from app.clock import StoppedClock
from app.errors import Outage
from app.ids import CustomerId, uuid7
from app.ledger import ops, reading
from app.ledger.book import Book, Opening
from app.ledger.errors import Frozen, Refused
from app.ledger.lines import Words, line_of
from app.ledger.ops import Op
from app.ledger.posting import AMOUNT_MAX, No, State
from app.ledger.reading import LineQuery
from app.money import Money
from app.realtime import log
from app.realtime.facts import (
    BalanceChanged,
    TransactionPosted,
    TransactionUpdated,
)
from tests.ledger.world import RENT, an_account, an_op, figures, inr, rows_of, sizes


async def refused(work: object) -> No:
    """Expect a refusal and give its reason."""
    with pytest.raises(Refused) as caught:
        await work  # type: ignore[misc]  # any awaitable
    return caught.value.no


async def test_a_transfer_moves_money_and_makes_a_row_on_both_sides(
    book: Book, clock: StoppedClock
) -> None:
    asha, ben = await an_account(book, 1000), await an_account(book)
    words = Words(
        narration="Rent",
        reference="November",
        payment=uuid7(),
        payer=("Asha Rao", "••••1111"),
        payee=("Ben Okafor", "••••2222"),
    )
    clock.move(minutes=1)

    answer = await book.transfer(an_op(), asha, ben, inr(250), words)

    assert await figures(asha) == (750, 0, 2)
    assert await figures(ben) == (250, 0, 1)
    rows = await reading.page([asha, ben], LineQuery(first=1))
    found = {line.account: line for line in map(line_of, rows)}
    assert {line.journal for line in found.values()} == {answer.journal}
    assert found[asha].counterparty == ("Ben Okafor", "••••2222")
    assert found[ben].counterparty == ("Asha Rao", "••••1111")
    assert [
        (one.direction, one.amount, one.status, one.kind, one.running_balance)
        for one in (found[asha], found[ben])
    ] == [
        ("OUT", 250, "BOOKED", "TRANSFER", 750),
        ("IN", 250, "BOOKED", "TRANSFER", 250),
    ]
    assert found[asha].payment == words.payment
    assert found[asha].reference == "November"
    assert found[asha].booked_at == found[asha].created_at == clock.now()
    assert found[asha].value_on == date(2026, 11, 21)


async def test_a_transfer_tells_each_owner_the_row_and_then_the_balance(
    book: Book,
) -> None:
    asha, ben = CustomerId.new(), CustomerId.new()
    payer = await an_account(book, 1000, owner=asha)
    payee = await an_account(book, owner=ben)

    await book.transfer(an_op(), payer, payee, inr(250), RENT)

    events = await log.read_after(ben, 0, 10)
    posted, balance = (event.fact for event in events)
    assert isinstance(posted, TransactionPosted)
    assert isinstance(balance, BalanceChanged)
    assert posted.transaction.account.id == f"acc_{payee.hex}"
    assert posted.transaction.amount == 250
    assert posted.transaction.direction == "IN"
    assert (balance.balance.available, balance.balance.version) == (250, 1)
    told = [type(event.fact) for event in await log.read_after(asha, 2, 10)]
    assert told == [TransactionPosted, BalanceChanged]


async def test_an_account_opened_twice_is_one_account(book: Book) -> None:
    account = await an_account(book, 500)
    again = Opening(
        id=account,
        owner=CustomerId.new(),
        kind="SAVINGS",
        name="Other",
        masked_number="••••9999",
        currency="INR",
    )

    await book.open_account(again)

    found = (await reading.balances([account]))[0]
    assert (found.account.name, found.figures.committed) == ("Everyday", 500)


@pytest.mark.parametrize(("kind", "floor"), [("HOUSE", 0), ("CURRENT", 1)])
async def test_only_customer_accounts_with_a_floor_at_or_under_zero_are_opened(
    book: Book, kind: str, floor: int
) -> None:
    opening = Opening(
        id=uuid7(),
        owner=CustomerId.new(),
        kind=kind,
        name="X",
        masked_number="••••1234",
        currency="INR",
        floor=floor,
    )

    assert await refused(book.open_account(opening)) is No.VALIDATION
    assert await rows_of("ledger_account") == 0


async def test_an_overdraft_can_be_spent_down_to_its_floor(book: Book) -> None:
    asha, ben = await an_account(book, floor=-300), await an_account(book)

    await book.transfer(an_op(), asha, ben, inr(300), RENT)
    no = await refused(book.transfer(an_op(), asha, ben, inr(1), RENT))

    assert no is No.INSUFFICIENT_FUNDS
    assert await figures(asha) == (-300, 0, 1)
    assert (await reading.balances([asha]))[0].figures.available == 0


@pytest.mark.parametrize(
    ("amount", "no"),
    [
        (Money(1001, "INR"), No.INSUFFICIENT_FUNDS),
        (Money(0, "INR"), No.VALIDATION),
        (Money(-5, "INR"), No.VALIDATION),
        (Money(AMOUNT_MAX + 1, "INR"), No.VALIDATION),
        (Money(5, "EUR"), No.CURRENCY_MISMATCH),
    ],
)
async def test_an_amount_that_does_not_fit_moves_nothing(
    book: Book, amount: Money, no: No
) -> None:
    asha, ben = await an_account(book, 1000), await an_account(book)
    before = await sizes()

    said = await refused(book.transfer(an_op(), asha, ben, amount, RENT))

    assert said is no
    assert await sizes() == before
    assert await figures(asha) == (1000, 0, 1)
    assert await figures(ben) == (0, 0, 0)


async def test_an_account_of_another_currency_moves_nothing(book: Book) -> None:
    asha = await an_account(book, 1000)
    clara = await an_account(book, currency="EUR")
    before = await sizes()

    no = await refused(book.transfer(an_op(), asha, clara, inr(5), RENT))

    assert no is No.CURRENCY_MISMATCH
    assert await sizes() == before


async def test_nobody_pays_himself_and_nobody_pays_into_the_void(book: Book) -> None:
    asha = await an_account(book, 1000)
    before = await sizes()

    itself = await refused(book.transfer(an_op(), asha, asha, inr(5), RENT))
    void = await refused(book.transfer(an_op(), asha, uuid7(), inr(5), RENT))

    assert (itself, void) == (No.VALIDATION, No.ACCOUNT_NOT_FOUND)
    assert await sizes() == before


@pytest.mark.parametrize(
    ("payer", "payee", "no"),
    [
        (State.BLOCK_DEBIT, State.OPEN, No.ACCOUNT_BLOCKED),
        (State.BLOCKED, State.OPEN, No.ACCOUNT_BLOCKED),
        (State.OPEN, State.BLOCK_CREDIT, No.ACCOUNT_BLOCKED),
        (State.OPEN, State.BLOCKED, No.ACCOUNT_BLOCKED),
        (State.OPEN, State.CLOSED, No.ACCOUNT_CLOSED),
    ],
)
async def test_a_blocked_or_closed_account_moves_nothing(
    book: Book, payer: State, payee: State, no: No
) -> None:
    asha, ben = await an_account(book, 1000), await an_account(book)
    await book.set_state(an_op(), asha, payer)
    await book.set_state(an_op(), ben, payee)
    before = await sizes()

    said = await refused(book.transfer(an_op(), asha, ben, inr(5), RENT))

    assert said is no
    assert await sizes() == before
    assert await figures(asha) == (1000, 0, 1)


@pytest.mark.parametrize("payer_first", [True, False])
async def test_the_last_of_the_money_to_a_blocked_account_is_refused_for_the_block(
    book: Book, *, payer_first: bool
) -> None:
    first, second = await an_account(book, 1000), await an_account(book, 1000)
    payer, payee = (first, second) if payer_first else (second, first)
    await book.transfer(an_op(), first, second, inr(1), RENT)  # both are known by now
    await book.transfer(an_op(), second, first, inr(1), RENT)
    await book.set_state(an_op(), payee, State.BLOCK_CREDIT)
    before = await sizes()

    said = await refused(book.transfer(an_op(), payer, payee, inr(1000), RENT))

    assert said is No.ACCOUNT_BLOCKED
    assert await sizes() == before
    assert await figures(payer) == (1000, 0, 3)


async def test_an_account_with_money_or_closed_already_is_not_closed(
    book: Book,
) -> None:
    full, empty = await an_account(book, 1), await an_account(book)
    await book.set_state(an_op(), empty, State.CLOSED)

    money_left = await refused(book.set_state(an_op(), full, State.CLOSED))
    reopened = await refused(book.set_state(an_op(), empty, State.OPEN))
    nowhere = await refused(book.set_state(an_op(), uuid7(), State.BLOCKED))

    assert money_left is No.VALIDATION
    assert reopened is No.ACCOUNT_CLOSED
    assert nowhere is No.ACCOUNT_NOT_FOUND
    states = {one.account.id: one.account.state for one in await _all(full, empty)}
    assert states == {full: State.OPEN, empty: State.CLOSED}


async def _all(*accounts: UUID) -> list[reading.Reading]:
    return await reading.balances(accounts)


async def test_a_lost_reply_is_answered_again_without_a_second_debit(
    book: Book,
) -> None:
    asha, ben = await an_account(book, 1000), await an_account(book)
    op = an_op()
    first = await book.transfer(op, asha, ben, inr(250), RENT)
    before = await sizes()

    second = await book.transfer(op, asha, ben, inr(250), RENT)

    assert second == first
    assert await ops.lookup(op) == first
    assert await sizes() == before
    assert await figures(asha) == (750, 0, 2)


async def test_another_body_under_the_same_id_is_refused(book: Book) -> None:
    asha, ben = await an_account(book, 1000), await an_account(book)
    op = an_op(b"250")
    await book.transfer(op, asha, ben, inr(250), RENT)
    other = Op(op.id, b"300".ljust(32, b"."))

    no = await refused(book.transfer(other, asha, ben, inr(300), RENT))

    assert no is No.DUPLICATE_MISMATCH
    assert await refused(ops.lookup(other)) is No.DUPLICATE_MISMATCH
    assert await figures(asha) == (750, 0, 2)


async def test_a_refused_id_stays_refused_when_the_money_has_come(book: Book) -> None:
    asha, ben = await an_account(book, 100), await an_account(book)
    op = an_op()
    await refused(book.transfer(op, asha, ben, inr(250), RENT))
    await book.deposit(an_op(), asha, inr(1000), "Cash")

    again = await refused(book.transfer(op, asha, ben, inr(250), RENT))

    assert again is No.INSUFFICIENT_FUNDS
    assert await refused(ops.lookup(op)) is No.INSUFFICIENT_FUNDS
    assert await figures(asha) == (1100, 0, 2)


async def test_an_id_that_never_came_is_never_seen(book: Book) -> None:
    del book
    assert await refused(ops.lookup(an_op())) is No.NEVER_SEEN


async def test_a_reversal_gives_the_money_back_once(book: Book) -> None:
    asha, ben = CustomerId.new(), CustomerId.new()
    payer = await an_account(book, 1000, owner=asha)
    payee = await an_account(book, owner=ben)
    wrong = await book.transfer(an_op(), payer, payee, inr(250), RENT)
    assert wrong.journal is not None

    undo = await book.reverse(an_op(), wrong.journal, "Sent twice")
    assert undo.journal is not None
    again = await refused(book.reverse(an_op(), wrong.journal, "Sent twice"))
    twice = await refused(book.reverse(an_op(), undo.journal, "Undo the undo"))

    assert (again, twice) == (No.VALIDATION, No.VALIDATION)
    assert await figures(payer) == (1000, 0, 3)
    assert await figures(payee) == (0, 0, 2)
    rows = await reading.page([payee], LineQuery(first=9))
    lines = [line_of(row) for row in rows]
    assert [(one.kind, one.direction, one.status) for one in lines] == [
        ("REVERSAL", "OUT", "BOOKED"),
        ("TRANSFER", "IN", "REVERSED"),
    ]
    facts = [type(event.fact) for event in await log.read_after(ben, 2, 9)]
    assert facts == [TransactionUpdated, TransactionPosted, BalanceChanged]


async def test_money_that_is_spent_cannot_be_taken_back(book: Book) -> None:
    asha, ben = await an_account(book, 1000), await an_account(book)
    wrong = await book.transfer(an_op(), asha, ben, inr(250), RENT)
    await book.transfer(an_op(), ben, asha, inr(200), RENT)
    before = await sizes()
    assert wrong.journal is not None

    no = await refused(book.reverse(an_op(), wrong.journal, "Sent twice"))

    assert no is No.INSUFFICIENT_FUNDS
    assert await sizes() == before


async def test_an_opening_balance_comes_from_equity_and_cash_from_the_nostro(
    book: Book,
) -> None:
    account = await an_account(book)

    await book.deposit(an_op(), account, inr(700), "Brought over", opening=True)
    await book.deposit(an_op(), account, inr(50), "Cash")

    rows = await database.read(
        "SELECT a.code, b.committed FROM ledger_account a JOIN ledger_balance b "
        "ON b.account_id = a.id WHERE b.committed < 0 ORDER BY a.code"
    )
    assert [(row.get("code", str), row.get("committed", int)) for row in rows] == [
        ("cash.nostro.INR", -50),
        ("equity.opening.INR", -700),
    ]
    read = await reading.page([account], LineQuery(first=9))
    lines = [line_of(row) for row in read]
    assert {(one.kind, one.counterparty) for one in lines} == {
        ("OTHER", (None, None)),
        ("CASH", (None, None)),
    }


async def test_a_frozen_book_posts_nothing_reads_on_and_stores_no_refusal(
    book: Book,
) -> None:
    asha, ben = await an_account(book, 1000), await an_account(book)
    op = an_op()
    await book.freeze("C2 is broken")
    await book.freeze("a later reason")

    with pytest.raises(Frozen) as caught:
        await book.transfer(op, asha, ben, inr(5), RENT)

    assert isinstance(caught.value, Outage)
    assert caught.value.cause == "LEDGER_FROZEN"
    assert await figures(asha) == (1000, 0, 1)
    reason = await database.read_one("SELECT reason FROM ledger_control")
    assert reason is not None
    assert reason.get("reason", str) == "C2 is broken"
    await book.unfreeze("sums are right again")
    await book.transfer(op, asha, ben, inr(5), RENT)
    assert await figures(asha) == (995, 0, 2)
