"""`python -m app streams ...`: the streams that phones follow."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.commands import terminal

if TYPE_CHECKING:
    from app.bank import Bank

app = typer.Typer(help="The streams that phones follow.", no_args_is_help=True)


@app.callback()
def streams() -> None:
    """The streams that phones follow."""


@app.command("new-epoch")
def new_epoch(
    *,
    by: terminal.By,
    reason: terminal.Reason,
    customer: Annotated[
        str | None, typer.Option("--customer", help="Only this customer number.")
    ] = None,
) -> None:
    """Let every phone load its picture again: a step of each restore from a backup."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import desk

        renewed = await desk.streams_new_epoch(bank, staff, customer)
        typer.echo(f"streams with another epoch: {renewed}")

    terminal.at_the_desk(work)
