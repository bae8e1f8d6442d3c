"""A payment rail set up to be tried."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.ids import uuid7
from app.integrations.core_banking import OpContext
from app.integrations.outcome import OpRef
from app.integrations.rails import PayeeAddress, PayeeName, PaymentOrder, PaymentRail
from app.money import Money
from tests.integrations.kit.rig import RailRig

MINOR = 250_00


def an_op() -> OpRef:
    """Name a new op."""
    return OpRef(uuid7(), b"f" * 32)


@dataclass(frozen=True, slots=True)
class RailBench:
    """One rail, opened as the bank opens it."""

    module: Any
    rail: PaymentRail
    rig: RailRig

    @classmethod
    @asynccontextmanager
    async def opened(cls, module: Any, rig: RailRig) -> AsyncIterator["RailBench"]:
        """Connect a rail, and close it."""
        rail = await cls._connected(module, rig)
        try:
            yield cls(module, rail, rig)
        finally:
            await rig.no_faults()
            await rail.close()

    @staticmethod
    async def _connected(module: Any, rig: RailRig, **chosen: bool) -> PaymentRail:
        async def holders(address: PayeeAddress) -> PayeeName | None:
            known = address.number == rig.known
            return (
                PayeeName(name=rig.name, masked=rig.name[:2] + "•••") if known else None
            )

        found: PaymentRail = await module.connect(
            rig.settings(**chosen), core=rig.core, clock=rig.clock, names=holders
        )
        return found

    @asynccontextmanager
    async def anew(self, **chosen: bool) -> AsyncIterator[PaymentRail]:
        """Connect once more, as a process that starts again and remembers nothing."""
        rail = await self._connected(self.module, self.rig, **chosen)
        try:
            yield rail
        finally:
            await rail.close()

    def address(self, number: str | None = None) -> PayeeAddress:
        """Name an account that this rail is asked about."""
        return PayeeAddress(
            scheme=max(self.rail.caps.schemes - {"OWN"}),
            number=number or self.rig.known,
            bank_code=self.rig.bank_code,
        )

    def order(self) -> PaymentOrder:
        """Pay the known account."""
        return PaymentOrder(
            payment=UUID(int=2),
            src="payer",
            dst="payee",
            amount=Money(MINOR, self.rig.currency),
            memo="Transfer",
            reference="Rent",
            payer_name="Asha Kulkarni-Rao",
            payer_masked="••••1234",
            payee_name=self.rig.name,
            payee_masked="••••0001",
            scheme=self.address().scheme,
            payee_address=self.rig.known,
            payee_bank_code=self.rig.bank_code,
        )

    def context(self) -> OpContext:
        """Say what helps to find an order again."""
        amount = Money(MINOR, self.rig.currency)
        return OpContext("payer", "payee", amount, self.rig.clock.now())
