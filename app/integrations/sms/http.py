"""Text messages over the gateway's HTTP API: one POST, idempotent by the op's id."""

from typing import assert_never

from pydantic import AnyHttpUrl, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.clock import Clock
from app.integrations.exchange import Answer, Ask
from app.integrations.http import Partner
from app.integrations.outcome import (
    AuthFailed,
    Ok,
    OpRef,
    Outcome,
    PortCode,
    Rejected,
    Unknown,
)

ROUTE = "/sms/messages"
# What the gateway's "no" means; anything else is Unknown and an alert.
_REFUSALS = {
    400: PortCode.VALIDATION,
    409: PortCode.DUPLICATE_MISMATCH,
    413: PortCode.VALIDATION,
    422: PortCode.VALIDATION,
}
_NO_ENTRY = {401, 403}


class Settings(BaseSettings):
    """Where the gateway is."""

    model_config = SettingsConfigDict(env_prefix="SIXPENCE_SMS_HTTP_", frozen=True)

    base_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:8001"),
        description="Gateway; the default is the sandbox.",
    )


class HttpSms:
    """Fits `SmsSender`. A text is never logged: it may hold a one-time code.

    Args:
        partner: the opened gateway.
    """

    def __init__(self, partner: Partner) -> None:
        self.partner = partner

    async def send(self, op: OpRef, to: str, text: str) -> Outcome[str]:
        """Send a text; gives the gateway's reference.

        Raises:
            NotSent: nothing left this process; also Busy, BreakerOpen and AuthFailed.
        """
        body = {"id": str(op.id), "to": to, "text": text}
        ask = Ask("POST", ROUTE, body=body, op_id=op.id)
        found = await self.partner.write(ask)
        match found:
            case Unknown():
                return found
            case Answer():
                return self._said(ask, found)
            case _:
                assert_never(found)

    async def close(self) -> None:
        """Close the connections."""
        await self.partner.close()

    def _said(self, ask: Ask, answer: Answer) -> Outcome[str]:
        if answer.status in _NO_ENTRY:
            raise AuthFailed(
                f"{self.partner.name}: status {answer.status}",
                component=self.partner.component,
            )
        if answer.status in _REFUSALS:
            return Rejected(_REFUSALS[answer.status], detail=f"status {answer.status}")
        if not answer.is_success:
            return self.partner.unlisted(ask, answer)
        reference = answer.body.get("id") if isinstance(answer.body, dict) else None
        if not isinstance(reference, str):
            return Unknown("an answer without an id")
        return Ok(reference, reference)


async def connect(settings: Settings, *, clock: Clock) -> HttpSms:
    """Make the adapter; no connection is opened before the first text."""
    return HttpSms(
        Partner("sms", str(settings.base_url), clock=clock, component="LOGIN")
    )
