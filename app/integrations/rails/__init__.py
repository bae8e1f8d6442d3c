"""The PaymentRail port: one way for money to reach a payee."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from app.integrations.core_banking import CoreBank, OpContext
from app.integrations.outcome import OpRef, Outcome
from app.money import Money


class Settles(StrEnum):
    """ATOMIC: one call books both sides. TWO_PHASE: hold, submit, then capture."""

    ATOMIC = "ATOMIC"
    TWO_PHASE = "TWO_PHASE"


class RailStatus(StrEnum):
    """What a rail says of an order. DEEMED: probably settled, not yet sure."""

    ACCEPTED = "ACCEPTED"
    SETTLED = "SETTLED"
    DEEMED = "DEEMED"
    REJECTED = "REJECTED"
    RETURNED = "RETURNED"


@dataclass(frozen=True, slots=True)
class RailCaps:
    """What a rail offers.

    Args:
        rail: its name in the contract, for example INTERNAL.
        schemes: payee-address schemes it reaches.
        settles: in one call or in two phases.
        undo_s: seconds after approval in which the customer may cancel.
    """

    rail: str
    schemes: frozenset[str]
    settles: Settles
    undo_s: int = 0


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """What a rail is asked to do. `src` and `dst` are the core's references."""

    payment: UUID
    src: str
    dst: str
    amount: Money
    memo: str
    reference: str | None
    payer_name: str
    payer_masked: str
    payee_name: str
    payee_masked: str


@dataclass(frozen=True, slots=True)
class RailAnswer:
    """A rail's word on an order."""

    status: RailStatus
    at: datetime


class PaymentRail(Protocol):
    """One rail. It is given the opened CoreBank port, so it needs no other adapter."""

    caps: RailCaps

    async def submit(self, op: OpRef, order: PaymentOrder) -> Outcome[RailAnswer]:
        """Send the order under an id stored before."""
        ...

    async def status(self, op: OpRef, context: OpContext) -> Outcome[RailAnswer]:
        """Ask what became of an order."""
        ...


class Connect(Protocol):
    """What an adapter's `connect` looks like."""

    async def __call__(self, *, core: CoreBank) -> PaymentRail:
        """Open the rail over the core."""
        ...
