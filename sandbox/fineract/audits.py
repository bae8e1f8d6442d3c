"""The server's record of commands, which a bank asks when all else is silent."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sandbox.fineract.keys import Command, Commands
from sandbox.fineract.paging import page, sorted_by
from sandbox.fineract.refusals import bad_parameter, not_found
from sandbox.fineract.server import Core
from sandbox.fineract.shapes import OFFICE_NAME, USER
from sandbox.fineract.wire import Ask

_RESULTS = {None: "underProcessing", 200: "processed"}
_FAILED, _QUEUED = "error", "awaiting.approval"


def every(commands: Commands, core: Core, ask: Ask) -> object:
    """`GET /v1/audits`: commands, the newest first; `paged=true` gives a page.

    `includeJson=true` tells what each asked for as well.
    """
    found = [one for one in commands.log.values() if _asked(one, ask.query)]
    newest = found[::-1]
    columns = {"id": lambda one: one.id, "madeOnDate": lambda one: one.made}
    newest = sorted_by(newest, ask.query, columns)
    told = ask.query.get("includeJson") == "true"
    shown = [_shown(core, one, told=told) for one in page(newest, ask.query)]
    if ask.query.get("paged") == "true":
        return {"totalFilteredRecords": len(found), "pageItems": shown}
    return shown


def one(commands: Commands, core: Core, ask: Ask) -> object:
    """`GET /v1/audits/{auditId}`: one command."""
    text = ask.ids["auditId"]
    found = commands.log.get(int(text) if text.isdecimal() else -1)
    if found is None:
        raise not_found(
            "error.msg.audit.id.invalid",
            f"Audit with identifier {text} does not exist",
            text,
        )
    return _shown(core, found, told=True)


def _asked(command: Command, query: Mapping[str, str]) -> bool:
    said = {
        "actionName": command.action,
        "entityName": command.entity,
        "resourceId": str(command.resource),
        "savingsAccountId": str(command.account),
        "makerId": "1",
    }
    if any(query.get(name, value) != value for name, value in said.items()):
        return False
    made = datetime.fromisoformat(command.made)
    low = _instant(query, "makerDateTimeFrom")
    high = _instant(query, "makerDateTimeTo")
    return (low is None or made >= low) and (high is None or made <= high)


def _instant(query: Mapping[str, str], name: str) -> datetime | None:
    """Read an instant of a query; one without a zone is meant in UTC."""
    if name not in query:
        return None
    try:
        found = datetime.fromisoformat(query[name])
    except ValueError:
        raise bad_parameter(name, query[name]) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _shown(core: Core, command: Command, *, told: bool) -> dict[str, object]:
    """Show a command; what was asked for is told only where that is wanted."""
    shown: dict[str, object] = {
        "id": command.id,
        "actionName": command.action,
        "entityName": command.entity,
        "maker": USER,
        "madeOnDate": command.made,
        "processingResult": _result(command),
        "officeName": OFFICE_NAME,
    }
    if command.resource is not None:
        shown["resourceId"] = command.resource
    if told:
        shown["commandAsJson"] = command.asked
    mine = core.book.accounts.get(command.account or 0)
    if mine is not None:
        shown["savingsAccountNo"] = mine.number
        shown["clientId"] = mine.client
    return shown


def _result(command: Command) -> str:
    return _QUEUED if command.queued else _RESULTS.get(command.status, _FAILED)
