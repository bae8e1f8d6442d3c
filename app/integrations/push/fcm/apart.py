"""A thread with an event loop of its own, so that what blocks there blocks nobody."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from app.telemetry import log

R = TypeVar("R")


class Tenant(Protocol):
    """What lives in the thread."""

    async def live(self) -> None:
        """Do what goes on beside the calls, until cancelled."""
        ...

    async def end(self) -> None:
        """Let go of everything; no call is under way any more."""
        ...


class Ended(Exception):
    """The thread is closed, or was closed during the call."""


class Apart:
    """Runs calls in one thread that starts with the first and ends with `close`.

    Args:
        name: of the thread.
        tenant: whose calls they are.
    """

    def __init__(self, name: str, tenant: Tenant) -> None:
        self._name = name
        self._tenant = tenant
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def is_closed(self) -> bool:
        """Say whether nothing can be run any more."""
        return self._closed

    async def run(self, call: Coroutine[Any, Any, R]) -> R:
        """Run a call over there; cancelling here cancels it there.

        Raises:
            Ended: the thread is closed.
        """
        if self.is_closed():
            call.close()
            raise Ended
        loop = self._loop or self._start()
        try:
            return await asyncio.wrap_future(
                asyncio.run_coroutine_threadsafe(call, loop)
            )
        except asyncio.CancelledError:
            mine = asyncio.current_task()
            if self.is_closed() and mine is not None and not mine.cancelling():
                raise Ended from None
            raise

    async def close(self) -> None:
        """Cancel what is under way, let the tenant end, and wait for the thread."""
        self._closed = True
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or not thread.is_alive():
            return
        loop.call_soon_threadsafe(self._stop.set)
        await asyncio.to_thread(thread.join)

    def _start(self) -> asyncio.AbstractEventLoop:
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._main, name=self._name, daemon=True)
        self._thread.start()
        return self._loop

    def _main(self) -> None:
        def loop_factory() -> asyncio.AbstractEventLoop:
            assert self._loop is not None  # noqa: S101  -- made before the thread
            return self._loop

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(self._life())

    async def _life(self) -> None:
        async with asyncio.TaskGroup() as group:
            living = group.create_task(self._lived())
            await self._stop.wait()
            living.cancel()
        me = asyncio.current_task()
        calls = [task for task in asyncio.all_tasks() if task is not me]
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self._tenant.end()

    async def _lived(self) -> None:
        try:
            await self._tenant.live()
        except Exception:  # noqa: BLE001  -- the outermost frame; the calls go on
            log.exception("loop_failed", name=self._name)
