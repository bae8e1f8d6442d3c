"""A bank of one's own, started as `make run` starts it, to be killed by kill -9.

It runs in a folder that is thrown away, on free ports. The phone knows the bank's
commands only; where its code does not lie beside the phone there is no such bank.
"""

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from mock_mobile_client.errors import NotReady, PhoneError

ROOT: Final = Path(__file__).parents[1]
OPENS_WITHIN_S: Final = 90.0
SOON_MS: Final = 60  # a payment is made within about so long


@dataclass(slots=True)
class OwnBank:
    """One process that serves and sends, with its outside world as a child.

    Attributes:
        folder: Where it keeps its books.
        port: Its own; the outside world has the other one.
    """

    folder: Path
    port: int
    world: int
    _process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """The bank's public address."""
        return f"http://localhost:{self.port}"

    @property
    def sandbox(self) -> str:
        """Its outside world."""
        return f"http://127.0.0.1:{self.world}"

    async def start(self) -> None:
        """Start it, and wait until it opens.

        Raises:
            NotReady: it did not open.
        """
        kept = {k: v for k, v in os.environ.items() if "SIXPENCE" not in k}
        env = kept | {
            "PYTHONPATH": str(ROOT),
            "SIXPENCE_PORT": str(self.port),
            "SIXPENCE_PUBLIC_URL": self.url,
            "SIXPENCE_SANDBOX_PORT": str(self.world),
        }
        with (self.folder / "bank.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "app", "demo", "--json"),
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                limit=1 << 20,
            )
        assert self._process.stdout is not None  # noqa: S101  -- asked for above
        try:
            async with asyncio.timeout(OPENS_WITHIN_S):
                while not (told := await self._process.stdout.readline()).startswith(
                    b"{"
                ):
                    if not told:
                        raise NotReady("the bank did not open: is its code here?")
        except TimeoutError as error:
            raise NotReady("the bank did not open in time") from error

    async def kill(self) -> None:
        """End it by kill -9, and wait until its ports are free."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        await process.wait()
        await asyncio.to_thread(_until_free, self.port, self.world)

    async def web_dies(self, changing: Callable[[], Awaitable[object]]) -> None:
        """Kill it about when the act is committed, and start it again."""
        acting = asyncio.ensure_future(_quiet(changing))
        await asyncio.sleep(secrets.randbelow(SOON_MS) / 1000)
        await self.all_die()
        await acting

    async def worker_dies(self) -> None:
        """Kill it and start it again: it sends the pushes too."""
        await self.all_die()

    async def all_die(self) -> None:
        """Kill it and start it again."""
        await self.kill()
        await self.start()


@asynccontextmanager
async def own_bank() -> AsyncIterator[OwnBank]:
    """Start a bank in a folder of its own; both are gone afterwards."""
    with TemporaryDirectory() as folder:
        bank = OwnBank(Path(folder), *_free_ports())
        try:
            await bank.start()
            yield bank
        finally:
            await bank.kill()


async def _quiet(act: Callable[[], Awaitable[object]]) -> None:
    try:
        await act()
    except PhoneError:
        return


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])


def _until_free(*ports: int) -> None:
    """Wait until nobody holds these ports: the child ends a moment later."""
    while not all(map(_is_free, ports)):
        time.sleep(0.02)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
