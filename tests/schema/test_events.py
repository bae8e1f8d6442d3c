"""The stream as a phone sees it: every kind rendered, withheld, filtered, refused."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from app.accounts.account import Account, shot
from app.accounts.balances import Balance
from app.auth.actor import Actor, Level, Origin
from app.clock import Clock, StoppedClock
from app.ids import AccountId, CustomerId, DeviceId, SessionId
from app.integrations.core_banking import AccountKind, AccountState
from app.money import Money
from app.realtime import facts, log
from app.realtime.hub import Hub
from app.realtime.stream import TooSlow
from app.schema import root, status
from app.schema.context import Context
from app.schema.events import streams
from app.schema.execution import Engine
from app.schema.masking import Answer
from app.schema.transport.operations import SocketOperations
from app.settings import Settings
from tests.realtime.patience import until, within
from tests.realtime.world import (
    NOW,
    account_shot,
    balance_fact,
    cursor_at,
    record,
    running_hub,
)
from tests.schema.line import ask, heard, serving

SCHEMA = root.built([status, streams])
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
      ... on SecurityEvent {
        entry { id at actor action object outcome } title actionUrl
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
class FakeHealth:
    """Nothing is watched."""

    def now(self) -> list[object]:
        return []


@dataclass
class FakeBank:
    """The services that the stream needs."""

    hub: Hub
    clock: Clock
    accounts: FakeAccounts
    balances: FakeBalances
    sessions: FakeSessions
    health: FakeHealth


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


@pytest.fixture
async def phone(bank_database: Settings, clock: StoppedClock) -> AsyncIterator[Phone]:
    async def free(actor: Actor, points: int) -> None:
        assert actor.origin.request_id
        assert points > 0

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
                FakeHealth(),
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


# ------------------------------------------------------------------ events


async def test_a_balance_event_shows_its_snapshot(phone: Phone) -> None:
    account = account_of(ANN)
    phone.bank.accounts.all = [account]

    async with phone.follow(EVENTS) as stream:
        ready = await event_of(stream)
        await record(balance_fact(ANN, 7, shot(account)))
        event = await event_of(stream)

    head = await log.head(ANN)
    assert ready["event"] == {
        "__typename": "StreamReady",
        "cursor": str(cursor_at(head, 0)),
        "missed": 0,
    }
    assert ready["category"] is None
    assert ready["sequence"] == "0"
    assert event == {
        "cursor": str(head),
        "sequence": "1",
        "occurredAt": "2026-11-21T09:30:00.000Z",
        "category": None,
        "event": {
            "__typename": "BalanceChanged",
            "account": {
                "id": str(account.id),
                "maskedNumber": "••1234",
                "currency": "INR",
            },
            "balance": {
                "available": {"minorUnits": "700", "currency": "INR", "exponent": 2},
                "version": "7",
                "stale": False,
            },
        },
    }


def every_fact(account: Account) -> list[facts.Fact]:
    row = facts.TransactionShot(
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
    payment = facts.PaymentShot(
        id="pay_1",
        status="SETTLED",
        from_account=shot(account),
        payee=facts.CounterpartyShot(name="Ben"),
        amount=1050,
        fee=0,
        currency="INR",
        rail="INTERNAL",
        created_at=NOW,
    )
    step = facts.StepShot(at=NOW, status="SETTLED", source="CORE")
    payee = facts.BeneficiaryShot(id="ben_1", nickname="Ben", name="Ben B.")
    device = facts.DeviceShot(
        id="dev_1",
        name="Phone",
        platform="IOS",
        state="ACTIVE",
        attestation="NONE",
        bound_at=NOW,
    )
    entry = facts.AuditShot(
        id="aud_1", at=NOW, actor="customer", action="login", outcome="ok"
    )
    own: dict[str, Any] = {"customer": ANN, "occurred_at": NOW}
    return [
        facts.TransactionPosted(transaction=row, **own),
        facts.TransactionUpdated(transaction=row, **own),
        facts.PaymentChanged(payment=payment, step=step, **own),
        facts.BeneficiaryChanged(beneficiary=payee, beneficiary_id="ben_1", **own),
        facts.BeneficiaryChanged(beneficiary=None, beneficiary_id="ben_1", **own),
        facts.DeviceChanged(device=device, **own),
        facts.SecurityEvent(entry=entry, title="New sign-in", **own),
    ]


async def test_every_kind_of_fact_is_shown(phone: Phone) -> None:
    account = account_of(ANN)
    phone.bank.accounts.all = [account]

    async with phone.follow(EVENTS) as stream:
        await event_of(stream)
        await record(*every_fact(account))
        shown = [await event_of(stream) for _ in range(7)]

    assert [one["category"] for one in shown] == [
        "MONEY_IN",
        None,
        "MONEY_OUT",
        None,
        None,
        "SECURITY",
        "SECURITY",
    ]
    assert [one["event"] for one in shown] == [
        {
            "__typename": "TransactionPosted",
            "transaction": {
                "id": "txn_1",
                "direction": "IN",
                "status": "BOOKED",
                "amount": {"minorUnits": "1050"},
                "account": {"id": str(account.id)},
            },
        },
        {
            "__typename": "TransactionUpdated",
            "transaction": {
                "id": "txn_1",
                "status": "BOOKED",
                "runningBalance": {"minorUnits": "2000"},
            },
        },
        {
            "__typename": "PaymentChanged",
            "payment": {"id": "pay_1", "status": "SETTLED"},
            "step": {
                "status": "SETTLED",
                "source": "CORE",
                "at": "2026-11-21T09:30:00.000Z",
            },
        },
        {
            "__typename": "BeneficiaryChanged",
            "beneficiary": {"id": "ben_1", "nickname": "Ben"},
            "beneficiaryId": "ben_1",
        },
        {
            "__typename": "BeneficiaryChanged",
            "beneficiary": None,
            "beneficiaryId": "ben_1",
        },
        {
            "__typename": "DeviceChanged",
            "device": {"id": "dev_1", "name": "Phone", "state": "ACTIVE"},
        },
        {
            "__typename": "SecurityEvent",
            "entry": {
                "id": "aud_1",
                "at": "2026-11-21T09:30:00.000Z",
                "actor": "customer",
                "action": "login",
                "object": None,
                "outcome": "ok",
            },
            "title": "New sign-in",
            "actionUrl": None,
        },
    ]


async def test_each_kind_of_fact_has_its_member_of_the_union() -> None:
    members = {
        one.name
        for one in SCHEMA._schema.get_type("CustomerEvent").types  # type: ignore[union-attr]  # noqa: SLF001  -- the built union
    }

    assert set(facts.FACTS) <= members
    assert members - set(facts.FACTS) == {
        "StreamReady",
        "CaughtUp",
        "StreamReset",
        "EventWithheld",
    }


async def test_an_account_that_is_not_visible_is_withheld_and_keeps_its_number(
    phone: Phone,
) -> None:
    own = account_of(ANN)
    phone.bank.accounts.all = [own, account_of(CustomerId.new())]

    async with phone.follow(EVENTS) as stream:
        await event_of(stream)
        await record(
            balance_fact(ANN, 1, account_shot(phone.bank.accounts.all[1].id)),
            balance_fact(ANN, 2, shot(own)),
            balance_fact(ANN, 3, shot(own)),
            balance_fact(ANN, 4, replace(shot(own), id="acc_of another age")),
        )
        shown = [await event_of(stream) for _ in range(4)]

    assert shown[0]["event"] == {
        "__typename": "EventWithheld",
        "reason": "NOT_VISIBLE",
    }
    assert [one["sequence"] for one in shown] == ["1", "2", "3", "4"]
    assert [one["event"]["__typename"] for one in shown] == [
        "EventWithheld",
        "BalanceChanged",
        "BalanceChanged",
        "EventWithheld",
    ]
    assert phone.bank.accounts.asked == 2


async def test_a_resume_replays_and_says_caught_up(phone: Phone) -> None:
    account = account_of(ANN)
    phone.bank.accounts.all = [account]
    await record(*(balance_fact(ANN, n, shot(account)) for n in (1, 2, 3)))
    head = await log.head(ANN)

    async with phone.follow(EVENTS, after=str(cursor_at(head, 1))) as stream:
        shown = [await event_of(stream) for _ in range(4)]

    assert [one["event"]["__typename"] for one in shown] == [
        "StreamReady",
        "BalanceChanged",
        "BalanceChanged",
        "CaughtUp",
    ]
    assert shown[0]["event"]["missed"] == 2
    assert [one["sequence"] for one in shown] == ["1", "2", "3", "3"]
    assert shown[-1]["cursor"] == str(head)


async def test_a_cursor_of_another_customer_is_a_reset_with_its_reason(
    phone: Phone,
) -> None:
    foreign = await log.head(CustomerId.new())

    async with phone.follow(EVENTS, after=str(foreign)) as stream:
        reset = await event_of(stream)

    assert reset["event"]["__typename"] == "StreamReset"
    assert reset["event"]["resetReason"] == "EPOCH_CHANGED"
    assert reset["cursor"] == str(await log.head(ANN))


async def test_a_text_that_is_no_cursor_is_refused(phone: Phone) -> None:
    async with phone.follow(EVENTS, after="ec1.nonsense") as stream:
        assert await code_of(stream) == "BAD_REQUEST"

    assert phone.bank.hub.readers == 0


@pytest.mark.parametrize(
    "request_of_phone",
    [
        {"documentId": "sha256:00"},
        {"query": EVENTS, "operationName": "Other"},
        {"query": "subscription {"},
    ],
    ids=["no text", "unknown name", "syntax"],
)
async def test_what_names_no_operation_is_refused(
    phone: Phone, request_of_phone: dict[str, object]
) -> None:
    operations = SocketOperations(phone.engine, cast("Any", phone.bank))

    async with aclosing(operations.run(phone.actor(), request_of_phone)) as stream:
        assert await code_of(stream) == "BAD_REQUEST"


async def test_categories_filter_what_is_delivered(phone: Phone) -> None:
    account = account_of(ANN)
    phone.bank.accounts.all = [account]

    async with phone.follow(EVENTS, categories=["SECURITY"]) as stream:
        await event_of(stream)
        await record(balance_fact(ANN, 1, shot(account)), *every_fact(account))
        shown = [await event_of(stream) for _ in range(2)]

    assert [one["sequence"] for one in shown] == ["7", "8"]


async def test_another_customers_stream_stays_silent(phone: Phone) -> None:
    ben = CustomerId.new()
    account = account_of(ben)
    phone.bank.accounts.all = [account]

    async with phone.follow(EVENTS, phone.actor(customer=ben)) as stream:
        await event_of(stream)
        await record(balance_fact(ANN, 9))
        await record(balance_fact(ben, 1, shot(account)))
        event = await event_of(stream)

    assert event["event"]["balance"]["version"] == "1"


@pytest.mark.parametrize("query", [EVENTS, BALANCES])
@pytest.mark.parametrize(
    ("level", "code"),
    [(Level.ANONYMOUS, "UNAUTHENTICATED"), (Level.DEVICE, "FORBIDDEN")],
)
async def test_below_login_no_stream_is_opened(
    phone: Phone, query: str, level: Level, code: str
) -> None:
    async with phone.follow(query, phone.actor(level)) as stream:
        assert await code_of(stream) == code

    assert phone.bank.hub.readers == 0


async def test_a_stream_that_ends_leaves_no_reader(phone: Phone) -> None:
    async with phone.follow(EVENTS) as stream:
        await event_of(stream)
        assert phone.bank.hub.readers == 1

    assert phone.bank.hub.readers == 0


async def test_a_reader_too_far_behind_ends_the_socket_not_the_operation(
    phone: Phone,
) -> None:
    account = account_of(ANN)
    phone.bank.accounts.all = [account]

    async with phone.follow(EVENTS) as stream:
        await event_of(stream)
        for _ in range(3):
            await record(*(balance_fact(ANN, 1, shot(account)) for _ in range(340)))
        watch = phone.bank.hub._watches[ANN]  # noqa: SLF001  -- the tail is inside
        await until(lambda: watch.last == 1020)
        with pytest.raises(TooSlow):
            await within(anext(stream))


# ------------------------------------------------------------------ balances


def versions(answer: Answer) -> tuple[str, str]:
    body = cast("dict[str, Any]", answer.body)["data"]["balanceChanged"]
    return body["account"]["id"], body["balance"]["version"]


async def test_present_balances_come_first_then_newer_ones(phone: Phone) -> None:
    account = account_of(ANN)
    phone.bank.accounts.all = [account]

    async with phone.follow(BALANCES) as stream:
        first = await within(anext(stream))
        await record(balance_fact(ANN, 3, shot(account)))
        await record(balance_fact(ANN, 4, shot(account)))
        second = await within(anext(stream))

    assert versions(first) == (str(account.id), "3")
    assert versions(second) == (str(account.id), "4")


async def test_only_the_named_accounts_of_the_caller_are_followed(phone: Phone) -> None:
    ours, other = account_of(ANN), account_of(ANN)
    foreign = account_of(CustomerId.new())
    phone.bank.accounts.all = [ours, other, foreign]
    ids = [str(ours.id), str(foreign.id), "acc_nonsense"]

    async with phone.follow(BALANCES, ids=ids) as stream:
        first = await within(anext(stream))
        await record(
            balance_fact(ANN, 9, shot(other)), balance_fact(ANN, 8, shot(ours))
        )
        second = await within(anext(stream))

    assert versions(first) == (str(ours.id), "3")
    assert versions(second) == (str(ours.id), "8")


# ------------------------------------------------------------------ over a socket


async def test_a_query_over_the_socket_is_answered_and_a_bad_document_refused(
    phone: Phone,
) -> None:
    async with phone.follow("{ serviceStatus { component } }") as stream:
        answer = await within(anext(stream))
    async with phone.follow("{ serviceStatus { component } } }") as stream:
        code = await code_of(stream)
    async with phone.follow("subscription { nothing }") as stream:
        unknown = await code_of(stream)

    assert answer.body["data"] == {"serviceStatus": []}
    assert (code, unknown) == ("BAD_REQUEST", "BAD_REQUEST")
    assert phone.bank.sessions.touched == 1


async def test_a_subscription_is_no_sign_of_the_customer(phone: Phone) -> None:
    async with phone.follow(EVENTS) as stream:
        await event_of(stream)

    assert phone.bank.sessions.touched == 0


async def test_a_committed_event_reaches_the_phone_and_an_abort_leaves_no_reader(
    phone: Phone, bank_database: Settings
) -> None:
    account = account_of(ANN)
    phone.bank.accounts.all = [account]
    operations = SocketOperations(phone.engine, cast("Any", phone.bank))
    hub = phone.bank.hub

    async with serving(bank_database, operations=operations) as line:
        line.callers.phone("ann", customer=ANN)
        async with line.signed_in("ann") as client:
            await ask(client, "stream", EVENTS)
            ready = await heard(client)
            await record(balance_fact(ANN, 7, shot(account)))
            event = await heard(client)
            assert hub.readers == 1
            client.transport.abort()
        await until(lambda: hub.readers == 0 and len(line.sockets) == 0)

    assert ready["type"] == "next"
    assert event["id"] == "stream"
    shown = event["payload"]["data"]["events"]
    assert shown["event"]["balance"]["version"] == "7"


async def test_sockets_that_come_and_go_leave_no_reader_and_no_task(
    phone: Phone, bank_database: Settings
) -> None:
    operations = SocketOperations(phone.engine, cast("Any", phone.bank))
    hub = phone.bank.hub

    async with serving(bank_database, operations=operations) as line:
        line.callers.phone("ann", customer=ANN)
        async with line.signed_in("ann"):
            pass
        await until(lambda: len(line.sockets) == 0)
        before = len(asyncio.all_tasks())
        for number in range(40):
            async with line.signed_in("ann") as client:
                await ask(client, "stream", EVENTS)
                if number % 2:
                    await heard(client)
                await record(balance_fact(ANN, number))
                if number % 4 == 0:
                    client.transport.abort()
        await until(lambda: hub.readers == 0 and len(line.sockets) == 0)
        await until(lambda: len(asyncio.all_tasks()) <= before)
        assert phone.bank.accounts.asked <= 40
