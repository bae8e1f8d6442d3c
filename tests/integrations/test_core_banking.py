"""What a core with its books in our database promises beyond the contract kit.

Exact answers, pages by filters in one statement, proofs and the freeze. What every core
must do is told in tests/integrations/kit, of each adapter file.
"""

import importlib
from typing import TypeVar
from uuid import UUID

import pytest

from app import adapters, database
from app.clock import StoppedClock
from app.database import Proof
from app.errors import Outage
from app.ids import CustomerId, uuid7
from app.integrations import core_banking
from app.integrations.core_banking import (
    AccountKind,
    AccountState,
    CanProve,
    CanSeed,
    CoreBalance,
    CoreBank,
    CoreCustomer,
    Hold,
    LocalBook,
    Narrative,
    NewAccount,
    OpContext,
    OpKind,
    Posting,
    TxnQuery,
)
from app.integrations.outcome import Ok, OpRef, Outcome, PortCode, Rejected
from app.money import Money
from app.settings import Settings

T = TypeVar("T")
PORT = "app.integrations.core_banking"
RENT = Narrative("Rent", payer_name="Asha Rao", payee_name="Ben Okafor")


def an_op() -> OpRef:
    return OpRef(uuid7(), b"body".ljust(32, b"."))


def inr(minor: int) -> Money:
    return Money(minor, "INR")


@pytest.fixture(params=["embedded"])
async def core(
    request: pytest.FixtureRequest, bank_database: Settings, clock: StoppedClock
) -> CoreBank:
    """Give each core of ours."""
    module = adapters.load(PORT, request.param)
    found: CoreBank = await module.connect(module.Settings(), clock=clock)
    return found


async def an_account(
    core: CoreBank,
    money: int = 0,
    *,
    owner: CustomerId | None = None,
    currency: str = "INR",
) -> str:
    assert isinstance(core, CanSeed)
    ref = await core.open_account(
        NewAccount(
            id=uuid7(),
            owner=owner or CustomerId.new(),
            kind=AccountKind.CURRENT,
            name="Everyday",
            currency=currency,
            masked_number="••••1234",
        )
    )
    if money:
        await core.deposit(an_op(), ref, Money(money, currency), "Cash")
    return ref


def book_of(core: CoreBank) -> LocalBook:
    assert isinstance(core, LocalBook)
    return core


async def balance(core: CoreBank, ref: str) -> CoreBalance:
    return (await core.balances([ref]))[0]


async def figures(core: CoreBank, ref: str) -> tuple[int, int, int]:
    found = await balance(core, ref)
    return found.committed.minor, found.held.minor, found.available.minor


def value_of(outcome: Outcome[T]) -> T:
    assert isinstance(outcome, Ok)
    return outcome.value


async def held(core: CoreBank, ref: str, minor: int) -> tuple[OpRef, Hold]:
    op = an_op()
    return op, value_of(await core.hold(op, ref, inr(minor), RENT))


async def asked(core: CoreBank, op: OpRef, kind: OpKind, ref: str) -> object:
    now = (await balance(core, ref)).as_of
    return await core.lookup(op, kind, OpContext(ref, None, inr(1), now))


def test_the_folder_holds_the_embedded_core() -> None:
    assert "embedded" in adapters.choices(PORT)
    assert importlib.import_module(PORT) is core_banking


async def test_a_transfer_shows_on_both_sides(core: CoreBank) -> None:
    asha, ben = await an_account(core, 1000), await an_account(core)

    posting = value_of(await core.transfer(an_op(), asha, ben, inr(250), RENT))

    assert isinstance(posting, Posting)
    assert await figures(core, asha) == (750, 0, 750)
    assert await figures(core, ben) == (250, 0, 250)
    pages = await book_of(core).transactions([asha, ben], TxnQuery(first=5))
    assert [row.direction for row in pages[asha]] == ["OUT", "IN"]
    assert pages[ben][0].counterparty_name == "Asha Rao"
    assert pages[ben][0].amount == inr(250)


async def test_a_repeat_of_an_op_changes_nothing(core: CoreBank) -> None:
    asha, ben = await an_account(core, 1000), await an_account(core)
    op = an_op()
    first = await core.transfer(op, asha, ben, inr(250), RENT)

    second = await core.transfer(op, asha, ben, inr(250), RENT)
    other = await core.transfer(OpRef(op.id, b"x" * 32), asha, ben, inr(1), RENT)

    assert second == first
    assert other == Rejected(PortCode.DUPLICATE_MISMATCH)
    assert await figures(core, asha) == (750, 0, 750)


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (inr(1001), PortCode.INSUFFICIENT_FUNDS),
        (inr(0), PortCode.VALIDATION),
        (Money(1, "EUR"), PortCode.CURRENCY_MISMATCH),
    ],
)
async def test_what_does_not_fit_is_rejected_and_moves_nothing(
    core: CoreBank, amount: Money, code: PortCode
) -> None:
    asha, ben = await an_account(core, 1000), await an_account(core)

    transfer = await core.transfer(an_op(), asha, ben, amount, RENT)
    hold = await core.hold(an_op(), asha, amount, RENT)

    assert (transfer, hold) == (Rejected(code), Rejected(code))
    assert await figures(core, asha) == (1000, 0, 1000)
    assert await figures(core, ben) == (0, 0, 0)


@pytest.mark.parametrize("nobody", ["nobody", str(UUID(int=7))])
async def test_an_unknown_account_is_rejected_or_left_out(
    core: CoreBank, nobody: str
) -> None:
    asha = await an_account(core, 1000)
    unknown = Rejected(PortCode.ACCOUNT_NOT_FOUND)

    assert await core.transfer(an_op(), asha, nobody, inr(1), RENT) == unknown
    assert await core.transfer(an_op(), nobody, asha, inr(1), RENT) == unknown
    assert await core.hold(an_op(), nobody, inr(1), RENT) == unknown
    assert await core.set_state(an_op(), nobody, AccountState.BLOCKED) == unknown
    assert [one.ref for one in await core.balances([asha, nobody])] == [asha]
    assert not (await book_of(core).transactions([nobody], TxnQuery(first=5))).get(
        nobody
    )
    assert await book_of(core).transactions_by_id([UUID(int=7)]) == []
    assert await figures(core, asha) == (1000, 0, 1000)


async def test_held_money_is_captured_in_part_or_released(core: CoreBank) -> None:
    asha = await an_account(core, 1000)
    _op, first = await held(core, asha, 600)
    _op, second = await held(core, asha, 300)
    assert await figures(core, asha) == (1000, 900, 100)

    captured = await core.capture(an_op(), first, inr(450))
    released = await core.release(an_op(), second)

    assert isinstance(value_of(captured), Posting)
    assert released == Ok(None)
    assert await figures(core, asha) == (550, 0, 550)
    again = await core.capture(an_op(), second, None)
    assert again == Rejected(PortCode.VALIDATION)


async def test_a_reversal_is_booked_once(core: CoreBank) -> None:
    asha, ben = await an_account(core, 1000), await an_account(core)
    posting = value_of(await core.transfer(an_op(), asha, ben, inr(250), RENT))

    undone = await core.reverse(an_op(), posting, "Sent twice")
    again = await core.reverse(an_op(), posting, "Sent twice")

    assert isinstance(value_of(undone), Posting)
    assert again == Rejected(PortCode.VALIDATION)
    assert await figures(core, asha) == (1000, 0, 1000)


async def test_lookup_tells_what_became_of_each_kind_of_op(core: CoreBank) -> None:
    asha, ben = await an_account(core, 1000), await an_account(core)
    transfer, capture, release, refused = an_op(), an_op(), an_op(), an_op()
    posted = await core.transfer(transfer, asha, ben, inr(250), RENT)
    hold_op, hold = await held(core, asha, 100)
    other_op, other = await held(core, asha, 100)
    captured = await core.capture(capture, hold, None)
    await core.release(release, other)
    await core.transfer(refused, asha, ben, inr(5000), RENT)

    assert await asked(core, transfer, OpKind.TRANSFER, asha) == posted
    assert await asked(core, hold_op, OpKind.HOLD, asha) == Ok(hold)
    assert await asked(core, other_op, OpKind.HOLD, asha) == Ok(other)
    assert await asked(core, capture, OpKind.CAPTURE, asha) == captured
    assert await asked(core, release, OpKind.RELEASE, asha) == Ok(None)
    assert await asked(core, refused, OpKind.TRANSFER, asha) == Rejected(
        PortCode.INSUFFICIENT_FUNDS
    )
    assert await asked(core, an_op(), OpKind.HOLD, asha) == Rejected(
        PortCode.NEVER_SEEN
    )


async def test_a_blocked_account_rejects_and_an_open_one_accepts_again(
    core: CoreBank,
) -> None:
    asha, ben = await an_account(core, 1000), await an_account(core)

    assert await core.set_state(an_op(), asha, AccountState.BLOCK_DEBIT) == Ok(None)
    blocked = await core.transfer(an_op(), asha, ben, inr(1), RENT)
    await core.set_state(an_op(), asha, AccountState.OPEN)
    opened = await core.transfer(an_op(), asha, ben, inr(1), RENT)

    assert blocked == Rejected(PortCode.ACCOUNT_BLOCKED)
    assert isinstance(opened, Ok)


async def test_the_accounts_of_a_customer_are_listed(core: CoreBank) -> None:
    asha = CustomerId.new()
    refs = [await an_account(core, owner=asha), await an_account(core, owner=asha)]
    await an_account(core)
    await core.set_state(an_op(), refs[1], AccountState.BLOCKED)

    found = await core.accounts(CoreCustomer(asha, "10000001"))

    assert [(one.ref, one.state) for one in found] == [
        (refs[0], AccountState.OPEN),
        (refs[1], AccountState.BLOCKED),
    ]
    assert found[0].masked_number == "••••1234"


async def test_many_accounts_are_read_at_once_and_bounded(core: CoreBank) -> None:
    refs = [await an_account(core, 10) for _ in range(5)]
    for _ in range(120):
        await core.transfer(an_op(), refs[0], refs[1], inr(1), RENT)
        await core.transfer(an_op(), refs[1], refs[0], inr(1), RENT)

    async with database.watched_statements() as seen:
        figures = await core.balances(refs)
        pages = await book_of(core).transactions(refs, TxnQuery(first=500))

    if core.caps.local:
        assert len(seen) == 2
    assert len(figures) == 5
    assert [len(pages[ref]) for ref in refs] == [101, 101, 1, 1, 1]


async def test_no_account_is_no_question(core: CoreBank) -> None:
    async with database.watched_statements() as seen:
        assert await core.balances([]) == []
        assert await book_of(core).transactions([], TxnQuery(first=5)) == {}
        assert await book_of(core).transactions_by_id([]) == []

    assert seen == []


async def test_it_answers(core: CoreBank) -> None:
    assert (await core.health()).reachable


async def test_a_core_that_proves_its_books_can_be_frozen(core: CoreBank) -> None:
    if not isinstance(core, CanProve):
        assert not core.caps.local
        return
    asha, ben = await an_account(core, 1000), await an_account(core)
    await core.freeze("a sum is wrong")

    with pytest.raises(Outage):
        await core.transfer(an_op(), asha, ben, inr(1), RENT)

    assert await figures(core, asha) == (1000, 0, 1000)
    await core.unfreeze("the sum is right")
    assert isinstance(await core.transfer(an_op(), asha, ben, inr(1), RENT), Ok)
    assert all(isinstance(proof, Proof) for proof in core.proofs())


def test_no_name_shows_in_the_repr_of_a_narrative() -> None:
    assert not any(name in repr(RENT) for name in ("Asha Rao", "Ben Okafor"))
