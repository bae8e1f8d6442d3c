"""The gates of `make check`: two lanes beside each other, and then the tests alone.

`python -m tests.house.gates MAKE`: MAKE is the program that runs the Makefile. The
gates of the lanes use one core each, the tests use all. Each gate says one line with
its time; a failing one shows its output whole, and the others still run, so that one
look names everything.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
INTERRUPTED = 130
CLOSING = re.compile(r"(SQLite|PostgreSQL): ")
# Each worker of pytest rewrites every test unless it was done before: once is enough.
GATHER = (sys.executable, "-m", "pytest", "-q", "--collect-only", "tests")
# On PostgreSQL four rooms are left to `make test`, and what has nothing there but slow
# ones is not even gathered, which each worker would do.
ROOMS = "auth", "integrations", "notifications", "schema"
LEFT = *ROOMS, "attacks", "conformance", "journeys", "phone", "sandbox"
ELSEWHERE = " ".join(f"--ignore=tests/{name}" for name in LEFT)
NOT_HERE = "not twice", "not slow"  # what `make test` runs, and the check does not


@dataclass(frozen=True, slots=True)
class Gate:
    """What is run, and the word that names it."""

    name: str
    command: tuple[str, ...]


Lanes = Sequence[Sequence[Gate]]


class Check:
    """Runs gates and says how each ended.

    Args:
        folder: gets the output of each gate, and what the gates keep meanwhile.
        say: prints one line, or the whole output of a gate that failed.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self._turn = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False
        self.failed: list[str] = []

    def run(self, lanes: Lanes) -> None:
        """Run lanes beside each other, the gates of each one after the other."""
        with ThreadPoolExecutor(len(lanes)) as pool:
            try:
                list(pool.map(self._lane, lanes))
            except BaseException:
                self._end()
                raise

    def output(self, gate: Gate) -> str:
        """Give what a gate printed."""
        return self._log(gate).read_text(errors="replace")

    def _lane(self, gates: Sequence[Gate]) -> None:
        for gate in gates:
            if not self._ended:
                self._pass(gate)

    def _pass(self, gate: Gate) -> None:
        began = time.monotonic()
        code = self._code(gate)
        took = time.monotonic() - began
        verdict = "ok" if code == 0 else "FAILED"
        with self._turn:  # the lines of one gate stay together
            self._say(f"{gate.name:7}{verdict:7} {took:4.0f} s")
            if code:
                self.failed.append(gate.name)
                self._say(self.output(gate).rstrip("\n"))

    def _code(self, gate: Gate) -> int:
        with self._log(gate).open("wb") as log:
            process = subprocess.Popen(
                gate.command,
                cwd=ROOT,
                env=os.environ | {"XDG_RUNTIME_DIR": str(self._folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._running.add(process)
        try:
            return process.wait()
        finally:
            self._running.discard(process)

    def _end(self) -> None:
        """End what runs; nothing more is started."""
        self._ended = True
        for process in [*self._running]:
            process.terminate()

    def _log(self, gate: Gate) -> Path:
        return self._folder / f"{gate.name}.log"


def lanes(make: str) -> tuple[Lanes, Gate]:
    """Name the gates of the lanes, and the tests."""
    ours = (make, "--no-print-directory")
    here, there = NOT_HERE
    parts = (f"SPARE=and {here}", f"LEAVE=and {there}", f"ELSEWHERE={ELSEWHERE}")
    beside = "TOGETHER=1"  # and so many workers a core for PostgreSQL
    return (
        (
            Gate("format", (f"{BIN}/ruff", "format", "--check", ".")),
            Gate("lint", (f"{BIN}/ruff", "check", ".")),
            Gate("types", (f"{BIN}/mypy",)),
            Gate("layers", (f"{BIN}/lint-imports",)),
            Gate("floors", (*ours, "complete")),
        ),
        (
            Gate("bench", (sys.executable, "-m", "bench", "--smoke")),
            Gate("gather", GATHER),
        ),
    ), Gate("tests", (*ours, "test", "ARGS=", *parts, beside))


def main(make: str) -> int:
    """Run everything; gives the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        check = Check(Path(folder), lambda text: print(text, flush=True))  # noqa: T201  -- what a command says
        beside, tests = lanes(make)
        try:
            check.run(beside)
            check.run([[tests]])
        except KeyboardInterrupt:
            return INTERRUPTED
        for line in check.output(tests).splitlines():
            if CLOSING.match(line):
                print(line)  # noqa: T201  -- same
    if check.failed:
        print(f"Not in order: {' '.join(check.failed)}.")  # noqa: T201  -- same
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
