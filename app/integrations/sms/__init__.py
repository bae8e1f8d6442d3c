"""The SmsSender port: text messages to a phone number in E.164."""

from typing import Protocol

from app.integrations.outcome import OpRef, Outcome


class SmsSender(Protocol):
    """Sends one text. The op's id is the gateway's idempotency key."""

    async def send(self, op: OpRef, to: str, text: str) -> Outcome[str]:
        """Send a text; gives the gateway's reference."""
        ...
