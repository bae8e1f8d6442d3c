"""One public address before several web processes, as a balancer in front has it.

It lives in a thread with a loop of its own. New lines go in turn to the processes whose
`/readyz` says 200; a line that is open stays where it is.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle

LOOK_EVERY_S = 0.1
ANSWER_S = 5.0
_HOST = "127.0.0.1"


class Balancer:
    """Give it the ports; it stands before them from `open` to `close`.

    Attributes:
        faults: Status lines from 500 on that a POST was answered with.
        unready: How often each port said it was not ready.
    """

    def __init__(self, port: int, behind: Sequence[int]) -> None:
        self.faults: list[str] = []
        self.unready: Counter[int] = Counter()
        self._port = port
        self._ready = dict.fromkeys(behind, False)
        self._turn = cycle(behind)
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)

    @property
    def is_whole(self) -> bool:
        """Whether every process is ready, as far as the balancer knows."""
        return all(self._ready.values())

    def open(self) -> None:
        """Begin to listen."""
        self._thread.start()
        assert self._opened.wait(10)

    def close(self) -> None:
        """Cut every line and end."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    def _live(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._line, _HOST, self._port)
        async with asyncio.TaskGroup() as group:
            looking = [group.create_task(self._look(port)) for port in self._ready]
            self._opened.set()
            await self._stopped.wait()
            server.close()
            for task in looking:
                task.cancel()

    # -------------------------------------------------------------- who is ready

    async def _look(self, port: int) -> None:
        while True:
            said = await self._asked(port)
            self._ready[port] = b" 200 " in said
            self.unready[port] += b" 503 " in said
            await asyncio.sleep(LOOK_EVERY_S)

    async def _asked(self, port: int) -> bytes:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_connection(_HOST, port)
                try:
                    ask = "GET /readyz HTTP/1.1\r\nConnection: close\r\n"
                    writer.write(f"{ask}Host: {_HOST}\r\n\r\n".encode())
                    return await reader.readline()
                finally:
                    writer.close()
        return b""

    # -------------------------------------------------------------- lines

    async def _line(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Join a caller with the next process that is ready."""
        try:
            for _ in self._ready:
                port = next(self._turn)
                if self._ready[port]:
                    await self._joined(reader, writer, port)
                    break
        except OSError:
            pass  # the process behind went away: so does this line
        finally:
            writer.close()

    async def _joined(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
    ) -> None:
        inner, outer = await asyncio.open_connection(_HOST, port)
        is_post = False

        async def ask() -> None:
            nonlocal is_post
            while data := await reader.read(65_536):
                is_post = data.startswith(b"POST ") or is_post
                outer.write(data)

        async def answer() -> None:
            while data := await inner.read(65_536):
                if is_post and data.startswith(b"HTTP/1.1 5"):
                    self.faults.append(data.split(b"\r\n", 1)[0].decode())
                writer.write(data)

        ways = [asyncio.create_task(ask()), asyncio.create_task(answer())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            outer.close()
