"""The PaymentRail port: one way for money to reach a payee.

Reads raise, writes return an Outcome. A final "no" comes in two forms with one meaning,
surely no effect: `Rejected(code)` when the rail refused at once, and an Ok of REJECTED
when it had taken the order before (banking.md sections 4.2 and 5).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from app.clock import Clock
from app.ids import CustomerId
from app.integrations.core_banking import CoreBank, OpContext
from app.integrations.outcome import OpRef, Outcome, PortCode
from app.money import Money

# Schemes of accounts of this bank: anybody's by its number, the payer's own by its id.
INTERNAL, OWN = "INTERNAL", "OWN"
ASK_PLAN = (5, 15, 30, 60, 180)
ASK_EVERY_S = 600


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
        undo_first_s: the same for a first payment to a payee. Both only where money is
            held first: an atomic rail books at once.
        max_minor: most that one order may carry, in minor units; None: no such rule.
        currency: the one that it moves; None: any.
        ask_plan: seconds after the first sending at which an unsure order is asked for.
        ask_every_s: seconds between the questions after that plan.
        native_idempotency: the same op id sent again is the same order, so one that
            the rail never saw may be sent again.
        calls: what it tells unasked is believed; else nobody ever hears that money
            came back after an order was settled.
    """

    rail: str
    schemes: frozenset[str]
    settles: Settles
    undo_s: int = 0
    undo_first_s: int = 10
    max_minor: int | None = None
    currency: str | None = None
    ask_plan: tuple[int, ...] = ASK_PLAN
    ask_every_s: int = ASK_EVERY_S
    native_idempotency: bool = True
    calls: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PayeeAddress:
    """Where somebody is paid: scheme, account number, and the bank's code."""

    scheme: str
    number: str = field(repr=False)
    bank_code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PayeeName:
    """Who stands behind an address, as that bank knows it.

    Args:
        name: in full: it is compared with what the customer wrote, never shown.
        masked: as that bank lets it be shown.
        bank_name: of the payee's bank, if told.
        holder: who that is, where the account is of this bank and the rail knows.
    """

    name: str = field(repr=False)
    masked: str
    bank_name: str | None = None
    holder: CustomerId | None = None


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """What a rail is asked to do.

    Args:
        payment: our payment.
        src, dst: the core's references; a rail that leaves the bank has no `dst` but
            the house account of the rail, and reads the payee's address instead.
        amount, memo, reference: what is paid, our line of text, the payee's.
        payer_name, payer_masked, payee_name, payee_masked: the two sides as shown.
        scheme: of the payee's address.
        payee_address, payee_bank_code: the full address; a TWO_PHASE rail needs it.
    """

    payment: UUID
    src: str
    dst: str
    amount: Money
    memo: str
    reference: str | None
    payer_name: str = field(repr=False)
    payer_masked: str
    payee_name: str = field(repr=False)
    payee_masked: str
    scheme: str = INTERNAL
    payee_address: str | None = field(default=None, repr=False)
    payee_bank_code: str | None = None


@dataclass(frozen=True, slots=True)
class RailAnswer:
    """A rail's word on an order.

    Args:
        status: what it says.
        at: when it came to be so, by the rail.
        expected_by: when it promises the next word, if it does.
        code: why, with REJECTED and RETURNED.
    """

    status: RailStatus
    at: datetime
    expected_by: datetime | None = None
    code: PortCode | None = None


@dataclass(frozen=True, slots=True)
class RailQuote:
    """What an order would cost now, and when it would arrive."""

    fee: Money
    arrives_by: datetime | None


@dataclass(frozen=True, slots=True)
class Callback:
    """What a partner sent us by itself, as it came; header names in lower case."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RailEvent:
    """A rail's word that nobody asked for: maybe twice, late, or in another order.

    Args:
        op: id of the operation that handed the order over.
        event_id: the rail's id of this word.
        answer: what it says.
        provider_ref: the rail's reference of the order.
        amount: what the rail says was paid, where it says so.
    """

    op: UUID
    event_id: str
    answer: RailAnswer
    provider_ref: str | None
    amount: Money | None = None


class PaymentRail(Protocol):
    """One rail. It is given the opened CoreBank port, so it needs no other adapter."""

    caps: RailCaps

    def address_of(
        self, number: str, bank_code: str, *, ours: bool
    ) -> PayeeAddress | None:
        """Recognise an account by the form of its number; None: not this rail's.

        Args:
            number: without spaces and hyphens, letters in upper case.
            bank_code: of its bank, letters in upper case.
            ours: that is this bank.
        """
        ...

    async def resolve_payee(self, address: PayeeAddress) -> PayeeName:
        """Ask who stands behind an address.

        Raises:
            NotFound: nobody that this rail can pay.
            Outage: the rail does not tell at the moment.
        """
        ...

    async def quote(self, order: PaymentOrder) -> RailQuote:
        """Tell fee and time of an order that was not made."""
        ...

    async def submit(self, op: OpRef, order: PaymentOrder) -> Outcome[RailAnswer]:
        """Send the order under an id stored before."""
        ...

    async def status(self, op: OpRef, context: OpContext) -> Outcome[RailAnswer]:
        """Ask what became of an order."""
        ...

    def parse_callback(self, callback: Callback) -> list[RailEvent]:
        """Verify what came, then read it.

        Raises:
            Forged: not signed by this rail, or not in its form.
            Expired: signed too long ago.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


Names = Callable[[PayeeAddress], Awaitable[PayeeName | None]]


class Connect(Protocol):
    """What an adapter's `connect` looks like; `settings` is of the adapter's own kind.

    `names` tells who holds an account of this bank; None: nobody of ours.
    """

    async def __call__(
        self, settings: object, *, core: CoreBank, clock: Clock, names: Names
    ) -> PaymentRail:
        """Open the rail."""
        ...
