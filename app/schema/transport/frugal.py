"""What an idle socket of the server holds, made small: thousands of them lie still.

uvicorn gives each socket a queue and an event of asyncio, which are made for many
waiters and weigh 3 KiB; a socket has one reader and few writers.
"""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """A queue with one reader, as much of `asyncio.Queue` as the server uses."""

    __slots__ = ("_items", "_waiter")

    def __init__(self) -> None:
        self._items: list[T] = []
        self._waiter: asyncio.Future[None] | None = None

    def put_nowait(self, item: T) -> None:
        """Add an item and wake the reader."""
        self._items.append(item)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def get(self) -> T:
        """Take the oldest item, when there is one."""
        while not self._items:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._items.pop(0)

    def empty(self) -> bool:
        """Tell whether nothing waits."""
        return not self._items


class Gate:
    """A flag that can be waited for, as much of `asyncio.Event` as the server uses."""

    __slots__ = ("_open", "_waiters")

    def __init__(self) -> None:
        self._open = True
        self._waiters: deque[asyncio.Future[None]] | None = None

    def is_set(self) -> bool:
        """Tell whether one may pass."""
        return self._open

    def set(self) -> None:
        """Open, and let everybody pass who waits."""
        self._open = True
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        """Close."""
        self._open = False

    async def wait(self) -> bool:
        """Pass at once, or when it is opened."""
        if not self._open:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters = self._waiters or deque()
            self._waiters.append(waiter)
            await waiter
        return True
