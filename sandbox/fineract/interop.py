"""The interoperation interface: money set aside, then taken or freed, by a code."""

from decimal import Decimal

from sandbox.fineract import shapes
from sandbox.fineract.book import Account, Interop, next_id
from sandbox.fineract.fields import Fields
from sandbox.fineract.keys import Order
from sandbox.fineract.kinds import ACTIVE, DEPOSIT, WITHDRAWAL
from sandbox.fineract.movements import covers, free, hold, may_credit, may_debit
from sandbox.fineract.refusals import Refusal, not_found, rule, unrecognized
from sandbox.fineract.server import Core
from sandbox.fineract.transfers import currencies_differ
from sandbox.fineract.wire import Ask

PREPARE, CREATE, RELEASE = "PREPARE", "CREATE", "RELEASE"
PAYER, PAYEE = "PAYER", "PAYEE"


class _Demand:
    """What the body of a call says.

    Raises:
        Refusal: 400 for what is wrong with it; 403 and 404 for its account.
    """

    def __init__(self, core: Core, body: bytes) -> None:
        fields = Fields.read(body, "interoperation.transfer")
        self.transaction = fields.filled("transactionCode")
        self.code = fields.filled("transferCode")
        external = fields.filled("accountId")
        money = fields.inside("amount")
        self.amount = money.amount("amount")
        currency = money.filled("currency")
        self.role = fields.one_of("transactionRole", {PAYER, PAYEE})
        self.note = fields.text("note")
        fields.check(money)
        self.account = core.external(external)
        if currency != self.account.currency:
            raise currencies_differ(self.account.currency, currency)
        if self.account.state != ACTIVE:
            raise rule(
                "error.msg.interop.transaction.not.allowed",
                f"Transaction not allowed on account {external}",
            )


def transfers(core: Core, ask: Ask) -> Order:
    """`POST /v1/interoperation/transfers?action=`: prepare, create or release."""
    action = ask.query.get("action", "").upper()
    steps = {PREPARE: _prepare, CREATE: _create, RELEASE: _release}
    if action not in steps:
        raise unrecognized(action, tuple(steps))

    def work(number: int) -> dict[str, object]:
        demand = _Demand(core, ask.body)
        steps[action](core, demand)
        book = core.book
        known = book.coded(demand.transaction, demand.code)
        made = Interop(
            id=known.id if known else next_id(book.interop),
            transaction=demand.transaction,
            code=demand.code,
            account=demand.account.id,
            done=action,
        )
        book.put(made)
        return {"commandId": number, **shapes.interop(made, _now(core))}

    return Order(action, "INTERTRANSFER", work)


def status(core: Core, ask: Ask) -> object:
    """`GET /v1/interoperation/transactions/{…}/transfers/{…}`: what became of a code.

    The state is ACCEPTED after each step: it tells that a step was done, not which.
    """
    transaction, code = ask.ids["transactionCode"], ask.ids["transferCode"]
    known = core.book.coded(transaction, code)
    if known is None:
        raise not_found(
            "error.msg.interop.transfer.not.found",
            f"No transfer found with transactionCode {transaction} and transferCode "
            f"{code}",
        )
    return shapes.interop(known, _now(core))


def _prepare(core: Core, demand: _Demand) -> None:
    if demand.role == PAYEE:
        return  # nothing to set aside where money comes in
    mine = demand.account
    covers(mine, demand.amount)
    if core.book.held_under(mine.id, demand.code) is not None:
        # The server's two codes are swapped: this one says "committed".
        raise _taken("already.committed", "already committed", mine, demand.code)
    hold(core, mine, demand.amount, demand.code)


def _create(core: Core, demand: _Demand) -> None:
    mine, day = demand.account, core.today()
    kind = WITHDRAWAL if demand.role == PAYER else DEPOSIT
    if core.book.received(mine.id, demand.code, kind) is not None:
        raise _taken("already.on.hold", "already on hold", mine, demand.code)
    if kind == WITHDRAWAL:
        held = core.book.held_under(mine.id, demand.code)
        if held is None or held.amount != demand.amount:
            raise _missing(mine, demand.code)
        freed = Decimal(0) if held.released else held.amount
        may_debit(core, mine, demand.amount, day, freed)
        if not held.released:
            free(core, mine, held)
    else:
        may_credit(core, mine, day)
    row = core.enter(mine, kind, demand.amount, day)
    row.receipt, row.note = demand.code, demand.note
    core.book.put(row)


def _release(core: Core, demand: _Demand) -> None:
    mine = demand.account
    held = core.book.held_under(mine.id, demand.code)
    if held is None or held.released:
        raise _missing(mine, demand.code)
    free(core, mine, held)


def _now(core: Core) -> str:
    return core.now().isoformat(timespec="milliseconds")


def _taken(code: str, says: str, mine: Account, transfer: str) -> Refusal:
    return rule(
        f"error.msg.interop.transfer.{code}",
        f"Transaction with transferCode {transfer} {says} for account {mine.external}",
    )


def _missing(mine: Account, transfer: str) -> Refusal:
    return not_found(
        "error.msg.interop.onhold.transfer.missing",
        f"No matching transaction with transferCode {transfer} found for account "
        f"{mine.external}",
    )
