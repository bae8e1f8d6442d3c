"""Firebase Cloud Messaging by Google's Admin SDK, in a thread and loop of its own.

Nothing of the SDK is imported before the first message: it takes up to two seconds and
19 packages, and a web process never sends.
"""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from pydantic import AnyHttpUrl, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.clock import Clock
from app.database import inside_transaction
from app.integrations.push import (
    PushKind,
    PushMessage,
    PushOutcome,
    Retry,
    Unknown,
)
from app.integrations.push.fcm.apart import Apart, Ended
from app.integrations.push.fcm.sender import EARLY_S, Sender
from app.settings import Misconfigured


class Settings(BaseSettings):
    """Which project, and where FCM is."""

    model_config = SettingsConfigDict(env_prefix="SIXPENCE_PUSH_FCM_", frozen=True)

    account_file: Path = Field(
        default=Path(".sixpence/fcm-account.json"),
        description="Service account's JSON; the default is the sandbox's.",
    )
    base_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:8001/fcm"),
        description="FCM without its version; the default is the sandbox. "
        "In production https://fcm.googleapis.com.",
    )

    @model_validator(mode="after")
    def _carries_no_token_in_the_clear(self) -> Self:
        if self.base_url.scheme != "https" and not _is_this_machine(self.base_url):
            raise ValueError("BASE_URL must be https, or be on this machine")
        return self


class Fcm:
    """Fits `PushProvider` for addresses of Firebase.

    Args:
        sender: what sends, over there in its thread.
    """

    kinds = frozenset({PushKind.FCM_FID, PushKind.FCM_TOKEN})

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self._apart = Apart("push-fcm", sender)

    async def send(self, batch: Sequence[PushMessage]) -> list[PushOutcome]:
        """Send every message once; one outcome each, in the same order.

        After `close` nothing is sent: every outcome is Retry. A send that `close`
        breaks off is Unknown.
        """
        if inside_transaction():
            raise RuntimeError("fcm was called inside a database transaction")
        if not batch:
            return []
        if self._apart.is_closed():
            return [Retry()] * len(batch)
        try:
            return await self._apart.run(self.sender.send(batch))
        except Ended:
            return [Unknown("closed")] * len(batch)

    async def close(self) -> None:
        """End the thread with its connections; waits for a sign-in under way."""
        await self._apart.close()


async def connect(settings: Settings, *, clock: Clock, early_s: float = EARLY_S) -> Fcm:
    """Make the adapter; thread, SDK and connections come with the first message.

    Raises:
        Misconfigured: an account file was named and is not there.
    """
    named = "account_file" in settings.model_fields_set
    if named and not await asyncio.to_thread(settings.account_file.is_file):
        raise Misconfigured("PUSH_FCM_ACCOUNT_FILE names no file")
    base_url = str(settings.base_url).rstrip("/")
    return Fcm(Sender(settings.account_file, base_url, clock, early_s=early_s))


def _is_this_machine(url: AnyHttpUrl) -> bool:
    host = url.host or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
