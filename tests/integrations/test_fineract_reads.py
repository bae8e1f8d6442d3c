"""What the Fineract adapter sees: states, figures, rows of every kind, pages, days."""

import asyncio
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.clock import Clock
from app.integrations.core_banking import AccountState, OpContext, OpKind
from app.integrations.core_banking.fineract.rows import Book
from app.integrations.outcome import (
    ContractBroken,
    Ok,
    OpRef,
    PortCode,
    Rejected,
    Unknown,
)
from tests.integrations.fineract_world import RENT, Town, an_op, inr, value_of

HISTORY = 230
INDIA = ZoneInfo("Asia/Kolkata")


def row_from_elsewhere(town: Town, ref: str, kind: str, amount: str) -> None:
    """Let a teller, or a job of the core, write a row."""
    number = town.rig.found(ref)["accountNo"]
    path = f"/_fineract/accounts/{number}/rows"
    town.rig.world.post(path, json={"kind": kind, "amount": amount}).raise_for_status()


async def test_rows_are_told_in_our_words(town: Town) -> None:
    asha, ben = await town.account(1000), await town.account()
    for kind in ("interestPosting", "withholdTax", "withdrawalFee", "deposit"):
        row_from_elsewhere(town, asha, kind, "1.25")
    op = an_op()
    await town.core.transfer(op, asha, ben, inr(10), RENT)
    hold = await town.held(asha, 20)

    (look,) = await town.core.look([asha], 10)

    told = [(row.kind, row.direction, row.status) for row in look.rows]
    assert told == [
        ("TRANSFER", "OUT", "PENDING"),
        ("TRANSFER", "OUT", "BOOKED"),
        ("CASH", "IN", "BOOKED"),
        ("FEE", "OUT", "BOOKED"),
        ("TAX", "OUT", "BOOKED"),
        ("INTEREST", "IN", "BOOKED"),
        ("CASH", "IN", "BOOKED"),
    ]
    assert (look.rows[1].op, look.rows[1].narration) == (op.id, "Rent")
    assert look.rows[0].amount == hold.amount
    assert (look.balance.committed, look.balance.held) == (inr(990), inr(20))
    assert look.balance.available == inr(970)
    assert (look.state, look.older) == (AccountState.OPEN, None)


async def test_rows_of_a_day_lie_apart_in_the_order_of_the_core(town: Town) -> None:
    asha, ben = await town.account(1000), await town.account()
    for minor in (1, 2, 3):
        await town.core.transfer(an_op(), asha, ben, inr(minor), RENT)

    (look,) = await town.core.look([asha], 3)

    day = Clock().now().astimezone(INDIA).date()
    midnight = datetime(day.year, day.month, day.day, tzinfo=INDIA)
    assert [row.amount.minor for row in look.rows] == [3, 2, 1]
    created = [row.created_at for row in look.rows]
    assert created == sorted(created, reverse=True)
    assert all(timedelta(0) < at - midnight < timedelta(seconds=9) for at in created)
    assert {row.value_on for row in look.rows} == {day}
    assert [row.booked_at for row in look.rows] == created


async def test_a_look_is_one_call_and_a_warm_one_too(town: Town) -> None:
    refs = [await town.account(n + 1) for n in range(9)]
    before = await town.rig.calls()

    first = await town.core.look([*refs, "nobody", "987654321"], 5)
    cold = await town.rig.calls() - before
    second = await town.core.look(refs, 5)

    assert cold <= 2
    assert await town.rig.calls() - before - cold == 1
    assert [one.ref for one in first] == refs
    assert [one.rows for one in second] == [one.rows for one in first]


async def test_many_long_histories_fit_into_one_answer(town: Town) -> None:
    owner = await town.customer()
    refs = town.rig.open_several(owner.number, [inr(500_000)] * 12, history=100)

    looks = await town.core.look(refs, 100)

    assert [len(look.rows) for look in looks] == [100] * 12


async def test_a_core_that_batches_little_is_asked_alone(town: Town) -> None:
    refs = [await town.account(n + 1) for n in range(3)]
    first = await town.core.look(refs, 5)
    town.rig.turn(stockBatches=True)

    async with town.again() as bank:
        second = await bank.core.look(refs, 5)

    assert [one.rows for one in second] == [one.rows for one in first]
    assert [one.balance.committed for one in second] == [inr(1), inr(2), inr(3)]


async def test_days_are_read_in_both_forms(town: Town) -> None:
    asha, ben = await town.account(1000), await town.account()
    op = an_op()
    posted = await town.core.transfer(op, asha, ben, inr(10), RENT)
    context = town.context(asha, 10, ben)
    lists = await town.core.look([asha], 5)
    town.rig.turn(textDates=True)

    async with town.again() as bank:
        texts = await bank.core.look([asha], 5)
        found = await bank.core.lookup(op, OpKind.TRANSFER, context)

    assert texts[0].rows == lists[0].rows
    assert found == posted


async def test_a_long_history_is_paged_without_a_gap_while_rows_come(
    town: Town,
) -> None:
    asha, ben = await town.account(100_000, history=HISTORY), await town.account()
    (look,) = await town.core.look([asha], 30)
    rows, place = list(look.rows), look.older

    while place is not None:
        await town.core.transfer(an_op(), asha, ben, inr(1), RENT)
        page = await town.core.older(asha, place)
        rows += page.rows
        place = page.older

    moved = [row.amount.minor * (1 if row.direction == "IN" else -1) for row in rows]
    postings = (await town.books(asha)).postings[:HISTORY]
    assert moved == [*postings[::-1]]
    assert len({row.id for row in rows}) == HISTORY


async def test_a_core_that_counts_rows_loses_none_either(town: Town) -> None:
    asha = await town.account(100_000, history=120)
    town.rig.turn(offsetIsRows=True)
    (look,) = await town.core.look([asha], 100)
    rows, place = list(look.rows), look.older

    while place is not None:
        page = await town.core.older(asha, place)
        rows += page.rows
        place = page.older

    assert len({row.id for row in rows}) == len(rows) == 120


async def test_the_page_of_an_unknown_account_is_empty(town: Town) -> None:
    page = await town.core.older("987654321", "5.77")

    assert (page.rows, page.older) == ((), None)
    with pytest.raises(ContractBroken):
        await town.core.older("987654321", "no place")


async def test_money_finer_than_the_currency_is_out_of_contract(town: Town) -> None:
    asha = await town.account(1000)
    row_from_elsewhere(town, asha, "interestPosting", "0.004")

    with pytest.raises(ContractBroken):
        await town.core.look([asha], 5)
    with pytest.raises(ContractBroken):
        await town.core.balances([asha])


# ------------------------------------------------------------------ evidence


async def test_never_seen_is_said_when_every_place_was_empty(town: Town) -> None:
    asha = await town.account(1000)
    before = await town.rig.calls()

    found = await town.core.lookup(an_op(), OpKind.TRANSFER, town.context(asha, 10))

    asked = [one.target for one in town.rig.tap.requests[before:]]
    places = ("/accounttransfers?", "/transactions/search?", "/audits?")
    assert found == Rejected(PortCode.NEVER_SEEN)
    assert [any(place in one for one in asked) for place in places] == [True] * 3
    assert {one.method for one in town.rig.tap.requests[before:]} <= {"GET", "POST"}
    assert not any("/accounttransfers" in one and "?" not in one for one in asked)


@pytest.mark.parametrize("kind", list(OpKind))
async def test_a_new_process_finds_what_happened(town: Town, kind: OpKind) -> None:
    asha, ben = await town.account(1000), await town.account()
    op, core = an_op(), town.core
    before: OpRef | None = None
    if kind is OpKind.TRANSFER:
        done: object = await core.transfer(op, asha, ben, inr(10), RENT)
    elif kind is OpKind.HOLD:
        done = await core.hold(op, asha, inr(10), RENT)
    elif kind is OpKind.REVERSE:
        before = an_op()
        hold = await town.held(asha, 10)
        posting = value_of(await core.capture(before, hold, None))
        done = await core.reverse(op, posting, "returned")
    else:
        before = an_op()
        hold = value_of(await core.hold(before, asha, inr(10), RENT))
        capture = core.capture(op, hold, None)
        is_capture = kind is OpKind.CAPTURE
        done = await (capture if is_capture else core.release(op, hold))
        capture.close()
    earlier = None if before is None else before.id
    context = OpContext(asha, ben, inr(10), Clock().now(), earlier)

    async with town.again() as bank:
        found = await bank.core.lookup(op, kind, context)
        other = await bank.core.lookup(an_op(), kind, town.context(asha, 10))

    assert isinstance(done, Ok)
    assert found == done
    assert other == Rejected(PortCode.NEVER_SEEN)


async def test_what_is_under_way_is_not_called_never_seen(town: Town) -> None:
    asha, ben = await town.account(1000), await town.account()
    await town.core.transfer(an_op(), asha, ben, inr(1), RENT)
    town.rig.turn(workMs=300)
    op = an_op()
    context = town.context(asha, 10, ben)

    async with asyncio.TaskGroup() as group:
        sending = group.create_task(town.core.transfer(op, asha, ben, inr(10), RENT))
        await asyncio.sleep(0.1)
        found = await town.core.lookup(op, OpKind.TRANSFER, context)

    assert isinstance(found, Unknown)
    assert await town.core.lookup(op, OpKind.TRANSFER, context) == sending.result()


async def test_a_place_that_does_not_answer_is_no_empty_place(town: Town) -> None:
    asha = await town.account(1000)
    town.rig.rule("/v1/audits", kind="http-status", reply=403, count=1)

    with pytest.raises(ContractBroken):
        await town.core.lookup(an_op(), OpKind.TRANSFER, town.context(asha, 10))


def test_a_row_has_the_same_name_in_every_process() -> None:
    book = Book("default", INDIA)

    assert str(book.id_of("7", 12)) == "778c6af1-3ab2-571a-b965-57aa98be4225"
    assert book.id_of("7", 12) != Book("other", INDIA).id_of("7", 12)
