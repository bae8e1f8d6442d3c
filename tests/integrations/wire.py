"""A partner made of raw bytes, for answers that no proper server would give."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class RawPartner:
    """What it was asked, and where it listens."""

    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    reply: Reply | None = None  # in place of the one that was given

    async def was_asked(self) -> None:
        """Wait for the first whole request."""
        while not self.requests:
            await asyncio.sleep(0.005)


@asynccontextmanager
async def a_partner_that(
    reply: Reply, *, reads: bool = True
) -> AsyncIterator[RawPartner]:
    """Listen on a free port, read each request whole, then let `reply` do its thing."""
    partner = RawPartner()
    talks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not reads:
            return await reply(writer)
        head = await reader.readuntil(b"\r\n\r\n")
        size = [
            int(line.split(b":")[1])
            for line in head.lower().splitlines()
            if line.startswith(b"content-length:")
        ]
        partner.requests.append(head + await reader.readexactly(sum(size)))
        return await (partner.reply or reply)(writer)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await hear(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks[asyncio.create_task(talk(reader, writer))] = writer

    server = await asyncio.start_server(taken, "127.0.0.1", 0)
    async with server:
        partner.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield partner
        server.close()
        for _ in range(9):  # a line that was just taken must begin before it can end
            await asyncio.sleep(0)
        for task, writer in talks.items():
            task.cancel()
            writer.transport.abort()  # also what nobody reads any more
        await asyncio.gather(*talks, return_exceptions=True)
        await asyncio.sleep(0)  # the loop closes an aborted line on its next round


def says(status: int, body: str = "{}", **headers: str) -> Reply:
    """Answer properly, and close."""
    more = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in headers.items())
    raw = (
        f"HTTP/1.1 {status} X\r\ncontent-length: {len(body.encode())}\r\n"
        f"connection: close\r\n{more}\r\n{body}"
    ).encode()
    return sends(raw)


def sends(raw: bytes, then_s: float = 0) -> Reply:
    """Send these bytes, wait, and close."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        await asyncio.sleep(then_s)

    return reply


def a_port_where_nobody_listens() -> str:
    """Give a URL whose connection is refused."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
