"""One live subscription on a socket, without a task while nothing has to be awaited.

The hub calls it when there is more; it writes what is ready while the line is free. A
full line is left alone: the log is the buffer of a slow reader, who goes on from there
when the line has drained (realtime.md section 8.5 of the design).
"""

import asyncio
from typing import Protocol

from app.realtime.stream import Away
from app.schema.masking import Answer
from app.schema.plan.feed import Feed
from app.schema.transport.codes import Close
from app.schema.transport.wire import Wire

_LAG_MAX = 1000


class Line(Protocol):
    """What a lane needs of its socket."""

    @property
    def wire(self) -> Wire | None:
        """What takes ready frames; None under another server."""

    def carry(self, lane: "Lane") -> asyncio.Task[None]:
        """Run a lane in a task of the socket."""
        ...

    def close(self, code: int, reason: str = "") -> None:
        """End the socket."""

    async def pass_on(self, head: bytes, answer: Answer) -> None:
        """Send one answer, when the line is free."""

    async def finish(self, lane: "Lane", answer: Answer) -> None:
        """Give the operation's id back and send the last answer."""


class Lane:
    """Carries a feed to its socket.

    Args:
        line: the socket.
        feed: what is carried; closed with the lane.
        head: what comes before each payload in a frame.
        name: the operation's id.
    """

    __slots__ = ("_feed", "_head", "_line", "_task", "_timer", "name")

    def __init__(self, line: Line, feed: Feed, head: bytes, name: str) -> None:
        self._line = line
        self._feed = feed
        self._head = head
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.name = name

    async def run(self) -> None:
        """Carry what has to be awaited, until there is no more for now.

        Raises:
            TooSlow: the phone reads so slowly that its socket has to go.
        """
        self._task = asyncio.current_task()
        feed = self._feed
        while (answer := await feed.next()) is not None:
            if feed.ended:
                self.cancel()
                await self._line.finish(self, answer)
                return
            await self._line.pass_on(self._head, answer)
        self._task = None
        feed.listen(self.wake)
        self.wake()

    def wake(self) -> None:
        """Write what is ready; a task is started for what has to be awaited."""
        if self._is_lost():
            self._line.close(Close.SLOW, "TOO_FAR_BEHIND")
        if self._task is not None:
            return
        self._quiet()
        try:
            if self._written():
                self._sleep()
        except Exception:  # noqa: BLE001  -- Away; what else it is `next` meets again
            self._task = self._line.carry(self)

    def cancel(self) -> None:
        """End the operation; a second call changes nothing."""
        self._quiet()
        self._feed.close()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    def failed(self, failure: Exception) -> object:
        """End the operation, and give the errors that say so."""
        self.cancel()
        return self._feed.rendering.broken(failure).body["errors"]

    def _written(self) -> bool:
        """Write all that is ready; tell whether the line took it."""
        wire, feed = self._line.wire, self._feed
        if wire is None:
            raise Away  # another server's way out has to be awaited
        while wire.is_free:
            payload = feed.ready()
            if payload is None:
                return True
            wire.write_text(self._head, payload, b"}")
            if not feed.has_more:
                return True
        return False

    def _is_lost(self) -> bool:
        """Tell whether a reader who does not read has fallen too far behind."""
        wire = self._line.wire
        return self._feed.lag > _LAG_MAX and wire is not None and not wire.is_free

    def _sleep(self) -> None:
        """Look again when a checkpoint is due, if none wakes it before."""
        wait_s = self._feed.wait_s()
        if wait_s is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(wait_s, self.wake)

    def _quiet(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
