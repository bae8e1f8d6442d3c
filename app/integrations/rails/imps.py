"""The IMPS rail: instant payments to accounts of other banks, by account and IFSC.

The id of our stored operation is the order's id at the rail, so the same order sent
twice is one. An order is believed done or refused only on the rail's own final word;
everything else is Unknown and is asked about. Source: banking.md sections 5 and 6.4.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import assert_never
from uuid import UUID

from pydantic import AnyHttpUrl, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from app import adapters
from app.clock import Clock
from app.errors import NotFound
from app.integrations.breaker import BreakerState
from app.integrations.core_banking import CoreBank, OpContext
from app.integrations.exchange import Answer, Ask, from_json
from app.integrations.http import Partner
from app.integrations.outcome import (
    AuthFailed,
    BreakerOpen,
    ContractBroken,
    Ok,
    OpRef,
    Outcome,
    PortCode,
    Rejected,
    Unknown,
)
from app.integrations.rails import (
    Callback,
    Names,
    PayeeAddress,
    PayeeName,
    PaymentOrder,
    RailAnswer,
    RailCaps,
    RailEvent,
    RailQuote,
    RailStatus,
    Settles,
)
from app.integrations.webhooks import Forged, WebhookVerifier
from app.money import MINOR_MAX, Money, zero
from app.telemetry import log

RAIL = "IMPS"
CURRENCY = "INR"
MAX_MINOR = 50_000_000  # 5 lakh rupees: NPCI's cap of one IMPS payment by account
PAY = "/imps/payments"
STATUS = "/imps/payments/{id}"
NAMES = "/imps/name-enquiry"
_ARRIVES = timedelta(seconds=30)
_NAME_S = 3.0  # a confirm screen waits for it
_RRN = re.compile(r"[0-9]{12}", re.ASCII)
_NEVER_SEEN = 404
_NOBODY = 404
_NO_ENTRY = {401, 403}
# What a "no" of the rail's door means: it took nothing in. A 409 is not among them, for
# it says that something lies under this id.
_REFUSALS: Mapping[int, PortCode] = MappingProxyType(
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


class Settings(BaseSettings):
    """Where the rail is, and what it shares with us."""

    model_config = SettingsConfigDict(env_prefix="SIXPENCE_RAILS_IMPS_", frozen=True)

    base_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:8001"),
        description="The rail's gateway; the default is the sandbox.",
    )
    api_key: SecretStr | None = Field(
        default=None, description="Bearer token that the rail gave us."
    )
    undo_first_s: int = Field(
        default=10,
        description="Seconds in which a first payment to a payee can be stopped.",
    )
    callback_form: str = Field(
        default="standard", description="Adapter that believes callbacks or does not."
    )
    callback_secrets_file: Path | None = Field(
        default=None,
        description="What callbacks are signed with, lines of `whsec_` and base64. "
        "Left out, none is believed and the rail is asked instead; not in production, "
        "for only a callback tells that a settled payment came back.",
    )


class Imps:
    """Fits `PaymentRail`: hold first, hand over, then capture or release.

    Args:
        partner: the opened gateway.
        clock: when an order would arrive.
        verifier: believes callbacks or does not.
        undo_first_s: seconds to stop a first payment to a payee.
    """

    def __init__(
        self,
        partner: Partner,
        clock: Clock,
        verifier: WebhookVerifier,
        undo_first_s: int = 0,
    ) -> None:
        self.caps = RailCaps(
            rail=RAIL,
            schemes=frozenset({RAIL}),
            settles=Settles.TWO_PHASE,
            undo_first_s=undo_first_s,
            max_minor=MAX_MINOR,
            currency=CURRENCY,
            calls=not verifier.is_deaf,
        )
        self.partner = partner
        self._clock = clock
        self._verifier = verifier

    async def resolve_payee(self, address: PayeeAddress) -> PayeeName:
        """Ask the payee's bank who holds an account.

        Raises:
            NotFound: no such account there.
            Outage: that bank, or the rail, does not tell at the moment.
        """
        body = {"account": address.number, "ifsc": address.bank_code}
        ask = Ask("POST", NAMES, body=body, read_s=_NAME_S)
        answer = await self.partner.read(ask)
        if answer.status == _NOBODY:
            raise NotFound
        self._admitted(answer)
        found = answer.body if answer.is_success else None
        match found:
            case {"name": str(name), "maskedName": str(masked), **rest}:
                bank = rest.get("bankName")
                return PayeeName(
                    name=name,
                    masked=masked,
                    bank_name=bank if isinstance(bank, str) else None,
                )
            case _:
                raise ContractBroken(
                    f"{self.partner.name}: a name enquiry answered {answer.status}",
                    component=self.partner.component,
                )

    async def quote(self, order: PaymentOrder) -> RailQuote:
        """Free of charge; the rail promises half a minute.

        Raises:
            BreakerOpen: the rail has not answered of late, so nothing is begun.
        """
        breaker = self.partner.breaker
        if breaker.state is BreakerState.OPEN:
            raise BreakerOpen(
                f"{self.partner.name}: breaker is open",
                component=self.partner.component,
                retry_after_s=breaker.opens_in_s(),
            )
        return RailQuote(zero(order.amount.currency), self._clock.now() + _ARRIVES)

    async def submit(self, op: OpRef, order: PaymentOrder) -> Outcome[RailAnswer]:
        """Hand an order over; the same op again gives the order that is there.

        Raises:
            NotSent: nothing left this process; also Busy, BreakerOpen and AuthFailed.
        """
        body = {
            "id": str(op.id),
            "amount": _decimal(order.amount),
            "currency": order.amount.currency,
            "payer": {"name": order.payer_name, "account": order.payer_masked},
            "payee": {
                "name": order.payee_name,
                "account": order.payee_address,
                "ifsc": order.payee_bank_code,
            },
            "reference": order.reference,
        }
        ask = Ask(
            "POST",
            PAY,
            headers={"idempotency-key": str(op.id)},
            body=body,
            op_id=op.id,
        )
        found = await self.partner.write(ask)
        match found:
            case Unknown():
                return found
            case Answer():
                self._admitted(found)
                code = _REFUSALS.get(found.status)
                if code is not None:
                    return Rejected(code, detail=f"status {found.status}")
                if not found.is_success:
                    return self.partner.unlisted(ask, found)
                return _outcome(found.body, op.id, order.amount)
            case _:
                assert_never(found)

    async def status(self, op: OpRef, context: OpContext) -> Outcome[RailAnswer]:
        """Ask what became of an order; `Rejected(NEVER_SEEN)` is an answer.

        Raises:
            Outage: the rail does not tell at the moment.
        """
        ask = Ask("GET", STATUS, path={"id": str(op.id)}, op_id=op.id)
        answer = await self.partner.read(ask)
        self._admitted(answer)
        if answer.status == _NEVER_SEEN and _says(answer.body, "NEVER_SEEN"):
            return Rejected(PortCode.NEVER_SEEN)
        if not answer.is_success:
            return self.partner.unlisted(ask, answer)
        return _outcome(answer.body, op.id, context.amount)

    def parse_callback(self, callback: Callback) -> list[RailEvent]:
        """Verify what came, then read it.

        Raises:
            Forged: not signed by this rail, or not in its form.
            Expired: signed too long ago.
        """
        event = self._verifier.verify(callback.headers, callback.body, callback.at)
        try:
            body = from_json(event.body)
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
        return [
            RailEvent(
                op=order,
                event_id=event.id,
                answer=answer,
                provider_ref=ref,
                amount=amount,
            )
        ]

    async def close(self) -> None:
        """Close the connections."""
        await self.partner.close()

    def _admitted(self, answer: Answer) -> None:
        """Tell a refused key from a refused order: it was refused before any work."""
        if answer.status in _NO_ENTRY:
            raise AuthFailed(
                f"{self.partner.name}: status {answer.status}",
                component=self.partner.component,
            )


def _outcome(body: object, op: UUID, asked: Money) -> Outcome[RailAnswer]:
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


def _answer(body: Mapping[str, object]) -> RailAnswer | None:
    """Read status, times and reason; None where they break the contract."""
    status, at = body.get("status"), _instant(body.get("at"))
    if not isinstance(status, str) or status not in set(RailStatus) or at is None:
        return None
    reason = body.get("reason")
    code = None
    if status in {RailStatus.REJECTED, RailStatus.RETURNED}:
        code = _REASONS.get(str(reason))
        if code is None:
            log.error("rail_reason_unlisted", partner=RAIL, reason=str(reason)[:40])
            code = PortCode.NOT_SUPPORTED
    return RailAnswer(
        RailStatus(status), at, expected_by=_instant(body.get("expectedBy")), code=code
    )


def _amount(body: Mapping[str, object]) -> Money | None:
    """Read the amount, exactly; None where it is not one of this rail."""
    value, currency = body.get("amount"), body.get("currency")
    if currency != CURRENCY or not isinstance(value, Decimal | int):
        return None
    if isinstance(value, bool) or not 0 <= value <= _MOST:
        return None
    minor = int(value * 100)
    return Money(minor, CURRENCY) if Decimal(minor).scaleb(-2) == value else None


def _decimal(amount: Money) -> Decimal:
    return Decimal(amount.minor).scaleb(-amount.exponent)


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def _says(body: object, code: str) -> bool:
    return isinstance(body, dict) and body.get("code") == code


async def connect(
    settings: Settings, *, core: CoreBank, clock: Clock, names: Names
) -> Imps:
    """Make the adapter; no connection is opened before the first call.

    Raises:
        Misconfigured: the file of secrets cannot be read.
        UnknownAdapter: there is no such form of callbacks.
    """
    del core, names
    headers = {}
    if settings.api_key is not None:
        headers["authorization"] = f"Bearer {settings.api_key.get_secret_value()}"
    partner = Partner("imps", str(settings.base_url), clock=clock, headers=headers)
    form = adapters.load("app.integrations.webhooks", settings.callback_form)
    verifier: WebhookVerifier = form.connect(settings.callback_secrets_file)
    return Imps(partner, clock, verifier, settings.undo_first_s)
