"""Each rail with what it needs to be tried: a world, and a count of its effects."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import httpx

from app import adapters
from app.clock import StoppedClock
from app.integrations.core_banking import (
    CoreCaps,
    Narrative,
    OpContext,
    OpKind,
    Posting,
)
from app.integrations.outcome import Ok, OpRef, Outcome, PortCode, Rejected
from app.integrations.rails import (
    PayeeAddress,
    PayeeName,
    PaymentOrder,
    PaymentRail,
)
from app.money import Money

PORT = "app.integrations.rails"
AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
KNOWN, NOBODY = "409900000001", "409900000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One rail, set up to be tried.

    Args:
        rail: opened as the bank opens it.
        bank_code: of addresses that it reaches.
        effects: counts the payments that happened under some op ids.
        fault: sets a fault between us and the partner; None: there is no line.
    """

    rail: PaymentRail
    bank_code: str
    effects: Callable[[list[OpRef]], int]
    fault: Callable[[dict[str, object]], None] | None = None

    def address(self, number: str = KNOWN) -> PayeeAddress:
        """Name an account that this rail is asked about."""
        scheme = max(self.rail.caps.schemes - {"OWN"})
        return PayeeAddress(scheme=scheme, number=number, bank_code=self.bank_code)

    def order(self, minor: int = 250_00) -> PaymentOrder:
        """Pay the known account."""
        return PaymentOrder(
            payment=UUID(int=2),
            src="payer",
            dst="payee",
            amount=Money(minor, "INR"),
            memo="Transfer",
            reference="Rent",
            payer_name="Asha Rao",
            payer_masked="••••1234",
            payee_name="Dev Malhotra",
            payee_masked="••••0001",
            scheme=self.address().scheme,
            payee_address=KNOWN,
            payee_bank_code=self.bank_code,
        )


def an_op(name: str) -> OpRef:
    """Name an operation; the same name is the same operation."""
    return OpRef(uuid5(UUID(int=7), name), b"f" * 32)


def context(minor: int = 250_00) -> OpContext:
    """Say what helps to find an operation again."""
    return OpContext("payer", "payee", Money(minor, "INR"), AT)


class Ledger:
    """A core of one kind of write, which knows what it did."""

    def __init__(self) -> None:
        self.caps = CoreCaps(
            local=True,
            joins_transaction=False,
            holds=True,
            partial_capture=True,
            native_idempotency=True,
            event_feed=False,
            reverse=True,
        )
        self.booked: dict[UUID, Posting] = {}

    async def transfer(
        self, op: OpRef, src: str, dst: str, amount: Money, text: Narrative
    ) -> Outcome[Posting]:
        assert (src, dst, amount.minor > 0, text.rail) == (
            *("payer", "payee"),
            *(True, "INTERNAL"),
        )
        return Ok(self.booked.setdefault(op.id, Posting(op.id, AT)), "ref")

    async def lookup(
        self, op: OpRef, kind: OpKind, asked: OpContext
    ) -> Outcome[Posting]:
        assert (kind, asked.src) == (OpKind.TRANSFER, "payer")
        found = self.booked.get(op.id)
        return Rejected(PortCode.NEVER_SEEN) if found is None else Ok(found, "ref")


async def _holders(address: PayeeAddress) -> PayeeName | None:
    known = address.number == KNOWN
    return PayeeName(name="Dev Malhotra", masked="De• Ma••••••") if known else None


@asynccontextmanager
async def a_bench(name: str, world: httpx.Client) -> AsyncIterator[Bench]:
    """Open a rail by the name of its file."""
    module = adapters.load(PORT, name)
    core: Any = Ledger()
    settings = module.Settings()
    if name != "on_us":
        settings = module.Settings.model_validate({"base_url": str(world.base_url)})
    clock = StoppedClock(AT)
    rail = await module.connect(settings, core=core, clock=clock, names=_holders)
    benches = {
        "on_us": lambda: Bench(
            rail=rail,
            bank_code="SIXP0000001",
            effects=lambda ops: len({op.id for op in ops} & core.booked.keys()),
        ),
        "imps": lambda: Bench(
            rail=rail,
            bank_code="SAND0000001",
            effects=lambda ops: _settled(world, ops),
            fault=lambda rule: _set(world, "/imps/payments", rule),
        ),
    }
    assert name in benches, f"the new rail {name} needs a bench"
    try:
        yield benches[name]()
    finally:
        await rail.close()


def _settled(world: httpx.Client, ops: list[OpRef]) -> int:
    """Count the lines about some orders in the rail's own file of the day."""
    today = world.get("/_clock").raise_for_status().json()["now"][:10]
    lines = world.get(f"/imps/settlement/{today}").raise_for_status().text.splitlines()
    named = {str(op.id) for op in ops}
    return sum(line.split(",")[1] in named for line in lines[1:])


def _set(world: httpx.Client, route: str, rule: dict[str, object]) -> None:
    world.put("/_faults", json={"route": route} | rule).raise_for_status()
