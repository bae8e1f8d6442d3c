"""A subscription that owns no task: asked for what is ready, woken when there is more.

What is at hand and can be projected is given at once as bytes; whatever has to be read,
waited for or done by graphql-core comes by `next`, which somebody awaits.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import ClassVar

from app.errors import RequestFault
from app.realtime.follow import Follower
from app.realtime.stream import Away, StreamItem, TooSlow
from app.schema.masking import Answer
from app.schema.plan.rendering import Rendering
from app.schema.plan.shapes import Shape


class Feed(ABC):
    """The items of a follower as the answers of one subscription.

    The resolver makes it; the engine gives it its rendering; a socket takes from it.
    Whoever takes from it closes it.

    Args:
        follower: gives the items.
    """

    __slots__ = ("_follower", "_held", "_rendering", "ended")
    shape: ClassVar[Shape | None] = None  # of what `see` gives as shaped

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._held: StreamItem | None = None
        self._rendering: Rendering | None = None
        self.ended = False

    @abstractmethod
    def see(self, item: StreamItem) -> object:
        """Give what an item shows, for the projector or the library.

        Raises:
            Away: `learn` has to be awaited first.
        """

    @abstractmethod
    async def learn(self, item: StreamItem) -> None:
        """Read what is needed to see an item."""

    @property
    def rendering(self) -> Rendering:
        """What makes its answers; set by the engine."""
        assert self._rendering is not None, "the engine opens a feed"  # noqa: S101  -- our bug
        return self._rendering

    @rendering.setter
    def rendering(self, rendering: Rendering) -> None:
        self._rendering = rendering

    def ready(self) -> bytes | None:
        """Give the next answer as JSON; None when there is none yet.

        Raises:
            Away: `next` has to be awaited.
            TooSlow: more than 1,000 events behind.
        """
        item = self._held
        if item is None:
            item = self._held = self._follower.at_hand()
            if item is None:
                return None
        found = self.rendering.ready(self.see(item))
        if isinstance(found, str):
            raise Away
        self._held = None
        return found

    async def next(self) -> Answer | None:
        """Give the next answer; None when there is none yet.

        One that failed is the last: `ended` is set.

        Raises:
            TooSlow: more than 1,000 events behind.
        """
        try:
            if self._held is None:
                self._held = await self._follower.next()
            if self._held is None:
                return None
            await self.learn(self._held)
            answer = await self.rendering.answer(self.see(self._held))
        except TooSlow:
            raise  # the socket has to go, not the operation
        except RequestFault as fault:
            self.ended = True
            return self.rendering.refused(fault)
        except Exception as bug:  # noqa: BLE001  -- the edge of the stream: masked and logged
            self.ended = True
            return self.rendering.broken(bug)
        self._held = None
        return answer

    @property
    def is_alone(self) -> bool:
        """Whether nobody else follows the same stream in this process."""
        return self._follower.is_alone

    @property
    def has_more(self) -> bool:
        """Whether it is worth asking for another answer."""
        return self._held is not None or self._follower.has_more

    @property
    def lag(self) -> int:
        """How many known events it has not given."""
        return self._follower.lag

    def listen(self, listener: Callable[[], None] | None) -> None:
        """Have somebody called when there may be more; None has nobody called."""
        self._follower.listen(listener)

    def wait_s(self) -> float | None:
        """Longest time before it has to be asked again; None without limit."""
        return self._follower.wait_s()

    def close(self) -> None:
        """End it; a second call changes nothing."""
        self._follower.close()

    async def answers(self) -> AsyncGenerator[Answer, None]:
        """Give all answers, for whoever has a task to wait in."""
        try:
            while not self.ended:
                answer = await self.next()
                if answer is None:
                    await self._follower.wait()
                else:
                    yield answer
        finally:
            self.close()

    def __aiter__(self) -> AsyncIterator[Answer]:
        return self.answers()
