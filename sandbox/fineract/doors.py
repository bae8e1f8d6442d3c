"""The routes of the double: what each reads or orders."""

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

from sandbox.fineract import interop, savings, search, states, transfers
from sandbox.fineract.keys import Order
from sandbox.fineract.server import Core
from sandbox.fineract.wire import Ask

Reads = Callable[[Core, Ask], object]
Orders = Callable[[Core, Ask], Order]


class Door(NamedTuple):
    """One route: how it is called, what it reads or orders, what it is for."""

    method: str
    template: str
    reads: Reads | None
    orders: Orders | None
    says: str

    def places(self, method: str, path: str) -> dict[str, str] | None:
        """Give what stands in the places of the template; None if it is not meant."""
        mine, theirs = self.template.split("/"), path.split("/")
        if method != self.method or len(mine) != len(theirs):
            return None
        found = {}
        for part, given in zip(mine, theirs, strict=True):
            if part.startswith("{"):
                found[part[1:-1]] = unquote(given)
            elif part != given:
                return None
        return found


def get(template: str, reads: Reads, says: str) -> Door:
    """Make a route that only reads."""
    return Door("GET", template, reads, None, says)


def post(template: str, orders: Orders, says: str) -> Door:
    """Make a route that gives a command."""
    return Door("POST", template, None, orders, says)


_SAVINGS = "/v1/savingsaccounts"
_ROW = f"{_SAVINGS}/{{savingsId}}/transactions"
_INTEROP = "/v1/interoperation"


def _healthy(_core: Core, _ask: Ask) -> object:
    """`GET /v1/interoperation/health`: it answers, with nothing to say."""
    return None


DOORS = (
    get("/v1/clients/external-id/{externalId}", savings.client, "a client"),
    get(
        "/v1/clients/external-id/{externalId}/accounts",
        savings.accounts,
        "the accounts of a client, by the bank's own number of it",
    ),
    get("/v1/clients/{clientId}", savings.client, "a client, by the server's id"),
    get("/v1/clients/{clientId}/accounts", savings.accounts, "its accounts"),
    get(
        f"{_SAVINGS}/external-id/{{externalId}}",
        savings.account,
        "an account, by its external id",
    ),
    get(f"{_SAVINGS}/{{accountId}}", savings.account, "an account"),
    post(
        f"{_SAVINGS}/{{accountId}}",
        states.command,
        "block, unblock, blockDebit, unblockDebit, blockCredit, unblockCredit, close",
    ),
    get(f"{_ROW}/search", search.search, "rows of an account"),
    get(f"{_ROW}/{{transactionId}}", savings.row, "one row"),
    post(_ROW, savings.cash, "deposit or withdrawal at the counter"),
    post(f"{_ROW}/{{transactionId}}", savings.adjust, "undo of a row"),
    get("/v1/accounttransfers", transfers.every, "transfers"),
    post("/v1/accounttransfers", transfers.create, "a transfer, at once"),
    get("/v1/accounttransfers/{transferId}", transfers.one, "one transfer"),
    post(
        f"{_INTEROP}/transfers",
        interop.transfers,
        "PREPARE, CREATE or RELEASE of held money",
    ),
    get(
        f"{_INTEROP}/transactions/{{transactionCode}}/transfers/{{transferCode}}",
        interop.status,
        "what became of a transfer code",
    ),
    get(f"{_INTEROP}/health", _healthy, "whether it answers"),
)
