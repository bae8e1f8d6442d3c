"""The words of the IMPS rail, and what they mean in ours. Pure.

An order is believed done or refused only on the rail's own final word; everything else
is Unknown. Source: banking.md sections 5 and 6.4.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID

from app.integrations.exchange import from_json
from app.integrations.outcome import Ok, OpRef, Outcome, PortCode, Unknown
from app.integrations.rails import (
    PayeeAddress,
    PayeeName,
    PaymentOrder,
    RailAnswer,
    RailEvent,
    RailStatus,
)
from app.integrations.webhooks import Forged
from app.money import MINOR_MAX, Money
from app.telemetry import log

RAIL = "IMPS"
CURRENCY = "INR"
_IFSC = re.compile(r"[A-Z]{4}0[A-Z0-9]{6}", re.ASCII)  # RBI: bank, 0, branch
_NUMBER = re.compile(r"[0-9]{9,18}", re.ASCII)
_RRN = re.compile(r"[0-9]{12}", re.ASCII)
_WORD = re.compile(r"[A-Z][A-Z0-9_]{0,31}", re.ASCII)  # what a log may repeat
# What a "no" of the rail's door means: it took nothing in. A 409 is not among them, for
# it says that something lies under this id.
REFUSALS: Mapping[int, PortCode] = MappingProxyType(
    {
        400: PortCode.VALIDATION,
        413: PortCode.VALIDATION,
        422: PortCode.VALIDATION,
    }
)
# Why the rail, or the payee's bank, said no.
_REASONS: Mapping[str, PortCode] = MappingProxyType(
    {
        "ACCOUNT_BLOCKED": PortCode.PAYEE_INVALID,
        "ACCOUNT_CLOSED": PortCode.PAYEE_INVALID,
        "ACCOUNT_NOT_FOUND": PortCode.PAYEE_INVALID,
        "BANK_UNAVAILABLE": PortCode.NOT_SUPPORTED,
        "INSUFFICIENT_FUNDS": PortCode.INSUFFICIENT_FUNDS,
        "LIMIT_EXCEEDED": PortCode.LIMIT_EXCEEDED,
        "RETURNED_BY_PAYEE_BANK": PortCode.PAYEE_INVALID,
    }
)
_MOST = MINOR_MAX // 100  # a greater number, 1E+999999 too, is no amount of money
_UNSURE = "UNKNOWN"  # the rail's own word for an order it cannot tell about yet


def address_of(number: str, bank_code: str, *, ours: bool) -> PayeeAddress | None:
    """Recognise an account of another Indian bank: 9 to 18 digits and an IFSC."""
    if ours or not (_IFSC.fullmatch(bank_code) and _NUMBER.fullmatch(number)):
        return None
    return PayeeAddress(scheme=RAIL, number=number, bank_code=bank_code)


def written(op: OpRef, order: PaymentOrder) -> Mapping[str, object]:
    """Write an order as the rail takes it."""
    amount = order.amount
    return {
        "id": str(op.id),
        "amount": Decimal(amount.minor).scaleb(-amount.exponent),
        "currency": amount.currency,
        "payer": {"name": order.payer_name, "account": order.payer_masked},
        "payee": {
            "name": order.payee_name,
            "account": order.payee_address,
            "ifsc": order.payee_bank_code,
        },
        "reference": order.reference,
    }


def name_of(body: object) -> PayeeName | None:
    """Read who holds an account; None where the answer breaks the contract."""
    match body:
        case {"name": str(name), "maskedName": str(masked), **rest}:
            bank = rest.get("bankName")
            return PayeeName(
                name=name,
                masked=masked,
                bank_name=bank if isinstance(bank, str) else None,
            )
        case _:
            return None


def outcome_of(body: object, op: UUID, asked: Money) -> Outcome[RailAnswer]:
    """Read what the rail says of one order.

    An answer about another order, or another amount, says nothing about ours.
    """
    if not isinstance(body, dict) or body.get("id") != str(op):
        return Unknown("an answer about no order of ours")
    if body.get("status") == _UNSURE:
        return Unknown("the rail does not know yet")
    answer, ref = _answer(body), body.get("rrn")
    if answer is None or not isinstance(ref, str) or not _RRN.fullmatch(ref):
        return Unknown("an answer out of contract")
    if _amount(body) != asked:
        log.error("rail_names_another_amount", partner=RAIL, op_id=str(op))
        return Unknown("an answer about another amount")
    return Ok(answer, ref)


def event_of(raw: bytes, event_id: str) -> RailEvent:
    """Read a call that was signed by the rail.

    Raises:
        Forged: it is not in the rail's form.
    """
    try:
        body = from_json(raw)
    except ValueError:
        raise Forged("signed, but no JSON") from None
    match body:
        case {"type": "payment.updated", "data": {"id": str(op), **_rest} as data}:
            answer = _answer(data)
        case _:
            raise Forged("signed, but in another form")
    ref, amount = data.get("rrn"), _amount(data)
    if answer is None or not isinstance(ref, str) or not _RRN.fullmatch(ref):
        raise Forged("signed, but says nothing")
    if amount is None:
        raise Forged("signed, but about no amount of this rail")
    try:
        order = UUID(op)
    except ValueError:
        raise Forged("signed, but about no order") from None
    return RailEvent(
        op=order, event_id=event_id, answer=answer, provider_ref=ref, amount=amount
    )


def says(body: object, code: str) -> bool:
    """Tell whether an answer carries a code."""
    return isinstance(body, dict) and body.get("code") == code


def _answer(body: Mapping[str, object]) -> RailAnswer | None:
    """Read status, times and reason; None where they break the contract."""
    status, at = body.get("status"), _instant(body.get("at"))
    if not isinstance(status, str) or status not in set(RailStatus) or at is None:
        return None
    code = None
    if status in {RailStatus.REJECTED, RailStatus.RETURNED}:
        code = _reason(body.get("reason"))
    return RailAnswer(
        RailStatus(status), at, expected_by=_instant(body.get("expectedBy")), code=code
    )


def _reason(told: object) -> PortCode:
    """Put a reason into our words; only a code is logged, for a sentence may name."""
    word = told if isinstance(told, str) and _WORD.fullmatch(told) else "unlisted"
    code = _REASONS.get(word)
    if code is not None:
        return code
    log.error("rail_reason_unlisted", partner=RAIL, reason=word)
    return PortCode.NOT_SUPPORTED


def _amount(body: Mapping[str, object]) -> Money | None:
    """Read the amount, exactly; None where it is not one of this rail."""
    value, currency = body.get("amount"), body.get("currency")
    if currency != CURRENCY or not isinstance(value, Decimal | int):
        return None
    if isinstance(value, bool) or not 0 <= value <= _MOST:
        return None
    minor = int(value * 100)
    return Money(minor, CURRENCY) if Decimal(minor).scaleb(-2) == value else None


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None
