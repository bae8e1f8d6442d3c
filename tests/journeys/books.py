"""Where a started bank keeps its books, and how a test reads them afterwards."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import asyncpg  # type: ignore[import-untyped]  # ships no types

from tests.conftest import all_proofs

T = TypeVar("T")
EMBEDDED, FINERACT = "embedded", "fineract"
FILE = ".sixpence/bank.db"  # where `make run` writes, below its folder


class Server(Protocol):
    """A PostgreSQL that gives databases away: of the tests, or one with fsync on."""

    def fresh(self) -> str:
        """Make a database; gives its name."""

    def url(self, name: str) -> str:
        """Give the URL of a database."""

    def drop(self, name: str) -> None:
        """Forget a database."""


@dataclass(frozen=True)
class Books:
    """The database of a bank that runs in processes of its own: only ever read.

    Its money is in the core of that name: in the same database, or in the outside
    world's double of Fineract. Its queries run by compiled plans, or without.
    """

    url: str
    core: str = EMBEDDED
    plans: bool = True

    @property
    def engine(self) -> str:
        """Name the engine for people."""
        return "SQLite" if self.url.startswith("sqlite") else "PostgreSQL"

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one SELECT; gives the rows."""
        return self.read_each([sql])[0]

    def read_each(self, questions: Sequence[str]) -> list[list[tuple[Any, ...]]]:
        """Run one SELECT after the other over one connection; gives the rows of each.

        A connection of its own for each would read the whole schema each time.
        """
        scheme, _, rest = self.url.partition("://")
        if scheme == "sqlite":
            with closing(sqlite3.connect(rest)) as books:
                return [books.execute(sql).fetchall() for sql in questions]

        async def fetched() -> list[list[tuple[Any, ...]]]:
            connection = await asyncpg.connect(self.url)
            try:
                found = [await connection.fetch(sql) for sql in questions]
            finally:
                await connection.close()
            return [[tuple(row) for row in rows] for rows in found]

        return from_anywhere(fetched)

    def one(self, sql: str) -> Any:
        """Give the only value of a SELECT."""
        ((value,),) = self.read(sql)
        return value

    def broken_proofs(self) -> list[str]:
        """Run every proof of every room in full; names those that found a row."""
        proofs = all_proofs()
        found = self.read_each([proof.full for proof in proofs])
        return [proof.name for proof, rows in zip(proofs, found, strict=True) if rows]


@contextmanager
def books_of(
    folder: Path, server: Server | None, core: str = EMBEDDED, *, plans: bool = True
) -> Iterator[Books]:
    """Give the books of one bank: a file in its folder, or a database of its own."""
    if server is None:
        yield Books(f"sqlite://{folder / FILE}", core, plans)
        return
    name = server.fresh()
    try:
        yield Books(server.url(name), core, plans)
    finally:
        server.drop(name)


def from_anywhere(work: Callable[[], Coroutine[None, None, T]]) -> T:
    """Run a coroutine to its end, also where a loop runs already: in a thread."""
    found: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(asyncio.run(work()))
        except BaseException as failure:  # noqa: BLE001  -- raised again by the caller
            failed.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]
