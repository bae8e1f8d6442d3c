"""Arguments of the commands about what is told and shown."""

from typing import Annotated

import typer

from mock_mobile_client.entry import As, commands_of, run

Channels = Annotated[
    tuple[str, str] | None,
    typer.Option("--by", metavar="CATEGORY CHANNELS", help='MONEY_IN "PUSH,IN_APP"'),
]
Threshold = Annotated[
    tuple[str, str] | None,
    typer.Option("--from", metavar="CATEGORY AMOUNT", help='MONEY_IN "500.00 INR"'),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (notify, quick, account):
        app.command()(command)


def notify(
    ctx: typer.Context,
    by: Channels = None,
    least: Threshold = None,
    quiet: Annotated[
        str | None, typer.Option("--quiet", help="22:00-07:00, or none.")
    ] = None,
    amounts: Annotated[
        str | None, typer.Option("--amounts", help="shown or hidden in pushes.")
    ] = None,
    phone: As = "Asha-1",
) -> None:
    """Show what the customer is told, or choose it."""
    from mock_mobile_client.money import money  # noqa: PLC0415  -- --help stays quick

    given: dict[str, object] = {}
    if by is not None:
        channels = [one for one in by[1].upper().split(",") if one]
        given |= {"category": by[0].upper(), "channels": channels}
    if least is not None:
        amount = money(least[1]).at(2).as_input()
        given |= {"category": least[0].upper(), "threshold": amount}
    if quiet is not None:
        start, _, end = quiet.partition("-")
        hours = None if quiet == "none" else {"from": start, "to": end}
        given |= {"quietHours": hours}
    if amounts is not None:
        given |= {"hideAmountsInPush": amounts != "shown"}
    run(commands_of(ctx).notify(phone, given))


def quick(
    ctx: typer.Context,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", help="Account it may show; '' allows none."),
    ] = None,
    phone: As = "Asha-1",
) -> None:
    """Show balances without a sign-in, or choose which."""
    run(commands_of(ctx).quick(phone, allow))


def account(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(help="Name of the account.")],
    nickname: Annotated[
        str | None, typer.Option("--call", help="Another name; '' takes it away.")
    ] = None,
    low: Annotated[
        str | None, typer.Option("--low", help='"500.00 INR"; empty for no alert.')
    ] = None,
    phone: As = "Asha-1",
) -> None:
    """Name an account, or be told when it runs low."""
    run(commands_of(ctx).account(phone, target, nickname, low))
