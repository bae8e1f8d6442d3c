"""What the bank holds at the start: clients and accounts out of a seed."""

from datetime import datetime, timedelta
from decimal import Decimal

from sandbox.fineract.book import Account, Client, next_id
from sandbox.fineract.kinds import CURRENCIES, DEPOSIT, WITHDRAWAL
from sandbox.fineract.server import Core
from sandbox.intake import Refused, only, whole

MINOR_MAX = 10**15
HISTORY_MAX = 20_000
_APART = timedelta(hours=8)  # between two rows of a made-up history
_WORDS = ("Groceries", "Salary", "Rent", "Refund", "Electricity", "Gift")


def sow(core: Core, body: dict[str, object]) -> dict[str, int]:
    """Open what the seed names and is not there yet; gives how much was opened.

    Raises:
        Refused: 422, naming what is wrong; nothing is opened then.
    """
    only(body, {"clients"})
    plans = [_client_plan(one) for one in _list(body.get("clients"), "clients")]
    opened = {"clients": 0, "accounts": 0}
    for number, name, accounts in plans:
        mine = core.book.client_of(number)
        if mine is None:
            since = min((_begin(core, one) for one in accounts), default=core.now())
            made = next_id(core.book.clients)
            mine = Client(made, number, name, since.date())
            core.book.put(mine)
            opened["clients"] += 1
        for one in accounts:
            if core.book.numbered(str(one["accountNo"])) is None:
                _open(core, mine, one)
                opened["accounts"] += 1
    return opened


def _client_plan(
    one: dict[str, object],
) -> tuple[str, str, list[dict[str, object]]]:
    only(one, {"number", "name", "accounts"})
    accounts = [_account_plan(each) for each in _list(one.get("accounts"), "accounts")]
    return _text(one, "number"), _text(one, "name"), accounts


def _account_plan(one: dict[str, object]) -> dict[str, object]:
    only(
        one,
        {"accountNo", "product", "currency", "externalId", "minor", "history"},
    )
    currency = one.get("currency")
    if currency not in CURRENCIES:
        known = ", ".join(CURRENCIES)
        raise Refused(422, "CURRENCY_UNKNOWN", f"currency must be one of {known}.")
    external = one.get("externalId")
    if external is not None and not isinstance(external, str):
        raise Refused(422, "TEXT_EXPECTED", "externalId must be text, or left out.")
    return {
        "accountNo": _text(one, "accountNo"),
        "product": _text(one, "product"),
        "currency": currency,
        "externalId": external,
        "minor": whole(one.get("minor", 0), "minor", 0, MINOR_MAX),
        "history": whole(one.get("history", 0), "history", 0, HISTORY_MAX),
    }


def _open(core: Core, mine: Client, one: dict[str, object]) -> None:
    begin = _begin(core, one)
    external = one["externalId"]
    account = Account(
        id=next_id(core.book.accounts),
        number=str(one["accountNo"]),
        client=mine.id,
        product=str(one["product"]),
        currency=str(one["currency"]),
        external=None if external is None else str(external),
        since=begin.date(),
    )
    core.book.put(account)
    unit = Decimal(1).scaleb(-CURRENCIES[account.currency].places)
    amounts = _history(whole(one["minor"], "minor", 0, MINOR_MAX), _count(one))
    for at, minor in enumerate(amounts):
        made = begin + at * _APART
        kind = DEPOSIT if minor > 0 else WITHDRAWAL
        row = core.enter(account, kind, abs(minor) * unit, made.date(), at=made)
        row.note = "Opening balance" if at == 0 else _WORDS[at % len(_WORDS)]


def _history(minor: int, count: int) -> list[int]:
    """Make up movements whose sum is `minor` and which never go below zero."""
    if count <= 1:
        return [minor] if minor else []
    pairs, odd = divmod(count - 1, 2)
    last = min(minor // 2, 5_000) if odd else 0
    sizes = [1_000 + 137 * (at % 50) for at in range(pairs)]
    moves = [move for size in sizes for move in (size, -size)]
    found = [minor - last, *moves, *([last] if odd else [])]
    return [move for move in found if move]


def _begin(core: Core, one: dict[str, object]) -> datetime:
    return core.now() - _APART * max(1, _count(one))


def _count(one: dict[str, object]) -> int:
    return whole(one["history"], "history", 0, HISTORY_MAX)


def _list(found: object, name: str) -> list[dict[str, object]]:
    if isinstance(found, list) and all(isinstance(one, dict) for one in found):
        return found
    raise Refused(422, "LIST_EXPECTED", f"{name} must be a list of objects.")


def _text(one: dict[str, object], name: str) -> str:
    found = one.get(name)
    if isinstance(found, str) and found:
        return found
    raise Refused(422, "TEXT_EXPECTED", f"{name} must be text.")
