"""A stand-in of My Bank's core: a book in memory behind a small real HTTP server."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid5

from typing_extensions import override

PLACES = {"INR": 2, "JPY": 0, "BHD": 3}
CLOSES_OUT = {"BLOCKED", "BLOCK_DEBIT"}
CLOSES_IN = {"BLOCKED", "BLOCK_CREDIT"}
SLOW_S = 0.6
Json = dict[str, Any]


class No(Exception):
    """The core refuses; nothing has moved."""


@dataclass
class Account:
    """One account; `movements` are oldest first, `holds` are open, by order."""

    ref: str
    number: str
    currency: str
    owner: str
    state: str = "OPEN"
    booked: Decimal = Decimal(0)
    movements: list[Json] = field(default_factory=list)
    holds: dict[str, Json] = field(default_factory=dict)

    @property
    def held(self) -> Decimal:
        """Money set aside."""
        return sum((-Decimal(one["amount"]) for one in self.holds.values()), Decimal(0))


class Book:
    """All accounts and orders. Only one order is worked on at a time."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.orders: dict[str, tuple[Json, int, Json]] = {}
        self.faults: list[str] = []
        self.calls = 0
        self.lock = threading.Lock()

    def open(self, currency: str, owner: str, money: Decimal) -> Account:
        """Open an account with some money."""
        number = f"{40_000_000_0000 + len(self.accounts)}"
        account = Account(f"A{len(self.accounts)}", number, currency, owner)
        self.accounts[account.ref] = account
        if money:
            self._move(account, money, "Opening", None)
        return account

    def order(self, key: str, asked: Json) -> tuple[int, Json]:
        """Do an order once; the same id again is given the same answer."""
        if key in self.orders:
            before, status, answer = self.orders[key]
            return (status, answer) if before == asked else (422, {"no": "REUSED"})
        try:
            status, answer = 200, {"id": key, "at": _now(), **self._do(key, asked)}
        except No as no:
            status, answer = 422, {"id": key, "no": str(no)}
        self.orders[key] = asked, status, answer
        return status, answer

    def _do(self, key: str, asked: Json) -> Json:
        match asked["kind"]:
            case "transfer":
                src, dst = self._known(asked["src"]), self._known(asked["dst"])
                amount = self._passes(src, asked)
                _lets_in(dst)
                if dst.currency != src.currency:
                    raise No("CURRENCY")
                self._move(src, -amount, asked["text"], key)
                self._move(dst, amount, asked["text"], key)
            case "hold":
                src = self._known(asked["src"])
                amount = self._passes(src, asked)
                row = _row(src, -amount, asked["text"], key)
                src.holds[key] = {**row, "id": str(uuid5(UUID(key), "hold"))}
                return {"src": src.ref, **_of(asked)}
            case "capture" | "release":
                self._resolve(key, asked)
            case "reverse":
                self._reverse(key, asked["of"])
            case "state":
                self._known(asked["src"]).state = asked["state"]
            case _:
                raise No("KIND")
        return {"journal": key}

    def _resolve(self, key: str, asked: Json) -> None:
        owner = [a for a in self.accounts.values() if asked["hold"] in a.holds]
        if not owner:
            raise No("RESOLVED")
        hold = owner[0].holds[asked["hold"]]
        if asked["kind"] == "capture":
            amount = Decimal(asked["amount"])
            if not 0 < amount <= -Decimal(hold["amount"]):
                raise No("AMOUNT")
            self._move(owner[0], -amount, hold["text"], key)
        del owner[0].holds[asked["hold"]]

    def _reverse(self, key: str, of: str) -> None:
        mark = f"reverses {of}"
        rows = [(a, m) for a in self.accounts.values() for m in a.movements]
        if any(m["text"] == mark for _, m in rows):
            raise No("RESOLVED")
        for account, row in rows:
            if row["order"] == of:
                self._move(account, -Decimal(row["amount"]), mark, key)

    def _known(self, ref: str) -> Account:
        if ref not in self.accounts:
            raise No("NO_ACCOUNT")
        return self.accounts[ref]

    def _passes(self, src: Account, asked: Json) -> Decimal:
        """Say how much leaves an account, or why it does not."""
        amount = Decimal(asked["amount"])
        if src.state == "CLOSED":
            raise No("CLOSED")
        if src.state in CLOSES_OUT:
            raise No("BLOCKED")
        if asked["currency"] != src.currency:
            raise No("CURRENCY")
        if amount <= 0:
            raise No("AMOUNT")
        if amount > src.booked - src.held:
            raise No("NO_FUNDS")
        return amount

    def _move(
        self, account: Account, amount: Decimal, text: str, key: str | None
    ) -> None:
        account.booked += amount
        account.movements.append(_row(account, amount, text, key))


def _lets_in(dst: Account) -> None:
    if dst.state == "CLOSED":
        raise No("CLOSED")
    if dst.state in CLOSES_IN:
        raise No("BLOCKED")


def _of(asked: Json) -> Json:
    return {"amount": asked["amount"], "currency": asked["currency"]}


def _row(account: Account, amount: Decimal, text: str, key: str | None) -> Json:
    number = len(account.movements)
    return {
        "id": str(uuid5(UUID(int=5), f"{account.ref}/{number}")),
        "at": _now(),
        "amount": str(amount),
        "after": str(account.booked),
        "currency": account.currency,
        "text": text,
        "order": key,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat()  # noqa: TID251  -- it is not the bank


def _page(account: Account, before: int, rows: int) -> Json:
    first = max(0, before - rows)
    older = str(first) if first else None
    return {"movements": account.movements[first:before][::-1], "older": older}


class Counter(BaseHTTPRequestHandler):
    """The HTTP side: routes, the token, and the faults."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    book: Book
    token: str

    def do_GET(self) -> None:
        """Answer a question."""
        self._answer(*self._asked())

    def do_PUT(self) -> None:
        """Do an order, with whatever is to go wrong."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        book, key = self.book, self.path.rsplit("/", 1)[-1]
        book.calls += 1
        fault = book.faults.pop(0) if book.faults else ""
        if fault == "DROP_BEFORE_WORK":
            return self._hang_up()
        if fault in {"FAILS", "TURNED_AWAY", "UNTRUSTED"} or not self._trusted():
            status = {"FAILS": 503, "TURNED_AWAY": 429}.get(fault, 401)
            return self._answer(status, {})
        with book.lock:
            status, answer = book.order(key, asked)
        if fault == "DROP_AFTER_WORK":
            return self._hang_up()
        if fault == "SLOW":
            time.sleep(SLOW_S)
        with suppress(OSError):  # who asked may have gone away meanwhile
            self._answer(status, answer, broken=fault == "MALFORMED")
        return None

    def _asked(self) -> tuple[int, object]:
        parts = urlsplit(self.path)
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.book.calls += 1
        if not self._trusted():
            return 401, {}
        with self.book.lock:
            found = _found(self.book, parts.path.strip("/").split("/"), asked)
        return found or (404, {})

    def _trusted(self) -> bool:
        return self.headers["authorization"] == f"Bearer {self.token}"

    def _answer(self, status: int, body: object, *, broken: bool = False) -> None:
        raw = json.dumps(body).encode()[: -1 if broken else None]
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    @override
    def log_message(self, *_words: object) -> None:
        """Say nothing."""


def _shown(account: Account) -> Json:
    return {
        "ref": account.ref,
        "number": account.number,
        "name": "Everyday",
        "currency": account.currency,
        "state": account.state,
    }


def _look(account: Account, rows: int) -> Json:
    return {
        **_shown(account),
        "booked": str(account.booked),
        "held": str(account.held),
        "holds": list(account.holds.values()),
        **_page(account, len(account.movements), rows),
    }


def _found(
    book: Book, path: list[str], asked: dict[str, str]
) -> tuple[int, object] | None:
    """Answer what is asked about the book."""
    answer: object = {}
    match path:
        case ["health"]:
            pass
        case ["customers", number]:
            all_of_them = book.accounts.values()
            answer = [_shown(one) for one in all_of_them if one.owner == number]
        case ["accounts"]:
            named = [book.accounts.get(ref) for ref in asked["refs"].split(",")]
            answer = [_look(one, int(asked["rows"])) for one in named if one]
        case ["accounts", ref, "movements"] if ref in book.accounts:
            before, rows = int(asked["before"]), int(asked["rows"])
            answer = _page(book.accounts[ref], before, rows)
        case ["orders", key] if key in book.orders:
            return book.orders[key][1:]
        case _:
            return None
    return 200, answer


@contextmanager
def a_stand_in(token: str) -> Iterator[tuple[Book, str]]:
    """Serve a new book on a free port; gives it and its address."""
    book = Book()
    counter = type("OpenCounter", (Counter,), {"book": book, "token": token})
    with ThreadingHTTPServer(("127.0.0.1", 0), counter) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield book, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
