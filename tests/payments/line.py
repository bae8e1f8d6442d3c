"""The rail of the house over a line that tests cut, slow down or answer themselves."""

import asyncio

from app import database
from app.integrations.core_banking import OpContext
from app.integrations.outcome import OpRef, Outcome, Unknown
from app.integrations.rails import (
    Callback,
    PayeeAddress,
    PayeeName,
    PaymentOrder,
    RailAnswer,
    RailEvent,
    RailQuote,
)
from app.integrations.rails.on_us import OnUs


class Killed(Exception):
    """The process died here."""


class Line:
    """The rail of the house, over a line that can be cut before or after the work."""

    def __init__(self, rail: OnUs) -> None:
        self.caps = rail.caps
        self._rail = rail
        self.sent: list[OpRef] = []
        self.asked: list[OpRef] = []
        self.before: BaseException | None = None
        self.after: BaseException | None = None
        self.lost_answers = 0
        self.instead: list[Outcome[RailAnswer]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def submit(self, op: OpRef, order: PaymentOrder) -> Outcome[RailAnswer]:
        assert not database.inside_transaction()
        self.sent.append(op)
        await self.open.wait()
        if self.instead:
            return self.instead.pop(0)
        if self.before:
            raise self._once("before")
        outcome = await self._rail.submit(op, order)
        if self.after:
            raise self._once("after")
        if self.lost_answers:
            self.lost_answers -= 1
            return Unknown("the answer was lost")
        return outcome

    async def status(self, op: OpRef, context: OpContext) -> Outcome[RailAnswer]:
        assert not database.inside_transaction()
        self.asked.append(op)
        if self.lost_answers:
            self.lost_answers -= 1
            return Unknown("the answer was lost")
        return await self._rail.status(op, context)

    def address_of(
        self, number: str, bank_code: str, *, ours: bool
    ) -> PayeeAddress | None:
        return self._rail.address_of(number, bank_code, ours=ours)

    async def resolve_payee(self, address: PayeeAddress) -> PayeeName:
        return await self._rail.resolve_payee(address)

    async def quote(self, order: PaymentOrder) -> RailQuote:
        return await self._rail.quote(order)

    def parse_callback(self, callback: Callback) -> list[RailEvent]:
        return self._rail.parse_callback(callback)

    async def close(self) -> None:
        await self._rail.close()

    def _once(self, name: str) -> BaseException:
        failure: BaseException = getattr(self, name)
        setattr(self, name, None)
        return failure
