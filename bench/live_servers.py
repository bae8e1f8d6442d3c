"""The servers of the live benches: our bank, and peers that keep all in memory.

Each is one process that takes wishes on stdin; it runs on the first core, the phones
of the bench and the database on the others.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import node
from bench.load import cpu_seconds
from bench.servers import ROOT, await_port, free_port

NODE_FILES = ROOT / "bench/peers/graphql_ws"
OURS, NODE, STRAWBERRY = "sixpence", "graphql-ws on Node", "Strawberry by its tutorial"
CHOSEN = {
    "SIXPENCE_ENV": "test",  # production's settings, rates a thousand times wider
    "SIXPENCE_INTROSPECTION": "false",
    "SIXPENCE_LOG_LEVEL": "warning",
    "SIXPENCE_SOCKET_ADMIT_PER_S": "100000",  # what a core can do, not what it may
    # Hints are held back on purpose; the safety poll would find what they tell of.
    "SIXPENCE_POLL_S": "3600",
}
Owners = list[list[str]]


@dataclass(slots=True)
class LiveServer:
    """A started server.

    Args:
        name: as the tables call it.
        process: with pipes to its stdin and from its stdout.
        port: where sockets are opened.
        owners: its customers, each with the account that changes.
        tokens: of each customer's phones; only our bank gives any.
    """

    name: str
    process: asyncio.subprocess.Process
    port: int
    owners: Owners = field(default_factory=list)
    tokens: list[list[str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where its sockets are."""
        return f"ws://localhost:{self.port}/graphql"

    def wish(self, line: str) -> None:
        """Ask for something on its stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())

    async def answer(self) -> Any:  # noqa: ANN401  -- JSON
        """Read its next line of JSON; what else it says is passed on."""
        assert self.process.stdout is not None
        while line := (await self.process.stdout.readline()).decode():
            if line == "ready\n":
                return None
            if line.startswith("{"):
                return json.loads(line)
            print(f"{self.name}: {line}", end="", file=sys.stderr)
        raise SystemExit(f"{self.name} is gone")

    async def asked(self, wish: str) -> Any:  # noqa: ANN401  -- JSON
        """Wish for something that is answered."""
        self.wish(wish)
        return await self.answer()

    def cpu_s(self) -> float:
        """Processor time it has used, in seconds."""
        return cpu_seconds(self.process.pid)

    def rss_kb(self) -> int:
        """Memory it holds, in KB, from /proc."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(text.partition("Rss:")[2].split()[0])


def apart() -> frozenset[int]:
    """Keep this process off the servers' core; gives that core.

    On a machine with a single core all share it.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, cores[1:])
    return frozenset(cores[:1])


@asynccontextmanager
async def bank(  # noqa: PLR0913  -- what a bank process is
    folder: Path,
    database_url: str,
    core: frozenset[int],
    *,
    jwks: Sequence[Sequence[Mapping[str, str]]] = (),
    owners: Owners | None = None,
    port: int | None = None,
    bus: str = "memory://",
) -> AsyncIterator[LiveServer]:
    """Start a process of our bank, with new customers or with those of before.

    Tokens name the address of the bank that signed them: who comes again to use them
    gives the former port.
    """
    port = port or free_port()
    chosen = CHOSEN | {
        "PYTHONPATH": str(ROOT),
        "SIXPENCE_PORT": str(port),
        "SIXPENCE_PUBLIC_URL": f"http://localhost:{port}",
        "SIXPENCE_DATABASE_URL": database_url,
        "SIXPENCE_BUS_URL": bus,
    }
    command = [sys.executable, "-m", "bench.live_bank"]
    started = _started(OURS, command, port, core, folder, chosen)
    async with started as server:
        server.wish(json.dumps({"jwks": jwks, "owners": owners or []}))
        told = await server.answer()
        server.owners, server.tokens = told["owners"], told["tokens"]
        yield server


@asynccontextmanager
async def world(folder: Path, *asked: str) -> AsyncIterator[str]:
    """Start the sandbox with such arguments; gives its base URL."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox", "--port", str(port)),
        *("--exit-with-parent", *asked),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if not await process.stdout.readline():
            raise SystemExit("the outside world did not open")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stdin.close()
        await process.wait()


@asynccontextmanager
async def bank_process(
    module: str,
    core: frozenset[int],
    folder: Path,
    chosen: Mapping[str, str],
    order: Mapping[str, object],
) -> AsyncIterator[LiveServer]:
    """Start a bank process of a bench of its own, and give it its order."""
    port = free_port()
    own = {
        "SIXPENCE_PORT": str(port),
        "SIXPENCE_PUBLIC_URL": f"http://localhost:{port}",
    }
    command = [sys.executable, "-m", module]
    environment = dict(chosen) | own
    started = _started(f"{OURS}, {module}", command, port, core, folder, environment)
    async with started as server:
        server.wish(json.dumps(order))
        told = await server.answer()
        server.owners, server.tokens = told["owners"], told["tokens"]
        yield server


@asynccontextmanager
async def peer(
    name: str, owners: Owners, core: frozenset[int]
) -> AsyncIterator[LiveServer]:
    """Start a peer for the same customers."""
    port = free_port()
    if name == NODE:
        command, folder = ["node", "server.js", str(port)], node.home(NODE_FILES)
    else:
        module = "bench.peers.strawberry_live"
        command, folder = [sys.executable, "-m", module, str(port)], ROOT
    async with _started(name, command, port, core, folder, {}) as server:
        server.wish(json.dumps(owners))
        await server.answer()
        await asyncio.to_thread(await_port, port)
        server.owners = owners
        yield server


def peers(*, smoke: bool) -> list[str]:
    """Name the peers that can run here; says which cannot.

    Node's packages are fetched once, by its own lock file; a smoke run, which is part
    of the check, goes without.
    """
    if smoke:
        return [STRAWBERRY]
    why = node.missing(NODE_FILES)
    if why is None:
        return [NODE, STRAWBERRY]
    print(f"{NODE}: skipped, {why}", file=sys.stderr)
    return [STRAWBERRY]


@asynccontextmanager
async def _started(
    name: str,
    command: list[str],
    port: int,
    core: frozenset[int],
    folder: Path,
    environment: Mapping[str, str],
) -> AsyncIterator[LiveServer]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        limit=1 << 26,
    )
    os.sched_setaffinity(process.pid, core)
    try:
        yield LiveServer(name, process, port)
    finally:
        if process.returncode is None:
            process.kill()  # a gentle end would send the phones away one by one
        await process.wait()
