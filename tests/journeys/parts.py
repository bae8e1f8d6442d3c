"""A bank in parts that can be killed one by one: front door, back door, outside world.

The world is a process of its own, so that what reached it stays when the bank dies.
Processes start warm (see `warm.py`): a cold start takes longer by the imports.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx

from tests.journeys.bank_process import (
    a_bank,
    becomes_free,
    environment,
    free_port,
)
from tests.journeys.books import FINERACT, Books
from tests.journeys.warm import Warm, shared

READY_WITHIN_S = 60
ACCOUNT = ".sixpence/fcm-account.json"  # as the demo has it
APNS_KEY = ".sixpence/apns-key.p8"  # same
CORE_KEY = ".sixpence/fineract-password"  # same
CORE_BOOK = ".sixpence/fineract-book.json"  # same: what the core holds outlives it
CORE_PATH = "/fineract-provider/api"
STATUS = {"query": "{ serviceStatus { component state } }"}
Words = dict[str, tuple[str, ...]]
TOGETHER: Words = {"bank": ("tests.journeys.one_process",)}
APART: Words = {"web": ("app", "serve"), "worker": ("app", "worker")}


class Parts:
    """A bank whose processes are killed and started again.

    Args:
        folder: where its keys, its clock and its logs lie.
        books: its database, migrated and seeded.
        warm: starts its processes.
        words: what follows `python -m`, for each process by its name.
    """

    def __init__(self, folder: Path, books: Books, warm: Warm, words: Words) -> None:
        self.folder = folder
        self.books = books
        self._port, self._world = free_port(), free_port()
        self.url = f"http://localhost:{self._port}"
        self.sandbox = f"http://127.0.0.1:{self._world}"
        self._warm = warm
        self._words = words
        self._running: dict[str, int] = {}
        self._offset_s = 0

    @property
    def names(self) -> list[str]:
        """What can be killed."""
        return sorted(self._words)

    @property
    def surroundings(self) -> dict[str, str]:
        """Give the environment of each process."""
        plain = environment(self.folder, self._port, self._world, self.books)
        if self.books.core == FINERACT:
            plain |= {
                "SIXPENCE_CORE_BANKING_FINERACT_BASE_URL": f"{self.sandbox}{CORE_PATH}",
                "SIXPENCE_CORE_BANKING_FINERACT_PASSWORD_FILE": CORE_KEY,
            }
        return plain | {
            "SIXPENCE_POLL_S": "1",  # nothing joins the processes but the database
            "SIXPENCE_SMS_HTTP_BASE_URL": self.sandbox,
            "SIXPENCE_PUSH_FCM_BASE_URL": f"{self.sandbox}/fcm",
            "SIXPENCE_PUSH_FCM_ACCOUNT_FILE": ACCOUNT,
            "SIXPENCE_PUSH_APNS_BASE_URL": f"{self.sandbox}/apns",
            "SIXPENCE_RAILS_IMPS_BASE_URL": self.sandbox,
            "SIXPENCE_RAILS_IMPS_UNDO_FIRST_S": "0",
            "SIXPENCE_REPLAY_MAX": "5000",  # kill after kill, a phone misses more
        }

    def start(self, *names: str) -> None:
        """Start what is named and wait for the first answered query."""
        for name in names:
            words, env = self._words[name], self.surroundings
            self._running[name] = self._warm.start(words, self.folder, env)
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                answer = httpx.post(f"{self.url}/graphql", json=STATUS, timeout=5)
                if answer.status_code == 200 and answer.json().get("data"):
                    return
            time.sleep(0.02)
        raise AssertionError((self.folder / "stderr.log").read_text()[-2000:])

    def kill(self, *names: str) -> None:
        """End what is named by kill -9."""
        for name in names:
            self._warm.kill(self._running.pop(name))
        if set(names) & {"bank", "web"}:
            assert becomes_free(self._port)

    def close(self) -> None:
        """End whatever still runs."""
        self.kill(*[*self._running])

    @contextmanager
    def world(self) -> Iterator[None]:
        """Run the outside world meanwhile."""
        asked = ["--port", str(self._world), "--clock-file", ".sixpence/clock"]
        asked += ["--fcm-account", ACCOUNT, "--apns-key", APNS_KEY]
        if self.books.core == FINERACT:
            asked += ["--fineract-book", CORE_BOOK, "--fineract-password", CORE_KEY]
        with (self.folder / "world.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "sandbox", *asked, "--exit-with-parent"],
                cwd=self.folder,
                env=self.surroundings,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline()
        try:
            yield
        finally:
            process.stdin.close()
            process.wait(timeout=30)
            process.stdout.close()

    def move_clock(self, by_s: int) -> None:
        """Move the clock of the bank on."""
        self._offset_s += by_s
        wish = {"offset_s": self._offset_s}
        httpx.put(f"{self.sandbox}/_clock", json=wish).raise_for_status()


@contextmanager
def bank_in_parts(
    folder: Path, books: Books, *, apart: bool = False
) -> Iterator[Parts]:
    """Seed a bank as the demo does, then run it in parts; its books must balance.

    Args:
        folder: where it runs.
        books: its database.
        apart: front door and back door in two processes, else together in one.
    """
    with a_bank(folder, books):
        pass  # migrated and seeded, and closed again
    with ExitStack() as stack:
        parts = Parts(folder, books, shared(), APART if apart else TOGETHER)
        stack.callback(parts.close)
        stack.enter_context(parts.world())
        parts.start(*parts.names)
        yield parts
        assert books.broken_proofs() == []
