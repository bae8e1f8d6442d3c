"""`python -m app customers ...`: the desk, at a terminal."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands import terminal

if TYPE_CHECKING:
    from app.bank import Bank

app = typer.Typer(
    help="The desk: customers, their codes, their locks.", no_args_is_help=True
)


@app.command()
def add(  # noqa: PLR0913  -- one option a fact
    *,
    name: Annotated[str, typer.Option("--name", help="As the customer sees it.")],
    phone: Annotated[str, typer.Option("--phone", help="E.164, like +919876543210.")],
    by: terminal.By,
    reason: terminal.Reason,
    number: Annotated[str | None, typer.Option("--number")] = None,
    locale: Annotated[str, typer.Option("--locale", help="BCP 47.")] = "en-IN",
    account: Annotated[
        list[str] | None,
        typer.Option("--account", help="KIND:NAME:CURRENCY; may be given again."),
    ] = None,
) -> None:
    """Add a customer and open accounts, CURRENT:Everyday:INR for example."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import desk
        from app.auth.standing import NewCustomer

        new = NewCustomer(name=name, phone=phone, number=number, locale=locale)
        added = await desk.customers_add(bank, staff, new)
        typer.echo(f"added {added.number}")
        for wish in account or ():
            opened = await desk.account_open(bank, staff, added.id, wish)
            typer.echo(f"opened {opened.name} {opened.masked_number}")
        if bank.links is not None:
            done = await desk.customers_link(bank, staff, added.number)
            typer.echo(f"linked {done.new} accounts of the core")

    terminal.at_the_desk(work)


@app.command()
def link(
    number: Annotated[str, typer.Argument(help="Customer number.")],
    *,
    by: terminal.By,
    reason: terminal.Reason,
) -> None:
    """Take the accounts that the core has for a customer into our list."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import desk

        done = await desk.customers_link(bank, staff, number)
        typer.echo(f"{done.new} new accounts, {done.all} in all")

    terminal.at_the_desk(work)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV: number,name,phone,locale.")],
    *,
    by: terminal.By,
    reason: terminal.Reason,
) -> None:
    """Add the customers of a CSV file, all or none."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import desk

        done = await desk.customers_import(bank, staff, file)
        typer.echo(f"added {done.count} customers")

    terminal.at_the_desk(work)


@app.command()
def code(
    number: Annotated[str, typer.Argument(help="Customer number.")],
    *,
    by: terminal.By,
    reason: terminal.Reason,
) -> None:
    """Print an activation code, once; the one before it dies."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import desk

        typer.echo(await desk.customers_code(bank, staff, number))

    terminal.at_the_desk(work)


@app.command("reset-factors")
def reset_factors(
    number: Annotated[str, typer.Argument(help="Customer number.")],
    *,
    by: terminal.By,
    reason: terminal.Reason,
) -> None:
    """Print a reset code, once: it removes authenticator, codes and passkeys."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import desk

        typer.echo(await desk.customers_reset_factors(bank, staff, number))

    terminal.at_the_desk(work)


@app.command()
def zone(
    number: Annotated[str, typer.Argument(help="Customer number.")],
    name: Annotated[str, typer.Argument(help="IANA name, Europe/Berlin for example.")],
    *,
    by: terminal.By,
    reason: terminal.Reason,
) -> None:
    """Say in which time zone a customer lives; quiet hours follow it."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import desk

        await desk.customers_zone(bank, staff, number, name)
        typer.echo(f"{number} lives in {name}")

    terminal.at_the_desk(work)


@app.command()
def unlock(
    number: Annotated[str, typer.Argument(help="Customer number.")],
    *,
    by: terminal.By,
    reason: terminal.Reason,
) -> None:
    """End the blocks and locks of a customer and of the phones."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import desk

        phones = await desk.customers_unlock(bank, staff, number)
        typer.echo(f"unlocked; {phones} phones were locked")

    terminal.at_the_desk(work)
