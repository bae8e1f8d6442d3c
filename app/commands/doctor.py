"""`python -m app doctor`: what is not as it should be, and hurts nobody yet."""

from typing import TYPE_CHECKING

import typer

from app.commands import terminal

if TYPE_CHECKING:
    from app.bank import Bank

_SHOWN = 50


def doctor() -> None:
    """Ask the core, and name accounts that only receive, or moved to another client."""

    async def work(bank: "Bank") -> int:
        health = await bank.core.health()
        well = health.reachable and health.posts
        typer.echo(f"core  {'answers' if well else health.detail or 'is away'}")
        found = [] if bank.links is None else await bank.links.without_holds()
        for account in found[:_SHOWN]:
            typer.echo(f"no external id, so no holds  {account}")
        if len(found) > _SHOWN:
            typer.echo("and more")
        moved = [] if bank.links is None else await bank.links.moved()
        for account in moved:
            typer.echo(f"moved to another client, so shown to nobody  {account}")
        return terminal.DONE if well and not (found or moved) else terminal.REFUSED

    terminal.at_the_desk(work)
