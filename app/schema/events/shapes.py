"""The events of the stream as their facts hold them, field by field.

Only what has another name or form in the snapshot is told; the differential test shows
that a fact read by its shape gives what its Strawberry object gives.
"""

from collections.abc import Mapping
from operator import attrgetter, itemgetter
from typing import Any

from app.payments.payment import StepDetail
from app.realtime import facts, shots
from app.realtime.cursor import written
from app.realtime.logged import LoggedEvent
from app.schema.accounts.accounts import Account, Transaction
from app.schema.accounts.figures import Balance, Counterparty, money_of
from app.schema.auth.devices import Device
from app.schema.auth.security_log import AuditEntry
from app.schema.events import kinds
from app.schema.notifications.inbox import InboxItem
from app.schema.payments import words
from app.schema.payments.beneficiaries import Beneficiary
from app.schema.payments.limits import Limit
from app.schema.payments.payments import Payment, PaymentStep
from app.schema.plan.shapes import Part, Shape
from app.schema.refusals import ErrorCode
from app.schema.scalars import Money

_MONEY = Shape(
    Money,
    lambda pair: money_of(*pair),
    {"minor_units": Part(itemgetter(0)), "currency": Part(itemgetter(1))},
)


def _amount(name: str) -> Part:
    both = attrgetter(name, "currency")

    def read(shot: Any) -> object:  # noqa: ANN401  -- any snapshot with a currency
        pair = both(shot)
        return None if pair[0] is None else pair

    return Part(read, _MONEY)


def _within(name: str, shape: Shape) -> Part:
    return Part(attrgetter(name), shape)


def _reason(shot: shots.PaymentShot) -> ErrorCode | None:
    return None if shot.reason is None else ErrorCode[shot.reason]


def _detail(shot: shots.StepShot) -> str | None:
    return None if shot.detail is None else words.step(StepDetail(shot.detail))


_ACCOUNT = Shape(Account, Account.of)
_COUNTERPARTY = Shape(Counterparty, Counterparty.of)
_BALANCE = Shape(
    Balance,
    Balance.of,
    {name: _amount(name) for name in ("available", "booked", "held")},
)
_TRANSACTION = Shape(
    Transaction,
    Transaction.of,
    {
        "account": _within("account", _ACCOUNT),
        "amount": _amount("amount"),
        "original": Part(lambda _shot: None),
        "running_balance": _amount("running_balance"),
        "counterparty": _within("counterparty", _COUNTERPARTY),
    },
)
_PAYMENT = Shape(
    Payment,
    Payment.of,
    {
        "from_": _within("from_account", _ACCOUNT),
        "payee": _within("payee", _COUNTERPARTY),
        "amount": _amount("amount"),
        "fee": _amount("fee"),
        "reason": Part(_reason),
    },
)
_STEP = Shape(PaymentStep, PaymentStep.of, {"detail": Part(_detail)})
_BENEFICIARY = Shape(Beneficiary, Beneficiary.of)
_DEVICE = Shape(Device, Device.of)
_LIMIT = Shape(
    Limit,
    Limit.of,
    {
        name: _amount(name)
        for name in ("max", "used", "remaining", "ceiling", "pending_max")
    },
)
_ENTRY = Shape(AuditEntry, AuditEntry.of, {"ip": Part(attrgetter("address"))})

_ITEM = Shape(InboxItem, InboxItem.of)

_EVENTS: Mapping[type, Shape] = {
    facts.BalanceChanged: Shape(
        kinds.BalanceChanged,
        kinds.BalanceChanged.of,
        {
            "account": _within("account", _ACCOUNT),
            "balance": _within("balance", _BALANCE),
        },
    ),
    facts.TransactionPosted: Shape(
        kinds.TransactionPosted,
        kinds.TransactionPosted.of,
        {"transaction": _within("transaction", _TRANSACTION)},
    ),
    facts.TransactionUpdated: Shape(
        kinds.TransactionUpdated,
        kinds.TransactionUpdated.of,
        {"transaction": _within("transaction", _TRANSACTION)},
    ),
    facts.PaymentChanged: Shape(
        kinds.PaymentChanged,
        kinds.PaymentChanged.of,
        {"payment": _within("payment", _PAYMENT), "step": _within("step", _STEP)},
    ),
    facts.BeneficiaryChanged: Shape(
        kinds.BeneficiaryChanged,
        kinds.BeneficiaryChanged.of,
        {"beneficiary": _within("beneficiary", _BENEFICIARY)},
    ),
    facts.DeviceChanged: Shape(
        kinds.DeviceChanged,
        kinds.DeviceChanged.of,
        {"device": _within("device", _DEVICE)},
    ),
    facts.LimitChanged: Shape(
        kinds.LimitChanged,
        kinds.LimitChanged.of,
        {"limit": _within("limit", _LIMIT)},
    ),
    facts.SecurityEvent: Shape(
        kinds.SecurityEvent,
        kinds.SecurityEvent.of,
        {"entry": _within("entry", _ENTRY)},
    ),
    facts.InboxAdded: Shape(
        kinds.InboxAdded,
        kinds.InboxAdded.of,
        {"item": _within("item", _ITEM)},
    ),
}


def _cursor(event: LoggedEvent) -> str:
    return written(event.epoch, event.seq, event.day)


def _whole(_event: LoggedEvent) -> object:
    raise LookupError("an envelope computes nothing")


ENVELOPE = Shape(
    kinds.EventEnvelope,
    _whole,
    {
        "cursor": Part(_cursor),
        "sequence": Part(attrgetter("seq")),
        "category": Part(attrgetter("fact.category")),
        "event": Part(attrgetter("fact"), _EVENTS),
    },
)
