"""What one process hears of a bus."""

from dataclasses import dataclass, field

from app.realtime.announce import Announcement
from app.realtime.bus import Bus, Reconnected
from tests.realtime.patience import until


@dataclass
class End:
    """One process's end of a bus: what it heard so far."""

    bus: Bus
    heard: list[Announcement | Reconnected] = field(default_factory=list)

    async def listen(self) -> None:
        async for item in self.bus.listen():
            self.heard.append(item)

    async def hears(self, count: int) -> None:
        """Wait until so many announcements came."""
        await until(lambda: len(self.told) >= count)

    async def begins(self, lines: int) -> None:
        """Wait until it said so often that hints may be lost."""
        await until(lambda: self.lines >= lines)

    @property
    def told(self) -> list[Announcement | Reconnected]:
        """What it heard beside the beginnings of lines."""
        return [item for item in self.heard if item != Reconnected()]

    @property
    def lines(self) -> int:
        """How often hints may have been lost."""
        return self.heard.count(Reconnected())
