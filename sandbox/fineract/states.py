"""The states of an account, and the commands that change them."""

from collections.abc import Mapping

from sandbox.fineract import shapes
from sandbox.fineract.book import ZERO, Account
from sandbox.fineract.fields import Fields
from sandbox.fineract.keys import Order
from sandbox.fineract.kinds import (
    ACTIVE,
    BLOCK,
    BLOCK_CREDIT,
    BLOCK_DEBIT,
    CLOSED,
    NONE,
)
from sandbox.fineract.refusals import Reason, Refusal, invalid, unrecognized
from sandbox.fineract.server import Core
from sandbox.fineract.wire import Ask

_SAVINGS = "validation.msg.savingsaccount"
# For each command: from which sub-state to which, and the code of a wrong one.
_BLOCKS: Mapping[str, tuple[Mapping[str, str], str]] = {
    "block": (dict.fromkeys((NONE, BLOCK, BLOCK_CREDIT, BLOCK_DEBIT), BLOCK), ""),
    "unblock": ({BLOCK: NONE}, "not.in.blocked.state"),
    "blockDebit": (
        {NONE: BLOCK_DEBIT, BLOCK_DEBIT: BLOCK_DEBIT, BLOCK_CREDIT: BLOCK},
        "currently.set",
    ),
    "unblockDebit": (
        {BLOCK_DEBIT: NONE, BLOCK: BLOCK_CREDIT},
        "debits.are.not.blocked",
    ),
    "blockCredit": (
        {NONE: BLOCK_CREDIT, BLOCK_CREDIT: BLOCK_CREDIT, BLOCK_DEBIT: BLOCK},
        "currently.set",
    ),
    "unblockCredit": (
        {BLOCK_CREDIT: NONE, BLOCK: BLOCK_DEBIT},
        "credits.are.not.blocked",
    ),
}


def command(core: Core, ask: Ask) -> Order:
    """`POST /v1/savingsaccounts/{accountId}?command=`: block it, or close it."""
    name = ask.query.get("command", "")
    if name != "close" and name not in _BLOCKS:
        raise unrecognized(name, (*_BLOCKS, "close"))

    def work(_number: int) -> dict[str, object]:
        mine = core.account(ask.ids["accountId"])
        fields = Fields.read(ask.body, f"savingsaccount.{name}")
        step = (
            _close(core, mine, fields) if name == "close" else _turn(mine, name, fields)
        )
        core.book.put(mine)
        return shapes.result(mine, mine.id, changes=step)

    return Order(name.upper(), "SAVINGSACCOUNT", work, numbered(ask.ids["accountId"]))


def _turn(mine: Account, name: str, fields: Fields) -> dict[str, object]:
    moves, wrong = _BLOCKS[name]
    reasons = []
    if mine.state != ACTIVE:
        reasons.append(_failed(name, "account.is.not.active", "status"))
    if mine.sub not in moves:
        reasons.append(_failed(name, wrong, "subStatus"))
    if reasons:
        raise invalid(*reasons)
    reason = fields.text("reasonForBlock") if name.startswith("block") else None
    if name.startswith("block") and not reason:
        raise _no_reason()
    mine.sub, mine.reason = moves[mine.sub], reason
    return {"subStatus": shapes.sub_status(mine.sub)}


def _close(core: Core, mine: Account, fields: Fields) -> dict[str, object]:
    day = fields.day("closedOnDate")
    fields.check()
    if mine.state != ACTIVE:
        raise invalid(_failed("close", "not.in.active.state"))
    if mine.sub in {BLOCK, BLOCK_CREDIT, BLOCK_DEBIT}:
        raise invalid(_failed("", "account.is.in.blocked.state"))
    if day > core.today():
        raise invalid(_failed("close", "closedOnDate.cannot.be.a.future.date"))
    if mine.balance != ZERO:
        raise invalid(_failed("close", "results.in.balance.not.zero"))
    mine.state, mine.closed = CLOSED, day
    return {"status": shapes.status(mine.state), "closedOnDate": day.isoformat()}


def _failed(action: str, code: str, parameter: str = "id") -> Reason:
    place = f"{_SAVINGS}.{action}" if action else _SAVINGS
    return Reason(
        f"{place}.{code}", "Failed data validation due to: " + code, parameter
    )


def _no_reason() -> Refusal:
    # The server's own swap: the code is where the sentence should be.
    code, says = "Reason For Block is Mandatory", "error.msg.reason.for.block.mandatory"
    why = "The request caused a data integrity issue to be fired by the database."
    return Refusal(403, code, says, why, [Reason(code, says)])


def numbered(text: str) -> int | None:
    """Give the number that a text is; None if it is none."""
    return int(text) if text.isdecimal() else None
