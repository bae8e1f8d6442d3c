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
from typing import Any, Generic, TypeVar

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
        """Give the value of a key, or None.

        Others wait for the same value: whoever is cancelled, because a field beside it
        failed, takes it from nobody else. So a batch that has begun is read to its end,
        for nobody if all who waited are gone.
        """
        return await asyncio.shield(self._of(context).asked(key))

    async def load_all(self, context: Context, keys: Sequence[K]) -> list[V]:
        """Give the values of keys that must all exist, in their order."""
        return list(await asyncio.gather(*(self.load(context, key) for key in keys)))

    async def read(self, context: Context, keys: Sequence[K]) -> Mapping[K, V | None]:
        """Give the values of keys at once, without a turn of the event loop.

        What is known of the operation is not loaded again; what is on its way is
        waited for.
        """
        return await self._of(context).read(keys)

    def at_hand(self, context: Context, keys: Sequence[K]) -> list[V | None] | None:
        """Give the values of keys, in their order; None: some are not read yet."""
        return self._of(context).at_hand(keys)

    def know(self, context: Context, found: Mapping[K, V | None]) -> None:
        """Keep values that were read with something else; they are not loaded again."""
        self._of(context).know(found)

    def _of(self, context: Context) -> "_Loads[K, V]":
        known: Any = context.loaders.get(self)
        if known is None:
            known = context.loaders[self] = _Loads(context, self._load)
        loads: _Loads[K, V] = known
        return loads


class _Loads(Generic[K, V]):
    """What one operation asked one batch for."""

    __slots__ = ("_context", "_known", "_load", "_tasks", "_waiting")

    def __init__(
        self,
        context: Context,
        load: Callable[[Context, Sequence[K]], Awaitable[Mapping[K, V]]],
    ) -> None:
        self._context = context
        self._load = load
        self._known: dict[K, asyncio.Future[V | None]] = {}
        self._waiting: list[K] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def asked(self, key: K) -> "asyncio.Future[V | None]":
        """Give what the value of a key will be; the next turn loads it."""
        known = self._known.get(key)
        if known is not None:
            return known
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._begin)
        self._waiting.append(key)
        fresh: asyncio.Future[V | None] = loop.create_future()
        self._known[key] = fresh
        return fresh

    def know(self, found: Mapping[K, V | None]) -> None:
        """Keep values, but for those that are known or on their way."""
        loop = asyncio.get_running_loop()
        for key, value in found.items():
            if key not in self._known:
                self._known[key] = future = loop.create_future()
                future.set_result(value)

    def at_hand(self, keys: Sequence[K]) -> list[V | None] | None:
        """Give values that are all here; None: some are not, or could not be read."""
        found: list[V | None] = []
        for key in keys:
            known = self._known.get(key)
            if known is None or not known.done() or known.cancelled():
                return None
            if known.exception() is not None:
                return None
            found.append(known.result())
        return found

    def _begin(self) -> None:
        keys, self._waiting = self._waiting, []
        # Whoever asks may be cancelled; the operation's loads own the task.
        task = asyncio.ensure_future(self._fill(keys))  # noqa: TID251  -- see above
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def read(self, keys: Sequence[K]) -> Mapping[K, V | None]:
        """Load what is not known, and give all."""
        loop = asyncio.get_running_loop()
        wanted = dict.fromkeys(keys)
        fresh = [key for key in wanted if key not in self._known]
        for key in fresh:
            self._known[key] = loop.create_future()
        await self._fill(fresh)
        return {key: await _value(self._known[key]) for key in wanted}

    async def _fill(self, keys: Sequence[K]) -> None:
        """Load keys and tell who waits; a failure is told to each of them."""
        for start in range(0, len(keys), _BATCH_MAX):
            some = keys[start : start + _BATCH_MAX]
            waiting = [self._known[key] for key in some]
            try:
                found = await self._load(self._context, some)
            except Exception as failure:  # noqa: BLE001  -- told to whoever waits
                for future in waiting:
                    future.set_exception(failure)
                    future.exception()  # told, though perhaps nobody waits any more
            except BaseException:  # whoever loaded is cancelled: so are the values
                for key in keys[start:]:
                    self._known.pop(key).cancel()
                raise
            else:
                for key, future in zip(some, waiting, strict=True):
                    future.set_result(found.get(key))


async def _value(future: "asyncio.Future[V]") -> V:
    return future.result() if future.done() else await asyncio.shield(future)
