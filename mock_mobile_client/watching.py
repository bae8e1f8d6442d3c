"""The command `watch`: stream and pushes of one phone, line by line, as they come."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

from mock_mobile_client.drawer import Note
from mock_mobile_client.errors import PhoneError, SocketClosed
from mock_mobile_client.live import Live
from mock_mobile_client.phone import Phone
from mock_mobile_client.stream import CONTROL
from mock_mobile_client.switches import Switchboard, Switches

LOOK_EVERY_S = 0.2
FRESH_MS = 60_000  # beyond it a line was replayed, and its age says nothing


class Watch:
    """One phone in the hands of somebody who only looks.

    Args:
        phone: The phone; signed in.
        switches: What other commands turn while it is watched.
        tell: Prints a line.
    """

    def __init__(
        self, phone: Phone, switches: Switchboard, tell: Callable[[str], None]
    ) -> None:
        self._phone = phone
        self._switches = switches
        self._tell = tell
        self._live: Live | None = None
        self._told = 0

    async def run(self, after: str | None, for_s: float | None) -> SocketClosed | None:
        """Watch until the stream ends, or for some seconds; gives how it ended."""
        self._switches.turn(asleep=False)
        await self._listen()
        ends = None if for_s is None else time.monotonic() + for_s
        seen = Switches()
        async with self._phone.live(after, listener=self._line) as live:
            self._live = live
            while ends is None or time.monotonic() < ends:
                if live.ended is not None:
                    return await live.until_closed()
                seen = await self._follow(seen, self._switches.read())
                await asyncio.sleep(LOOK_EVERY_S)
        return None

    async def _listen(self) -> None:
        """Hear pushes too, where the bank sends any."""
        self._phone.drawer.listener = self._note
        try:
            await self._phone.drawer.open()
        except PhoneError as error:
            self._say(f"no push   {error}")

    async def _follow(self, seen: Switches, now: Switches) -> Switches:
        """Do what was switched."""
        if seen.airplane != now.airplane:
            self._say(f"airplane  {'on' if now.airplane else 'off'}")
            await self._phone.airplane(on=now.airplane)
        if now.airplane or seen.asleep == now.asleep:
            return Switches(seen.asleep, now.airplane)
        self._say("asleep    the socket is closed" if now.asleep else "awake")
        await (self._phone.sleep() if now.asleep else self._phone.wake())
        return now

    def _line(self, line: str) -> None:
        """Print a line of the stream, with its lag where it is news."""
        events = [] if self._live is None else self._live.picture.applied
        fresh = events[-1] if len(events) > self._told else None
        self._told = len(events)
        is_news = fresh is not None and fresh.kind not in CONTROL
        lag = _lag(fresh.came_at, fresh.occurred_at) if fresh and is_news else ""
        self._say(line + lag)

    def _note(self, note: Note) -> None:
        """Print a notification, with its lag behind the event or the provider."""
        push = note.push
        events = [] if self._live is None else self._live.picture.applied
        happened = [e.occurred_at for e in events if e.sequence == push.sequence]
        title = push.category if note.text is None else f'"{note.text.title}"'
        lag = _lag(push.came_at, happened[0] if happened else push.at)
        self._say(f"push      {push.service} {title} seq {push.sequence}{lag}")

    def _say(self, line: str) -> None:
        self._tell(f"{time.strftime('%H:%M:%S')} {line}")


def _lag(came_at: float, happened: str) -> str:
    """`, 31 ms`; nothing for what is old or of another clock."""
    try:
        since = datetime.fromisoformat(happened).timestamp()
    except ValueError:
        return ""
    lag_ms = (came_at - since) * 1000
    return f", {lag_ms:.0f} ms" if 0 <= lag_ms < FRESH_MS else ""
