"""Accounts over GraphQL: one statement per kind of read, and nobody else's money."""

from dataclasses import dataclass
from typing import Any, cast

import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig

from app import database
from app.accounts.accounts import Accounts
from app.accounts.balances import Balances
from app.accounts.transactions import PageQuery, Transactions
from app.bank import Bank
from app.clock import StoppedClock
from app.errors import BadRequest
from app.ids import AccountId, CustomerId, TransactionId
from app.payments.history import History
from app.realtime import log
from app.realtime.facts import BalanceChanged, TransactionPosted
from app.schema.accounts.accounts import Account, Transaction
from app.schema.accounts.figures import Balance
from app.schema.accounts.owned import CustomerFields, account_node, transaction_node
from app.schema.context import Context
from app.schema.scalars import SCALARS, Node
from app.settings import Settings
from app.vault import Vault
from tests.accounts.world import Room, a_room, actor_of

ROW = """
  id status kind direction createdAt bookedAt valueDate narration rail reference
  amount { minorUnits currency exponent formatted } runningBalance { minorUnits }
  counterparty { name maskedAccount bankName } account { id name }
"""
HOME = f"""
query Home {{ me {{ accounts {{
  id name kind nickname maskedNumber bankCode status canDebit canCredit currency
  balance {{ available {{ minorUnits }} booked {{ minorUnits }} held {{ minorUnits }}
    asOf stale version }}
  transactions(first: 10) {{ nodes {{ {ROW} }} pageInfo {{ hasNextPage }} asOf stale }}
  lowBalanceAlert {{ minorUnits }}
}} }} }}
"""


@strawberry.type
class Customer(Node, CustomerFields):
    """The part of the customer that this room shows."""


@strawberry.type
class Query:
    """A root with nothing but the caller."""

    @strawberry.field
    def me(self) -> Customer:
        return Customer(id=strawberry.ID("cus_0"))


SCHEMA = strawberry.Schema(
    Query, config=StrawberryConfig(scalar_map=dict(SCALARS)), types=[Transaction]
)


@dataclass(frozen=True)
class AccountsOnly:
    """The services this slice calls."""

    accounts: Accounts
    balances: Balances
    transactions: Transactions
    transfers: History


@pytest.fixture
async def room(bank_database: Settings, clock: StoppedClock, vault: Vault) -> Room:
    """Give the room without any account."""
    return await a_room(bank_database, clock, vault)


def context_of(room: Room, customer: CustomerId) -> Context:
    bank = AccountsOnly(
        room.accounts,
        room.balances,
        room.transactions,
        History(challenges=cast("Any", None)),
    )
    return Context(
        bank=cast("Bank", bank), actor=actor_of(customer), request_id="request"
    )


async def asked(
    room: Room, customer: CustomerId, query: str, **variables: object
) -> dict[str, Any]:
    """Ask as a customer and give `me`."""
    result = await SCHEMA.execute(
        query,
        variable_values=dict(variables),
        context_value=context_of(room, customer),
    )
    assert result.errors is None, result.errors
    assert result.data is not None
    return cast("dict[str, Any]", result.data["me"])


async def refused(
    room: Room, customer: CustomerId, query: str, **variables: object
) -> str | None:
    """Ask what may not be asked, and give the reason."""
    result = await SCHEMA.execute(
        query,
        variable_values=dict(variables),
        context_value=context_of(room, customer),
    )
    assert result.errors is not None
    cause = result.errors[0].original_error
    assert isinstance(cause, BadRequest)
    return cause.why


@pytest.mark.parametrize("accounts", [1, 20])
async def test_the_home_screen_is_three_statements_for_any_number_of_accounts(
    room: Room, accounts: int
) -> None:
    asha = CustomerId.new()
    owned = [
        await room.an_account(1000 + number, owner=asha) for number in range(accounts)
    ]
    await room.pay(owned[0], await room.an_account(), 250)

    async with database.watched_statements() as seen:
        me = await asked(room, asha, HOME)

    assert len(seen) == 3
    assert [one["id"] for one in me["accounts"]] == [str(one.id) for one in owned]
    first = me["accounts"][0]
    assert first["balance"] == {
        "available": {"minorUnits": "750"},
        "booked": {"minorUnits": "750"},
        "held": {"minorUnits": "0"},
        "asOf": "2026-11-21T09:30:00.000Z",
        "stale": False,
        "version": "2",
    }
    rows = first["transactions"]["nodes"]
    assert {row["direction"] for row in rows} == {"IN", "OUT"}
    assert [row["account"]["id"] for row in rows] == [first["id"], first["id"]]
    assert (first["bankCode"], first["status"]) == ("SIXP0000001", "ACTIVE")


PAGE = """
query Page($id: ID!, $first: Int, $after: String, $last: Int, $before: String,
           $filter: TransactionFilter) {
  me { account(id: $id) {
    transactions(first: $first, after: $after, last: $last, before: $before,
                 filter: $filter) {
      edges { cursor node { amount { minorUnits } } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    } } }
}
"""


async def five_rows(room: Room, clock: StoppedClock, owner: CustomerId) -> str:
    """Give an account with rows of 1 to 5, the newest last."""
    account, ben = await room.an_account(owner=owner), await room.an_account(1000)
    for number in range(1, 6):
        clock.move(minutes=1)
        await room.pay(ben, account, number)
    return str(account.id)


def amounts(page: dict[str, Any]) -> list[str]:
    return [edge["node"]["amount"]["minorUnits"] for edge in page["edges"]]


async def test_pages_go_forward_and_backward_by_cursor(
    room: Room, clock: StoppedClock
) -> None:
    asha = CustomerId.new()
    account = await five_rows(room, clock, asha)

    async def page(**wanted: object) -> dict[str, Any]:
        me = await asked(room, asha, PAGE, id=account, **wanted)
        return cast("dict[str, Any]", me["account"]["transactions"])

    first = await page(first=2)
    second = await page(first=2, after=first["pageInfo"]["endCursor"])
    back = await page(last=2, before=second["pageInfo"]["startCursor"])
    oldest = await page(last=2)
    plain = await page()

    assert amounts(first) == ["5", "4"]
    assert amounts(second) == ["3", "2"]
    assert back["edges"] == first["edges"]
    assert amounts(oldest) == ["2", "1"]
    assert amounts(plain) == ["5", "4", "3", "2", "1"]
    assert first["pageInfo"]["hasNextPage"]
    assert not first["pageInfo"]["hasPreviousPage"]
    assert back["pageInfo"]["startCursor"] == first["edges"][0]["cursor"]


async def test_a_filter_is_read_and_binds_its_cursor(
    room: Room, clock: StoppedClock
) -> None:
    asha = CustomerId.new()
    account = await five_rows(room, clock, asha)
    wanted = {
        "from": "2026-11-21T09:32:00Z",
        "to": "2026-11-21T09:35:00Z",
        "direction": "IN",
        "status": ["BOOKED"],
        "min": {"minorUnits": "2", "currency": "INR"},
        "max": {"minorUnits": 3, "currency": "INR"},
        "text": "RENT",
    }

    me = await asked(room, asha, PAGE, id=account, filter=wanted, first=1)
    page = me["account"]["transactions"]
    cursor = page["pageInfo"]["endCursor"]
    me = await asked(room, asha, PAGE, id=account, filter=wanted, after=cursor)

    assert amounts(page) == ["3"]
    assert amounts(me["account"]["transactions"]) == ["2"]
    why = await refused(room, asha, PAGE, id=account, after=cursor)
    assert why == "The cursor belongs to a list with another filter."


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"first": 0}, "`first` is a number from 1 to 100."),
        ({"first": 101}, "`first` is a number from 1 to 100."),
        ({"last": 0}, "`first` is a number from 1 to 100."),
        ({"after": "nonsense"}, "The cursor is not one of this server."),
        ({"after": ""}, "The cursor is not one of this server."),
        (
            {"before": "nonsense"},
            "`first` goes with `after`, `last` goes with `before`.",
        ),
        (
            {"last": 1, "after": "nonsense"},
            "`first` goes with `after`, `last` goes with `before`.",
        ),
        (
            {"filter": {"min": {"minorUnits": 1, "currency": "EUR"}}},
            "The amounts are not in the account's currency.",
        ),
        ({"filter": {"text": ""}}, "The text to look for has 1 to 100 characters."),
    ],
)
async def test_a_question_without_sense_is_a_bad_request(
    room: Room, wanted: dict[str, object], why: str
) -> None:
    asha = CustomerId.new()
    account = await room.an_account(owner=asha)

    assert await refused(room, asha, PAGE, id=str(account.id), **wanted) == why


@pytest.mark.parametrize("own", [True, False])
async def test_a_foreign_account_is_null_and_so_is_what_is_no_id(
    room: Room, *, own: bool
) -> None:
    asha = CustomerId.new()
    account = await room.an_account(owner=asha if own else CustomerId.new())
    query = "query($id: ID!) { me { account(id: $id) { id number } } }"

    me = await asked(room, asha, query, id=str(account.id))
    nothing = await asked(room, asha, query, id="acc_7")

    assert (me["account"] is not None) is own
    assert nothing["account"] is None
    if own:
        number = (await room.accounts.numbers(actor_of(asha), [account.id]))[account.id]
        assert me["account"]["number"] == number


async def test_the_mini_statement_is_the_last_five_rows_in_one_statement(
    room: Room, clock: StoppedClock
) -> None:
    asha = CustomerId.new()
    await five_rows(room, clock, asha)
    await room.an_account(7, owner=asha)
    query = "{ me { accounts { miniStatement { amount { minorUnits } } } } }"

    async with database.watched_statements() as seen:
        me = await asked(room, asha, query)

    assert len(seen) == 2
    rows = [one["miniStatement"] for one in me["accounts"]]
    assert [[row["amount"]["minorUnits"] for row in own] for own in rows] == [
        ["5", "4", "3", "2", "1"],
        ["7"],
    ]


async def test_nodes_are_found_by_their_owner_only(room: Room) -> None:
    asha, ben = CustomerId.new(), CustomerId.new()
    account = await room.an_account(100, owner=asha)
    pages = await room.transactions.pages([account], PageQuery(size=1))
    row = pages[account.id].rows[0]

    own = await account_node(context_of(room, asha), account.id)
    own_row = await transaction_node(context_of(room, asha), row.id)

    assert own is not None
    assert own.id == str(account.id)
    assert own_row is not None
    assert own_row.account.id == own.id
    foreign = context_of(room, ben)
    assert await account_node(foreign, account.id) is None
    assert await transaction_node(foreign, row.id) is None
    assert await account_node(foreign, AccountId.new()) is None
    assert await transaction_node(foreign, TransactionId.new()) is None


async def test_an_account_of_an_event_reads_the_rest_when_asked(room: Room) -> None:
    asha = CustomerId.new()
    await room.an_account(100, owner=asha)
    posted, changed = (event.fact for event in await log.read_after(asha, 0, 9))
    assert isinstance(posted, TransactionPosted)
    assert isinstance(changed, BalanceChanged)

    account = Account.of(changed.account)
    row = Transaction.of(posted.transaction)
    told = Balance.of(changed.balance)

    assert (row.account.id, row.amount.minor_units) == (account.id, 100)
    assert (told.booked.minor_units, told.version, told.stale) == (100, 1, False)
    assert (await room.accounts.of_customer(asha))[0].id == AccountId.parse(account.id)

    @strawberry.type
    class Event:
        """A root that gives the account of the fact."""

        @strawberry.field
        def account(self) -> Account:
            return account

    schema = strawberry.Schema(Event, config=StrawberryConfig(scalar_map=dict(SCALARS)))
    result = await schema.execute(
        "{ account { bankCode balance { version } } }",
        context_value=context_of(room, asha),
    )
    assert result.data == {
        "account": {"bankCode": "SIXP0000001", "balance": {"version": "1"}}
    }
