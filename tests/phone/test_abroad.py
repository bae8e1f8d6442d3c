"""Accounts of other banks, as the phone names and reads them."""

from dataclasses import replace
from pathlib import Path

from mock_mobile_client.abroad import Quote, account_of
from mock_mobile_client.money import money
from mock_mobile_client.payments import Order
from mock_mobile_client.values import AccountValue
from tests.phone.conftest import Fake
from tests.phone.fake_parts import amount
from tests.phone.test_commands import run

SAVINGS = AccountValue("acc_1", "Savings", "SAVINGS", "••••0102", "INR", None, ())
QUOTE = {
    "id": "quo_AAAA",
    "fee": amount(0),
    "total": amount(113),
    "rail": "IMPS",
    "payeeCheck": {"match": "MATCH", "suggestedName": None},
    "allowed": ["MPIN"],
    "blockers": [{"code": "COOLING_PERIOD"}],
}


def test_a_quote_is_read_with_what_stands_in_the_way() -> None:
    found = Quote.read(QUOTE)
    own = Quote.read(QUOTE | {"payeeCheck": None, "blockers": []})

    assert (found.rail, found.match, found.allowed) == ("IMPS", "MATCH", ("MPIN",))
    assert found.total == money("1.13 INR").at(2)
    assert (found.blockers, own.blockers) == (("COOLING_PERIOD",), ())
    assert own.match is None


def test_an_order_names_its_quote_only_where_it_has_one() -> None:
    order = Order(SAVINGS, SAVINGS, money("1.13 INR").at(2))

    quoted = replace(order, quote="quo_AAAA").variables()["input"]

    assert "quoteId" not in order.variables()["input"]
    assert quoted == order.variables()["input"] | {"quoteId": "quo_AAAA"}


def test_an_account_of_this_bank_needs_no_code() -> None:
    abroad = account_of("409900000001", "SAND0000001")["account"]

    assert account_of("5010", None) == {"account": {"accountNumber": "5010"}}
    assert abroad == {"accountNumber": "409900000001", "bankCode": "SAND0000001"}


async def test_nobody_is_said_in_one_sentence(fake: Fake, tmp_path: Path) -> None:
    for words in (("enrol", "asha"), ("login",)):
        await run(fake, tmp_path, *words)

    ran = await run(fake, tmp_path, "beneficiary", "who", "409900000000", "--bank", "X")

    assert ran.exit_code == 1
    assert "NOT_FOUND" in ran.output
