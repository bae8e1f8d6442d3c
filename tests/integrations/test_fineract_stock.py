"""A look at a server whose batch takes no search: what it costs, what it shows."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.integrations.core_banking import Look, fineract
from app.integrations.core_banking.fineract import Fineract
from tests.integrations.fineract_answers import ACCOUNT, a_row, asked, batch
from tests.integrations.fineract_world import RENT, Town, an_op, inr

DAY = datetime(2026, 1, 5, tzinfo=UTC)
OWN = "/transactions/search?"  # a search in a call of its own


@pytest.fixture
async def stock(town: Town) -> AsyncIterator[Town]:
    """Connect anew to a server of which only the published batch is known."""
    town.rig.turn(stockBatches=True)
    async with town.again() as bank:
        yield bank


async def cost(town: Town, refs: list[str], rows: int = 5) -> tuple[list[Look], int]:
    """Look, and count the calls on the line."""
    before = await town.rig.calls()
    looks = await town.core.look(refs, rows)
    return looks, await town.rig.calls() - before


def shown(looks: list[Look]) -> list[Look]:
    """Give all of looks but when they were taken."""
    return [replace(one, balance=replace(one.balance, as_of=DAY)) for one in looks]


async def a_busy_account(town: Town) -> str:
    """Open an account with rows of every kind: held, freed, reversed, back-dated."""
    asha, ben = await town.account(100_000, history=40), await town.account()
    for _ in range(3):
        await town.core.transfer(an_op(), asha, ben, inr(10), RENT)
    number = town.rig.found(asha)["accountNo"]
    long_ago = {"kind": "deposit", "amount": "1.25", "date": "2026-01-05"}
    path = f"/_fineract/accounts/{number}/rows"
    town.rig.world.post(path, json=long_ago).raise_for_status()
    await town.core.release(an_op(), await town.held(asha, 20))
    posting = await town.captured(asha, 30)
    await town.core.reverse(an_op(), posting, "returned")
    await town.captured(asha, 40)
    await town.held(asha, 50)
    return asha


async def test_the_first_look_is_two_calls_and_a_later_one_is_one(stock: Town) -> None:
    refs = [await stock.account(n + 1, history=7) for n in range(11)]
    refs.append(await stock.account())

    first, cold = await cost(stock, [*refs, "nobody", "987654321"])
    second, warm = await cost(stock, refs)

    assert (cold, warm) == (2, 1)
    assert [one.ref for one in first] == refs
    assert [one.rows for one in second] == [one.rows for one in first]
    assert [len(one.rows) for one in first[-2:]] == [5, 0]


@pytest.mark.parametrize("rows", [1, 3, 7, 100])
async def test_both_ways_show_the_same(town: Town, rows: int) -> None:
    refs = [await a_busy_account(town), await town.account(7), await town.account()]
    searched = await town.core.look(refs, rows)
    town.rig.turn(stockBatches=True)

    async with town.again() as bank:
        found, _cold = await cost(bank, refs, rows)
        again, calls = await cost(bank, refs, rows)

    assert calls == 1
    assert shown(found) == shown(again) == shown(searched)
    assert len(searched[0].rows) > 0


async def test_history_goes_on_where_the_look_ended(stock: Town) -> None:
    asha = await a_busy_account(stock)
    ben = await stock.account()
    (whole,) = await stock.core.look([asha], 100)
    (look,) = await stock.core.look([asha], 9)
    rows, place = list(look.rows), look.older
    assert place is not None

    while place is not None:
        await stock.core.transfer(an_op(), asha, ben, inr(1), RENT)
        page = await stock.core.older(asha, place)
        rows += page.rows
        place = page.older

    assert rows == [*whole.rows]
    assert len({row.id for row in rows}) == len(rows) > 40


async def test_an_account_with_too_many_rows_is_asked_about_by_its_pages(
    stock: Town,
) -> None:
    huge = await stock.account(500_000, history=2_001)
    refs = [huge, await stock.account(7)]

    first, cold = await cost(stock, refs)
    before = await stock.rig.calls()
    second = await stock.core.look(refs, 5)
    asked = stock.rig.tap.requests[before:]
    _other, short = await cost(stock, refs[1:])

    assert (cold, short) == (2, 1)
    assert shown(second) == shown(first)
    assert [OWN in one.target for one in asked] == [False, True]
    assert f"savingsaccounts/{huge}?".encode() not in asked[0].body
    assert f"savingsaccounts/{refs[1]}?".encode() in asked[0].body


async def test_an_answer_beyond_the_limit_is_asked_for_only_once(
    stock: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = [await stock.account(500_000, history=120) for _ in range(2)]
    whole = await stock.core.look(refs, 5)
    monkeypatch.setattr(fineract, "ANSWER_BYTES_MAX", 64 * 1024)

    async with stock.again() as bank:
        first, cold = await cost(bank, refs)
        second, warm = await cost(bank, refs)

    assert (cold, warm) == (5, 3)
    assert shown(first) == shown(second) == shown(whole)


async def test_an_account_that_comes_without_its_rows_is_searched() -> None:
    untaken = {"requestId": 2, "statusCode": 501, "body": "no such resource"}
    routes: dict[str, object] = {
        "associations=transactions": batch(ACCOUNT),
        "/v1/batches": [*batch(ACCOUNT), untaken],
        "/transactions/search": {"total": 1, "content": [a_row(note="Salary")]},
    }

    async def twice(core: Fineract) -> list[Look]:
        return [*await core.look(["7"], 5), *await core.look(["7"], 5)]

    first, second = await asked(routes, twice)

    assert [row.narration for row in first.rows] == ["Salary"]
    assert first == second
