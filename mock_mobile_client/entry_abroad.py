"""Arguments of the commands about who is paid, and what that would cost."""

from typing import Annotated

import typer

from mock_mobile_client.entry import As, commands_of, run

Bank = Annotated[
    str | None, typer.Option("--bank", help="IFSC of another bank; else this one.")
]
beneficiary = typer.Typer(no_args_is_help=True, help="Saved payees.")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.add_typer(beneficiary, name="beneficiary")
    app.command()(quote)


@beneficiary.command("who")
def who(
    ctx: typer.Context,
    number: Annotated[str, typer.Argument(help="Account number.")],
    bank: Bank = None,
    phone: As = "Asha-1",
) -> None:
    """Show who is behind an account."""
    run(commands_of(ctx).who(phone, number, bank))


@beneficiary.command("add")
def add_payee(  # noqa: PLR0913  -- the options of the command line
    ctx: typer.Context,
    nickname: Annotated[str, typer.Argument(help="How the list shows the payee.")],
    name: Annotated[str, typer.Argument(help="Name of the account's holder.")],
    number: Annotated[str, typer.Argument(help="Account number.")],
    bank: Bank = None,
    *,
    although: Annotated[
        bool, typer.Option("--although", help="The account has another name: go on.")
    ] = False,
    phone: As = "Asha-1",
) -> None:
    """Save a payee, approved by step-up."""
    wish, account = (nickname, name), (number, bank)
    run(commands_of(ctx).save_payee(phone, wish, account, acknowledged=although))


def quote(
    ctx: typer.Context,
    payee: Annotated[str, typer.Argument(help="Nickname of a payee, or own account.")],
    amount: Annotated[str, typer.Argument(help='For example "12.50 INR".')],
    source: Annotated[
        str | None, typer.Option("--from", help="Own account; else the first.")
    ] = None,
    phone: As = "Asha-1",
) -> None:
    """Show what a payment would cost, and how."""
    run(commands_of(ctx).quote(phone, payee, amount, source))
