"""A core and a two-phase rail that fail as told: before their work, after it, by death.

Both do the real work: the core is the embedded one, the rail keeps its orders and knows
what becomes of each, whatever it manages to answer.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from app import database
from app.clock import Clock
from app.integrations.core_banking import (
    CoreCaps,
    Hold,
    Narrative,
    OpContext,
    OpKind,
    Posting,
)
from app.integrations.core_banking.embedded import EmbeddedCore
from app.integrations.outcome import (
    NotSent,
    Ok,
    OpRef,
    Outcome,
    PortCode,
    Rejected,
    Unknown,
)
from app.integrations.rails import (
    Callback,
    PayeeAddress,
    PayeeName,
    PaymentOrder,
    RailAnswer,
    RailCaps,
    RailEvent,
    RailQuote,
    RailStatus,
    Settles,
)
from app.money import Money
from tests.payments.line import Killed

T = TypeVar("T")
FINAL = {RailStatus.SETTLED, RailStatus.REJECTED, RailStatus.RETURNED}


class Fault(StrEnum):
    """What goes wrong in one call."""

    NONE = "NONE"
    NOT_SENT = "NOT_SENT"
    LOST_BEFORE = "LOST_BEFORE"
    LOST_AFTER = "LOST_AFTER"
    CONFLICT = "CONFLICT"
    KILLED_BEFORE = "KILLED_BEFORE"
    KILLED_AFTER = "KILLED_AFTER"


class Faults:
    """Which call fails, and how: planned by name, each plan once, else by `chance`.

    Args:
        death: how a process ends; by an exception, unless it really does.
    """

    def __init__(self, death: Callable[[str], None] | None = None) -> None:
        self._death = death or _died
        self.once: dict[str, list[Fault]] = {}
        self.chance: Callable[[str], Fault] = lambda _name: Fault.NONE
        self.calls: list[str] = []
        self.asked: list[tuple[OpKind, OpContext]] = []

    def plan(self, name: str, *faults: Fault) -> None:
        """Let the next calls of one name fail, one after the other."""
        self.once.setdefault(name, []).extend(faults)

    async def through(
        self, name: str, work: Callable[[], Awaitable[Outcome[T]]]
    ) -> Outcome[T]:
        """Do some work, or not, and lose its answer, or not."""
        assert not database.inside_transaction()
        self.calls.append(name)
        planned = self.once.get(name)
        fault = planned.pop(0) if planned else self.chance(name)
        if fault is Fault.NOT_SENT:
            raise NotSent("line busy", component="TRANSFERS")
        if fault is Fault.LOST_BEFORE:
            return Unknown("lost on the way there")
        if fault is Fault.CONFLICT:
            return Rejected(PortCode.CONFLICT_RETRY)
        if fault is Fault.KILLED_BEFORE:
            self._death(name)
        outcome = await work()
        if fault is Fault.LOST_AFTER:
            return Unknown("lost on the way back")
        if fault is Fault.KILLED_AFTER:
            self._death(name)
        return outcome


def _died(name: str) -> None:
    raise Killed(name)


class FaultyCore:
    """The embedded core behind a line that fails; reads pass unharmed."""

    def __init__(self, core: EmbeddedCore, faults: Faults) -> None:
        self.caps: CoreCaps = core.caps
        self._core = core
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)

    async def hold(
        self, op: OpRef, src: str, amount: Money, text: Narrative
    ) -> Outcome[Hold]:
        return await self._faults.through(
            "hold", lambda: self._core.hold(op, src, amount, text)
        )

    async def capture(
        self, op: OpRef, hold: Hold, amount: Money | None
    ) -> Outcome[Posting]:
        return await self._faults.through(
            "capture", lambda: self._core.capture(op, hold, amount)
        )

    async def release(self, op: OpRef, hold: Hold) -> Outcome[None]:
        return await self._faults.through(
            "release", lambda: self._core.release(op, hold)
        )

    async def reverse(
        self, op: OpRef, posting: Posting, reason: str
    ) -> Outcome[Posting]:
        return await self._faults.through(
            "reverse", lambda: self._core.reverse(op, posting, reason)
        )

    async def lookup(
        self, op: OpRef, kind: OpKind, context: OpContext
    ) -> Outcome[Posting | Hold | None]:
        self._faults.asked.append((kind, context))
        return await self._faults.through(
            "lookup", lambda: self._core.lookup(op, kind, context)
        )


@dataclass(frozen=True, slots=True)
class Word:
    """What a rail says of an order from so many seconds after it took it."""

    after_s: float
    status: RailStatus
    code: PortCode | None = None


SETTLES = (Word(0, RailStatus.SETTLED),)
REFUSES = (Word(0, RailStatus.REJECTED, PortCode.ACCOUNT_CLOSED),)


class Track:
    """A two-phase rail. `fate` says what becomes of the next orders, by time.

    It stands in the place of the house's rail, so every payee of a story is reached.
    """

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self.caps = RailCaps(
            rail="INTERNAL",
            schemes=frozenset({"OWN", "INTERNAL"}),
            settles=Settles.TWO_PHASE,
            undo_first_s=0,
        )
        self._clock = clock
        self._faults = faults
        self.fate: Sequence[Word] = SETTLES
        self.fates: dict[UUID, Sequence[Word]] = {}
        self.orders: dict[UUID, tuple[datetime, Sequence[Word]]] = {}
        self.addresses: list[str | None] = []
        self.keeps: Callable[[UUID], None] = lambda _op: None
        self.sent: list[UUID] = []

    async def submit(self, op: OpRef, order: PaymentOrder) -> Outcome[RailAnswer]:
        self.sent.append(op.id)
        return await self._faults.through("submit", lambda: self._submitted(op, order))

    async def _submitted(self, op: OpRef, order: PaymentOrder) -> Outcome[RailAnswer]:
        self.addresses.append(order.payee_address)
        fate = self.fates.get(order.payment, self.fate)
        self.keeps(op.id)
        self.orders.setdefault(op.id, (self._clock.now(), fate))
        return self._said(op.id)

    async def status(self, op: OpRef, context: OpContext) -> Outcome[RailAnswer]:
        del context
        return await self._faults.through("status", lambda: self._asked(op))

    async def _asked(self, op: OpRef) -> Outcome[RailAnswer]:
        if op.id not in self.orders:
            return Rejected(PortCode.NEVER_SEEN)
        return self._said(op.id)

    def word(self, op: UUID) -> RailAnswer:
        """Give what the rail says of an order now."""
        began, fate = self.orders[op]
        passed_s = (self._clock.now() - began).total_seconds()
        said = [word for word in fate if word.after_s <= passed_s]
        last = said[-1] if said else Word(0, RailStatus.ACCEPTED)
        return RailAnswer(
            last.status,
            self._clock.now(),
            expected_by=began + timedelta(seconds=60),
            code=last.code,
        )

    def event(self, op: UUID, answer: RailAnswer | None = None) -> RailEvent:
        """Give the call that tells of an order."""
        said = answer or self.word(op)
        return RailEvent(
            op=op, event_id=f"{op}-{said.status}", answer=said, provider_ref=_ref(op)
        )

    def _said(self, op: UUID) -> Outcome[RailAnswer]:
        answer = self.word(op)
        fate = self.orders[op][1]
        at_once = fate[0].after_s == 0 and fate[0].status is RailStatus.REJECTED
        if at_once and answer.status is RailStatus.REJECTED:
            return Rejected(answer.code or PortCode.PAYEE_INVALID, _ref(op))
        return Ok(answer, _ref(op))

    def address_of(
        self, number: str, bank_code: str, *, ours: bool
    ) -> PayeeAddress | None:
        if not ours:
            return None
        return PayeeAddress(scheme="INTERNAL", number=number, bank_code=bank_code)

    async def resolve_payee(self, address: PayeeAddress) -> PayeeName:
        return PayeeName(name="Ben Okafor", masked=address.number[-4:])

    async def quote(self, order: PaymentOrder) -> RailQuote:
        return RailQuote(Money(0, order.amount.currency), None)

    def parse_callback(self, callback: Callback) -> list[RailEvent]:
        del callback
        return []

    async def close(self) -> None:
        return


def _ref(op: UUID) -> str:
    return str(op.int)[-12:]


@dataclass(frozen=True, slots=True)
class Outside:
    """The partners of a bank, other than the usual ones."""

    core: Callable[[EmbeddedCore], Any]
    rails: Mapping[str, Any]
