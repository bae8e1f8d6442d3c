"""The double of Fineract: what blocks an account, what closes it."""

import pytest

from tests.sandbox.core_bank import CoreBank, code

WHY = {"reasonForBlock": "asked for", "locale": "en"}


def test_commands_turn_what_is_blocked(bank: CoreBank) -> None:
    asha = bank.opened(10_000)
    path = f"/savingsaccounts/{asha.ids[0]}"
    seen = []
    for name in (
        "block",
        "unblock",
        "blockDebit",
        "blockCredit",
        "unblockCredit",
        "unblockDebit",
        "blockDebit",
        "block",
        "unblockDebit",
        "unblockCredit",
    ):
        bank.post(path, WHY, command=name).raise_for_status()
        seen.append(bank.get(path).json()["subStatus"]["value"])

    assert seen == [
        "Block",
        "None",
        "BlockDebit",
        "Block",
        "BlockDebit",
        "None",
        "BlockDebit",
        "Block",
        "BlockCredit",
        "None",
    ]


@pytest.mark.parametrize(
    ("state", "command", "expected"),
    [
        ("BLOCKED", "blockDebit", "blockDebit.currently.set"),
        ("BLOCKED_DEBIT", "unblock", "unblock.not.in.blocked.state"),
        ("ACTIVE", "unblockDebit", "unblockDebit.debits.are.not.blocked"),
        ("ACTIVE", "unblockCredit", "unblockCredit.credits.are.not.blocked"),
        ("CLOSED", "block", "block.account.is.not.active"),
    ],
)
def test_a_block_that_does_not_fit_is_refused(
    bank: CoreBank, state: str, command: str, expected: str
) -> None:
    asha = bank.opened(0)
    path = f"/_fineract/accounts/{asha.numbers[0]}"
    before = bank.http.put(path, json={"state": state}).json()

    refused = bank.post(f"/savingsaccounts/{asha.ids[0]}", WHY, command=command)

    assert code(refused) == (400, f"validation.msg.savingsaccount.{expected}")
    assert bank.book(asha.numbers[0]) == before


def test_a_block_needs_its_reason(bank: CoreBank) -> None:
    asha = bank.opened(0)
    path = f"/savingsaccounts/{asha.ids[0]}"

    refused = bank.post(path, command="block")

    assert code(refused) == (403, "Reason For Block is Mandatory")
    assert bank.get(path).json()["subStatus"]["none"] is True


@pytest.mark.parametrize(
    ("minor", "state", "expected"),
    [
        (0, "ACTIVE", None),
        (100, "ACTIVE", "close.results.in.balance.not.zero"),
        (0, "BLOCKED", "account.is.in.blocked.state"),
        (0, "CLOSED", "close.not.in.active.state"),
    ],
)
def test_an_account_is_closed_when_nothing_is_left_on_it(
    bank: CoreBank, minor: int, state: str, expected: str | None
) -> None:
    asha = bank.opened(minor)
    path = f"/savingsaccounts/{asha.ids[0]}"
    bank.http.put(f"/_fineract/accounts/{asha.numbers[0]}", json={"state": state})
    body = {
        "closedOnDate": bank.today(),
        "locale": "en",
        "dateFormat": "yyyy-MM-dd",
        "withdrawBalance": False,
    }

    answer = bank.post(path, body, command="close")

    if expected is None:
        assert answer.status_code == 200
        assert bank.get(path).json()["status"]["closed"] is True
    else:
        assert code(answer) == (400, f"validation.msg.savingsaccount.{expected}")


def test_an_account_is_not_closed_ahead_of_its_day(bank: CoreBank) -> None:
    asha = bank.opened(0)
    path = f"/savingsaccounts/{asha.ids[0]}"
    days = {"locale": "en", "dateFormat": "dd MMMM yyyy"}
    body = {"closedOnDate": "01 January 2999", **days}

    ahead = bank.post(path, body, command="close")
    unsaid = bank.post(path, days, command="close")

    place = "validation.msg.savingsaccount.close.closedOnDate"
    assert code(ahead) == (400, f"{place}.cannot.be.a.future.date")
    assert code(unsaid) == (400, f"{place}.cannot.be.blank")
    assert bank.get(path).json()["status"]["active"] is True


def test_nothing_is_taken_back_on_a_closed_account(bank: CoreBank) -> None:
    asha = bank.opened(500)
    row = bank.book(asha.numbers[0])["rows"][0]["id"]
    closed = {"state": "CLOSED"}
    bank.http.put(f"/_fineract/accounts/{asha.numbers[0]}", json=closed)

    path = f"/savingsaccounts/{asha.ids[0]}/transactions/{row}"
    refused = bank.post(path, command="undo")

    reason = "validation.msg.savingsaccount.undotransaction.account.is.not.active"
    assert code(refused) == (400, reason)
    assert bank.left(asha.numbers[0]) == (500, 0)
