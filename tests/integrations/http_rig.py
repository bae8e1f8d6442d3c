"""The text gateway's rig: the sandbox in a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from typing_extensions import override

from app.integrations.sms.http import ROUTE, Settings
from tests.integrations.imps_rig import SEEN
from tests.integrations.kit.rig import Fault, SmsRig, nobody_listens
from tests.sandbox.world import an_open_world, texts


class GatewayRig(SmsRig):
    """The sandbox's gateway and its phones."""

    faults = tuple(SEEN)  # this adapter's wait is fixed, so none is too slow for it

    def __init__(self, world: httpx.Client) -> None:
        self.world = world

    @override
    def settings(self, *, away: bool = False, hasty: bool = False) -> Settings:
        url = nobody_listens() if away else str(self.world.base_url)
        return Settings.model_validate({"base_url": url})

    @override
    async def fault(self, kind: Fault, calls: int = 1) -> None:
        rule = {"route": ROUTE, "count": calls} | SEEN[kind]
        self.world.put("/_faults", json=rule).raise_for_status()

    @override
    async def no_faults(self) -> None:
        self.world.delete("/_faults").raise_for_status()

    @override
    async def calls(self) -> int:
        return 0

    @override
    def number(self, number: int) -> str:
        return f"+91555{number:07d}"

    @override
    async def arrived(self, number: str) -> list[str]:
        return texts(self.world, number)


@contextmanager
def sms(_folder: Path) -> Iterator[GatewayRig]:
    """Start the sandbox."""
    with an_open_world() as world:
        yield GatewayRig(world)
