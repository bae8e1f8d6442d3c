"""The rig of the rail within the bank: a core of one kind of write is its partner."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from typing_extensions import override

from app.clock import StoppedClock
from app.integrations.core_banking import (
    CoreCaps,
    Narrative,
    OpContext,
    OpKind,
    Posting,
)
from app.integrations.outcome import Ok, OpRef, Outcome, PortCode, Rejected
from app.integrations.rails.on_us import Settings
from app.money import Money
from tests.conftest import NOON
from tests.integrations.kit.rig import Fault, RailRig


class Ledger:
    """A core of one kind of write, which knows what it did."""

    def __init__(self) -> None:
        self.caps = CoreCaps(
            local=True,
            joins_transaction=False,
            holds=True,
            partial_capture=True,
            native_idempotency=True,
            reverse=True,
        )
        self.booked: dict[UUID, Posting] = {}

    async def transfer(
        self, op: OpRef, src: str, dst: str, amount: Money, text: Narrative
    ) -> Outcome[Posting]:
        assert (src, dst) == ("payer", "payee")
        assert (amount.minor > 0, text.rail) == (True, "INTERNAL")
        return Ok(self.booked.setdefault(op.id, Posting(op.id, NOON)), "ref")

    async def lookup(
        self, op: OpRef, kind: OpKind, asked: OpContext
    ) -> Outcome[Posting]:
        assert (kind, asked.src) == (OpKind.TRANSFER, "payer")
        found = self.booked.get(op.id)
        return Rejected(PortCode.NEVER_SEEN) if found is None else Ok(found, "ref")


class OnUsRig(RailRig):
    """There is no line: the rail asks the core that it is given."""

    clock = StoppedClock(NOON)
    faults = ()
    bank_code, name = "SIXP0000001", "Dev Malhotra"
    known, nobody = "409900000001", "409900000000"

    def __init__(self) -> None:
        self.core: Ledger = Ledger()

    @override
    def settings(self, *, away: bool = False, hasty: bool = False) -> Settings:
        return Settings()

    @override
    async def fault(self, kind: Fault, calls: int = 1) -> None:
        raise AssertionError("there is no line that could break")

    @override
    async def no_faults(self) -> None:
        """Have none to forget."""

    @override
    async def calls(self) -> int:
        return 0

    @override
    async def effects(self, ops: Sequence[OpRef]) -> int:
        return len({op.id for op in ops} & self.core.booked.keys())


@contextmanager
def rails(_folder: Path) -> Iterator[OnUsRig]:
    """Give the rig; there is nothing to start."""
    yield OnUsRig()
