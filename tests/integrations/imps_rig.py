"""The instant rail's rig: the sandbox in a process of its own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
from typing_extensions import override

from app.clock import StoppedClock
from app.integrations.outcome import OpRef
from app.integrations.rails.imps import PAY, Settings
from tests.conftest import NOON
from tests.integrations.kit.rig import Fault, RailRig, nobody_listens
from tests.sandbox.world import an_open_world

SEEN: dict[Fault, dict[str, object]] = {
    Fault.DROP_BEFORE_WORK: {"kind": "drop-before-work"},
    Fault.DROP_AFTER_WORK: {"kind": "drop-after-work"},
    Fault.FAILS: {"kind": "http-status", "reply": 500},
    Fault.MALFORMED: {"kind": "malformed-json"},
    Fault.TURNED_AWAY: {"kind": "429"},
    Fault.UNTRUSTED: {"kind": "http-status", "reply": 401},
}


class ImpsRig(RailRig):
    """The sandbox's rail; its file of the day is the book."""

    clock = StoppedClock(NOON)
    faults = tuple(SEEN)  # this adapter's wait is fixed, so none is too slow for it
    bank_code, name = "SAND0000001", "Dev Malhotra"
    known, nobody = "409900000001", "409900000000"

    def __init__(self, world: httpx.Client) -> None:
        self.world = world

    @override
    def settings(self, *, away: bool = False, hasty: bool = False) -> Settings:
        url = nobody_listens() if away else str(self.world.base_url)
        return Settings.model_validate({"base_url": url})

    @override
    async def fault(self, kind: Fault, calls: int = 1) -> None:
        self.rule(SEEN[kind] | {"count": calls})

    def rule(self, rule: dict[str, object]) -> None:
        """Set any rule of the sandbox for orders."""
        self.world.put("/_faults", json={"route": PAY} | rule).raise_for_status()

    @override
    async def no_faults(self) -> None:
        self.world.delete("/_faults").raise_for_status()

    @override
    async def calls(self) -> int:
        return 0

    @override
    async def effects(self, ops: Sequence[OpRef]) -> int:
        now = self.world.get("/_clock").raise_for_status().json()["now"]
        found = self.world.get(f"/imps/settlement/{now[:10]}").raise_for_status()
        named = {str(op.id) for op in ops}
        lines = found.text.splitlines()[1:]
        return sum(line.split(",")[1] in named for line in lines)


@contextmanager
def rails(_folder: Path) -> Iterator[ImpsRig]:
    """Start the sandbox."""
    with an_open_world() as world:
        yield ImpsRig(world)
