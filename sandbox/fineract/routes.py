"""The double's routes as the outside world mounts them."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.requests import Request

from sandbox.fineract.control import Control
from sandbox.fineract.double import BASE, BATCHES, Fineract
from sandbox.intake import Endpoint, Refused, json_object

AddressOf = Callable[[Request], Awaitable[str | None]]


class Mounted(NamedTuple):
    """One route: where, which, what for."""

    method: str
    path: str
    endpoint: Endpoint
    says: str


def partner(double: Fineract) -> list[Mounted]:
    """Give what a bank calls."""
    doors = [
        Mounted(one.method, BASE + one.template, double.endpoint(one), one.says)
        for one in double.doors
    ]
    says = "several calls in one"
    return [*doors, Mounted("POST", BASE + BATCHES, double.batches, says)]


def control(double: Fineract) -> list[Mounted]:
    """Give what tests call."""
    mine = Control(double)
    return [
        Mounted("PUT", "/_fineract/seed", mine.seed, "open clients and accounts"),
        Mounted("GET", "/_fineract/book", mine.book, "accounts, balances, rows, tags"),
        Mounted(
            "PUT",
            "/_fineract/accounts/{accountNo}",
            mine.state,
            '{"state"}: ACTIVE, BLOCKED, BLOCKED_DEBIT, BLOCKED_CREDIT, CLOSED',
        ),
        Mounted(
            "POST",
            "/_fineract/accounts/{accountNo}/rows",
            mine.row,
            'a row from elsewhere: {"kind", "amount", "date"?, "note"?}',
        ),
        Mounted("GET", "/_fineract/knobs", mine.knobs, "how the server behaves"),
        Mounted("PUT", "/_fineract/knobs", mine.turn, "turn knobs"),
    ]


def address_of(double: Fineract) -> AddressOf:
    """Give what names the account that a call is about: faults may be set for one.

    It is the account's number; the client's own number where no account is named.
    """

    async def address(request: Request) -> str | None:
        ids = request.path_params
        book = double.core.book
        number = ids.get("savingsId") or ids.get("accountId")
        external = None
        if number is None and request.method == "POST":
            try:
                body = await json_object(request)
            except Refused:
                return None
            number, external = body.get("fromAccountId"), body.get("accountId")
        if isinstance(external, str):
            found = book.external(external)
        else:
            text = str(number)
            found = book.accounts.get(int(text) if text.isdecimal() else -1)
        if found is not None:
            return found.number
        client = ids.get("externalId")
        return client if isinstance(client, str) else None

    return address
