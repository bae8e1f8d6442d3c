"""Apple's push service over HTTP/2, signed in by a key of the team (ES256).

HTTP library, key and connections come with the first message: a web process never
sends. Source of rules and figures: realtime.md section 12.2.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import AnyHttpUrl, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.clock import Clock
from app.database import inside_transaction
from app.integrations.push import PushKind, PushMessage, PushOutcome, Retry
from app.integrations.push.apns.badge import Badge
from app.integrations.push.apns.lane import DEVELOPMENT, PRODUCTION
from app.integrations.push.apns.sender import Sender
from app.settings import Misconfigured

_OF_APPLE = "api.push.apple.com"
_OF_APPLES_SANDBOX = "api.sandbox.push.apple.com"
_NAMED = ("key_file", "key_id", "team_id", "topic")
_ID = re.compile(r"[A-Z0-9]{10}")


class Settings(BaseSettings):
    """Whose key, for which app, and where APNs is."""

    model_config = SettingsConfigDict(env_prefix="SIXPENCE_PUSH_APNS_", frozen=True)

    key_file: Path = Field(
        default=Path(".sixpence/apns-key.p8"),
        description="Key of the team as Apple hands it out; the default is the "
        "sandbox's.",
    )
    key_id: str = Field(
        default="SIXPENCE01", description="Id of that key, 10 characters."
    )
    team_id: str = Field(
        default="SANDBOX001", description="Id of the team, 10 characters."
    )
    topic: str = Field(
        default="app.sixpence.mock",
        description="Bundle id for addresses whose phone named none.",
    )
    base_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:8001/apns"),
        description="APNs without its version; the default is the sandbox. In "
        "production https://api.push.apple.com; builds under development are then "
        "reached at https://api.sandbox.push.apple.com.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        on_this_machine = _is_this_machine(self.base_url)
        if self.base_url.scheme != "https" and not on_this_machine:
            raise ValueError("BASE_URL must be https, or be on this machine")
        if not _ID.fullmatch(self.key_id) or not _ID.fullmatch(self.team_id):
            raise ValueError("KEY_ID and TEAM_ID are 10 capitals and digits")
        missing = [name for name in _NAMED if name not in self.model_fields_set]
        if missing and not on_this_machine:
            raise ValueError(f"{', '.join(missing).upper()} must be given too")
        return self


class Apns:
    """Fits `PushProvider` for device tokens of Apple.

    Args:
        sender: what sends.
    """

    kinds = frozenset({PushKind.APNS})

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    async def send(self, batch: Sequence[PushMessage]) -> list[PushOutcome]:
        """Send every message once; one outcome each, in the same order.

        After `close` nothing is sent: every outcome is Retry. A send that `close`
        breaks off is Unknown.
        """
        if inside_transaction():
            raise RuntimeError("apns was called inside a database transaction")
        if not batch:
            return []
        if self.sender.is_closed():
            return [Retry()] * len(batch)
        return await self.sender.send(batch)

    async def close(self) -> None:
        """Close the connections; what is under way ends as Unknown."""
        await self.sender.close()


async def connect(
    settings: Settings, *, clock: Clock, trust: ssl.SSLContext | None = None
) -> Apns:
    """Make the adapter; key and connections come with the first message.

    Args:
        settings: whose key, and where to.
        clock: time of the breaker, of expiries and of provider tokens.
        trust: whose certificates count; the usual ones if None.

    Raises:
        Misconfigured: a key file was named and is not there.
    """
    named = "key_file" in settings.model_fields_set
    if named and not await asyncio.to_thread(settings.key_file.is_file):
        raise Misconfigured("PUSH_APNS_KEY_FILE names no file")
    badge = Badge(settings.key_file, settings.key_id, settings.team_id, clock)
    base_url = str(settings.base_url).rstrip("/")
    return Apns(Sender(badge, places(base_url), settings.topic, clock, trust=trust))


def places(base_url: str) -> Mapping[str, str]:
    """Give the address of each environment; only Apple has a host for each."""
    if urlsplit(base_url).hostname == _OF_APPLE:
        other = base_url.replace(_OF_APPLE, _OF_APPLES_SANDBOX)
    else:
        other = f"{base_url}/development"
    return {PRODUCTION: base_url, DEVELOPMENT: other}


def _is_this_machine(url: AnyHttpUrl) -> bool:
    host = url.host or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
