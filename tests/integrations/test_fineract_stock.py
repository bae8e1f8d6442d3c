"""A look at a server whose batch takes no search: what it costs, what it shows."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.integrations.core_banking import Look, fineract
from app.integrations.core_banking.fineract import Fineract, looking, questions
from app.integrations.outcome import ContractBroken
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


async def test_what_is_beyond_the_limit_is_halved_until_it_fits(
    stock: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = [await stock.account(500_000, history=120) for _ in range(2)]
    whole = await stock.core.look(refs, 5)
    monkeypatch.setattr(fineract, "ANSWER_BYTES_MAX", 64 * 1024)

    async with stock.again() as bank:
        first, cold = await cost(bank, refs)
        second, halved = await cost(bank, refs)
        third, warm = await cost(bank, refs)

    assert (cold, halved, warm) == (5, 4, 3)
    assert shown(first) == shown(second) == shown(third) == shown(whole)


async def test_one_long_account_takes_the_short_way_from_no_other(
    stock: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = await stock.account(500_000, history=300)
    refs = [await stock.account(1), long, await stock.account(2)]
    whole = await stock.core.look(refs, 5)
    monkeypatch.setattr(fineract, "ANSWER_BYTES_MAX", 64 * 1024)

    async with stock.again() as bank:
        first, cold = await cost(bank, refs)
        second, warm = await cost(bank, refs)
        batch, search = stock.rig.tap.requests[-2:]

    assert (cold, warm) == (6, 2)
    assert shown(first) == shown(second) == shown(whole)
    assert [f"savingsaccounts/{ref}?".encode() in batch.body for ref in refs] == [
        True,
        False,
        True,
    ]
    assert f"savingsaccounts/{long}{OWN}" in search.target


async def test_one_slow_account_takes_the_look_from_no_other(
    stock: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = [await stock.account(1), await stock.account(500_000, history=300)]
    monkeypatch.setattr(questions, "PATIENCE_S", 1.0)

    async with stock.again() as bank:
        whole = await bank.core.look(refs, 5)
        stock.rig.rule("/v1/batches", kind="latency", latency_ms=2_000, count=1)
        first, silent = await cost(bank, refs)
        second, warm = await cost(bank, refs)

    assert (silent, warm) == (4, 2)
    assert shown(first) == shown(second) == shown(whole)


async def test_a_core_that_was_slow_with_little_is_asked_the_short_way_again(
    stock: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = [await stock.account(1), await stock.account(500_000, history=90)]
    monkeypatch.setattr(questions, "PATIENCE_S", 1.0)

    async with stock.again() as bank:
        await bank.core.look(refs, 5)
        stock.rig.rule("/v1/batches", kind="latency", latency_ms=2_000, count=1)
        _looks, silent = await cost(bank, refs)
        _looks, warm = await cost(bank, refs)

    assert (silent, warm) == (4, 1)


async def test_a_search_at_which_the_core_fails_is_no_silence_of_the_core(
    stock: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "HISTORY_MAX", 20)
    long, other = await stock.account(500_000, history=30), await stock.account(1)
    await stock.core.look([long], 5)
    route = "/v1/savingsaccounts/{savingsId}/transactions/search"
    stock.rig.rule(route, kind="http-status", reply=500, count=1)

    with pytest.raises(ContractBroken):
        await stock.core.look([other, long], 5)


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


# ------------------------------------------------------------------ details of rows


async def test_details_that_no_batch_takes_are_not_asked_for_one_by_one() -> None:
    untaken = [{"requestId": at, "statusCode": 501, "body": "no such"} for at in (1, 2)]
    routes: dict[str, object] = {
        "/transactions/search": {"total": 2, "content": [a_row(id=14), a_row()]},
        "/v1/batches": untaken,
        "/transactions/1": (500, ""),
    }

    page = await asked(routes, lambda core: core.older("7", "0.99"))

    assert [row.kind for row in page.rows] == ["CASH", "CASH"]


async def test_a_note_in_a_list_does_not_say_that_lists_tell_of_transfers() -> None:
    op = an_op()
    detail = {"transfer": {"id": 5, "transferDescription": f"6p:{op.id} Rent"}}
    rows = [a_row(id=14, note="Salary"), a_row()]
    routes: dict[str, object] = {
        "/transactions/search": {"total": 2, "content": rows},
        "/v1/batches": batch(detail),
    }

    page = await asked(routes, lambda core: core.older("7", "0.99"))

    assert [(row.narration, row.op) for row in page.rows] == [
        ("Salary", None),
        ("Rent", op.id),
    ]


async def test_details_are_asked_for_so_many_in_a_call(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "DETAILS_MAX", 2)
    ref = await town.account(1000)
    number = town.rig.found(ref)["accountNo"]
    for _ in range(5):
        path = f"/_fineract/accounts/{number}/rows"
        body = {"kind": "deposit", "amount": "1.25"}
        town.rig.world.post(path, json=body).raise_for_status()

    first, cold = await cost(town, [ref], 10)
    second, warm = await cost(town, [ref], 10)

    assert (cold, warm) == (1 + 3, 1)
    assert [len(look.rows) for look in (*first, *second)] == [6, 6]
