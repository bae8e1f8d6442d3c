"""What a core tells of its accounts: figures, rows, pages of them, states."""

from itertools import pairwise

import pytest

from app.integrations.core_banking import (
    AccountState,
    CoreTxn,
    LocalBook,
    Remote,
    TxnQuery,
)
from app.integrations.outcome import Ok, PortCode, Rejected
from app.money import Money, exponent_of
from tests.integrations.kit.core_bench import RENT, CoreBench, an_op, value_of
from tests.integrations.kit.promises import Promise, kept

# What binary fractions get wrong: 0.29 * 100 is 28.999…, and the digits of the last
# are as many as a double carries.
AMOUNTS = (1, 29, 115, 841, 999_999_999_999_999)
ROWS = 3
TRANSFERS = 11
MANY = 12


@pytest.mark.parametrize("exponent", [2, 0, 3])
async def test_money_is_exact_in_every_currency(core: CoreBench, exponent: int) -> None:
    of_it = [c for c in core.rig.currencies if exponent_of(c) == exponent]
    if not of_it:
        pytest.skip(f"this core has no currency with {exponent} decimals")
    for minor in AMOUNTS:
        amount = Money(min(minor, 10 ** (12 + exponent) - 1), of_it[0])
        asha = await core.rig.account(amount)
        ben = await core.rig.account(Money(0, of_it[0]))
        before = await core.balance(asha)

        moved = await core.core.transfer(an_op(), asha, ben, amount, RENT)

        value_of(Promise.MONEY, moved)
        after = await core.balance(ben)
        told = [before.committed, before.available, after.committed, after.available]
        kept(Promise.MONEY, told == [amount] * 4, f"{told}, not {amount}")
        whole = all(type(one.minor) is int for one in told)
        kept(Promise.MONEY, whole, f"{told}: not whole numbers")
        books = await core.rig.books(ben)
        kept(Promise.MONEY, books.committed == amount, f"{books}, not {amount}")
        rows, _ = await core.page(ben, 1)
        told_rows = [row.amount for row in rows]
        kept(Promise.MONEY, told_rows == [amount], f"{told_rows}, not {amount}")
        kept(Promise.MONEY, type(rows[0].amount.minor) is int, told_rows)


async def test_a_balance_is_what_the_books_say(core: CoreBench) -> None:
    asha, ben = await core.account(1000), await core.account()
    await core.transfer(an_op(), asha, ben, 1)
    if core.core.caps.holds:
        await core.hold(asha, 50)

    booked, held, available = await core.figures(asha)

    kept(Promise.BALANCE, available == booked - held, (booked, held, available))
    at = (await core.balance(asha)).as_of
    kept(Promise.BALANCE, at.utcoffset() is not None, f"as_of {at} has no zone")


async def test_a_transfer_is_a_row_on_both_sides(core: CoreBench) -> None:
    asha, ben = await core.account(1000), await core.account()
    op = an_op()
    await core.transfer(op, asha, ben, 250)

    out, into = (await core.page(asha, 1))[0][0], (await core.page(ben, 1))[0][0]

    told = [(row.direction, row.status, row.amount.minor) for row in (out, into)]
    wanted = [("OUT", "BOOKED", 250), ("IN", "BOOKED", 250)]
    kept(Promise.ROWS, told == wanted, told)
    kept(Promise.ROWS, (out.ref, into.ref) == (asha, ben), (out.ref, into.ref))
    kept(Promise.ROWS, out.id != into.id, "both rows have one id")
    kept(Promise.ROWS, {out.op, into.op} <= {op.id, None}, (out.op, into.op))
    for row in (out, into):
        zoned = row.created_at.utcoffset() is not None and row.booked_at is not None
        kept(Promise.ROWS, zoned, row)
        before = row.running_balance
        figures = await core.figures(row.ref)
        kept(Promise.ROWS, before is None or before.minor == figures[0], row)


async def test_an_open_hold_is_a_pending_row_until_it_is_resolved(
    core: CoreBench,
) -> None:
    core.must_hold()
    asha = await core.account(1000)
    taken, freed = await core.hold(asha, 600), await core.hold(asha, 300)

    waiting = await _shown(core, asha, "PENDING")
    await core.core.capture(an_op(), taken, None)
    await core.core.release(an_op(), freed)
    after = await _shown(core, asha, "PENDING")

    wanted = [("OUT", 300), ("OUT", 600)]
    kept(Promise.ROWS, sorted(waiting) == wanted, f"open holds: {waiting}")
    kept(Promise.ROWS, after == [], f"after capture and release: {after}")
    booked = await _shown(core, asha, "BOOKED")
    kept(Promise.ROWS, booked[0] == ("OUT", 600), f"booked: {booked}")
    kept(Promise.ROWS, ("OUT", 300) not in booked, f"booked: {booked}")


@pytest.mark.parametrize("meanwhile", [False, True], ids=["still", "growing"])
async def test_the_pages_of_a_history_lose_and_double_no_row(
    core: CoreBench, *, meanwhile: bool
) -> None:
    asha, ben = await core.account(5000), await core.account()
    for minor in range(1, TRANSFERS + 1):
        value_of(Promise.ONCE, await core.transfer(an_op(), asha, ben, minor))
    history = (await core.rig.books(asha)).postings[::-1]

    rows, place = await core.page(asha, ROWS)
    pages = [rows]
    while place is not None and len(pages) <= TRANSFERS:
        if meanwhile:
            await core.transfer(an_op(), asha, ben, 100)
        rows, place = await core.older(asha, place, ROWS)
        pages.append(rows)

    told = [row for page in pages for row in page]
    amounts = [_signed(row) for row in told]
    kept(Promise.PAGES, amounts == list(history), f"{amounts}, not {list(history)}")
    kept(Promise.PAGES, len({row.id for row in told}) == len(told), "an id twice")
    for newer, older in pairwise(told):
        kept(Promise.PAGES, newer.created_at >= older.created_at, (newer, older))
        chained = _before(newer) in {None, _running(older)} or _running(older) is None
        kept(Promise.PAGES, chained, f"the running balance: {newer}, {older}")


async def test_a_row_keeps_its_id(core: CoreBench) -> None:
    asha, ben = await core.account(1000), await core.account()
    await core.transfer(an_op(), asha, ben, 1)
    first, _ = await core.page(asha, ROWS)

    await core.transfer(an_op(), asha, ben, 2)
    async with core.anew() as again:
        await core.rig.opened(again)
        second, _ = await CoreBench(core.module, again, core.rig).page(asha, ROWS)
    await core.rig.opened(core.core)

    same = [row.id for row in second[1:]][: len(first)] == [row.id for row in first][:2]
    kept(Promise.PAGES, same, f"{first} became {second[1:]}")


async def test_many_accounts_are_looked_at_in_two_calls(remote: CoreBench) -> None:
    assert isinstance(remote.core, Remote), "a core that is not local is Remote"
    refs = [await remote.account(n) for n in range(MANY)]
    for ref in refs[1:]:
        await remote.transfer(an_op(), ref, refs[0], 1)
    async with remote.anew() as fresh:
        assert isinstance(fresh, Remote)
        before = await remote.rig.calls()

        looks = await fresh.look([*refs, remote.rig.nobody[0]], ROWS)

        asked = await remote.rig.calls() - before
    kept(Promise.CALLS, asked <= 2, f"{asked} calls for {MANY} accounts")
    kept(Promise.ACCOUNTS, [one.ref for one in looks] == refs, looks)
    for look in looks:
        books = await remote.rig.books(look.ref)
        told = look.balance.committed, look.balance.held
        kept(Promise.BALANCE, told == (books.committed, books.held), (look, books))
        newest = [_signed(row) for row in look.rows]
        kept(Promise.PAGES, newest == list(books.postings[::-1][:ROWS]), look)


async def test_no_account_is_no_question(core: CoreBench) -> None:
    before = await core.rig.calls()

    found: list[object] = [await core.core.balances([])]
    if isinstance(core.core, Remote):
        found.append(await core.core.look([], ROWS))
    if isinstance(core.core, LocalBook):
        found.append(list(await core.core.transactions([], TxnQuery(first=ROWS))))

    kept(Promise.BALANCE, not any(found), found)
    kept(Promise.CALLS, await core.rig.calls() == before, "nothing was asked for")


async def test_the_accounts_of_a_customer_are_listed(core: CoreBench) -> None:
    customer, money = await core.rig.customer(), core.money(5)
    refs = [await core.rig.account(money, customer) for _ in range(2)]
    await core.account()
    await core.rig.set_state(refs[1], AccountState.BLOCKED)

    found = await core.core.accounts(customer)

    told = sorted((one.ref, one.state, one.currency) for one in found)
    states = zip(refs, [AccountState.OPEN, AccountState.BLOCKED], strict=True)
    wanted = sorted((ref, state, core.currency) for ref, state in states)
    kept(Promise.ACCOUNTS, told == wanted, found)
    for one in found:
        masked = one.masked_number and one.masked_number != one.number
        kept(Promise.ACCOUNTS, masked, "the number is not masked")
    nobody = await core.core.accounts(await core.rig.customer())
    kept(Promise.ACCOUNTS, nobody == [], nobody)


@pytest.mark.parametrize(
    "state",
    [
        AccountState.BLOCK_DEBIT,
        AccountState.BLOCK_CREDIT,
        AccountState.BLOCKED,
        AccountState.CLOSED,
    ],
)
async def test_a_state_is_changed_and_shown(
    core: CoreBench, state: AccountState
) -> None:
    customer = await core.rig.customer()
    ref = await core.rig.account(core.money(0), customer)

    changed = await core.core.set_state(an_op(), ref, state)

    if isinstance(changed, Rejected) and changed.code is PortCode.NOT_SUPPORTED:
        kept(Promise.STATE, await _states(core, ref, customer) == {"OPEN"}, changed)
        return
    kept(Promise.STATE, isinstance(changed, Ok), changed)
    shown = await _states(core, ref, customer)
    kept(Promise.STATE, shown <= {state}, f"{shown}, not {state}")
    if state is AccountState.CLOSED:
        return
    opened = await core.core.set_state(an_op(), ref, AccountState.OPEN)
    kept(Promise.STATE, isinstance(opened, Ok), opened)
    kept(Promise.STATE, await _states(core, ref, customer) == {"OPEN"}, "not opened")


async def test_it_answers(core: CoreBench) -> None:
    health = await core.core.health()

    kept(Promise.READS, health.reachable and health.posts, health)


async def test_its_clock_is_the_one_it_was_given(core: CoreBench) -> None:
    asha = await core.account(1)

    told = (await core.balance(asha)).as_of
    apart = abs((told - core.rig.clock.now()).total_seconds())

    kept(Promise.BALANCE, apart < 60, f"as_of {told} is {apart:.0f} s off")


# ------------------------------------------------------------------ what was said


async def _states(core: CoreBench, ref: str, customer: object) -> set[str]:
    shown = {str(one.state) for one in await core.core.accounts(customer)}  # type: ignore[arg-type]  # a CoreCustomer
    if isinstance(core.core, Remote):
        shown |= {str(one.state) for one in await core.core.look([ref], 1)}
    return shown


async def _shown(core: CoreBench, ref: str, status: str) -> list[tuple[str, int]]:
    rows, _ = await core.page(ref, 10)
    return [(row.direction, row.amount.minor) for row in rows if row.status == status]


def _signed(row: CoreTxn) -> int:
    return row.amount.minor if row.direction == "IN" else -row.amount.minor


def _running(row: CoreTxn) -> int | None:
    return None if row.running_balance is None else row.running_balance.minor


def _before(row: CoreTxn) -> int | None:
    after = _running(row)
    return None if after is None else after - _signed(row)
