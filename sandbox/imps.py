"""The instant rail: name enquiry, pay, status, signed callbacks, the day's settlement.

Magic values need no set-up: the last two digits of an amount choose the order's fate
(`FATES`), the last two of an account number its holder (`holder`).
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import NamedTuple
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sandbox.calls import Call, Caller
from sandbox.clock import WorldClock, rfc3339
from sandbox.faults import FaultPlan
from sandbox.intake import Refused, json_object, only

PAY = "/imps/payments"
STATUS = "/imps/payments/{id}"
NAMES = "/imps/name-enquiry"
SETTLEMENT = "/imps/settlement/{day}"
REMEMBERED_MAX = 100_000  # orders; the oldest is forgotten first
PROMISE_S = 30  # by when the rail means to know

_ACCOUNT = re.compile(r"[0-9]{9,18}", re.ASCII)
_IFSC = re.compile(r"[A-Z]{4}0[A-Z0-9]{6}", re.ASCII)
_MAX = Decimal(500_000)
_BANKS = {"SAND": "Sandbox Bank", "DUNE": "Dune Bank"}
_HOLDERS = ("Dev Malhotra", "Meera Iyer", "Farhan Qureshi", "Lakshmi Nair")
_NOBODY, _CLOSED, _SILENT = "00", "98", "99"


class Turn(NamedTuple):
    """What an order becomes, so many seconds after it was taken."""

    after_s: int
    status: str
    reason: str | None = None


_SETTLES = (Turn(0, "SETTLED"),)
_RETURN = "RETURNED_BY_PAYEE_BANK"
FATES: Mapping[str, tuple[Turn, ...]] = {
    "11": (Turn(0, "ACCEPTED"), Turn(2, "SETTLED")),
    "13": (Turn(0, "UNKNOWN"), Turn(20, "SETTLED")),
    "14": (Turn(0, "UNKNOWN"), Turn(20, "REJECTED", "ACCOUNT_BLOCKED")),
    "15": (Turn(0, "UNKNOWN"),),
    "21": (Turn(0, "REJECTED", "INSUFFICIENT_FUNDS"),),
    "41": (Turn(0, "SETTLED"), Turn(60, "RETURNED", _RETURN)),
    "51": (Turn(0, "DEEMED"), Turn(20, "SETTLED")),
}
_TWICE, _CALL_FIRST = "31", "32"
SAYS = {
    "11": "accepted, settled after 2 s",
    "13": "unknown, settled after 20 s",
    "14": "unknown, then rejected",
    "15": "unknown for ever",
    "21": "rejected by the payee's bank",
    _TWICE: "settled, told twice",
    _CALL_FIRST: "settled, told before the answer",
    "41": "settled, returned after 60 s",
    "51": "deemed, then settled",
}


@dataclass(frozen=True, slots=True)
class Order:
    """One payment as the rail keeps it."""

    id: str
    body: dict[str, object] = field(repr=False)
    account: str
    amount: Decimal
    currency: str
    rrn: str
    taken: datetime
    fate: tuple[Turn, ...]

    def at(self, turn: Turn) -> dict[str, object]:
        """Say the order as it is from a turn on."""
        said: dict[str, object] = {
            "id": self.id,
            "status": turn.status,
            "rrn": self.rrn,
            "at": rfc3339(self.taken + timedelta(seconds=turn.after_s)),
            "amount": self.body["amount"],
            "currency": self.currency,
        }
        if turn.reason is not None:
            said["reason"] = turn.reason
        if turn.status in {"ACCEPTED", "DEEMED"}:
            said["expectedBy"] = rfc3339(self.taken + timedelta(seconds=PROMISE_S))
        return said

    def turn(self, now: datetime) -> Turn:
        """Give the turn that the order has taken last."""
        age_s = (now - self.taken).total_seconds()
        return [one for one in self.fate if one.after_s <= age_s][-1]


class Imps:
    """The rail. Each order id is taken once; the same body again says the same order.

    Args:
        clock: of the world; fates take their turns by it.
        plan: what goes wrong with callbacks.
        caller: tells the bank of every turn that is worth a word.
    """

    def __init__(self, clock: WorldClock, plan: FaultPlan, caller: Caller) -> None:
        self._clock = clock
        self._plan = plan
        self._caller = caller
        self._orders: OrderedDict[str, Order] = OrderedDict()
        self._taken = 0

    async def enquire(self, request: Request) -> Response:
        """`POST /imps/name-enquiry {"account", "ifsc"}`: who holds an account."""
        body = await json_object(request)
        only(body, {"account", "ifsc"})
        account, ifsc = _account(body.get("account")), _ifsc(body.get("ifsc"))
        if account.endswith(_SILENT):
            raise Refused(424, "BANK_UNAVAILABLE", "The payee's bank does not answer.")
        name = holder(account)
        if name is None:
            raise Refused(404, "NO_SUCH_ACCOUNT", "Nobody holds this account.")
        bank = _BANKS.get(ifsc[:4], f"Bank {ifsc[:4]}")
        return JSONResponse(
            {"name": name, "maskedName": masked(name), "bankName": bank}
        )

    async def pay(self, request: Request) -> Response:
        """`POST /imps/payments`: take an order, once per id; its state is answered."""
        body = await json_object(request)
        order_id = _id(body.get("id"))
        if request.headers.get("idempotency-key") != order_id:
            raise Refused(422, "KEY_INVALID", "Idempotency-Key must be the id.")
        known = self._orders.get(order_id)
        if known is not None and known.body != body:
            raise Refused(409, "ID_USED", "This id was used for another order.")
        if known is None:
            known = self._take(order_id, body)
            await self._call_about(known)
        return JSONResponse(known.at(known.turn(self._clock.now())))

    async def status(self, request: Request) -> Response:
        """`GET /imps/payments/{id}`: what became of an order."""
        known = self._orders.get(request.path_params["id"])
        if known is None:
            raise Refused(404, "NEVER_SEEN", "No order has this id.")
        return JSONResponse(known.at(known.turn(self._clock.now())))

    async def settlement(self, request: Request) -> Response:
        """`GET /imps/settlement/{day}`: what moved on a UTC day, as CSV, so far."""
        try:
            day = date.fromisoformat(request.path_params["day"])
        except ValueError:
            raise Refused(422, "DAY_INVALID", "The day must be YYYY-MM-DD.") from None
        now = self._clock.now()
        lines = ["rrn,id,amount,currency,status,at"]
        for order in self._orders.values():
            for turn in order.fate:
                at = order.taken + timedelta(seconds=turn.after_s)
                moved = turn.status in {"SETTLED", "RETURNED"}
                if moved and at <= now and at.astimezone(UTC).date() == day:
                    lines.append(
                        f"{order.rrn},{order.id},{order.amount:.2f},{order.currency},"
                        f"{turn.status},{rfc3339(at)}"
                    )
        return PlainTextResponse("\n".join(lines) + "\n", media_type="text/csv")

    async def payee_of(self, request: Request) -> str | None:
        """Give the account that a request is about: faults may be set for one."""
        known = self._orders.get(request.path_params.get("id", ""))
        if known is not None:
            return known.account
        try:
            body = await json_object(request)
        except Refused:
            return None
        payee = body.get("payee")
        found = payee.get("account") if isinstance(payee, dict) else None
        found = found or body.get("account")
        return found if isinstance(found, str) else None

    def _take(self, order_id: str, body: dict[str, object]) -> Order:
        only(body, {"id", "amount", "currency", "payer", "payee", "reference"})
        payee = body.get("payee")
        if not isinstance(payee, dict):
            raise Refused(422, "PAYEE_INVALID", "payee must be an object.")
        account = _account(payee.get("account"))
        _ifsc(payee.get("ifsc"))
        amount = _amount(body.get("amount"))
        if body.get("currency") != "INR":
            raise Refused(422, "CURRENCY_INVALID", "currency must be INR.")
        now = self._clock.now()
        self._taken += 1
        order = Order(
            id=order_id,
            body=body,
            account=account,
            amount=amount,
            currency="INR",
            rrn=f"{now:%y%j%H}"[1:] + f"{self._taken % 1_000_000:06d}",
            taken=now,
            fate=_fate(account, amount),
        )
        self._orders[order_id] = order
        if len(self._orders) > REMEMBERED_MAX:
            self._orders.popitem(last=False)
        return order

    async def _call_about(self, order: Order) -> None:
        """Plan the calls about an order, as the faults in force would have them."""
        calls = [
            Call(
                f"evt_{order.id}_{number}",
                {"type": "payment.updated", "data": order.at(turn)},
                order.taken + timedelta(seconds=turn.after_s),
            )
            for number, turn in enumerate(order.fate)
            if turn.status != "UNKNOWN"
        ]
        magic = f"{order.amount:.2f}"[-2:]
        for rule in self._plan.callbacks(PAY, order.account):
            calls = _disturbed(rule.kind, rule.latency_ms, order, calls)
        if magic == _TWICE:
            calls = [call for call in calls for _ in range(2)]
        if magic == _CALL_FIRST:
            for call in calls:
                await self._caller.make(call)
            return
        for call in calls:
            self._caller.plan(call)


def _disturbed(
    kind: str, latency_ms: int, order: Order, calls: list[Call]
) -> list[Call]:
    """Give the calls about an order as one fault would have them."""
    if not calls:
        return calls
    last = calls[-1]
    match kind:
        case "duplicate-callback":
            return [call for call in calls for _ in range(2)]
        case "late-callback":
            late = timedelta(milliseconds=latency_ms)
            return [Call(one.id, one.body, one.at + late) for one in calls]
        case "callback-out-of-order":
            stale = order.at(Turn(0, "ACCEPTED"))
            body = {"type": "payment.updated", "data": stale}
            return [*reversed(calls), Call(f"evt_{order.id}_stale", body, last.at)]
        case _:
            final = order.fate[-1].status
            other = "REJECTED" if final in {"SETTLED", "RETURNED"} else "SETTLED"
            reason = "ACCOUNT_CLOSED" if other == "REJECTED" else None
            said = order.at(Turn(order.fate[-1].after_s, other, reason))
            body = {"type": "payment.updated", "data": said}
            return [*calls, Call(f"evt_{order.id}_other", body, last.at)]


def holder(account: str) -> str | None:
    """Name who holds an account, by its last two digits.

    90 is held by somebody nearly called "Close Match", 91 by somebody else, 99 by a
    bank that does not tell, 00 by nobody.
    """
    magic = {"90": "Closs Match", "91": "Somebody Else", _NOBODY: None}
    ending = account[-2:]
    return magic[ending] if ending in magic else _HOLDERS[(int(ending) - 1) % 4]


def masked(name: str) -> str:
    """Show the first letters of a name, as this bank lets others see it."""
    return " ".join(word[:2] + "*" * max(1, len(word) - 2) for word in name.split())


def _fate(account: str, amount: Decimal) -> tuple[Turn, ...]:
    if account.endswith(_NOBODY):
        return (Turn(0, "REJECTED", "ACCOUNT_NOT_FOUND"),)
    if account.endswith(_CLOSED):
        return (Turn(0, "REJECTED", "ACCOUNT_CLOSED"),)
    return FATES.get(f"{amount:.2f}"[-2:], _SETTLES)


def _id(value: object) -> str:
    try:
        found = str(UUID(str(value)))
    except ValueError:
        found = ""
    if found != value:
        raise Refused(422, "ID_INVALID", "id must be a UUID.")
    return found


def _account(value: object) -> str:
    if isinstance(value, str) and _ACCOUNT.fullmatch(value):
        return value
    raise Refused(422, "ACCOUNT_INVALID", "account must have 9 to 18 digits.")


def _ifsc(value: object) -> str:
    if isinstance(value, str) and _IFSC.fullmatch(value):
        return value
    raise Refused(422, "IFSC_INVALID", "ifsc must look like SAND0000001.")


def _amount(value: object) -> Decimal:
    try:
        found = Decimal(str(value)) if isinstance(value, int | float) else Decimal(0)
    except InvalidOperation:
        found = Decimal(0)
    if 0 < found <= _MAX and found == found.quantize(Decimal("0.01")):
        return found
    raise Refused(422, "AMOUNT_INVALID", "amount must be from 0.01 to 500000.00.")
