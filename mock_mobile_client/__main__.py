"""`python -m mock_mobile_client`: arguments only; the phone is imported when it acts.

Exit codes: 0 done, 1 refused or failed check, 2 usage or set-up, 3 unreachable.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mock_mobile_client import (
    entry_abroad,
    entry_devices,
    entry_fleet,
    entry_wishes,
)
from mock_mobile_client.entry import As, Given, commands_of, factor_of, run
from mock_mobile_client.errors import BadEntry

if TYPE_CHECKING:
    from mock_mobile_client.commands import Commands

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help, in half the time
    pretty_exceptions_enable=False,  # its frames would show keys and PINs
    help="A phone of a Sixpence customer: it knows the bank only through the wire.",
)


@app.callback()
def read_options(  # noqa: PLR0913  -- the options of the command line
    ctx: typer.Context,
    url: Annotated[
        str, typer.Option(help="The bank's public address.")
    ] = "http://localhost:8000",
    sandbox: Annotated[
        str, typer.Option(help="Where SMS arrive.")
    ] = "http://127.0.0.1:8001",
    phones: Annotated[Path, typer.Option(help="Where the phones lie.")] = Path(
        ".sixpence/phones"
    ),
    pin: Annotated[str | None, typer.Option(help="The mPIN that is typed.")] = None,
    finger: Annotated[
        str | None, typer.Option(help="What lies on the sensor; else the owner's.")
    ] = None,
    *,
    by_id: Annotated[
        bool, typer.Option("--by-id", help="Send ids of operations, not their texts.")
    ] = False,
) -> None:
    """Remember the options that every command has."""
    ctx.obj = Given(url, sandbox, phones, pin, finger, by_id)


@app.command()
def demo(
    ctx: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Play two phones through the whole bank; as often as you like."""
    run(commands_of(ctx).demo(as_json=as_json))


@app.command()
def enrol(
    ctx: typer.Context,
    customer: Annotated[str, typer.Argument(help="asha or ben")],
    phone: Annotated[str | None, typer.Option("--as", help="Asha-1, Asha-2 …")] = None,
    code: Annotated[str | None, typer.Option(help="Activation code.")] = None,
    *,
    passkey: Annotated[
        bool, typer.Option("--passkey", help="Register one too.")
    ] = False,
    biometric: Annotated[
        bool, typer.Option("--biometric", help="Set a biometric key too.")
    ] = False,
) -> None:
    """Bind a phone by activation code and SMS, and set its mPIN."""
    wish = {"passkey": passkey, "biometric": biometric}
    run(commands_of(ctx).enrol(phone or customer, code, **wish))


@app.command()
def login(
    ctx: typer.Context,
    phone: As = "Asha-1",
    factor: Annotated[
        str, typer.Option("--with", help="mpin, passkey or biometric")
    ] = "mpin",
) -> None:
    """Sign in."""
    run(commands_of(ctx).login(phone, factor_of(factor, "--with")))


@app.command()
def logout(ctx: typer.Context, phone: As = "Asha-1") -> None:
    """Sign out; the phone stays bound."""
    run(commands_of(ctx).logout(phone))


@app.command()
def accounts(ctx: typer.Context, phone: As = "Asha-1") -> None:
    """Show accounts: available, booked, held."""
    run(commands_of(ctx).accounts(phone))


@app.command()
def statement(
    ctx: typer.Context,
    account: Annotated[str, typer.Argument(help="Name of the account.")] = "Everyday",
    last: Annotated[int, typer.Option(min=1, max=100, help="How many rows.")] = 10,
    phone: As = "Asha-1",
) -> None:
    """Show the newest rows of an account."""
    run(commands_of(ctx).statement(phone, account, last))


@app.command()
def inbox(
    ctx: typer.Context,
    first: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 10,
    phone: As = "Asha-1",
    *,
    read: Annotated[bool, typer.Option("--read", help="Mark them read.")] = False,
) -> None:
    """Show what the bank told, and what became of each push."""
    run(commands_of(ctx).inbox(phone, first, read=read))


@app.command()
def pay(  # noqa: PLR0913, PLR0917  -- the options of the command line
    ctx: typer.Context,
    payee: Annotated[str, typer.Argument(help="Saved payee or own account.")],
    amount: Annotated[tuple[str, str], typer.Argument(metavar="250.00 INR")],
    source: Annotated[str | None, typer.Option("--from", help="Own account.")] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key to repeat.")] = None,
    approve: Annotated[str, typer.Option(help="mpin, passkey or biometric")] = "mpin",
    phone: As = "Asha-1",
) -> None:
    """Pay, approving with mPIN, passkey or biometric key."""
    factor = factor_of(approve, "--approve")
    commands = commands_of(ctx)
    from mock_mobile_client.commands import (  # noqa: PLC0415  -- --help stays quick
        PayWish,
    )

    wish = PayWish(payee, " ".join(amount), source, key)
    run(commands.pay(phone, wish, factor))


@app.command()
def cancel(
    ctx: typer.Context,
    payment: Annotated[str, typer.Argument(help="Id of the payment.")],
    phone: As = "Asha-1",
) -> None:
    """Stop a payment that waits for you, or for the bank."""
    run(commands_of(ctx).cancel(phone, payment))


@app.command()
def watch(
    ctx: typer.Context,
    after: Annotated[str | None, typer.Option(help="Cursor to resume from.")] = None,
    for_s: Annotated[
        float | None, typer.Option("--for", help="Seconds; else until Ctrl-C.")
    ] = None,
    phone: As = "Asha-1",
) -> None:
    """Print stream and pushes as they come."""
    run(commands_of(ctx).watch(phone, after, for_s))


@app.command()
def sleep(ctx: typer.Context, phone: As = "Asha-1") -> None:
    """Send a watched phone to sleep: pushes still come."""
    run(commands_of(ctx).sleep(phone, asleep=True))


@app.command()
def wake(ctx: typer.Context, phone: As = "Asha-1") -> None:
    """Bring it back: the stream resumes where it was."""
    run(commands_of(ctx).sleep(phone, asleep=False))


@app.command()
def airplane(
    ctx: typer.Context,
    state: Annotated[str, typer.Argument(metavar="on|off")],
    phone: As = "Asha-1",
) -> None:
    """Cut a phone off from everything, or let it back."""
    if state.casefold() not in {"on", "off"}:
        raise typer.BadParameter("say on or off", param_hint="on|off")
    run(commands_of(ctx).airplane(phone, on=state.casefold() == "on"))


@app.command()
def query(
    ctx: typer.Context,
    document: Annotated[str, typer.Argument(help="GraphQL, a file, or - for stdin.")],
    variables: Annotated[str, typer.Option(help="JSON object.")] = "{}",
    level: Annotated[str, typer.Option(help="login, device, anonymous")] = "login",
    phone: As = "Asha-1",
) -> None:
    """Send any document; the phone signs it."""
    run(_queried(commands_of(ctx), phone, (document, variables, level)))


@app.command()
def proof(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(help="1 to 7, 9 or 10")],
    second: Annotated[
        str | None, typer.Option(help="Proof 6: a second web process of this bank.")
    ] = None,
) -> None:
    """Run one of the proofs of acceptance.md against this server."""
    run(commands_of(ctx).proof(number, second))


@app.command()
def status(
    ctx: typer.Context,
    for_s: Annotated[
        float | None, typer.Option("--for", help="Seconds; else until Ctrl-C.")
    ] = None,
    phone: As = "Asha-1",
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Stay, and show what changes.")
    ] = False,
) -> None:
    """Show how the parts of the bank are; nobody need be signed in."""
    run(commands_of(ctx).status(phone, watch=watch, for_s=for_s))


@app.command()
def manifest(ctx: typer.Context) -> None:
    """Print the list of this app's operations, for the bank."""
    run(commands_of(ctx).manifest())


@app.command()
def doctor(ctx: typer.Context) -> None:
    """Check clock, addresses, socket and documents, with hints."""
    run(commands_of(ctx).doctor())


async def _queried(
    commands: "Commands", phone: str, asked: tuple[str, str, str]
) -> int:
    """Read document, variables and level of `query` before anything is sent."""
    from mock_mobile_client.handset import (  # noqa: PLC0415  -- --help stays quick
        Level,
    )

    document, variables, level = asked
    if level.upper() not in Level.__members__:
        raise BadEntry("--level is login, device or anonymous")
    try:
        values = json.loads(variables)
    except ValueError as error:
        raise BadEntry(f"--variables is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise BadEntry("--variables is not a JSON object")
    text = _text(document)
    return await commands.query(phone, text, values, Level[level.upper()])


def _text(document: str) -> str:
    """The document itself, or what a file or stdin holds."""
    if document == "-":
        return sys.stdin.read()
    if "{" in document:
        return document
    try:
        return Path(document).read_text(encoding="utf-8")
    except OSError as error:
        raise BadEntry(f"{document} is neither GraphQL nor a file") from error


entry_devices.add_to(app)
entry_fleet.add_to(app)
entry_wishes.add_to(app)
entry_abroad.add_to(app)

if __name__ == "__main__":
    app()
