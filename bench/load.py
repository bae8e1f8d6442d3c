"""A small closed-loop HTTP client: many connections, one process, no library."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Request:
    """Ready-made bytes of one request; made before the clock starts."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Turn:
    """One timed phase.

    Args:
        count: requests answered.
        seconds: from the first byte sent to the last byte read.
        cpu_s: processor time the server spent meanwhile.
    """

    count: int
    seconds: float
    cpu_s: float

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.count / self.seconds

    @property
    def cpu_us(self) -> float:
        """Processor microseconds of the server per request."""
        return self.cpu_s / self.count * 1_000_000


def cpu_seconds(pid: int) -> float:
    """Read the processor time a process has used, from /proc, in seconds."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123  -- /proc
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def backend_seconds(database: str) -> dict[int, float]:
    """Read the processor time of the processes in which PostgreSQL serves a database.

    Their titles name it; a database of the same name elsewhere on the machine counts.
    """
    mark, found = f" {database} ".encode(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            title = (folder / "cmdline").read_bytes()
            if title.startswith(b"postgres: ") and mark in title:
                found[int(folder.name)] = cpu_seconds(int(folder.name))
    return found


async def fire(
    port: int, requests: Sequence[Request], connections: int, pid: int
) -> Turn:
    """Send all requests over so many connections, as fast as they are answered."""
    queue = iter(requests)
    lanes = [
        await asyncio.open_connection("127.0.0.1", port) for _ in range(connections)
    ]
    spent, began = cpu_seconds(pid), time.perf_counter()
    await asyncio.gather(*(_lane(*lane, queue) for lane in lanes))
    seconds = time.perf_counter() - began
    turn = Turn(len(requests), seconds, cpu_seconds(pid) - spent)
    for _, writer in lanes:
        writer.close()
    return turn


async def pace(
    port: int, requests: Sequence[Request], per_second: float
) -> list[float]:
    """Send requests at a fixed rate, each on time, whether others were answered or not.

    Returns:
        Milliseconds of each, from when it was due.
    """
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        sent = [
            group.create_task(_on_time(port, request, began + turn / per_second))
            for turn, request in enumerate(requests)
        ]
    return [one.result() for one in sent]


async def _on_time(port: int, request: Request, due: float) -> float:
    await asyncio.sleep(due - time.perf_counter())
    await ask(port, request)
    return (time.perf_counter() - due) * 1000


async def ask(port: int, request: Request) -> bytes:
    """Send one request on a line of its own and give the body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.raw)
    body = await _answer(reader)
    writer.close()
    return body


@dataclass(frozen=True, slots=True)
class Line:
    """One connection that is kept; one request at a time."""

    port: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect."""
        return cls(port, *await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: Request) -> bytes:
        """Send a request and give the body of its answer."""
        self.writer.write(request.raw)
        return await _answer(self.reader)

    def close(self) -> None:
        """Disconnect."""
        self.writer.close()


async def _lane(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    queue: Iterator[Request],
) -> None:
    for request in queue:
        writer.write(request.raw)
        await _answer(reader)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.split(b"\r\n", 1)[0].decode())
    low = head.lower()
    start = low.index(b"content-length:") + len(b"content-length:")
    length = int(low[start : low.index(b"\r\n", start)])
    return await reader.readexactly(length)
