"""The double of Fineract: money set aside, then taken or freed, by a code."""

from typing import Any

import pytest

from tests.sandbox.core_bank import CoreBank, Holder, code

TRANSFERS = "/interoperation/transfers"
COMMITTED = "error.msg.interop.transfer.already.committed"
ON_HOLD = "error.msg.interop.transfer.already.on.hold"
MISSING = "error.msg.interop.onhold.transfer.missing"
_PLACE = "validation.msg.interoperation.transfer"
TOO_LITTLE = "error.msg.savingsaccount.transaction.insufficient.account.balance"


def step(bank: CoreBank, action: str, body: dict[str, Any]) -> tuple[int, str]:
    """Order one step; gives the status, and the state or what is wrong."""
    answer = bank.post(TRANSFERS, body, action=action)
    if answer.status_code != 200:
        return code(answer)
    return 200, answer.json()["state"]


def kinds(bank: CoreBank, holder: Holder) -> list[str]:
    """Give the kinds of an account's rows after the first."""
    return [row["kind"] for row in bank.book(holder.numbers[0])["rows"][1:]]


def test_money_is_set_aside_and_then_taken(bank: CoreBank) -> None:
    asha = bank.opened(10_000)
    body = bank.interop(asha, f"take-{asha.number}", "60.25")

    held = step(bank, "PREPARE", body)
    between = bank.get(f"/savingsaccounts/{asha.ids[0]}").json()
    taken = step(bank, "CREATE", body)
    after = bank.get(f"/savingsaccounts/{asha.ids[0]}").json()

    assert held == taken == (200, "ACCEPTED")
    assert between["savingsAmountOnHold"] == 60.25
    assert after["savingsAmountOnHold"] == 0
    assert between["summary"]["availableBalance"] == 39.75
    assert between["summary"]["accountBalance"] == 100
    assert bank.left(asha.numbers[0]) == (3_975, 0)
    assert kinds(bank, asha) == ["amountHold", "amountRelease", "withdrawal"]
    rows = bank.get(f"/savingsaccounts/{asha.ids[0]}/transactions/search").json()
    taking, freeing, holding = rows["content"][:3]
    assert taking["note"] == body["note"]
    assert taking["paymentDetailData"]["receiptNumber"] == body["transferCode"]
    assert holding["releaseTransactionId"] == freeing["id"]
    assert "note" not in holding
    assert "paymentDetailData" not in holding
    assert [row["runningBalance"] for row in rows["content"][:3]] == [39.75, 100, 39.75]


def test_money_is_set_aside_and_then_freed(bank: CoreBank) -> None:
    asha = bank.opened(10_000)
    body = bank.interop(asha, f"free-{asha.number}", "60.00")
    step(bank, "PREPARE", body)

    freed = step(bank, "RELEASE", body)
    again = step(bank, "RELEASE", body)

    assert freed == (200, "ACCEPTED")
    assert again == (404, MISSING)
    assert bank.left(asha.numbers[0]) == (10_000, 0)
    assert kinds(bank, asha) == ["amountHold", "amountRelease"]


def test_a_code_holds_once_even_after_it_was_freed(bank: CoreBank) -> None:
    asha = bank.opened(10_000)
    body = bank.interop(asha, f"once-{asha.number}", "10.00")
    step(bank, "PREPARE", body)

    while_held = step(bank, "PREPARE", body)
    step(bank, "RELEASE", body)
    when_free = step(bank, "PREPARE", body)

    assert while_held == when_free == (403, COMMITTED)
    assert bank.left(asha.numbers[0]) == (10_000, 0)


def test_a_code_takes_once(bank: CoreBank) -> None:
    asha = bank.opened(10_000)
    body = bank.interop(asha, f"twice-{asha.number}", "10.00")
    step(bank, "PREPARE", body)
    step(bank, "CREATE", body)

    assert step(bank, "CREATE", body) == (403, ON_HOLD)
    assert step(bank, "RELEASE", body) == (404, MISSING)
    assert bank.left(asha.numbers[0]) == (9_000, 0)


def test_only_what_was_held_is_taken(bank: CoreBank) -> None:
    asha = bank.opened(10_000)
    body = bank.interop(asha, f"part-{asha.number}", "10.00")

    never_held = step(bank, "CREATE", body)
    step(bank, "PREPARE", body)
    part = {"amount": {"amount": 9.99, "currency": "INR"}}
    a_part = step(bank, "CREATE", body | part)

    assert never_held == a_part == (404, MISSING)
    assert bank.left(asha.numbers[0]) == (10_000, 1_000)


def test_what_was_freed_can_still_be_taken(bank: CoreBank) -> None:
    """The real server does so: whoever frees must never take afterwards."""
    asha = bank.opened(10_000)
    body = bank.interop(asha, f"late-{asha.number}", "10.00")
    step(bank, "PREPARE", body)
    step(bank, "RELEASE", body)

    assert step(bank, "CREATE", body) == (200, "ACCEPTED")
    assert bank.left(asha.numbers[0]) == (9_000, 0)


def test_holds_add_up_to_what_is_there(bank: CoreBank) -> None:
    asha = bank.opened(10_000)
    first = bank.interop(asha, f"sum1-{asha.number}", "60.00")
    second = bank.interop(asha, f"sum2-{asha.number}", "40.01")

    assert step(bank, "PREPARE", first) == (200, "ACCEPTED")
    assert step(bank, "PREPARE", second) == (403, TOO_LITTLE)
    assert bank.left(asha.numbers[0]) == (10_000, 6_000)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("BLOCKED", "error.msg.saving.account.blocked.transaction.not.allowed"),
        ("BLOCKED_DEBIT", "error.msg.savings.account.debit.transaction.not.allowed"),
    ],
)
def test_a_blocked_account_still_holds_but_pays_nothing(
    bank: CoreBank, state: str, reason: str
) -> None:
    asha = bank.opened(10_000)
    path = f"/_fineract/accounts/{asha.numbers[0]}"
    bank.http.put(path, json={"state": state})
    body = bank.interop(asha, f"block-{asha.number}", "10.00")

    held = step(bank, "PREPARE", body)
    refused = step(bank, "CREATE", body)

    assert held == (200, "ACCEPTED")
    assert refused == (403, reason)
    assert bank.left(asha.numbers[0]) == (10_000, 1_000)
    assert kinds(bank, asha) == ["amountHold"]


def test_a_closed_account_holds_nothing(bank: CoreBank) -> None:
    asha = bank.opened(10_000)
    path = f"/_fineract/accounts/{asha.numbers[0]}"
    bank.http.put(path, json={"state": "CLOSED"})
    body = bank.interop(asha, f"closed-{asha.number}", "10.00")

    assert step(bank, "PREPARE", body) == (
        403,
        "error.msg.interop.transaction.not.allowed",
    )


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"accountId": "nobody"}, (404, "error.msg.saving.account.id.invalid")),
        (
            {"amount": {"amount": 1, "currency": "USD"}},
            (403, "error.msg.accounttransfer.different.currencies"),
        ),
        (
            {"amount": 1},
            (400, f"{_PLACE}.amount.cannot.be.blank"),
        ),
        (
            {"transferCode": ""},
            (
                400,
                f"{_PLACE}.transferCode.cannot.be.blank",
            ),
        ),
        (
            {"transactionRole": "BYSTANDER"},
            (
                400,
                f"{_PLACE}.transactionRole.is.not.one.of.expected.enumerations",
            ),
        ),
    ],
)
def test_a_demand_that_is_not_whole_is_refused(
    bank: CoreBank, more: dict[str, Any], expected: tuple[int, str]
) -> None:
    asha = bank.opened(10_000)
    body = bank.interop(asha, f"bad-{asha.number}", "10.00") | more

    assert step(bank, "PREPARE", body) == expected
    assert bank.left(asha.numbers[0]) == (10_000, 0)


def test_money_for_a_payee_comes_in_at_the_last_step(bank: CoreBank) -> None:
    asha = bank.opened(10_000)
    body = bank.interop(asha, f"in-{asha.number}", "10.00") | {
        "transactionRole": "PAYEE"
    }

    assert step(bank, "PREPARE", body) == (200, "ACCEPTED")
    assert bank.left(asha.numbers[0]) == (10_000, 0)
    assert step(bank, "CREATE", body) == (200, "ACCEPTED")
    assert bank.left(asha.numbers[0]) == (11_000, 0)


def test_a_code_is_asked_after_with_the_payment_it_was_for(bank: CoreBank) -> None:
    asha = bank.opened(10_000)
    body = bank.interop(asha, f"ask-{asha.number}", "10.00")
    of = f"/interoperation/transactions/{body['transactionCode']}/transfers"

    before = bank.get(f"{of}/{body['transferCode']}")
    step(bank, "PREPARE", body)
    held = bank.get(f"{of}/{body['transferCode']}").json()
    step(bank, "RELEASE", body)
    freed = bank.get(f"{of}/{body['transferCode']}").json()

    assert before.status_code == 404
    assert held["state"] == freed["state"] == "ACCEPTED"
    assert held["transferCode"] == body["transferCode"]


def test_what_was_taken_by_a_code_can_be_taken_back(bank: CoreBank) -> None:
    asha = bank.opened(10_000)
    body = bank.interop(asha, f"back-{asha.number}", "10.00")
    step(bank, "PREPARE", body)
    step(bank, "CREATE", body)
    rows = bank.book(asha.numbers[0])["rows"]
    path = f"/savingsaccounts/{asha.ids[0]}/transactions"

    taken_back = bank.post(f"{path}/{rows[-1]['id']}", command="undo")
    hold_kept = bank.post(f"{path}/{rows[1]['id']}", command="undo")

    assert taken_back.status_code == 200
    assert code(hold_kept)[0] == 503
    assert bank.left(asha.numbers[0]) == (10_000, 0)
