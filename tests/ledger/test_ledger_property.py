"""Random schedules against a model of dictionaries: same answers, same figures."""

from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ledger import ops, statement
from app.ledger.book import Book
from app.ledger.errors import Refused
from app.ledger.holds import Holds
from app.ledger.ops import Answer, Op
from app.ledger.posting import No, State
from tests.conftest import BROKEN, broken_proofs
from tests.ledger.model import STEPS, Model, ModelAccount
from tests.ledger.world import RENT, an_account, an_op, figures, inr

Step = tuple[str, int, int, int]
STEPS_OF_CHAOS = 50
WHO = st.integers(0, 5)
WHICH = st.integers(0, 9)
AMOUNT = st.integers(1, 400)
STEP = st.one_of(
    st.tuples(st.just("open"), WHO, WHO, AMOUNT),
    st.tuples(st.just("deposit"), WHO, WHO, AMOUNT),
    st.tuples(st.just("transfer"), WHO, WHO, AMOUNT),
    st.tuples(st.just("hold"), WHO, WHO, AMOUNT),
    st.tuples(st.just("capture"), WHICH, WHO, AMOUNT),
    st.tuples(st.just("capture_all"), WHICH, WHO, AMOUNT),
    st.tuples(st.just("release"), WHICH, WHO, AMOUNT),
    st.tuples(st.just("reverse"), WHICH, WHO, AMOUNT),
    st.tuples(st.just("retry"), WHICH, WHO, AMOUNT),
    st.tuples(st.just("other_body"), WHICH, WHO, AMOUNT),
    st.tuples(st.just("crash"), WHO, WHO, AMOUNT),
    st.tuples(st.just("state"), WHO, WHO, st.integers(0, 9)),
)
OF_ACCOUNTS = {"deposit", "transfer", "hold", "crash", "state"}
FLOORS = (0, -300, 0)
MOST = 6
STATES = [State.OPEN] * 6 + [s for s in State if s is not State.OPEN]


class Play:
    """One schedule on the book and on the model at once."""

    def __init__(self, book: Book, holds: Holds, accounts: list[UUID]) -> None:
        self.book = book
        self.holds = holds
        self.accounts = accounts
        self.model = Model([ModelAccount(floor) for floor in FLOORS])
        self.hold_ids: list[UUID] = []
        self.journal_ids: list[UUID] = []
        self.done: list[tuple[Op, Answer | No]] = []

    async def step(self, name: str, one: int, other: int, amount: int) -> None:
        if name in OF_ACCOUNTS:
            one, other = one % len(self.accounts), other % len(self.accounts)
        await getattr(self, name)(one, other, amount)

    async def open(self, _who: int, _other: int, overdraft: int) -> None:
        """Open one more account, up to six."""
        if len(self.accounts) < MOST:
            self.accounts.append(await an_account(self.book, floor=-overdraft))
            self.model.accounts.append(ModelAccount(-overdraft))

    async def deposit(self, payee: int, _other: int, amount: int) -> None:
        op, said = an_op(), self.model.deposit(payee, amount)
        account = self.accounts[payee]
        await self._same(op, said, self.book.deposit(op, account, inr(amount), "Cash"))

    async def transfer(self, payer: int, payee: int, amount: int) -> None:
        op, said = an_op(), self.model.transfer(payer, payee, amount)
        await self._same(op, said, self._transfer(op, payer, payee, amount))

    async def hold(self, payer: int, _other: int, amount: int) -> None:
        op, said = an_op(), self.model.hold(payer, amount)
        account = self.accounts[payer]
        work = self.holds.hold(op, account, inr(amount), RENT)
        if await self._same(op, said, work, books=False):
            self.hold_ids.append(op.id)

    async def capture(self, which: int, _other: int, amount: int) -> None:
        if self.hold_ids:
            number = which % len(self.hold_ids)
            op, said = an_op(), self.model.resolve(number, amount)
            hold = self.hold_ids[number]
            await self._same(op, said, self.holds.capture(op, hold, "INR", inr(amount)))

    async def capture_all(self, which: int, _other: int, _amount: int) -> None:
        if self.hold_ids:
            number = which % len(self.hold_ids)
            held = self.model.holds[number].amount
            op, said = an_op(), self.model.resolve(number, held)
            hold = self.hold_ids[number]
            await self._same(op, said, self.holds.capture(op, hold, "INR", None))

    async def release(self, which: int, _other: int, _amount: int) -> None:
        if self.hold_ids:
            number = which % len(self.hold_ids)
            op, said = an_op(), self.model.resolve(number, 0)
            work = self.holds.release(op, self.hold_ids[number], "INR")
            await self._same(op, said, work, books=False)

    async def reverse(self, which: int, _other: int, _amount: int) -> None:
        if self.journal_ids:
            number = which % len(self.journal_ids)
            op, said = an_op(), self.model.reverse(number)
            work = self.book.reverse(op, self.journal_ids[number], "wrong")
            await self._same(op, said, work, books=False)

    async def state(self, who: int, _other: int, which: int) -> None:
        state = STATES[which]
        op, said = an_op(), self.model.set_state(who, state)
        work = self.book.set_state(op, self.accounts[who], state)
        await self._same(op, said, work, books=False)

    async def retry(self, which: int, _other: int, _amount: int) -> None:
        """Send an id again: the same answer, whatever happened since."""
        if self.done:
            op, answer = self.done[which % len(self.done)]
            assert await _told(self._transfer(op, 0, 1, 1)) == answer

    async def other_body(self, which: int, _other: int, _amount: int) -> None:
        if self.done:
            op, _answer = self.done[which % len(self.done)]
            other = Op(op.id, b"another body".ljust(32, b"."))
            assert await _told(self._transfer(other, 0, 1, 1)) is No.DUPLICATE_MISMATCH

    async def crash(self, payer: int, payee: int, amount: int) -> None:
        """Fail after the balances moved and the journal is sealed: nothing stays."""
        sides = self.accounts[payer], self.accounts[payee]
        railless = replace(RENT, rail=None)  # type: ignore[arg-type]  # its row is refused
        with suppress(*BROKEN, Refused):
            await self.book.transfer(an_op(), *sides, inr(amount), railless)

    async def _transfer(self, op: Op, payer: int, payee: int, amount: int) -> Answer:
        sides = self.accounts[payer], self.accounts[payee]
        return await self.book.transfer(op, *sides, inr(amount), RENT)

    async def _same(
        self, op: Op, said: No | None, work: Awaitable[Answer], *, books: bool = True
    ) -> bool:
        answer = await _told(work)
        assert (answer if isinstance(answer, No) else None) is said
        self.done.append((op, answer))
        if isinstance(answer, Answer) and answer.journal and books:
            self.journal_ids.append(answer.journal)
        return said is None

    async def compare(self) -> None:
        """The figures are the model's, and every statement adds up."""
        for account, model in zip(self.accounts, self.model.accounts, strict=True):
            assert await figures(account) == (model.booked, model.held, model.version)
            whole = await statement.statement(account, 0, model.version)
            assert whole.closing == model.booked
        for op, answer in self.done:
            assert await _told(ops.lookup(op)) == answer


async def _told(work: Awaitable[Answer]) -> Answer | No:
    try:
        return await work
    except Refused as refused:
        return refused.no


async def played(book: Book, holds: Holds, script: list[Step]) -> None:
    """Play a schedule; the model then says the same of every figure."""
    accounts = [await an_account(book, floor=floor) for floor in FLOORS]
    play = Play(book, holds, accounts)

    for step in script:
        await play.step(*step)

    await play.compare()


@pytest.mark.slow
@settings(max_examples=200)
@given(script=st.lists(STEP, max_size=STEPS))
async def test_any_schedule_leaves_what_the_model_says(
    book: Book, holds: Holds, script: list[Step]
) -> None:
    await played(book, holds, script)


@pytest.mark.chaos
@settings(max_examples=20_000)
@given(script=st.lists(STEP, max_size=STEPS_OF_CHAOS))
async def test_twenty_thousand_long_schedules_leave_what_the_model_says(
    book: Book, holds: Holds, script: list[Step]
) -> None:
    await played(book, holds, script)


@pytest.mark.usefixtures("book")
async def test_the_books_of_nobody_balance() -> None:
    assert await broken_proofs() == []
