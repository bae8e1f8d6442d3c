# ruff: noqa: SLF001  -- a fault is planted inside
"""Planted faults: each changes a connected example core in one small way."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from app.errors import Outage
from app.ids import uuid7
from app.integrations.core_banking import (
    AccountState,
    CoreBalance,
    CoreCustomer,
    Hold,
    Look,
    Narrative,
    OlderRows,
    Posting,
)
from app.integrations.outcome import (
    NotSent,
    Ok,
    OpRef,
    Outcome,
    PortCode,
    Rejected,
    Unknown,
)
from app.money import Money
from app.telemetry import log


def posts_again_on_a_retry(core: Any) -> None:
    """It sends each try under a new id."""
    order = core._order

    async def anew(op: OpRef, *rest: Any) -> Any:
        return await order(replace(op, id=uuid7()), *rest)

    core._order = anew


def _said_otherwise(core: Any, otherwise: Callable[[Any], Any]) -> None:
    """Let every write and every lookup say something else."""
    for name in ("transfer", "hold", "capture", "release", "reverse"):
        setattr(core, name, _changed(getattr(core, name), otherwise))


def _changed(work: Any, change: Callable[[Any], Any]) -> Any:
    async def changed(*args: Any) -> Any:
        return change(await work(*args))

    return changed


def calls_unknown_rejected(core: Any) -> None:
    def otherwise(said: Outcome[Any]) -> Outcome[Any]:
        lost = isinstance(said, Unknown)
        return Rejected(PortCode.CONFLICT_RETRY) if lost else said

    _said_otherwise(core, otherwise)


def calls_unknown_not_sent(core: Any) -> None:
    def otherwise(said: Outcome[Any]) -> Outcome[Any]:
        if isinstance(said, Unknown):
            raise NotSent(said.cause)
        return said

    _said_otherwise(core, otherwise)


def calls_unknown_done(core: Any) -> None:
    def otherwise(said: Outcome[Any]) -> Outcome[Any]:
        return Ok(None) if isinstance(said, Unknown) else said

    _said_otherwise(core, otherwise)


def calls_rejected_unknown(core: Any) -> None:
    def otherwise(said: Outcome[Any]) -> Outcome[Any]:
        return Unknown("status 422") if isinstance(said, Rejected) else said

    _said_otherwise(core, otherwise)


def calls_not_sent_unknown(core: Any) -> None:
    transfer = core.transfer

    async def said(*args: Any) -> Any:
        try:
            return await transfer(*args)
        except NotSent as failure:
            return Unknown(failure.cause)

    core.transfer = said


def says_no_funds_of_a_blocked_account(core: Any) -> None:
    def otherwise(said: Outcome[Any]) -> Outcome[Any]:
        blocked = said == Rejected(PortCode.ACCOUNT_BLOCKED)
        return Rejected(PortCode.INSUFFICIENT_FUNDS) if blocked else said

    _said_otherwise(core, otherwise)


def takes_another_body_for_the_same(core: Any) -> None:
    def otherwise(said: Outcome[Any]) -> Outcome[Any]:
        other = said == Rejected(PortCode.DUPLICATE_MISMATCH)
        return Ok(None) if other else said

    _said_otherwise(core, otherwise)


def _with_the_page(core: Any, change: Callable[[OlderRows], OlderRows]) -> None:
    core.older = _changed(core.older, change)


def skips_a_row_of_an_older_page(core: Any) -> None:
    _with_the_page(core, lambda page: replace(page, rows=page.rows[1:]))


def doubles_a_row_of_an_older_page(core: Any) -> None:
    older = core.older

    async def from_one_back(ref: str, after: str) -> OlderRows:
        found: OlderRows = await older(ref, str(int(after) + 1))
        return found

    core.older = from_one_back


def loses_its_place(core: Any) -> None:
    _with_the_page(core, lambda page: replace(page, older=None))


def counts_money_in_floats(core: Any) -> None:
    def floated(text: str, currency: str) -> Money:
        return Money(int(float(text) * 10 ** Money(0, currency).exponent), currency)

    core._money = floated


def keeps_money_as_decimals(core: Any) -> None:
    def decimal(text: str, currency: str) -> Money:
        digits: Any = Decimal(text).scaleb(Money(0, currency).exponent)
        return Money(digits, currency)

    core._money = decimal


def _with_the_look(core: Any, change: Callable[[Look], Look]) -> None:
    look = core.look

    async def changed(refs: Any, rows: int) -> list[Look]:
        return [change(one) for one in await look(refs, rows)]

    core.look = changed


def _with_the_balance(core: Any, change: Callable[[CoreBalance], CoreBalance]) -> None:
    _with_the_look(core, lambda one: replace(one, balance=change(one.balance)))


def leaves_held_money_available(core: Any) -> None:
    _with_the_balance(core, lambda one: replace(one, available=one.committed))


def tells_available_money_as_booked(core: Any) -> None:
    _with_the_balance(core, lambda one: replace(one, committed=one.available))


def tells_no_open_holds(core: Any) -> None:
    def without(one: Look) -> Look:
        rows = tuple(row for row in one.rows if row.status == "BOOKED")
        return replace(one, rows=rows)

    _with_the_look(core, without)


def shows_no_state(core: Any) -> None:
    accounts = core.accounts
    _with_the_look(core, lambda one: replace(one, state=AccountState.OPEN))

    async def all_open(customer: CoreCustomer) -> Any:
        found = await accounts(customer)
        return [replace(one, state=AccountState.OPEN) for one in found]

    core.accounts = all_open


def keeps_the_hold_of_a_capture(core: Any) -> None:
    async def paid_out(op: OpRef, hold: Hold, amount: Money | None) -> Any:
        sum_of_it = amount or hold.amount
        return await core.transfer(op, hold.ref, "A0", sum_of_it, Narrative("Paid"))

    core.capture = paid_out


def releases_nothing(core: Any) -> None:
    async def nothing(_op: OpRef, _hold: Hold) -> Outcome[None]:
        return Ok(None)

    core.release = nothing


def reverses_as_often_as_asked(core: Any) -> None:
    transfer, made = core.transfer, {}

    async def noted(op: OpRef, src: str, dst: str, *rest: Any) -> Any:
        said = await transfer(op, src, dst, *rest)
        if isinstance(said, Ok):
            made[said.value.journal] = (dst, src, *rest)
        return said

    async def back(op: OpRef, posting: Posting, _reason: str) -> Any:
        return await transfer(op, *made[posting.journal])

    core.transfer, core.reverse = noted, back


def _asked_for(core: Any, answer: Callable[[Any], Any]) -> None:
    core.lookup = _changed(core.lookup, answer)


def calls_a_done_op_never_seen(core: Any) -> None:
    _asked_for(core, lambda _found: Rejected(PortCode.NEVER_SEEN))


def calls_an_op_done_that_nobody_saw(core: Any) -> None:
    _asked_for(core, lambda found: found if isinstance(found, Ok) else Ok(None))


def shows_its_secret(core: Any) -> None:
    token = core._settings.token_file.read_text()
    shown = {"__repr__": lambda _self: f"MyBank({token})"}
    core.__class__ = type("LoudBank", (type(core),), shown)


def logs_whom_it_asks_about(core: Any) -> None:
    accounts = core.accounts

    async def told(customer: CoreCustomer) -> Any:
        log.info("asks", customer=customer.number)
        return await accounts(customer)

    core.accounts = told


def closes_nothing(core: Any) -> None:
    LEFT.append(core.close)

    async def nothing() -> None:
        """Let go of nothing."""

    core.close = nothing


LEFT: list[Callable[[], Awaitable[None]]] = []


def asks_once_for_each_account(core: Any) -> None:
    look = core.look

    async def one_by_one(refs: Any, rows: int) -> list[Look]:
        return [found for ref in refs for found in await look([ref], rows)]

    core.look = one_by_one


def lists_accounts_of_others(core: Any) -> None:
    accounts = core.accounts

    async def more(customer: CoreCustomer) -> Any:
        found = await accounts(customer)
        return [*found, *(replace(one, ref="A0") for one in found)]

    core.accounts = more


def reads_nothing_where_nobody_answers(core: Any) -> None:
    look = core.look

    async def empty(refs: Any, rows: int) -> Any:
        try:
            return await look(refs, rows)
        except Outage:
            return []

    core.look = empty


def has_the_settings_of_another(core: Any) -> None:
    core.caps = replace(core.caps, local=True)
