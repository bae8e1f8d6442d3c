"""Arguments of `fleet`."""

from typing import Annotated

import typer

from mock_mobile_client.entry import commands_of, run


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(fleet)


def fleet(  # noqa: PLR0913  -- the options of the command line
    ctx: typer.Context,
    *,
    count: Annotated[int, typer.Option("-n", min=1, max=20_000, help="Phones.")] = 30,
    seconds: Annotated[
        float, typer.Option("-d", min=1, help="How long, seconds.")
    ] = 60,
    pay: Annotated[
        float, typer.Option(min=0, help="Payments a second, of all phones together.")
    ] = 1,
    storm: Annotated[
        float | None, typer.Option(min=0, help="Cut every line after so many seconds.")
    ] = None,
    max_p99_ms: Annotated[
        float | None, typer.Option(min=0, help="Fail when one in a hundred is later.")
    ] = None,
    mine: Annotated[
        bool, typer.Option("--this-server-is-mine", help="Not only on this machine.")
    ] = False,
) -> None:
    """Hold the sockets of many phones and judge what they see."""
    commands = commands_of(ctx)
    import uvloop  # noqa: PLC0415  -- --help stays quick

    from mock_mobile_client.commands_fleet import (  # noqa: PLC0415  -- same
        fleet as play,
    )
    from mock_mobile_client.fleet import Wish  # noqa: PLC0415  -- same

    wish = Wish(count, seconds, pay, storm, max_p99_ms)
    run(play(commands, wish, mine=mine), uvloop.new_event_loop)
