"""`python -m app payments ...`: payments whose outcome nobody knows."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.commands import terminal

if TYPE_CHECKING:
    from app.bank import Bank

app = typer.Typer(help="Payments nobody is sure of.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(help="Id of the payment, as unsure shows it.")]


@app.command()
def unsure(*, by: terminal.By, reason: terminal.Reason) -> None:
    """List them, the oldest first, with the ids by which their partners know them."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import review_desk

        for line in await review_desk.unsure(bank.doubts, staff):
            typer.echo(line)

    terminal.at_the_desk(work)


@app.command()
def ask(payment: Which, *, by: terminal.By, reason: terminal.Reason) -> None:
    """Ask the partner about one now, whatever the timetable says."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        found = await bank.doubts.ask(staff, payment)
        typer.echo(f"{found.id} {found.status}")

    terminal.at_the_desk(work)


@app.command()
def settled(payment: Which, *, by: terminal.By, reason: terminal.Reason) -> None:
    """Take the held money: the rail's own records say that the payee has it."""
    _decided(payment, by, reason, settled=True)


@app.command()
def failed(payment: Which, *, by: terminal.By, reason: terminal.Reason) -> None:
    """Free the held money: the rail's own records say that the payee has none."""
    _decided(payment, by, reason, settled=False)


def _decided(payment: str, by: str, reason: str, *, settled: bool) -> None:
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        found = await bank.doubts.decide(staff, payment, settled=settled)
        typer.echo(f"{found.id} {found.status}")

    terminal.at_the_desk(work)
