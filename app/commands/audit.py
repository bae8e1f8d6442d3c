"""`python -m app audit ...`: walk the chains, print them."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands import terminal

if TYPE_CHECKING:
    from app.bank import Bank

app = typer.Typer(help="The audit chain.", no_args_is_help=True)


@app.command()
def verify(
    *,
    since: Annotated[
        datetime | None, typer.Option("--from", help="Begin there, in UTC.")
    ] = None,
    anchors: Annotated[
        Path | None, typer.Option("--anchors", help="A copy of the seals.")
    ] = None,
) -> None:
    """Walk every chain and its seals and name the first row that does not fit."""

    async def work(bank: "Bank") -> int:
        from app import auditor

        found = await auditor.verify(bank, terminal.utc(since), anchors)
        for line in found or ("Every chain is whole.",):
            typer.echo(line)
        if found:
            typer.echo("broken")
        return terminal.REFUSED if found else terminal.DONE

    terminal.at_the_desk(work)


@app.command()
def export(
    *,
    by: terminal.By,
    reason: terminal.Reason,
    customer: Annotated[
        str | None, typer.Option("--customer", help="Only this customer number.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option("--from", help="Begin there, in UTC.")
    ] = None,
) -> None:
    """Print entries and seals as lines of JSON; the export is an entry itself."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import auditor

        wish = auditor.Wish(number=customer, since=terminal.utc(since))
        await auditor.export(bank, staff, wish, typer.echo)

    terminal.at_the_desk(work)
