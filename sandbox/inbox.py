"""What arrived where: one inbox per address, read by long polling."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.clock import WorldClock, rfc3339
from sandbox.intake import Refused

WAIT_S_MAX = 25.0  # below the 30 s after which proxies and phones give up
KEPT_PER_ADDRESS = 200
ADDRESSES_MAX = 10_000  # the longest silent one is forgotten first


Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that arrived; numbers of an address grow by one from 1."""

    number: int
    kind: str
    at: str
    body: Body

    def shown(self) -> dict[str, object]:
        """Give the message as an inbox shows it."""
        return {"id": self.number, "kind": self.kind, "at": self.at, "body": self.body}


@dataclass(slots=True)
class _Box:
    last: int = 0
    messages: deque[Message] = field(
        default_factory=lambda: deque(maxlen=KEPT_PER_ADDRESS)
    )
    arrived: asyncio.Event = field(default_factory=asyncio.Event)


class Inboxes:
    """All inboxes of the outside world, in memory.

    Args:
        clock: gives each message its time of arrival.
    """

    def __init__(self, clock: WorldClock) -> None:
        self._clock = clock
        self._boxes: OrderedDict[str, _Box] = OrderedDict()

    def deliver(self, address: str, kind: str, body: Body) -> int:
        """Put a message into an inbox and wake who waits there; gives its number."""
        box = self._box(address)
        box.last += 1
        at = rfc3339(self._clock.now())
        box.messages.append(Message(box.last, kind, at, body))
        box.arrived.set()
        box.arrived = asyncio.Event()
        return box.last

    async def read(
        self, address: str, after: int, wait_s: float
    ) -> tuple[list[Message], int]:
        """Give the messages after a number, waiting for the first if there is none.

        A number beyond the newest was given by an earlier sandbox: numbers begin anew
        with each start, so reading begins anew too.
        """
        box = self._box(address)
        start = after if after <= box.last else 0
        if start == box.last and wait_s > 0:
            try:
                async with asyncio.timeout(wait_s):
                    await box.arrived.wait()
            except TimeoutError:
                return [], start
        return [m for m in box.messages if m.number > start], box.last

    async def show(self, request: Request) -> Response:
        """`GET /phones/{address}/inbox?wait=SECONDS&after=N`; wait is at most 25 s."""
        wait_s = _asked(request, "wait", WAIT_S_MAX)
        after = _asked(request, "after", float(2**53))
        messages, last = await self.read(
            request.path_params["address"], int(after), wait_s
        )
        shown = [message.shown() for message in messages]
        return JSONResponse({"messages": shown, "next": last})

    def wake(self) -> None:
        """Let everybody who waits go home with what there is, for the end."""
        for box in self._boxes.values():
            box.arrived.set()

    def _box(self, address: str) -> _Box:
        box = self._boxes.setdefault(address, _Box())
        self._boxes.move_to_end(address)
        if len(self._boxes) > ADDRESSES_MAX:
            self._boxes.popitem(last=False)
        return box


def _asked(request: Request, name: str, high: float) -> float:
    try:
        found = float(request.query_params.get(name, "0"))
    except ValueError:
        found = -1.0
    if 0 <= found <= high:
        return found
    raise Refused(422, "OUT_OF_RANGE", f"{name} must be a number from 0 to {high:g}.")
