"""How many SQL statements each shipped query costs, whatever the customer has."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app import database, desk
from app.accounts.accounts import Opening
from app.auth.actor import ALL_SCOPES, Actor, Level, Origin
from app.auth.standing import NewCustomer, Staff
from app.bank import Bank, open_bank
from app.database import Tx
from app.ids import CustomerId, DeviceId, SessionId, uuid7
from app.integrations.core_banking import AccountKind, CanSeed
from app.integrations.outcome import OpRef
from app.money import Money
from app.schema import root
from app.schema.context import Context
from app.schema.execution import Call, Engine
from app.schema.plan.plans import NoPlans, Plans
from app.settings import Settings
from tests.schema.full_bank import fallbacks

OPERATIONS = Path(__file__).parents[1] / "mock_mobile_client" / "operations"
STAFF = Staff(name="Meera", reason="a test")
# The most statements of each shipped query; home is the promise (graphql.md, B14): the
# stream's end and the unread count first, then everything about accounts.
LIMITS = {
    "account_numbers": 4,
    "beneficiaries": 2,
    "home": 2,
    "inbox": 4,
    "service_status": 0,
    "app_policy": 0,
}


@pytest.fixture
async def bank(settings: Settings) -> AsyncIterator[Bank]:
    async with open_bank(settings, frozenset()) as opened:
        yield opened


async def a_customer(bank: Bank, accounts: int, rows: int) -> CustomerId:
    new = NewCustomer(name="Asha Rao", phone="+919876543210")
    customer = (await desk.customers_add(bank, STAFF, new)).id
    for place in range(accounts):
        account = await bank.accounts.open_account(
            Opening(
                customer=customer,
                kind=AccountKind.CURRENT,
                name=f"Account {place}",
                currency="INR",
                number=f"{50_000_000 + place}",
            )
        )
        assert isinstance(bank.core, CanSeed)
        for _ in range(rows):
            op = OpRef(uuid7(), b"seed")
            await bank.core.deposit(op, account.ref, Money(100, "INR"), "Deposit")
    return customer


def signed_in(customer: CustomerId) -> Actor:
    return Actor(
        origin=Origin(request_id="0" * 16, address="127.0.0.1"),
        level=Level.LOGIN,
        customer=customer,
        device=DeviceId.new(),
        session=SessionId.new(),
        scopes=ALL_SCOPES,
    )


def text_of(operation: str) -> str:
    """Read a shipped operation with the fragments it spreads, as the phone does."""
    text = (OPERATIONS / f"{operation}.graphql").read_text()
    found: dict[str, str] = {}
    waiting = set(re.findall(r"\.\.\.(\w+)", text))
    while waiting:
        name = waiting.pop()
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        found[name] = (OPERATIONS / "fragments" / f"{snake}.graphql").read_text()
        waiting |= set(re.findall(r"\.\.\.(\w+)", found[name])) - found.keys()
    return "\n".join([text, *found.values()])


async def count(bank: Bank, actor: Actor, operation: str) -> int:
    engine = Engine(root.SCHEMA, bank.settings, bank.clock, bank.callers.charge)
    context = Context(bank, actor, "0" * 16)
    variables: dict[str, object] = {
        "platform": "ANDROID",
        "version": "1.0.0",
        "first": 25,
    }
    async with database.watched_statements() as seen:
        answer = await engine.run(
            context, Call(text_of(operation), variables=variables)
        )
    assert "errors" not in answer.body, answer.body
    return len(seen)


@pytest.mark.parametrize("operation", LIMITS)
@pytest.mark.parametrize(("accounts", "rows"), [(1, 1), (3, 12), (20, 2)])
async def test_a_shipped_query_costs_the_same_few_statements_for_any_customer(
    bank: Bank, operation: str, accounts: int, rows: int
) -> None:
    customer = await a_customer(bank, accounts, rows)
    actor = signed_in(customer)
    await bank.customers.profile(customer)  # as signing in does
    await bank.sessions.touch(actor)  # the idle clock, written every 15 s at most

    assert await count(bank, actor, operation) <= LIMITS[operation]


SCREEN = """query ($size: Int = 10) { me { accounts {
  id balance { available { minorUnits } } transactions(first: $size) { nodes { id } }
} } }"""


@pytest.mark.parametrize(("accounts", "rows"), [(0, 0), (1, 1), (3, 12), (20, 2)])
async def test_accounts_with_figures_and_rows_are_one_statement(
    bank: Bank, accounts: int, rows: int
) -> None:
    customer = await a_customer(bank, accounts, rows)
    actor = signed_in(customer)
    await bank.customers.profile(customer)
    await bank.sessions.touch(actor)

    seen, answer = await asked(bank, actor, SCREEN)

    assert len(seen) == 1
    shown = answer["data"]["me"]["accounts"]
    assert [len(one["transactions"]["nodes"]) for one in shown] == (
        [min(rows, 10)] * accounts
    )
    assert {one["balance"]["available"]["minorUnits"] for one in shown} <= {
        str(rows * 100)
    }


@pytest.mark.parametrize(
    ("rows", "statements"),
    [
        ("transactions(first: 2) { nodes { id } }", 1),
        ("a: transactions(first: 2) { nodes { id } } b: balance { version }", 1),
        ("a: transactions(first: 2) { stale } b: transactions { stale }", 3),
        ("transactions(last: 2) { nodes { id } }", 2),
        ('transactions(filter: {text: "Dep"}) { nodes { id } }', 3),
        ("balance { version }", 1),
        ("name", 1),
    ],
)
async def test_what_one_statement_cannot_ask_is_asked_apart_and_answered_alike(
    bank: Bank, rows: str, statements: int
) -> None:
    customer = await a_customer(bank, 3, 4)
    actor = signed_in(customer)
    await bank.customers.profile(customer)
    await bank.sessions.touch(actor)
    text = f"{{ me {{ accounts {{ id {rows} }} }} }}"

    before = fallbacks()
    seen, answer = await asked(bank, actor, text)
    fell = fallbacks() != before
    _, expected = await asked(bank, actor, text, NoPlans(root.SCHEMA))

    assert len(seen) == statements
    assert answer == expected
    assert not fell


@pytest.mark.parametrize("way", ["plan", "graphql-core"])
async def test_the_end_of_the_stream_is_read_before_all_that_the_document_shows(
    bank: Bank, way: str
) -> None:
    customer = await a_customer(bank, 1, 1)
    actor = signed_in(customer)
    await bank.customers.profile(customer)
    await bank.sessions.touch(actor)
    text = """{ a: me { accounts { id } } b: me { ...Place } }
      fragment Place on Customer { streamPosition }"""

    seen, _ = await asked(
        bank, actor, text, NoPlans(root.SCHEMA) if way == "graphql-core" else None
    )

    tables = [re.findall(r"FROM \(?(?:SELECT .*? FROM )?(\w+)", one)[0] for one in seen]
    assert tables == ["stream_head", "stream_head", "account"]


async def test_an_account_that_the_book_does_not_know_is_shown_without_figures(
    bank: Bank,
) -> None:
    customer = await a_customer(bank, 2, 1)
    actor = signed_in(customer)

    async def lose(tx: Tx) -> None:
        await tx.rows(
            "UPDATE account SET core_ref = $1 WHERE customer_id = $2 AND position = "
            "(SELECT max(position) FROM account WHERE customer_id = $2)",
            str(uuid7()),
            customer,
        )

    await database.transaction(lose, name="test.lose")
    text = SCREEN.replace("$size: Int = 10", "$size: Int = 1")

    _, answer = await asked(bank, actor, text)
    _, expected = await asked(bank, actor, text, NoPlans(root.SCHEMA))

    assert answer == expected
    shown = answer["data"]["me"]["accounts"]
    assert [one["balance"] is None for one in shown] == [False, True]
    assert [len(one["transactions"]["nodes"]) for one in shown] == [1, 0]


async def asked(
    bank: Bank, actor: Actor, text: str, plans: Plans | None = None
) -> tuple[list[str], Any]:
    """Ask as a plan, or as `plans` say; gives the statements and the answer."""
    engine = Engine(
        root.SCHEMA, bank.settings, bank.clock, bank.callers.charge, plans=plans
    )
    context = Context(bank, actor, "0" * 16)
    async with database.watched_statements() as seen:
        answer = await engine.run(context, Call(text))
    assert "errors" not in answer.body, answer.body
    return list(seen), answer.body
