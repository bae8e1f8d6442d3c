"""The sandbox with its FCM, and a provider that talks to it, for the tests of push."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from app.clock import StoppedClock
from app.integrations.push import PushKind, PushMessage
from app.integrations.push import fcm as adapter
from app.integrations.push.fcm import Fcm
from tests.sandbox.world import an_open_world

SEND = "/fcm/v1/projects/{project}/messages:send"
TOKEN = "/fcm/token"


@dataclass(frozen=True)
class PushWorld:
    """A started sandbox and the account that it knows."""

    http: httpx.Client
    account: Path

    @property
    def fcm_url(self) -> str:
        return str(self.http.base_url).rstrip("/") + "/fcm"

    def fault(self, route: str, **rule: object) -> None:
        self.http.put("/_faults", json={"route": route, **rule}).raise_for_status()

    def count(self, route: str) -> None:
        """Count the calls of a route from now on: a delay of nothing."""
        self.fault(route, kind="latency", latency_ms=0)

    def counted(self, route: str) -> int:
        rules = self.http.get("/_faults").raise_for_status().json()["faults"]
        return sum(r["hits"] for r in rules if r["route"] == route)

    def no_faults(self) -> None:
        self.http.delete("/_faults").raise_for_status()

    def arrived(self, address: str) -> list[dict[str, Any]]:
        inbox = self.http.get(f"/phones/{address}/inbox").raise_for_status().json()
        return [message["body"] for message in inbox["messages"]]


@contextmanager
def a_push_world(folder: Path, *options: str) -> Iterator[PushWorld]:
    account = folder / "state" / "fcm-account.json"
    with an_open_world("--fcm-account", str(account), *options) as http:
        yield PushWorld(http, account)


@asynccontextmanager
async def a_provider(
    world: PushWorld, *, clock: StoppedClock | None = None, **chosen: Any
) -> AsyncIterator[Fcm]:
    early = {"early_s": chosen.pop("early_s")} if "early_s" in chosen else {}
    given = {"account_file": world.account, "base_url": world.fcm_url} | chosen
    settings = adapter.Settings.model_validate(given)
    found = await adapter.connect(settings, clock=clock or a_clock(), **early)
    try:
        yield found
    finally:
        await found.close()


def a_clock() -> StoppedClock:
    return StoppedClock(datetime(2026, 3, 2, 12, tzinfo=UTC))


def a_hint(address: str, **other: Any) -> PushMessage:
    parts: dict[str, Any] = {
        "id": "psh_1",
        "kind": PushKind.FCM_FID,
        "address": address,
        "data": {"v": "1", "t": "MONEY_IN", "n": "ntf_1", "e": "epo", "s": "52"},
        "title_key": "push.money_in.title",
        "body_key": "push.money_in.body",
        "thread": "pay_1",
        "ttl_s": 86400,
        "high": True,
    }
    return PushMessage(**parts | other)


class Ticks:
    """Counts how often the loop of this test came round, and its longest pause."""

    def __init__(self) -> None:
        self.count = 0
        self.longest_ms = 0.0
        self.pauses_ms: list[float] = []

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(0.005)
            self.count += 1
            self.pauses_ms.append((loop.time() - began) * 1000 - 5)
            self.longest_ms = max(self.longest_ms, self.pauses_ms[-1])
