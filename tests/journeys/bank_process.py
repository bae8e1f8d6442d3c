"""A bank in processes of its own, as `make run` starts it, on free ports."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.journeys.books import EMBEDDED, FILE, Books
from tests.journeys.warm import LOG, Process, launch

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def becomes_free(port: int, within_s: float = 5) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if is_free(port):
            return True
        time.sleep(0.05)
    return False


@dataclass
class BankProcess:
    """A started demo: where it answers, where its files are."""

    process: Process
    url: str
    sandbox: str
    folder: Path
    table: dict[str, object]
    books: Books

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @property
    def sandbox_port(self) -> int:
        return int(self.sandbox.rsplit(":", 1)[1])

    def broken_proofs(self) -> list[str]:
        """Run every proof of every room over the database the bank writes."""
        return self.books.broken_proofs()

    def broken_chains(self) -> str:
        """Let the bank's own command walk the audit; gives what it says of breaks."""
        looked = self.command("app", "audit", "verify")
        return "" if looked.returncode == 0 else looked.stdout + looked.stderr

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run `python -m ...` beside the bank, in its folder and with its settings."""
        env = environment(self.folder, self.port, self.sandbox_port, self.books)
        with TemporaryDirectory() as place:
            out, errors = Path(place) / "out", Path(place) / "errors"
            process = launch(words, self.folder, env, out, errors)
            code = process.wait(timeout=120)
            said = out.read_text(), errors.read_text()
        return subprocess.CompletedProcess([*words], code, *said)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=30)

    def kill_and_start(self) -> None:
        """End it by kill -9 and start it again on the same files and ports."""
        self.stop(signal.SIGKILL)
        for port in (self.port, self.sandbox_port):
            assert becomes_free(port)
        ports = self.port, self.sandbox_port
        self.process, _table = started(self.folder, *ports, self.books)


def environment(
    folder: Path, port: int, sandbox_port: int, books: Books | None = None
) -> dict[str, str]:
    """Give the surroundings of a bank; without books it writes a file in its folder."""
    url = books.url if books is not None else f"sqlite://{FILE}"
    kept = {name: value for name, value in os.environ.items() if "SIXPENCE" not in name}
    return kept | {
        "SIXPENCE_QUERY_PLANS": str(books is None or books.plans),
        "PYTHONPATH": str(ROOT),
        "SIXPENCE_PORT": str(port),
        "SIXPENCE_PUBLIC_URL": f"http://localhost:{port}",
        "SIXPENCE_SANDBOX_PORT": str(sandbox_port),
        "SIXPENCE_DATABASE_URL": url,
        "SIXPENCE_CORE_BANKING": EMBEDDED if books is None else books.core,
        "PWD": str(folder),
    }


def start(
    folder: Path,
    port: int,
    sandbox_port: int,
    *arguments: str,
    books: Books | None = None,
) -> "subprocess.Popen[str]":
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "app", "demo", *arguments],
            cwd=folder,
            env=environment(folder, port, sandbox_port, books),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )


def ready(process: "subprocess.Popen[str]", folder: Path) -> dict[str, object]:
    """Wait for the start table as JSON; a bank that keeps silent is ended."""
    assert process.stdout is not None
    too_late = threading.Timer(READY_WITHIN_S, process.kill)  # ends the reading, too
    too_late.start()
    try:
        for line in process.stdout:
            if line.startswith("{"):
                table: dict[str, object] = json.loads(line)
                return table
    finally:
        too_late.cancel()
    said = (folder / LOG).read_text()
    raise AssertionError(f"the bank did not open within {READY_WITHIN_S} s: {said}")


def started(
    folder: Path, port: int, sandbox_port: int, books: Books
) -> tuple[Process, dict[str, object]]:
    """Start it warm, and wait for the start table.

    Raises:
        AssertionError: it ended or kept silent; it is ended then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    env = environment(folder, port, sandbox_port, books)
    with TemporaryDirectory() as place:  # the table names codes: no log of the bank
        out = Path(place) / "out"
        words = ("app", "demo", "--json")
        process = launch(words, folder, env, out, folder / LOG)
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline and process.poll() is None:
            told = out.read_text() if out.exists() else ""
            for line in told.splitlines(keepends=True):
                if line.startswith("{") and line.endswith("\n"):
                    return process, json.loads(line)
            time.sleep(0.02)
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    said = (folder / LOG).read_text()
    raise AssertionError(f"the bank did not open within {READY_WITHIN_S} s: {said}")


@contextmanager
def a_bank(folder: Path, books: Books | None = None) -> Iterator[BankProcess]:
    """Start a bank (warm), give it, end it; its books must balance.

    Args:
        folder: where it runs and keeps its keys.
        books: its database, see `books_of`; a file in its folder if left out.
    """
    kept = books or Books(f"sqlite://{folder / FILE}")
    port, sandbox_port = free_port(), free_port()
    process, table = started(folder, port, sandbox_port, kept)
    bank = BankProcess(
        process,
        f"http://localhost:{port}",
        f"http://127.0.0.1:{sandbox_port}",
        folder,
        table,
        kept,
    )
    try:
        yield bank
        assert bank.broken_proofs() == []
    finally:
        if bank.process.poll() is None:
            bank.process.send_signal(signal.SIGTERM)
            bank.process.wait(timeout=30)
