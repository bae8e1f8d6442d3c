"""Control and evidence of the double: the seed, the knobs, the book as it stands."""

from decimal import Decimal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.fineract.book import ZERO, Account, Row
from sandbox.fineract.double import Fineract
from sandbox.fineract.kinds import (
    ACTIVE,
    ASIDE,
    BLOCK,
    BLOCK_CREDIT,
    BLOCK_DEBIT,
    CLOSED,
    CURRENCIES,
    KINDS,
    NONE,
)
from sandbox.fineract.seed import sow
from sandbox.fineract.wire import a_date, an_amount
from sandbox.intake import Refused, json_object, only

_STATES = {
    "ACTIVE": (ACTIVE, NONE),
    "BLOCKED": (ACTIVE, BLOCK),
    "BLOCKED_DEBIT": (ACTIVE, BLOCK_DEBIT),
    "BLOCKED_CREDIT": (ACTIVE, BLOCK_CREDIT),
    "CLOSED": (CLOSED, NONE),
}


class Control:
    """The routes under `/_fineract`, which only the double has.

    Args:
        double: what they look into.
    """

    def __init__(self, double: Fineract) -> None:
        self._double = double
        self._core = double.core

    async def seed(self, request: Request) -> Response:
        """`PUT /_fineract/seed`: open clients and accounts that are not there yet."""
        opened = sow(self._core, await json_object(request))
        self._double.keep()
        return JSONResponse({"opened": opened})

    async def book(self, request: Request) -> Response:
        """`GET /_fineract/book`: accounts with their figures and rows; ?accountNo=."""
        number = request.query_params.get("accountNo")
        every = self._core.book.accounts.values()
        accounts = [one for one in every if number in {None, one.number}]
        return JSONResponse({"accounts": [self._shown(one) for one in accounts]})

    async def state(self, request: Request) -> Response:
        """`PUT /_fineract/accounts/{accountNo} {"state"}`: block, close, open again."""
        mine = self._numbered(request)
        body = await json_object(request)
        only(body, {"state"})
        found = _STATES.get(str(body.get("state")))
        if found is None:
            known = ", ".join(_STATES)
            raise Refused(422, "STATE_UNKNOWN", f"state must be one of {known}.")
        mine.state, mine.sub = found
        mine.closed = self._core.today() if mine.state == CLOSED else None
        self._core.book.put(mine)
        self._double.keep()
        return JSONResponse(self._shown(mine))

    async def row(self, request: Request) -> Response:
        """`POST /_fineract/accounts/{accountNo}/rows`: a row from elsewhere.

        {"kind", "amount", "date"?, "note"?}: what a teller, a job or another channel
        of the bank writes. No rule of the bank is asked.
        """
        mine = self._numbered(request)
        body = await json_object(request)
        only(body, {"kind", "amount", "date", "note"})
        kind, amount = str(body.get("kind")), an_amount(body.get("amount"))
        if kind not in KINDS or kind in ASIDE:
            known = ", ".join(name for name in KINDS if name not in ASIDE)
            raise Refused(422, "KIND_UNKNOWN", f"kind must be one of {known}.")
        if amount is None or amount <= 0:
            raise Refused(422, "AMOUNT_INVALID", "amount must be above 0.")
        said = body.get("date")
        day = self._core.today() if said is None else a_date(said, "yyyy-MM-dd")
        if day is None:
            raise Refused(422, "DATE_INVALID", "date must look like 2026-11-22.")
        made = self._core.enter(mine, kind, amount, day)
        note = body.get("note")
        made.note = note if isinstance(note, str) else None
        self._double.keep()
        return JSONResponse(self._row(mine, made))

    async def knobs(self, _request: Request) -> Response:
        """`GET /_fineract/knobs`: how the server behaves, and its business day."""
        return JSONResponse(self._turned())

    async def turn(self, request: Request) -> Response:
        """`PUT /_fineract/knobs`: turn those that are named."""
        self._core.knobs.turn(await json_object(request))
        return JSONResponse(self._turned())

    def _turned(self) -> dict[str, object]:
        return self._core.knobs.shown() | {"today": self._core.today().isoformat()}

    def _numbered(self, request: Request) -> Account:
        found = self._core.book.numbered(request.path_params["accountNo"])
        if found is None:
            raise Refused(404, "NO_SUCH_ACCOUNT", "No account has this number.")
        return found

    def _shown(self, one: Account) -> dict[str, object]:
        rows = self._core.book.rows_of(one.id)
        client = self._core.book.clients[one.client]
        return {
            "id": one.id,
            "accountNo": one.number,
            "externalId": one.external,
            "client": client.number,
            "product": one.product,
            "currency": one.currency,
            "state": one.state,
            "sub": one.sub,
            "minor": minor(one, one.balance),
            "held": minor(one, one.held or ZERO),
            "available": minor(one, one.available()),
            "rows": [self._row(one, row) for row in rows],
        }

    def _row(self, mine: Account, row: Row) -> dict[str, object]:
        made = self._core.book.transfers.get(row.transfer or 0)
        says = row.note if made is None else made.says
        return {
            "id": row.id,
            "kind": row.kind,
            "minor": minor(mine, KINDS[row.kind].sign * row.amount),
            "date": row.day.isoformat(),
            "tag": tag(says),
            "note": says,
            "transferCode": row.receipt,
            "released": row.released,
            "reversed": row.reversed,
            "running": minor(mine, row.running),
        }


def tag(says: str | None) -> str | None:
    """Give the bank's own mark at the head of a text: what follows `6p:`."""
    if says is None or not says.startswith("6p:"):
        return None
    return says.removeprefix("6p:").split(" ", 1)[0]


def minor(mine: Account, amount: Decimal) -> int | str:
    """Give an amount in the currency's smallest unit; text if a part is left over."""
    found = amount.scaleb(CURRENCIES[mine.currency].places)
    return int(found) if found == found.to_integral_value() else str(found)
