"""`python -m app keys ...`: the keys and their rings."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.commands import terminal

if TYPE_CHECKING:
    from app.bank import Bank

app = typer.Typer(help="Keys: shown, rotated, moved to, let go.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """Name every signing key and ring key, and how many rows name it."""

    async def work(bank: "Bank") -> None:
        from app import keyring

        for line in await keyring.listed(bank):
            typer.echo(line)

    terminal.at_the_desk(work)


@app.command()
def rotate(
    *,
    by: terminal.By,
    reason: terminal.Reason,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="The key in use leaked: do not wait.")
    ] = False,
) -> None:
    """Let the next signing key sign; nobody is signed out."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import keyring

        kid = await keyring.rotate(bank, staff, at_once=at_once)
        typer.echo(f"{kid} signs from now on")

    terminal.at_the_desk(work)


@app.command()
def reseal() -> None:
    """Move what is sealed or looked up to the current key of each ring, now."""

    async def work(bank: "Bank") -> None:
        from app import keyring

        done = await keyring.reseal(bank)
        typer.echo(f"moved {done.rows} rows; {done.stuck} do not open")

    terminal.at_the_desk(work)


@app.command()
def retire(
    ring: Annotated[str, typer.Argument(help="sealing or pepper.")],
    key_id: Annotated[int, typer.Argument(help="Id of the key in its ring.")],
    *,
    by: terminal.By,
    reason: terminal.Reason,
) -> None:
    """Say that a key may leave its ring; refused while a row names it."""
    staff = terminal.staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import keyring

        await keyring.retire(bank, staff, ring, key_id)
        typer.echo(f"No row names {ring} {key_id}: take its line out of the file.")

    terminal.at_the_desk(work)
