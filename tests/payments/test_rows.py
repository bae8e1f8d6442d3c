"""Rows of accounts and payments point at each other, and only at the caller's own."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, cast

import pytest

from app import database
from app.accounts.sheet import LocalCore, LocalSheet
from app.accounts.transactions import Transactions
from app.errors import ErrorCode
from app.integrations.core_banking import CoreTxn, Hold, Narrative, TxnQuery
from app.integrations.outcome import Ok, OpRef
from app.money import Money
from app.payments.payment import Payment
from app.schema.context import Context
from tests.accounts.world import an_op
from tests.payments.conftest import give_away, waiting
from tests.payments.handset import Phone
from tests.payments.town import Town
from tests.payments.wire import SCHEMA, context_of

ROWS = """
query Rows($filter: TransactionFilter, $first: Int, $after: String) { me { accounts {
  id miniStatement { id }
  transactions(first: $first, after: $after, filter: $filter) {
    pageInfo { endCursor }
    nodes { id status direction note original { minorUnits } declineReason
      payment { id status transaction { id } } } } } } }
"""


class WithRows:
    """The bank of these tests, with the rows of its accounts."""

    def __init__(self, town: Town, core: object) -> None:
        bank = town.bank
        self.bank = bank
        self.transactions = Transactions(
            sheet=LocalSheet(core or bank.core, bank.clock),  # type: ignore[arg-type]  # what a page asks for
            accounts=bank.accounts,
        )

    def __getattr__(self, name: str) -> object:
        return getattr(self.bank, name)


async def asked(
    town: Town, phone: Phone, document: str, core: object = None, **variables: object
) -> dict[str, Any]:
    """Ask for a customer in a bank that shows rows."""
    plain = context_of(town, phone)
    shown = Context(bank=WithRows(town, core), actor=plain.actor, request_id="request")  # type: ignore[arg-type]  # a part of it
    result = await SCHEMA.execute(
        document, variable_values=variables, context_value=shown
    )
    assert result.errors is None, result.errors
    assert result.data is not None
    return cast("dict[str, Any]", result.data["me"])


async def accounts_of(
    town: Town, phone: Phone, core: object = None, **variables: object
) -> list[dict[str, Any]]:
    """Ask for the rows of a customer's accounts."""
    found = await asked(town, phone, ROWS, core, **variables)
    return cast("list[dict[str, Any]]", found["accounts"])


async def rows_of(
    town: Town, phone: Phone, core: object = None, **variables: object
) -> list[dict[str, Any]]:
    """Give the rows of the customer's first account."""
    accounts = await accounts_of(town, phone, core, **variables)
    return cast("list[dict[str, Any]]", accounts[0]["transactions"]["nodes"])


async def test_a_row_and_its_payment_show_each_other_to_the_payer_only(
    town: Town,
) -> None:
    paid = await town.bank.pay(town.asha, town.to_ben(100, note="For the May trip"))
    moved = await town.bank.pay(town.asha, town.to_savings(200))

    accounts = await accounts_of(town, town.asha)
    bens = await rows_of(town, town.ben)

    current, savings = (one["transactions"]["nodes"] for one in accounts)
    to_savings, to_ben, opening = current
    assert to_ben == {
        "id": to_ben["id"],
        "status": "BOOKED",
        "direction": "OUT",
        "note": "For the May trip",
        "original": None,
        "declineReason": None,
        "payment": {
            "id": str(paid.id),
            "status": "SETTLED",
            "transaction": {"id": to_ben["id"]},
        },
    }
    assert (opening["payment"], opening["note"]) == (None, None)
    own = {
        "id": str(moved.id),
        "status": "SETTLED",
        "transaction": {"id": to_savings["id"]},
    }
    assert [row["payment"] for row in (to_savings, savings[0])] == [own, own]
    assert [(row["payment"], row["note"]) for row in bens] == [(None, None)]
    mini = accounts[0]["miniStatement"]
    assert mini == [{"id": row["id"]} for row in current]


async def test_many_rows_read_their_payments_together(town: Town) -> None:
    counts = []
    for _ in range(3):
        await town.bank.pay(town.asha, town.to_ben(100, note="May"))
        async with database.watched_statements() as seen:
            await accounts_of(town, town.asha)
        counts.append(len(seen))

    # accounts, page, mini statement, payments, their accounts, and the rows they made
    assert counts == [6, 6, 6]


async def test_a_text_is_also_looked_for_in_the_customers_own_notes(
    town: Town,
) -> None:
    await town.bank.pay(town.asha, town.to_ben(100, note="Straße der Ömer"))
    for minor in (200, 300):
        await town.bank.pay(town.asha, town.to_ben(minor, note="May trip"))
    wanted = {"text": " MAY "}

    found = await rows_of(town, town.asha, filter=wanted, first=1)
    accounts = await accounts_of(town, town.asha, filter=wanted, first=1)
    cursor = accounts[0]["transactions"]["pageInfo"]["endCursor"]
    after = await rows_of(town, town.asha, filter=wanted, first=9, after=cursor)
    folded = await rows_of(town, town.asha, filter={"text": "ÖMER"})
    bens = await rows_of(town, town.ben, filter=wanted)

    assert [row["note"] for row in found + after] == ["May trip", "May trip"]
    assert found[0]["id"] != after[0]["id"]
    assert [row["note"] for row in folded] == ["Straße der Ömer"]
    assert bens == []


async def declined(town: Town) -> Payment:
    """Give a payment that ended DECLINED for want of money."""
    _payment, challenge = await waiting(town, 60_000)
    await town.bank.pay(town.asha, town.to_ben(70_000))
    answer = town.asha.answer(challenge)
    return await town.bank.transfers.approve(town.asha.actor, challenge.id, *answer)


async def test_a_declined_row_says_why_and_its_payment_keeps_it(town: Town) -> None:
    refused = await declined(town)
    core = town.bank.core
    held = await core.hold(
        an_op(),
        town.current.ref,
        Money(60, "INR"),
        Narrative("Shop", payment=refused.id.value),
    )
    assert isinstance(held, Ok)

    pending = (await rows_of(town, town.asha))[0]
    await release(town, held.value)
    row = (await rows_of(town, town.asha))[0]

    assert refused.reason is ErrorCode.INSUFFICIENT_FUNDS
    assert (pending["status"], pending["declineReason"]) == ("PENDING", None)
    assert (row["status"], row["declineReason"]) == ("DECLINED", "INSUFFICIENT_FUNDS")
    assert row["id"] == pending["id"]
    assert row["payment"] == {
        "id": str(refused.id),
        "status": "DECLINED",
        "transaction": {"id": row["id"]},
    }


async def release(town: Town, hold: Hold) -> None:
    """Free what was held."""
    freed = await town.bank.core.release(OpRef(an_op().id, b"free".ljust(32)), hold)
    assert isinstance(freed, Ok)


class Telling:
    """A core that tells why it declined a row, and what was asked for abroad."""

    def __init__(self, core: LocalCore, code: str) -> None:
        self.caps = core.caps
        self.core = core
        self.code = code

    async def transactions(
        self, refs: Sequence[str], query: TxnQuery
    ) -> dict[str, list[CoreTxn]]:
        """Give the rows of the core, declined."""
        found = await self.core.transactions(refs, query)
        told = {
            "status": "DECLINED",
            "decline_code": self.code,
            "original": Money(1, "USD"),
        }
        return {
            ref: [CoreTxn(**told_of(row) | told) for row in rows]
            for ref, rows in found.items()
        }


def told_of(row: CoreTxn) -> dict[str, Any]:
    """Give what a core tells of a row."""
    return {one.name: getattr(row, one.name) for one in fields(row)}


@pytest.mark.parametrize(
    ("code", "shown"), [("PARTNER_DECLINED", "PARTNER_DECLINED"), ("E-17", None)]
)
async def test_a_core_that_tells_more_is_shown_as_far_as_the_contract_has_words(
    town: Town, code: str, shown: str | None
) -> None:
    told = Telling(town.bank.core, code)

    row = (await rows_of(town, town.asha, core=told))[0]

    assert (row["declineReason"], row["original"]) == (shown, {"minorUnits": "1"})


LIST = """{ me { payments { nodes { status transaction { id } from {
  id name maskedNumber status canDebit canCredit number bankCode
  balance { available { minorUnits } } lowBalanceAlert { minorUnits }
  miniStatement { id } transactions { nodes { id } stale } } } } } }"""


async def test_payments_from_an_account_that_was_given_away_are_listed_without_figures(
    town: Town,
) -> None:
    await town.bank.pay(town.asha, town.to_ben(100_00))
    await town.bank.pay(town.asha, town.to_savings(500))
    await town.bank.pay(town.asha, town.to_ben(1, from_account=str(town.savings.id)))
    await give_away(town.current)

    shown = (await asked(town, town.asha, LIST))["payments"]["nodes"]

    assert [one["status"] for one in shown] == ["SETTLED"] * 3
    kept, *gone = shown
    assert (kept["from"]["id"], kept["from"]["status"]) == (
        str(town.savings.id),
        "ACTIVE",
    )
    assert kept["from"]["balance"] == {"available": {"minorUnits": "499"}}
    assert kept["transaction"] in kept["from"]["miniStatement"]
    nowhere = {
        "id": str(town.current.id),
        "name": town.current.name,
        "maskedNumber": town.current.masked_number,
        "status": "CLOSED",
        "canDebit": False,
        "canCredit": False,
        "number": None,
        "bankCode": None,
        "balance": None,
        "lowBalanceAlert": None,
        "miniStatement": [],
        "transactions": {"nodes": [], "stale": True},
    }
    assert gone == [{"status": "SETTLED", "transaction": None, "from": nowhere}] * 2
