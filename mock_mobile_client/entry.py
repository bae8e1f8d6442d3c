"""What every command of the phone shares: its options, how it runs, how it exits.

Exit codes: 0 done, 1 refused or failed check, 2 usage or set-up, 3 unreachable.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mock_mobile_client.errors import (
    BadEntry,
    NotReady,
    PhoneError,
    ProofFailed,
    Unreachable,
)

if TYPE_CHECKING:
    from mock_mobile_client.commands_devices import AllCommands
    from mock_mobile_client.enums import FactorKind

USAGE, UNREACHABLE, REFUSED = 2, 3, 1
INTERRUPTED = 130
As = Annotated[str, typer.Option("--as", help="Which phone acts.")]


@dataclass(frozen=True, slots=True)
class Given:
    """The global options."""

    url: str
    sandbox: str
    phones: Path
    pin: str | None
    finger: str | None
    by_id: bool = False


def run(
    work: Coroutine[Any, Any, int],
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Run a command; say in one sentence what went wrong, and exit by the rule.

    Args:
        work: The command.
        loop: Makes the event loop, where the standard one is too slow.
    """
    try:
        with asyncio.Runner(loop_factory=loop) as runner:
            code = runner.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except Unreachable as error:
        code = _said("unreachable", error, UNREACHABLE)
    except (BadEntry, NotReady) as error:
        code = _said("not possible", error, USAGE)
    except (PhoneError, ProofFailed) as error:
        code = _said("refused", error, REFUSED)
    raise typer.Exit(code)


def factor_of(word: str, option: str) -> "FactorKind":
    """The factor a word names.

    Raises:
        BadParameter: this build has none of that name.
    """
    from mock_mobile_client.enums import (  # noqa: PLC0415  -- --help stays quick
        FactorKind,
    )

    known = {
        "mpin": FactorKind.MPIN,
        "passkey": FactorKind.WEBAUTHN,
        "biometric": FactorKind.BIOMETRIC,
    }
    if word.casefold() not in known:
        raise typer.BadParameter(
            f"this build has {', '.join(known)}", param_hint=option
        )
    return known[word.casefold()]


def commands_of(ctx: typer.Context) -> "AllCommands":
    """Import the phone itself, now that something is to be done."""
    from mock_mobile_client.commands_devices import (  # noqa: PLC0415  -- as above
        AllCommands,
    )
    from mock_mobile_client.screen import (  # noqa: PLC0415  -- as above
        standard,
    )

    given: Given = ctx.obj
    return AllCommands(
        given.url.rstrip("/"),
        given.sandbox.rstrip("/"),
        given.phones,
        given.pin,
        standard(),
        given.finger,
        by_id=given.by_id,
    )


def _said(word: str, error: Exception, code: int) -> int:
    """Print the sentence on stderr and hand the exit code on."""
    from mock_mobile_client.commands import (  # noqa: PLC0415  -- as above
        sentence,
    )

    typer.echo(f"{word}  {sentence(error)}", err=True)
    return code
