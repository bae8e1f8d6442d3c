"""`python -m app COMMAND`: arguments only; every command's work is elsewhere."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app import settings as settings_module
from app import telemetry
from app.adapters import UnknownAdapter
from app.errors import Outage, Refusal
from app.settings import Misconfigured, Settings

if TYPE_CHECKING:
    from app.auth.standing import NewCustomer, Staff
    from app.bank import Bank

DONE, REFUSED, SET_UP = 0, 1, 2

bank = typer.Typer(
    help="Sixpence: the backend behind a bank's mobile app.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
customers = typer.Typer(help="The desk: customers, their codes, their locks.")
audit = typer.Typer(help="The audit chain.")
keys = typer.Typer(help="Keys: shown, rotated, moved to, let go.")
bank.add_typer(keys, name="keys", no_args_is_help=True)
bank.add_typer(customers, name="customers", no_args_is_help=True)
bank.add_typer(audit, name="audit", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One line of JSON for scripts.")]
By = Annotated[str, typer.Option("--by", help="Who does it; stands in the audit.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; stands in the audit.")]


@bank.command()
def demo(*, as_json: Json = False) -> None:
    """Run everything on this machine: database, customers, outside world, server."""
    from app import demo as laptop  # noqa: PLC0415  -- each command loads its own

    _run(laptop.run(_settings(), as_json=as_json))


@bank.command()
def serve() -> None:
    """Serve the phones; the schema must be at head."""
    from app import main  # noqa: PLC0415  -- each command loads its own

    _run(main.serve(_settings()))


@bank.command()
def worker() -> None:
    """Do what no phone waits for: texts, payments under way, coherence."""
    from app import worker as back_door  # noqa: PLC0415  -- each command loads its own

    _run(back_door.main(_settings()))


@bank.command()
def migrate() -> None:
    """Bring the schema to head, put the guards on and look at everything."""
    from app import worker as back_door  # noqa: PLC0415  -- each command loads its own

    _run(back_door.migrate(_settings()))


@bank.command()
def schema() -> None:
    """Print the contract into app/schema/schema.graphql."""
    from app.schema import root  # noqa: PLC0415  -- each command loads its own

    file = Path(__file__).parent / "schema" / "schema.graphql"
    fresh = root.sdl()
    changed = not file.exists() or file.read_text() != fresh
    file.write_text(fresh)
    typer.echo("schema.graphql changed" if changed else "schema.graphql is fresh")


@bank.command()
def config() -> None:
    """Show every setting, its value and its source; secrets as set or unset."""
    from app import connections  # noqa: PLC0415  -- each command loads its own

    found = _settings()
    for name, field in type(found).model_fields.items():
        value = getattr(found, name)
        shown = ("set" if value else "unset") if name.endswith("_file") else value
        if name == "database_url":
            shown = connections.shown(value)
        source = settings_module.source_of(name)
        typer.echo(f"{settings_module.PREFIX}{name.upper()}={shown}  ({source})")
        typer.echo(f"    {field.description}")


@bank.command()
def unfreeze(by: By, reason: Reason) -> None:
    """Allow postings again after a broken proof stopped them."""
    from app import worker as back_door  # noqa: PLC0415  -- each command loads its own

    _run(back_door.unfreeze(_settings(), by, reason))


@customers.command()
def add(  # noqa: PLR0913  -- one option a fact
    *,
    name: Annotated[str, typer.Option("--name", help="As the customer sees it.")],
    phone: Annotated[str, typer.Option("--phone", help="E.164, like +919876543210.")],
    by: By,
    reason: Reason,
    number: Annotated[str | None, typer.Option("--number")] = None,
    locale: Annotated[str, typer.Option("--locale", help="BCP 47.")] = "en-IN",
    account: Annotated[
        list[str] | None,
        typer.Option("--account", help="KIND:NAME:CURRENCY; may be given again."),
    ] = None,
) -> None:
    """Add a customer and open accounts, CURRENT:Everyday:INR for example."""
    staff, new = _staff(by, reason), _new(name, phone, number, locale)

    async def work(bank: "Bank") -> None:
        from app import desk  # noqa: PLC0415  -- each command loads its own

        added = await desk.customers_add(bank, staff, new)
        typer.echo(f"added {added.number}")
        for wish in account or ():
            opened = await desk.account_open(bank, staff, added.id, wish)
            typer.echo(f"opened {opened.name} {opened.masked_number}")

    _at_the_desk(work)


@customers.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV: number,name,phone,locale.")],
    *,
    by: By,
    reason: Reason,
) -> None:
    """Add the customers of a CSV file, all or none."""
    staff = _staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import desk  # noqa: PLC0415  -- each command loads its own

        done = await desk.customers_import(bank, staff, file)
        typer.echo(f"added {done.count} customers")

    _at_the_desk(work)


@customers.command()
def code(
    number: Annotated[str, typer.Argument(help="Customer number.")],
    *,
    by: By,
    reason: Reason,
) -> None:
    """Print an activation code, once; the one before it dies."""
    staff = _staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import desk  # noqa: PLC0415  -- each command loads its own

        typer.echo(await desk.customers_code(bank, staff, number))

    _at_the_desk(work)


@customers.command("reset-factors")
def reset_factors(
    number: Annotated[str, typer.Argument(help="Customer number.")],
    *,
    by: By,
    reason: Reason,
) -> None:
    """Print a reset code, once: it removes authenticator, codes and passkeys."""
    staff = _staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import desk  # noqa: PLC0415  -- each command loads its own

        typer.echo(await desk.customers_reset_factors(bank, staff, number))

    _at_the_desk(work)


@customers.command()
def unlock(
    number: Annotated[str, typer.Argument(help="Customer number.")],
    *,
    by: By,
    reason: Reason,
) -> None:
    """End the blocks and locks of a customer and of the phones."""
    staff = _staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import desk  # noqa: PLC0415  -- each command loads its own

        phones = await desk.customers_unlock(bank, staff, number)
        typer.echo(f"unlocked; {phones} phones were locked")

    _at_the_desk(work)


@audit.command()
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
        from app import auditor  # noqa: PLC0415  -- each command loads its own

        found = await auditor.verify(bank, _utc(since), anchors)
        for line in found or ("Every chain is whole.",):
            typer.echo(line)
        if found:
            typer.echo("broken")
        return REFUSED if found else DONE

    _at_the_desk(work)


@audit.command()
def export(
    *,
    by: By,
    reason: Reason,
    customer: Annotated[
        str | None, typer.Option("--customer", help="Only this customer number.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option("--from", help="Begin there, in UTC.")
    ] = None,
) -> None:
    """Print entries and seals as lines of JSON; the export is an entry itself."""
    staff = _staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import auditor  # noqa: PLC0415  -- each command loads its own

        wish = auditor.Wish(number=customer, since=_utc(since))
        await auditor.export(bank, staff, wish, typer.echo)

    _at_the_desk(work)


@keys.command("list")
def list_() -> None:
    """Name every signing key and ring key, and how many rows name it."""

    async def work(bank: "Bank") -> None:
        from app import keyring  # noqa: PLC0415  -- each command loads its own

        for line in await keyring.listed(bank):
            typer.echo(line)

    _at_the_desk(work)


@keys.command()
def rotate(
    *,
    by: By,
    reason: Reason,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="The key in use leaked: do not wait.")
    ] = False,
) -> None:
    """Let the next signing key sign; nobody is signed out."""
    staff = _staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import keyring  # noqa: PLC0415  -- each command loads its own

        kid = await keyring.rotate(bank, staff, at_once=at_once)
        typer.echo(f"{kid} signs from now on")

    _at_the_desk(work)


@keys.command()
def reseal() -> None:
    """Move what is sealed or looked up to the current key of each ring, now."""

    async def work(bank: "Bank") -> None:
        from app import keyring  # noqa: PLC0415  -- each command loads its own

        done = await keyring.reseal(bank)
        typer.echo(f"moved {done.rows} rows; {done.stuck} do not open")

    _at_the_desk(work)


@keys.command()
def retire(
    ring: Annotated[str, typer.Argument(help="sealing or pepper.")],
    key_id: Annotated[int, typer.Argument(help="Id of the key in its ring.")],
    *,
    by: By,
    reason: Reason,
) -> None:
    """Say that a key may leave its ring; refused while a row names it."""
    staff = _staff(by, reason)

    async def work(bank: "Bank") -> None:
        from app import keyring  # noqa: PLC0415  -- each command loads its own

        await keyring.retire(bank, staff, ring, key_id)
        typer.echo(f"No row names {ring} {key_id}: take its line out of the file.")

    _at_the_desk(work)


def _settings() -> Settings:
    found = settings_module.load()
    telemetry.configure(found.log_format, found.log_level)
    return found


def _staff(by: str, reason: str) -> "Staff":
    from app.auth.standing import Staff  # noqa: PLC0415  -- each command loads its own

    return Staff(name=by, reason=reason)


def _new(name: str, phone: str, number: str | None, locale: str) -> "NewCustomer":
    from app.auth.standing import NewCustomer  # noqa: PLC0415  -- same

    return NewCustomer(name=name, phone=phone, number=number, locale=locale)


def _utc(given: datetime | None) -> datetime | None:
    return given and given.replace(tzinfo=UTC)


def _at_the_desk(work: Callable[["Bank"], Awaitable[int | None]]) -> None:
    from app.bank import open_bank  # noqa: PLC0415  -- each command loads its own

    async def opened() -> int | None:
        refused: Refusal | None = None
        code: int | None = None
        async with open_bank(_settings(), frozenset()) as bank:
            try:
                code = await work(bank)
            except Refusal as no:
                refused = no  # raised outside, or the bank's task group wraps it
        if refused is not None:
            raise refused
        return code

    _run(opened())


def _run(work: Coroutine[Any, Any, int | None]) -> None:
    raise typer.Exit(asyncio.run(work) or DONE)


def main() -> None:
    """Run one command; what fails is one sentence and an exit code."""
    try:
        bank()
    except (Misconfigured, UnknownAdapter) as wrong:
        sys.stderr.write(f"Sixpence cannot start: {wrong}\n")
        sys.exit(SET_UP)
    except Refusal as no:
        sys.stderr.write(f"{no.code}: {no.message}\n")
        sys.exit(REFUSED)
    except Outage as unwell:
        sys.stderr.write(f"Sixpence: {unwell.cause}; try again in a moment\n")
        sys.exit(REFUSED)


if __name__ == "__main__":
    main()
