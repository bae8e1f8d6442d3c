"""`python -m app documents`: what an app may ask, what it costs, who may ask it."""

from collections.abc import Sequence

import orjson
import typer

from app.commands import terminal
from app.schema import root, trusted
from app.schema.library import Documents, Row
from app.settings import Misconfigured, Settings


def documents() -> None:
    """Print every listed operation, and write the same as JSON beside its list."""
    settings = terminal.settings()
    folder = trusted.folder_of(settings.documents_dir)
    for version, rows in sheet(settings).items():
        typer.echo(f"{version}: {len(rows)} operations")
        for row in rows:
            least = f"from {row.price}" if row.priced_late else str(row.price)
            typer.echo(f"  {row.kind:<12} {row.level:<9} {least:>9}  {row.name}")
        file = folder / f"{version}{trusted.BESIDE}"
        try:
            file.write_text(as_json(version, rows))
        except OSError as refused:
            raise Misconfigured(f"{file} cannot be written: {refused}") from None


def sheet(settings: Settings) -> dict[str, list[Row]]:
    """Give the operations of every list by app version.

    Raises:
        Misconfigured: a list is broken; the sentence says which, and why.
    """
    return Documents(root.SCHEMA._schema, settings).sheet()  # noqa: SLF001  -- the library has no public way


def as_json(version: str, rows: Sequence[Row]) -> str:
    """Write one app version's operations for a client's link to read.

    `level` says what to send: ANONYMOUS nothing, DEVICE a bare proof, LOGIN and STEP_UP
    token and proof. A price that grows with a size in the variables is the least one.
    """
    page = {"version": version, "operations": [row.shown() for row in rows]}
    return orjson.dumps(page, option=orjson.OPT_INDENT_2).decode() + "\n"
