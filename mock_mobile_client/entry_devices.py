"""Arguments of the commands about phones, further factors, and thieves."""

from typing import Annotated

import typer

from mock_mobile_client.entry import As, commands_of, factor_of, run

Target = Annotated[str, typer.Argument(help="Name of the phone, or its id.")]

totp = typer.Typer(no_args_is_help=True, help="The phone as authenticator app.")
recovery = typer.Typer(no_args_is_help=True, help="Ten codes on paper.")
biometric = typer.Typer(no_args_is_help=True, help="The key behind finger or face.")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    of_phones = (again, devices, revoke, lock, unlock, forget, panic, thief)
    for command in (*of_phones, approve, limits, mpin, passkeys):
        app.command()(command)
    groups = {"biometric": biometric, "totp": totp, "recovery": recovery}
    for name, group in groups.items():
        app.add_typer(group, name=name)


def devices(
    ctx: typer.Context,
    rename: Annotated[
        tuple[str, str] | None, typer.Option(metavar="PHONE NAME", help="Call it so.")
    ] = None,
    phone: As = "Asha-1",
) -> None:
    """Show the customer's phones, or rename one."""
    run(commands_of(ctx).devices(phone, rename))


def revoke(
    ctx: typer.Context,
    target: Annotated[str | None, typer.Argument(help="Phone, or its id.")] = None,
    phone: As = "Asha-1",
    *,
    others: Annotated[bool, typer.Option("--others", help="All but this.")] = False,
) -> None:
    """End another phone for good."""
    if (target is None) is not others:
        raise typer.BadParameter("name one phone, or say --others", param_hint="TARGET")
    commands = commands_of(ctx)
    if target is None:
        run(commands.revoke_others(phone))
    else:
        run(commands.change(phone, "revoke", target))


def lock(ctx: typer.Context, target: Target, phone: As = "Asha-1") -> None:
    """Suspend another phone; its keys stay."""
    run(commands_of(ctx).change(phone, "lock", target))


def unlock(ctx: typer.Context, target: Target, phone: As = "Asha-1") -> None:
    """End the suspension of another phone."""
    run(commands_of(ctx).change(phone, "unlock", target))


def forget(ctx: typer.Context, phone: As = "Asha-1") -> None:
    """Let the bank forget this phone; its keys are erased."""
    run(commands_of(ctx).forget(phone))


def panic(ctx: typer.Context, phone: As = "Asha-1") -> None:
    """Stop everything; only a new enrolment lifts it."""
    run(commands_of(ctx).panic(phone))


def again(
    ctx: typer.Context,
    phone: Annotated[str, typer.Argument(help="Which phone comes back.")],
    by: Annotated[str, typer.Option(help="code, totp, recovery or phone")] = "code",
    replace: Annotated[
        list[str] | None, typer.Option(help="A phone whose place it takes.")
    ] = None,
    code: Annotated[
        str | None, typer.Option(help="A code of the bank's desk; else the demo's.")
    ] = None,
    *,
    code_first: Annotated[
        bool, typer.Option("--code-first", help="Show the code before the SMS.")
    ] = False,
) -> None:
    """Enrol a phone again, in its own former place."""
    ways = ("code", "totp", "recovery", "phone")
    if by not in ways:
        raise typer.BadParameter(f"say one of {', '.join(ways)}", param_hint="--by")
    if by != "code" and (code is not None or code_first):
        raise typer.BadParameter("goes with --by code alone", param_hint="--code")
    gone = frozenset(replace or ())
    run(commands_of(ctx).come_back(phone, by, gone, code, code_first=code_first))


def approve(
    ctx: typer.Context,
    phone: As = "Asha-1",
    for_s: Annotated[
        float, typer.Option("--for", help="Seconds to wait for one that asks.")
    ] = 30.0,
    *,
    refuse: Annotated[bool, typer.Option("--refuse", help="Say no.")] = False,
) -> None:
    """Let a new phone in that asks for it, or refuse it."""
    run(commands_of(ctx).approve(phone, for_s, yes=not refuse))


def mpin(
    ctx: typer.Context,
    new: Annotated[str, typer.Argument(help="The mPIN from now on.")],
    approve: Annotated[str, typer.Option(help="mpin, passkey or biometric")] = "mpin",
    phone: As = "Asha-1",
) -> None:
    """Choose another mPIN, approved by mPIN, passkey or finger."""
    factor = factor_of(approve, "--approve")
    run(commands_of(ctx).change_mpin(phone, new, factor))


def passkeys(
    ctx: typer.Context,
    remove: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Take this one back.")
    ] = None,
    phone: As = "Asha-1",
) -> None:
    """Show the customer's passkeys, or take one back."""
    run(commands_of(ctx).passkeys(phone, remove))


def limits(
    ctx: typer.Context,
    choice: Annotated[
        tuple[str, str] | None,
        typer.Option("--set", metavar="WINDOW AMOUNT", help='day "500.00 INR"'),
    ] = None,
    phone: As = "Asha-1",
) -> None:
    """Show what the customer may pay, or set a limit."""
    run(commands_of(ctx).limits(phone, choice))


def thief(ctx: typer.Context, phone: As = "Asha-1") -> None:
    """Copy what a phone holds and try what it is good for."""
    run(commands_of(ctx).thief(phone))


@biometric.command("on")
def set_biometric(ctx: typer.Context, phone: As = "Asha-1") -> None:
    """Set the biometric key, approved by the mPIN."""
    run(commands_of(ctx).biometric(phone, on=True))


@biometric.command("off")
def remove_biometric(ctx: typer.Context, phone: As = "Asha-1") -> None:
    """Remove it, approved by the mPIN; never the last factor."""
    run(commands_of(ctx).biometric(phone, on=False))


@biometric.command("add-finger")
def add_finger(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose finger, and which.")],
    phone: As = "Asha-1",
) -> None:
    """Add a finger in the phone's settings: that destroys the biometric key."""
    run(commands_of(ctx).add_finger(phone, name))


@totp.command("enrol")
def enrol_totp(ctx: typer.Context, phone: As = "Asha-1") -> None:
    """Make this phone the authenticator; recovery codes go on paper."""
    run(commands_of(ctx).totp(phone, "enrol"))


@totp.command("code")
def show_totp(ctx: typer.Context, phone: As = "Asha-1") -> None:
    """Show the code of now, once."""
    run(commands_of(ctx).totp(phone, "code"))


@totp.command("remove")
def remove_totp(ctx: typer.Context, phone: As = "Asha-1") -> None:
    """Take TOTP away."""
    run(commands_of(ctx).totp(phone, "remove"))


@recovery.command("new")
def renew_recovery(ctx: typer.Context, phone: As = "Asha-1") -> None:
    """Get ten new codes; the former ones stop working."""
    run(commands_of(ctx).recovery(phone, renew=True))


@recovery.command("count")
def count_recovery(ctx: typer.Context, phone: As = "Asha-1") -> None:
    """Count the codes that are left on the paper."""
    run(commands_of(ctx).recovery(phone, renew=False))
