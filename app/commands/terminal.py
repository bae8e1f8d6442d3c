"""What the commands of a terminal share: who types, the settings, the opened bank."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app import settings as settings_module
from app import telemetry
from app.errors import Refusal
from app.settings import Settings

if TYPE_CHECKING:
    from app.auth.standing import Staff
    from app.bank import Bank

DONE, REFUSED, SET_UP = 0, 1, 2

Json = Annotated[bool, typer.Option("--json", help="One line of JSON for scripts.")]
By = Annotated[str, typer.Option("--by", help="Who does it; stands in the audit.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; stands in the audit.")]


def settings() -> Settings:
    """Read the settings and begin the log.

    Raises:
        Misconfigured: a setting is wrong; the sentence names it.
    """
    found = settings_module.load()
    telemetry.configure(found.log_format, found.log_level)
    return found


def staff(by: str, reason: str) -> "Staff":
    """Name who does it and why."""
    from app.auth.standing import Staff

    return Staff(name=by, reason=reason)


def utc(given: datetime | None) -> datetime | None:
    """Read an instant as UTC."""
    return given and given.replace(tzinfo=UTC)


def at_the_desk(work: Callable[["Bank"], Awaitable[int | None]]) -> None:
    """Do a piece of work in an opened bank that serves nobody; leave with its code.

    Raises:
        Refusal: what the work refused.
    """
    from app.bank import open_bank

    async def opened() -> int | None:
        refused: Refusal | None = None
        code: int | None = None
        async with open_bank(settings(), frozenset()) as bank:
            try:
                code = await work(bank)
            except Refusal as no:
                refused = no  # raised outside, or the bank's task group wraps it
        if refused is not None:
            raise refused
        return code

    run(opened())


def run(work: Coroutine[Any, Any, int | None]) -> None:
    """Run a short command to its end and leave with its code."""
    raise typer.Exit(asyncio.run(work) or DONE)


def run_long(work: Coroutine[Any, Any, int | None]) -> None:
    """Run what lives long, on the quicker loop, and leave with its code.

    uvicorn's own choice of a loop counts only where uvicorn makes it.
    """
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(work)
    raise typer.Exit(code or DONE)
