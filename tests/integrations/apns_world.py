"""The sandbox with its APNs, and a provider that talks to it, for the tests of push."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from app.clock import StoppedClock
from app.integrations.push import PushKind, PushMessage
from app.integrations.push import apns as adapter
from app.integrations.push.apns import Apns
from tests.integrations import push_world
from tests.integrations.push_world import PushWorld
from tests.sandbox.world import an_open_world

SEND = "/apns/3/device/{token}"
SEND_DEVELOPMENT = "/apns/development/3/device/{token}"
DISPATCH = str(UUID(int=7))


@dataclass(frozen=True)
class AppleWorld(PushWorld):
    """A started sandbox and the key that it knows, as `account`."""

    @property
    def apns_url(self) -> str:
        return str(self.http.base_url).rstrip("/") + "/apns"

    def ahead(self, offset_s: int) -> None:
        """Move Apple's clock, and not ours."""
        self.http.put("/_clock", json={"offset_s": offset_s}).raise_for_status()


@contextmanager
def an_apple_world(folder: Path, *options: str) -> Iterator[AppleWorld]:
    key = folder / "state" / "apns-key.p8"
    clock = folder / "state" / "clock"
    given = ("--apns-key", str(key), "--clock-file", str(clock), *options)
    with an_open_world(*given) as http:
        yield AppleWorld(http, key)


@asynccontextmanager
async def a_provider(
    world: AppleWorld,
    *,
    clock: StoppedClock | None = None,
    trust: ssl.SSLContext | None = None,
    **chosen: Any,
) -> AsyncIterator[Apns]:
    given = {"key_file": world.account, "base_url": world.apns_url} | chosen
    settings = adapter.Settings.model_validate(given)
    found = await adapter.connect(settings, clock=clock or a_clock(), trust=trust)
    try:
        yield found
    finally:
        await found.close()


def a_clock() -> StoppedClock:
    """Stop at the present: Apple looks at the age of tokens."""
    return StoppedClock(datetime.now(UTC).replace(microsecond=0))


def token(beginning: str = "a1", end: int = 0) -> str:
    """Give a device token; its beginning may be a magic word."""
    return f"{beginning.ljust(56, '0')}{end:08x}"


def a_hint(address: str, **other: Any) -> PushMessage:
    parts = {
        "id": DISPATCH,
        "kind": PushKind.APNS,
        "environment": "PRODUCTION",
        "app_id": "app.sixpence.mock",
    }
    return push_world.a_hint(address, **parts | other)
