"""A wire to PostgreSQL that swallows one answer: the server did it, nobody hears so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qsl, urlsplit

COMMITTED = b"COMMIT\0"  # CommandComplete of PostgreSQL's protocol


class Cutter:
    """Passes bytes on, until the answer comes that it was told to swallow.

    Args:
        url: of the database behind it.
    """

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._until = 0
        self._lines: set[asyncio.Task[None]] = set()
        self.port = 0
        self.cuts = 0

    @property
    def url(self) -> str:
        """The database, reached over this wire."""
        at = f"{self._parts.username}@127.0.0.1:{self.port}"
        return self._parts._replace(netloc=at, query="").geturl()

    def swallow(self, commit: int) -> None:
        """Swallow the answer to the n-th COMMIT from now, and cut the line there."""
        self._until = commit

    async def hear(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Pass one connection on, both ways, until either side ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        folder = dict(parse_qsl(self._parts.query))["host"]
        theirs, ours = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, ours))
                group.create_task(self._pass(theirs, writer, heard=True))
        finally:
            self._lines.discard(task)

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        heard: bool = False,
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if heard and self._cuts(data):
                    break
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    def _cuts(self, data: bytes) -> bool:
        if COMMITTED not in data or not self._until:
            return False
        self._until -= 1
        self.cuts += not self._until
        return not self._until

    async def ended(self) -> None:
        """Wait until every line is down."""
        if self._lines:
            await asyncio.wait(set(self._lines), timeout=5)


@asynccontextmanager
async def a_cutter(url: str) -> AsyncIterator[Cutter]:
    """Listen on a free port in front of a server that has a socket in a folder."""
    cutter = Cutter(url)
    server = await asyncio.start_server(cutter.hear, "127.0.0.1", 0)
    cutter.port = server.sockets[0].getsockname()[1]
    async with server:
        yield cutter
        server.close()
        await cutter.ended()
