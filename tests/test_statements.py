"""How many SQL statements each shipped query costs, whatever the customer has."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app import database, desk
from app.accounts.accounts import Opening
from app.auth.actor import ALL_SCOPES, Actor, Level, Origin
from app.auth.standing import NewCustomer, Staff
from app.bank import Bank, open_bank
from app.ids import CustomerId, DeviceId, SessionId, uuid7
from app.integrations.core_banking import AccountKind, CanSeed
from app.integrations.outcome import OpRef
from app.money import Money
from app.schema import root
from app.schema.context import Context
from app.schema.execution import Call, Engine
from app.settings import Settings

OPERATIONS = Path(__file__).parents[1] / "mock_mobile_client" / "operations"
STAFF = Staff(name="Meera", reason="a test")
# The most statements of each shipped query; home is the promise (graphql.md, B14).
LIMITS = {
    "account_numbers": 4,
    "beneficiaries": 2,
    "home": 4,
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
