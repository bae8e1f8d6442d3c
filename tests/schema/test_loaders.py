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
