"""`python -m app review ...`: payments that a person looks at before they may go on."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.commands import terminal

if TYPE_CHECKING:
    from app.bank import Bank

app = typer.Typer(help="Payments that the risk rules held.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(help="Id of the payment, as list shows it.")]


@app.command("list")
def list_(*, by: terminal.By, reason: terminal.Reason) -> None:
    """List the payments that wait, the oldest first, and what the rules saw."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import review_desk

        for line in await review_desk.listed(bank, staff):
            typer.echo(line)

    terminal.at_the_desk(work)


@app.command()
def release(payment: Which, *, by: terminal.By, reason: terminal.Reason) -> None:
    """Let a payment go on; its customer has 24 hours to approve it."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import review_desk

        typer.echo(await review_desk.released(bank, staff, payment))

    terminal.at_the_desk(work)


@app.command()
def refuse(payment: Which, *, by: terminal.By, reason: terminal.Reason) -> None:
    """End a payment; its customer is not told which rule."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import review_desk

        typer.echo(await review_desk.refused(bank, staff, payment))

    terminal.at_the_desk(work)


@app.command()
def replay(payment: Which, *, by: terminal.By, reason: terminal.Reason) -> None:
    """Make the stored decision about any payment again, with the rules of today."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> int:
        from app import review_desk

        lines, differs = await review_desk.replayed(bank, staff, payment)
        for line in lines:
            typer.echo(line)
        return terminal.REFUSED if differs else terminal.DONE

    terminal.at_the_desk(work)
