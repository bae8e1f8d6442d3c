"""A phone that follows the streams, with fakes behind the operations of its socket."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from app.accounts.account import Account, shot
from app.accounts.balances import Balance
from app.auth.actor import Actor, Level, Origin
from app.clock import Clock
from app.ids import AccountId, CustomerId, DeviceId, PaymentId, SessionId
from app.integrations.core_banking import AccountKind, AccountState
from app.money import Money
from app.payments.lifecycle import Status
from app.payments.payment import Payment, PaymentStep, StepSource
from app.realtime import facts, shots
from app.realtime.hub import Hub
from app.schema import root, status
from app.schema.context import Context
from app.schema.events import outages, progress, streams
from app.schema.execution import Engine
from app.schema.masking import Answer
from app.schema.transport.operations import SocketOperations
from app.settings import Settings
from app.status.board import Board
from app.status.health import Health
from tests.realtime.patience import within
from tests.realtime.world import (
    NOW,
    running_hub,
)

SCHEMA = root.built([status, streams, progress, outages])
ANN = CustomerId.new()
EVENTS = """
subscription Events($after: EventCursor, $categories: [EventCategory!]) {
  events(after: $after, categories: $categories) {
    cursor sequence occurredAt category
    event {
      __typename
      ... on StreamReady { cursor missed }
      ... on CaughtUp { cursor }
      ... on StreamReset { resetReason: reason cursor }
      ... on EventWithheld { reason }
      ... on BalanceChanged {
        account { id maskedNumber currency }
        balance { available { minorUnits currency exponent } version stale }
      }
      ... on TransactionPosted {
        transaction { id direction status amount { minorUnits } account { id } }
      }
      ... on TransactionUpdated {
        transaction { id status runningBalance { minorUnits } }
      }
      ... on PaymentChanged { payment { id status } step { status source at } }
      ... on BeneficiaryChanged { beneficiary { id nickname } beneficiaryId }
      ... on DeviceChanged { device { id name state } }
      ... on LimitChanged {
        limit { id window remaining { minorUnits } pendingMax { minorUnits } }
      }
      ... on SecurityEvent {
        entry { id at actor action object outcome } title actionUrl
      }
      ... on InboxAdded {
        item { id category title body deepLink createdAt readAt } unreadCount
      }
    }
  }
}
"""
BALANCES = """
subscription Balances($ids: [ID!]) {
  balanceChanged(accountIds: $ids) {
    account { id } balance { available { minorUnits } version }
  }
}
"""


def account_of(customer: CustomerId) -> Account:
    return Account(
        id=AccountId.new(),
        customer=customer,
        ref="core-1",
        kind=AccountKind.SAVINGS,
        name="Savings",
        nickname=None,
        masked_number="••1234",
        bank_code="SIXP0000001",
        currency="INR",
        state=AccountState.OPEN,
        low_balance=None,
    )


@dataclass
class FakeAccounts:
    """Knows the accounts it was given."""

    all: list[Account] = field(default_factory=list)
    asked: int = 0

    async def found(
        self, actor: Actor, ids: Sequence[AccountId]
    ) -> dict[AccountId, Account]:
        self.asked += 1
        own = await self.of_customer(actor.known_customer)
        return {one.id: one for one in own if one.id in ids}

    async def of_customer(self, customer: CustomerId) -> list[Account]:
        return [one for one in self.all if one.customer == customer]


class FakeBalances:
    """Answers version 3 with 300 minor units for every account."""

    async def of(self, accounts: Sequence[Account]) -> dict[AccountId, Balance]:
        amount = Money(300, "INR")
        return {
            one.id: Balance(
                account=one.id,
                available=amount,
                booked=amount,
                held=Money(0, "INR"),
                as_of=NOW,
                stale=False,
                version=3,
            )
            for one in accounts
        }


@dataclass
class FakeSessions:
    """Counts the customer's operations."""

    touched: int = 0

    async def touch(self, actor: Actor) -> None:
        assert actor.session is not None
        self.touched += 1


@dataclass
class FakeTransfers:
    """Knows the payments it was given, each with a timeline of so many lines."""

    all: list[Payment] = field(default_factory=list)
    lines: int = 1

    async def find(self, actor: Actor, payment: str) -> Payment | None:
        key = PaymentId.parse(payment)
        own = [one for one in self.all if one.customer == actor.customer]
        return next((one for one in own if one.id == key), None)

    async def by_ids(
        self, actor: Actor, ids: Sequence[PaymentId]
    ) -> dict[PaymentId, Payment]:
        known = actor.known_customer
        own = [one for one in self.all if one.customer == known]
        return {one.id: one for one in own if one.id in ids}

    async def timelines(
        self, payments: Sequence[PaymentId]
    ) -> dict[PaymentId, list[PaymentStep]]:
        steps = [
            PaymentStep(
                no=no + 1,
                at=NOW,
                status=Status.SUBMITTED,
                source=StepSource.CORE,
                detail=None,
            )
            for no in range(self.lines)
        ]
        return dict.fromkeys(payments, steps)


@dataclass
class FakeBank:
    """The services that the stream needs."""

    hub: Hub
    clock: Clock
    accounts: FakeAccounts
    balances: FakeBalances
    sessions: FakeSessions
    board: Board
    health: Health
    transfers: FakeTransfers


@dataclass
class Phone:
    """A caller with an engine; `follow` gives answers as a socket would get them."""

    engine: Engine
    bank: FakeBank

    def actor(self, level: Level = Level.LOGIN, customer: CustomerId = ANN) -> Actor:
        known = level > Level.ANONYMOUS
        return Actor(
            origin=Origin(request_id="r1", address="192.0.2.1"),
            level=level,
            customer=customer if known else None,
            device=DeviceId.new() if known else None,
            session=SessionId.new() if level >= Level.LOGIN else None,
        )

    def context(self, actor: Actor | None = None) -> Context:
        return Context(cast("Any", self.bank), actor or self.actor(), "r1")

    @asynccontextmanager
    async def follow(
        self, query: str, actor: Actor | None = None, **variables: object
    ) -> AsyncIterator[AsyncIterator[Answer]]:
        operations = SocketOperations(self.engine, cast("Any", self.bank))
        request = {"query": query, "variables": variables}
        async with aclosing(operations.run(actor or self.actor(), request)) as stream:
            yield stream


@asynccontextmanager
async def a_phone(bank_database: Settings, clock: Clock) -> AsyncIterator[Phone]:
    """Give a phone beside a running hub."""

    async def free(actor: Actor, points: int) -> None:
        assert actor.origin.request_id
        assert points > 0

    health = Health(clock)
    engine = Engine(SCHEMA, bank_database, clock, free)
    async with running_hub(bank_database, clock) as hub:
        yield Phone(
            engine,
            FakeBank(
                hub,
                Clock(),
                FakeAccounts(),
                FakeBalances(),
                FakeSessions(),
                Board(clock=clock, health=health, announce=lambda _word: None),
                health,
                FakeTransfers(),
            ),
        )


async def event_of(stream: AsyncIterator[Answer]) -> dict[str, Any]:
    answer = await within(anext(stream))
    assert "errors" not in answer.body, answer.body
    body = cast("dict[str, Any]", answer.body)
    found: dict[str, Any] = body["data"]["events"]
    return found


async def code_of(stream: AsyncIterator[Answer]) -> str:
    """Give the code of a stream that is refused, and see that it ends."""
    answer = await within(anext(stream))
    assert answer.is_refused
    with pytest.raises(StopAsyncIteration):
        await within(anext(stream))
    errors = cast("list[dict[str, Any]]", answer.body["errors"])
    return str(errors[0]["extensions"]["code"])


def every_fact(account: Account) -> list[facts.Fact]:
    row = shots.TransactionShot(
        id="txn_1",
        account=shot(account),
        status="BOOKED",
        kind="TRANSFER",
        direction="IN",
        amount=1050,
        currency="INR",
        running_balance=2000,
        created_at=NOW,
    )
    payment = shots.PaymentShot(
        id="pay_1",
        status="SETTLED",
        from_account=shot(account),
        payee=shots.CounterpartyShot(name="Ben"),
        amount=1050,
        fee=0,
        currency="INR",
        rail="INTERNAL",
        created_at=NOW,
    )
    step = shots.StepShot(at=NOW, status="SETTLED", source="CORE")
    payee = shots.BeneficiaryShot(id="ben_1", nickname="Ben", name="Ben B.")
    device = shots.DeviceShot(
        id="dev_1",
        name="Phone",
        platform="IOS",
        state="ACTIVE",
        attestation="NONE",
        bound_at=NOW,
    )
    limit = shots.LimitShot(
        id="lim_1",
        name="Payments a day",
        window="DAY",
        max=1050,
        used=50,
        remaining=1000,
        currency="INR",
        ceiling=2000,
    )
    entry = shots.AuditShot(
        id="aud_1", at=NOW, actor="customer", action="login", outcome="ok"
    )
    item = shots.InboxShot(
        id="ntf_1",
        category="MONEY_OUT",
        template="money_out",
        args={"amount": 1050, "currency": "INR", "account": "••1234"},
        created_at=NOW,
    )
    own: dict[str, Any] = {"customer": ANN, "occurred_at": NOW}
    return [
        facts.TransactionPosted(transaction=row, **own),
        facts.TransactionUpdated(transaction=row, **own),
        facts.PaymentChanged(payment=payment, step=step, **own),
        facts.BeneficiaryChanged(beneficiary=payee, beneficiary_id="ben_1", **own),
        facts.BeneficiaryChanged(beneficiary=None, beneficiary_id="ben_1", **own),
        facts.DeviceChanged(device=device, **own),
        facts.LimitChanged(limit=limit, **own),
        facts.SecurityEvent(entry=entry, title="New sign-in", **own),
        facts.InboxAdded(item=item, unread_count=3, **own),
    ]
