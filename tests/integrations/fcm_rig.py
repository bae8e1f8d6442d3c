"""Firebase's rig: the sandbox, with an account that it made."""

from collections.abc import Iterator
from contextlib import contextmanager
from json import loads
from pathlib import Path
from typing import Any

from typing_extensions import override

from app.integrations.push import PushMessage, fcm
from tests.integrations import push_world
from tests.integrations.imps_rig import SEEN
from tests.integrations.kit.rig import Fault, PushRig
from tests.integrations.push_world import PushWorld
from tests.sandbox.world import an_open_world

TOLD = 0xC0FFEE  # stands in every address


class SandboxPushRig(PushRig):
    """A provider of the sandbox; `route` is where its messages go in."""

    faults = (Fault.DROP_AFTER_WORK,)
    too_long = "x" * 5000
    route = push_world.SEND

    def __init__(self, world: PushWorld) -> None:
        self.world = world

    @override
    async def fault(self, kind: Fault, calls: int = 1) -> None:
        rule: dict[str, Any] = SEEN[kind] | {"count": calls}
        self.world.fault(self.route, **rule)

    @override
    async def no_faults(self) -> None:
        self.world.no_faults()

    @override
    async def calls(self) -> int:
        return 0

    @override
    async def arrived(self, address: str) -> int:
        found = self.world.arrived(address)
        first = [one.get("data", one.get("payload")) for one in found]
        assert all(one == first[0] for one in first), "a repeat is the same message"
        return len(found)


class FcmRig(SandboxPushRig):
    """Firebase Cloud Messaging."""

    dead = f"dead-{TOLD:x}"

    def __init__(self, world: PushWorld) -> None:
        super().__init__(world)
        key: str = loads(world.account.read_text())["private_key"]
        self.secrets = tuple(key.splitlines()[1:-1])

    @override
    def settings(self, *, away: bool = False, hasty: bool = False) -> fcm.Settings:
        given = {"account_file": self.world.account, "base_url": self.world.fcm_url}
        return fcm.Settings.model_validate(given)

    @override
    def message(self, address: str) -> PushMessage:
        return push_world.a_hint(address)

    @override
    def address(self, number: int) -> str:
        return f"app-{TOLD:x}-{number}"


@contextmanager
def push(folder: Path) -> Iterator[FcmRig]:
    """Start the sandbox."""
    account = folder / "account.json"
    with an_open_world("--fcm-account", str(account)) as http:
        yield FcmRig(PushWorld(http, account))
