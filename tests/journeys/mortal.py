"""A web process that dies by kill -9 after its next commit, before a hint of it leaves.

`python -m tests.journeys.mortal` serves as `python -m app serve` does. While the file
`untold` lies in its folder, the first announcement of an event is its end: the event
is committed, and nobody was told. `Victims` is how a proof kills such processes.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvloop

from app import main, telemetry
from app import settings as app_settings
from app.accounts import completing
from app.bank import Bank, open_bank
from app.partners import Role
from app.realtime import log
from app.realtime.announce import Announcement, Hint
from app.settings import Settings
from mock_mobile_client.errors import PhoneError
from tests.journeys.parts import Parts

UNTOLD = Path("untold")
DIES_WITHIN_S = 30


def make_mortal(bank: Bank) -> None:
    """Stand between the log and the announcer of a bank."""

    def announce(item: Announcement) -> None:
        if isinstance(item, Hint) and UNTOLD.exists():
            UNTOLD.unlink()  # the next process lives
            os.kill(os.getpid(), signal.SIGKILL)
        bank.announcer.announce(item)
        bank.relay.wake()

    log.open_log(bank.clock, announce, complete=completing.complete)


@dataclass(frozen=True)
class Victims:
    """The parts of a bank, as a proof kills them; see `proofs_kill.Servers`.

    Attributes:
        parts: the bank.
        web: the mortal process that the paying phone asks.
        worker: the process that sends pushes; may be the same.
    """

    parts: Parts
    web: str
    worker: str

    @property
    def url(self) -> str:
        return self.parts.url

    @property
    def sandbox(self) -> str:
        return self.parts.sandbox

    async def web_dies(self, changing: Callable[[], Awaitable[object]]) -> None:
        """Let it die at the commit of the act, and start it again."""
        untold = self.parts.folder / UNTOLD
        untold.touch()
        with suppress(PhoneError):
            await changing()
        deadline = time.monotonic() + DIES_WITHIN_S
        while untold.exists():
            assert time.monotonic() < deadline, "nothing was committed"
            await asyncio.sleep(0.01)
        await asyncio.to_thread(self._again, self.web)

    async def worker_dies(self) -> None:
        await asyncio.to_thread(self._again, self.worker)

    async def all_die(self) -> None:
        await asyncio.to_thread(self._again, *self.parts.names)

    def _again(self, *names: str) -> None:
        self.parts.kill(*names)
        self.parts.start(*names)


@asynccontextmanager
async def _web(settings: Settings) -> AsyncIterator[Bank]:
    async with open_bank(settings, frozenset({Role.WEB})) as bank:
        make_mortal(bank)
        yield bank


async def run() -> int:
    """Serve until told to stop, or killed; gives the exit code."""
    settings = app_settings.load()
    telemetry.configure(settings.log_format, settings.log_level)
    return await main.serve(settings, opener=lambda: _web(settings))


if __name__ == "__main__":
    sys.exit(uvloop.run(run()))
