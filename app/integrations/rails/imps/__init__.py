"""The IMPS rail: instant payments to accounts of other banks, by account and IFSC.

The id of our stored operation is the order's id at the rail, so the same order sent
twice is one. An order is believed done or refused only on the rail's own final word;
everything else is Unknown and is asked about. Source: banking.md sections 5 and 6.4.
"""

from datetime import timedelta
from pathlib import Path
from typing import assert_never

from pydantic import AnyHttpUrl, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from app import adapters
from app.clock import Clock
from app.errors import NotFound
from app.integrations.breaker import BreakerState
from app.integrations.core_banking import CoreBank, OpContext
from app.integrations.exchange import Answer, Ask
from app.integrations.http import Partner
from app.integrations.outcome import (
    AuthFailed,
    BreakerOpen,
    ContractBroken,
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
    Settles,
)
from app.integrations.rails.imps import wire
from app.integrations.webhooks import WebhookVerifier
from app.money import zero

MAX_MINOR = 50_000_000  # 5 lakh rupees: NPCI's cap of one IMPS payment by account
PAY = "/imps/payments"
STATUS = "/imps/payments/{id}"
NAMES = "/imps/name-enquiry"
_ARRIVES = timedelta(seconds=30)
_NAME_S = 3.0  # a confirm screen waits for it
_NEVER_SEEN = 404
_NOBODY = 404
_NO_ENTRY = {401, 403}


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
            rail=wire.RAIL,
            schemes=frozenset({wire.RAIL}),
            settles=Settles.TWO_PHASE,
            undo_first_s=undo_first_s,
            max_minor=MAX_MINOR,
            currency=wire.CURRENCY,
            calls=not verifier.is_deaf,
        )
        self.partner = partner
        self._clock = clock
        self._verifier = verifier

    def address_of(
        self, number: str, bank_code: str, *, ours: bool
    ) -> PayeeAddress | None:
        """Recognise an account of another Indian bank: 9 to 18 digits and an IFSC."""
        return wire.address_of(number, bank_code, ours=ours)

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
        found = wire.name_of(answer.body) if answer.is_success else None
        if found is None:
            raise ContractBroken(
                f"{self.partner.name}: a name enquiry answered {answer.status}",
                component=self.partner.component,
            )
        return found

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
        ask = Ask(
            "POST",
            PAY,
            headers={"idempotency-key": str(op.id)},
            body=wire.written(op, order),
            op_id=op.id,
        )
        found = await self.partner.write(ask)
        match found:
            case Unknown():
                return found
            case Answer():
                self._admitted(found)
                code = wire.REFUSALS.get(found.status)
                if code is not None:
                    return Rejected(code, detail=f"status {found.status}")
                if not found.is_success:
                    return self.partner.unlisted(ask, found)
                return wire.outcome_of(found.body, op.id, order.amount)
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
        if answer.status == _NEVER_SEEN and wire.says(answer.body, "NEVER_SEEN"):
            return Rejected(PortCode.NEVER_SEEN)
        if not answer.is_success:
            return self.partner.unlisted(ask, answer)
        return wire.outcome_of(answer.body, op.id, context.amount)

    def parse_callback(self, callback: Callback) -> list[RailEvent]:
        """Verify what came, then read it.

        Raises:
            Forged: not signed by this rail, or not in its form.
            Expired: signed too long ago.
        """
        event = self._verifier.verify(callback.headers, callback.body, callback.at)
        return [wire.event_of(event.body, event.id)]

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
