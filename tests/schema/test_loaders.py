"""Batches: one call for all keys of one turn, once per key and operation."""

import asyncio
from collections.abc import Sequence

import pytest

from app.schema.context import Context
from app.schema.loaders import Batch
from tests.schema.tiny import a_bank, a_context, asha


class Squares:
    """Answers squares of even numbers and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    async def __call__(self, _context: Context, keys: Sequence[int]) -> dict[int, int]:
        """Answer the keys it knows."""
        self.asked.append(list(keys))
        return {key: key * key for key in keys if key % 2 == 0}


async def test_keys_of_one_turn_are_loaded_by_one_call() -> None:
    read = Squares()
    batch, context = Batch("squares", read), a_context(a_bank())

    found = await asyncio.gather(*(batch.load(context, key) for key in (2, 4, 2)))

    assert found == [4, 16, 4]
    assert read.asked == [[2, 4]]


async def test_a_key_is_loaded_once_per_operation() -> None:
    read = Squares()
    batch, bank = Batch("squares", read), a_bank()
    first, second = a_context(bank), a_context(bank)

    await batch.load_all(first, [2, 4])
    await batch.load(first, 2)
    await batch.load(second, 2)

    assert read.asked == [[2, 4], [2]]


async def test_a_missing_key_is_none_to_who_asks_and_a_bug_to_who_relies() -> None:
    batch, context = Batch("squares", Squares()), a_context(a_bank())

    assert await batch.find(context, 3) is None
    with pytest.raises(LookupError):
        await batch.load(context, 3)


async def test_signing_in_forgets_what_was_loaded_for_the_stranger() -> None:
    read = Squares()
    batch, context = Batch("squares", read), a_context(a_bank())
    await batch.load(context, 2)
    customer = asha()

    context.sign_in(customer)
    await batch.load(context, 2)

    assert context.actor is customer
    assert read.asked == [[2], [2]]


async def test_who_is_cancelled_takes_a_value_from_nobody_else() -> None:
    """graphql-core cancels what stands beside a field that failed."""
    read = Squares()
    batch, context = Batch("squares", read), a_context(a_bank())

    async with asyncio.TaskGroup() as group:
        first = group.create_task(batch.load(context, 2))
        second = group.create_task(batch.load(context, 2))
        await asyncio.sleep(0)
        first.cancel()

    assert first.cancelled()
    assert second.result() == 4
    assert read.asked == [[2]]


async def test_a_batch_that_has_begun_is_read_to_its_end_for_nobody() -> None:
    read = Squares()
    batch, context = Batch("squares", read), a_context(a_bank())

    async with asyncio.TaskGroup() as group:
        alone = group.create_task(batch.load(context, 2))
        await asyncio.sleep(0)
        alone.cancel()
    for _ in range(5):
        await asyncio.sleep(0)

    assert alone.cancelled()
    assert read.asked == [[2]]


# ------------------------------------------------------------------ a whole level


async def test_a_level_is_read_by_one_call_and_kept_for_the_operation() -> None:
    read = Squares()
    batch, context = Batch("squares", read), a_context(a_bank())

    found = await batch.read(context, [2, 3, 2])

    assert found == {2: 4, 3: None}
    assert await batch.find(context, 2) == 4
    assert await batch.read(context, [3, 4]) == {3: None, 4: 16}
    assert read.asked == [[2, 3], [4]]


async def test_what_came_with_something_else_is_not_loaded_again() -> None:
    read = Squares()
    batch, context = Batch("squares", read), a_context(a_bank())
    await batch.load(context, 4)

    batch.know(context, {2: 5, 3: None, 4: 17})

    assert await batch.read(context, [2, 3, 4]) == {2: 5, 3: None, 4: 16}
    assert read.asked == [[4]]


async def test_what_fails_fails_for_everybody_who_waits() -> None:
    async def broken(_context: Context, _keys: Sequence[int]) -> dict[int, int]:
        await asyncio.sleep(0)
        raise ConnectionError

    batch, context = Batch("squares", broken), a_context(a_bank())

    found = await asyncio.gather(
        batch.read(context, [2, 4]),
        batch.load(context, 4),
        batch.load(context, 6),
        return_exceptions=True,
    )

    assert [type(one) for one in found] == [ConnectionError] * 3


async def test_a_level_that_is_given_up_leaves_nobody_waiting() -> None:
    never = asyncio.Event()
    asked: list[list[int]] = []

    async def waits(_context: Context, keys: Sequence[int]) -> dict[int, int]:
        asked.append(list(keys))
        if len(asked) == 1:
            await never.wait()
        return {key: key * key for key in keys}

    batch, context = Batch("squares", waits), a_context(a_bank())
    async with asyncio.TaskGroup() as group:
        level = group.create_task(batch.read(context, [2]))
        await asyncio.sleep(0)
        beside = group.create_task(batch.find(context, 2))
        await asyncio.sleep(0)
        level.cancel()

    assert beside.cancelled()
    assert await batch.load(context, 2) == 4
    assert asked == [[2], [2]]


async def test_a_long_level_that_is_given_up_leaves_no_later_key_pending() -> None:
    never = asyncio.Event()

    async def waits(_context: Context, _keys: Sequence[int]) -> dict[int, int]:
        await never.wait()
        return {}

    batch, context = Batch("squares", waits), a_context(a_bank())
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        level = group.create_task(batch.read(context, [*range(501)]))
        await asyncio.sleep(0)
        last = group.create_task(batch.find(context, 500))
        await asyncio.sleep(0)
        level.cancel()

    assert last.cancelled()


async def test_only_what_was_read_is_at_hand() -> None:
    read = Squares()
    batch, context = Batch("squares", read), a_context(a_bank())
    batch.know(context, {6: 36, 5: None})
    asked = asyncio.ensure_future(batch.find(context, 2))
    await asyncio.sleep(0)

    assert batch.at_hand(context, [5, 6, 6]) == [None, 36, 36]
    assert batch.at_hand(context, [6, 2]) is None
    assert batch.at_hand(context, [8]) is None
    await asked
    assert batch.at_hand(context, [2]) == [4]
    assert read.asked == [[2]]


async def test_what_could_not_be_read_is_not_at_hand() -> None:
    async def breaks(_context: Context, _keys: Sequence[int]) -> dict[int, int]:
        raise KeyError

    batch, context = Batch("squares", breaks), a_context(a_bank())
    with pytest.raises(KeyError):
        await batch.read(context, [2])

    assert batch.at_hand(context, [2]) is None
