"""`python -m app COMMAND`: arguments only; every command's work is elsewhere."""

import sys
from pathlib import Path

import typer

from app import settings as settings_module
from app.adapters import UnknownAdapter
from app.commands import audit, customers, keys, payments, review, streams, terminal
from app.errors import Outage, Refusal
from app.settings import Misconfigured

bank = typer.Typer(
    help="Sixpence: the backend behind a bank's mobile app.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
bank.add_typer(keys.app, name="keys")
bank.add_typer(customers.app, name="customers")
bank.add_typer(audit.app, name="audit")
bank.add_typer(streams.app, name="streams")
bank.add_typer(review.app, name="review")
bank.add_typer(payments.app, name="payments")


@bank.command()
def demo(*, as_json: terminal.Json = False) -> None:
    """Run everything on this machine: database, customers, outside world, server."""
    from app import demo as laptop

    terminal.run_long(laptop.run(terminal.settings(), as_json=as_json))


@bank.command()
def serve() -> None:
    """Serve the phones; the schema must be at head."""
    from app import main

    terminal.run_long(main.serve(terminal.settings()))


@bank.command()
def worker() -> None:
    """Do what no phone waits for: texts, payments under way, coherence."""
    from app import worker as back_door

    terminal.run_long(back_door.main(terminal.settings()))


@bank.command()
def migrate() -> None:
    """Bring the schema to head, put the guards on and look at everything."""
    from app import worker as back_door

    terminal.run(back_door.migrate(terminal.settings()))


@bank.command()
def schema() -> None:
    """Print the contract into app/schema/schema.graphql."""
    from app.schema import root

    file = Path(__file__).parent / "schema" / "schema.graphql"
    fresh = root.sdl()
    changed = not file.exists() or file.read_text() != fresh
    file.write_text(fresh)
    typer.echo("schema.graphql changed" if changed else "schema.graphql is fresh")


@bank.command()
def documents() -> None:
    """Print every listed operation: kind, level, price; as JSON beside the list too."""
    from app.commands import documents as listing

    listing.documents()


@bank.command()
def config() -> None:
    """Show every setting, its value and its source; secrets as set or unset."""
    from app import connections

    found = terminal.settings()
    for name, field in type(found).model_fields.items():
        value = getattr(found, name)
        shown = ("set" if value else "unset") if name.endswith("_file") else value
        if name in {"database_url", "bus_url"}:
            shown = connections.shown(value)
        source = settings_module.source_of(name)
        typer.echo(f"{settings_module.PREFIX}{name.upper()}={shown}  ({source})")
        typer.echo(f"    {field.description}")


@bank.command()
def doctor() -> None:
    """Look at what nobody is told of: a core that is away, accounts without holds."""
    from app.commands import doctor as surgery

    surgery.doctor()


@bank.command()
def unfreeze(by: terminal.By, reason: terminal.Reason) -> None:
    """Allow postings again after a broken proof stopped them."""
    from app import worker as back_door

    terminal.run(back_door.unfreeze(terminal.settings(), by, reason))


def main() -> None:
    """Run one command; what fails is one sentence and an exit code."""
    try:
        bank()
    except (Misconfigured, UnknownAdapter) as wrong:
        sys.stderr.write(f"Sixpence cannot start: {wrong}\n")
        sys.exit(terminal.SET_UP)
    except Refusal as no:
        sys.stderr.write(f"{no.code}: {no.message}\n")
        sys.exit(terminal.REFUSED)
    except Outage as unwell:
        sys.stderr.write(f"Sixpence: {unwell.cause}; try again in a moment\n")
        sys.exit(terminal.REFUSED)


if __name__ == "__main__":
    main()
