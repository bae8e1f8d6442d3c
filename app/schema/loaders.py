"""Batched loads: what many objects of one answer ask for is read at once.

A slice defines a batch once, at module level, and asks it per object::

    BALANCES = Batch("balances", _load_balances)  # (context, keys) -> {key: value}

    async def balance(self, info: Info) -> Balance:
        return Balance.of(await BALANCES.load(info.context, self.account_id))

All keys asked for in the same turn of the event loop go into one call; a key is loaded
once per operation. Keys must be hashable and of one kind.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from strawberry.dataloader import DataLoader

from app.schema.context import Context

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_BATCH_MAX = 500  # keys of one statement; SQLite binds at most 999 variables


class Batch(Generic[K, V]):
    """One way to load many objects by key.

    Args:
        name: for logs and tests.
        load: answers the keys it finds; a missing key is an error of ours unless
            `find` is used.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[Context, Sequence[K]], Awaitable[Mapping[K, V]]],
    ) -> None:
        self.name = name
        self._load = load

    async def load(self, context: Context, key: K) -> V:
        """Give the value of a key that must exist.

        Raises:
            LookupError: the loader did not answer the key; becomes INTERNAL.
        """
        found = await self.find(context, key)
        if found is None:
            raise LookupError(self.name)
        return found

    async def find(self, context: Context, key: K) -> V | None:
        """Give the value of a key, or None."""
        return await self._of(context).load(key)

    async def load_all(self, context: Context, keys: Sequence[K]) -> list[V]:
        """Give the values of keys that must all exist, in their order."""
        return list(await asyncio.gather(*(self.load(context, key) for key in keys)))

    def _of(self, context: Context) -> DataLoader[K, V | None]:
        known = context.loaders.get(self)
        if isinstance(known, DataLoader):
            return known

        async def read(keys: list[K]) -> list[V | None]:
            found = await self._load(context, keys)
            return [found.get(key) for key in keys]

        fresh: DataLoader[K, V | None] = DataLoader(
            load_fn=read, max_batch_size=_BATCH_MAX
        )
        context.loaders[self] = fresh
        return fresh
