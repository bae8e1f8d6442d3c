"""Clients and savings accounts: what is read of them, cash, what is taken back."""

from sandbox.fineract import row_shapes, shapes
from sandbox.fineract.book import Client, Row
from sandbox.fineract.fields import Fields
from sandbox.fineract.keys import Order
from sandbox.fineract.movements import at_the_counter, undo
from sandbox.fineract.refusals import unrecognized
from sandbox.fineract.server import Core
from sandbox.fineract.states import numbered
from sandbox.fineract.wire import Ask


def client(core: Core, ask: Ask) -> object:
    """`GET /v1/clients/{clientId}`, `…/external-id/{externalId}`: one client."""
    return shapes.client(_client(core, ask))


def accounts(core: Core, ask: Ask) -> object:
    """`GET …/accounts`: what a client holds; an empty list is left out, as there."""
    mine = _client(core, ask)
    listed = core.book.accounts_of(mine.id)
    shown = [shapes.account_of_client(core.book, each) for each in listed]
    return {"savingsAccounts": shown} if shown else {}


def account(core: Core, ask: Ask) -> object:
    """`GET /v1/savingsaccounts/{accountId}`, with its rows if they are asked for."""
    found = (
        core.account(ask.ids["accountId"])
        if "accountId" in ask.ids
        else core.external(ask.ids["externalId"])
    )
    shown = shapes.account(core.book, found)
    asked = ask.query.get("associations", "").split(",")
    if "transactions" in asked or "all" in asked:
        rows = reversed(core.book.rows_of(found.id))
        shown["transactions"] = [row_shapes.row(core.book, row) for row in rows]
    return shown


def row(core: Core, ask: Ask) -> object:
    """`GET /v1/savingsaccounts/{savingsId}/transactions/{transactionId}`: one row."""
    mine = core.account(ask.ids["savingsId"])
    return row_shapes.row(core.book, core.row(mine, ask.ids["transactionId"]))


def cash(core: Core, ask: Ask) -> Order:
    """`POST …/transactions?command=deposit|withdrawal`: cash at the counter."""
    name = ask.query.get("command", "")
    if name not in {"deposit", "withdrawal"}:
        raise unrecognized(name, ("deposit", "withdrawal"))

    def work(_number: int) -> dict[str, object]:
        mine = core.account(ask.ids["savingsId"])
        fields = Fields.read(ask.body, "savingsaccount")
        amount = fields.amount("transactionAmount")
        day = fields.day("transactionDate")
        fields.check()
        made = at_the_counter(core, mine, name, amount, day)
        _note(core, made, fields.text("note"))
        return shapes.result(mine, made.id, changes={})

    return Order(name.upper(), "SAVINGSACCOUNT", work, numbered(ask.ids["savingsId"]))


def adjust(core: Core, ask: Ask) -> Order:
    """`POST …/transactions/{transactionId}?command=undo`: take a row back."""
    name = ask.query.get("command", "")
    if name != "undo":
        raise unrecognized(name, ("undo",))

    def work(_number: int) -> dict[str, object]:
        mine = core.account(ask.ids["savingsId"])
        undo(core, mine, core.row(mine, ask.ids["transactionId"]))
        return shapes.result(mine, mine.id)

    savings = numbered(ask.ids["savingsId"])
    return Order("UNDOTRANSACTION", "SAVINGSACCOUNT", work, savings)


def _client(core: Core, ask: Ask) -> Client:
    if "externalId" in ask.ids:
        return core.client(ask.ids["externalId"], external=True)
    return core.client(ask.ids["clientId"])


def _note(core: Core, made: Row, note: str | None) -> None:
    if note:
        made.note = note
        core.book.put(made)
