"""The double of Fineract: transfers, cash, what is taken back, what is blocked."""

import pytest

from tests.sandbox.core_bank import CoreBank, code

BLOCKED = "error.msg.saving.account.blocked.transaction.not.allowed"
NO_DEBIT = "error.msg.savings.account.debit.transaction.not.allowed"
NO_CREDIT = "error.msg.savings.account.credit.transaction.not.allowed"
TOO_LITTLE = "error.msg.savingsaccount.transaction.insufficient.account.balance"
NOT_ACTIVE = "error.msg.savingsaccount.transaction.account.is.not.active"
FIXED = "error.msg.saving.account.transfer.transaction.update.not.allowed"


def test_a_transfer_moves_money_at_once_and_both_rows_carry_its_text(
    bank: CoreBank,
) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500)

    made = bank.post("/accounttransfers", bank.transfer(asha, ben, "12.50")).json()

    assert made["savingsId"] == asha.ids[0]
    assert bank.left(asha.numbers[0]) == (98_750, 0)
    assert bank.left(ben.numbers[0]) == (1_750, 0)
    for number, minor in ((asha.numbers[0], -1_250), (ben.numbers[0], 1_250)):
        row = bank.book(number)["rows"][-1]
        assert (row["minor"], row["tag"]) == (minor, "op-1")
    path = f"/savingsaccounts/{asha.ids[0]}/transactions/search"
    row = bank.get(path, limit=1).json()["content"][0]
    assert row["transfer"]["transferDescription"] == "6p:op-1 rent"


def test_transfers_are_listed_and_shown(bank: CoreBank) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500)
    body = bank.transfer(asha, ben, "12.50")
    made = bank.post("/accounttransfers", body).json()["resourceId"]

    newest = bank.get("/accounttransfers", orderBy="id", sortOrder="DESC", limit=1)
    detail = bank.get("/accounttransfers", accountDetailId=made).json()

    shown = newest.json()["pageItems"][0]
    assert shown["id"] == made
    assert shown["fromAccount"]["accountNo"] == asha.numbers[0]
    assert shown["transferDescription"] == "6p:op-1 rent"
    assert detail == {"totalFilteredRecords": 1, "pageItems": [shown]}
    assert bank.get(f"/accounttransfers/{made}").json() == shown


def test_held_money_cannot_be_moved(bank: CoreBank) -> None:
    asha, ben = bank.opened(10_000), bank.opened(0)
    held = bank.interop(asha, f"h-{asha.number}", "60.00")
    bank.post("/interoperation/transfers", held, action="PREPARE").raise_for_status()

    refused = bank.post("/accounttransfers", bank.transfer(asha, ben, "40.01"))
    taken = bank.post("/accounttransfers", bank.transfer(asha, ben, "40.00"))

    assert code(refused) == (403, TOO_LITTLE)
    assert taken.status_code == 200
    assert bank.left(asha.numbers[0]) == (6_000, 6_000)


@pytest.mark.parametrize(
    ("side", "state", "expected"),
    [
        ("payer", "BLOCKED", (403, BLOCKED)),
        ("payer", "BLOCKED_DEBIT", (403, NO_DEBIT)),
        ("payer", "CLOSED", (400, NOT_ACTIVE)),
        ("payee", "BLOCKED", (403, BLOCKED)),
        ("payee", "BLOCKED_CREDIT", (403, NO_CREDIT)),
        ("payee", "CLOSED", (400, NOT_ACTIVE)),
    ],
)
def test_an_account_that_is_not_open_to_it_moves_nothing(
    bank: CoreBank, side: str, state: str, expected: tuple[int, str]
) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500)
    number = (asha if side == "payer" else ben).numbers[0]
    bank.http.put(f"/_fineract/accounts/{number}", json={"state": state})

    refused = bank.post("/accounttransfers", bank.transfer(asha, ben, "1.00"))

    assert code(refused) == expected
    assert bank.left(asha.numbers[0]) == (100_000, 0)
    assert bank.left(ben.numbers[0]) == (500, 0)


def test_one_way_blocks_leave_the_other_way_open(bank: CoreBank) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500)
    states = ((asha, "BLOCKED_CREDIT"), (ben, "BLOCKED_DEBIT"))
    for holder, state in states:
        path = f"/_fineract/accounts/{holder.numbers[0]}"
        bank.http.put(path, json={"state": state})

    taken = bank.post("/accounttransfers", bank.transfer(asha, ben, "1.00"))

    assert taken.status_code == 200
    assert bank.left(ben.numbers[0]) == (600, 0)


def test_two_currencies_do_not_meet(bank: CoreBank) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500, currency="USD")

    refused = bank.post("/accounttransfers", bank.transfer(asha, ben, "1.00"))

    reason = "error.msg.accounttransfer.different.currencies"
    assert code(refused) == (403, reason)
    assert bank.left(asha.numbers[0]) == (100_000, 0)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"transferAmount": "0"}, "transferAmount.not.greater.than.zero"),
        ({"transferAmount": "much"}, "transferAmount.cannot.be.blank"),
        ({"transferDescription": " "}, "transferDescription.cannot.be.blank"),
        ({"transferDescription": "x" * 201}, "transferDescription.exceeds.max.length"),
        ({"transferDate": "22.11.2026"}, "transferDate.cannot.be.blank"),
        ({"locale": ""}, "locale.cannot.be.blank"),
        ({"toClientId": ""}, "toClientId.cannot.be.blank"),
        ({"toAccountType": "3"}, "toAccountType.is.not.one.of.expected.enumerations"),
    ],
)
def test_a_transfer_that_is_not_whole_is_refused(
    bank: CoreBank, more: dict[str, str], reason: str
) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500)

    refused = bank.post("/accounttransfers", bank.transfer(asha, ben, "1.00", **more))

    assert code(refused) == (400, f"validation.msg.accounttransfer.{reason}")
    assert bank.left(asha.numbers[0]) == (100_000, 0)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"unknown": "x"}, (400, "error.msg.parameter.unsupported")),
        ({"fromOfficeId": "9"}, (404, "error.msg.office.id.invalid")),
        ({"toClientId": "99999"}, (404, "error.msg.client.id.invalid")),
        ({"toAccountId": "99999"}, (404, "error.msg.saving.account.id.invalid")),
        (
            {"transferDate": "2999-01-01"},
            (400, "error.msg.savingsaccount.transaction.in.the.future"),
        ),
        (
            {"transferDate": "1999-01-01"},
            (400, "error.msg.savingsaccount.transaction.before.activation.date"),
        ),
    ],
)
def test_a_transfer_names_what_is_there(
    bank: CoreBank, more: dict[str, str], expected: tuple[int, str]
) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500)

    refused = bank.post("/accounttransfers", bank.transfer(asha, ben, "1.00", **more))

    assert code(refused) == expected
    assert bank.left(asha.numbers[0]) == (100_000, 0)


def test_the_day_is_that_of_the_banks_own_zone(bank: CoreBank) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500)
    bank.turn(timezone="Pacific/Kiritimati")  # UTC+14: always a day ahead of UTC-12
    ahead = bank.today()
    body = bank.transfer(asha, ben, "1.00", transferDate=ahead)

    bank.turn(timezone="Etc/GMT+12")
    refused = bank.post("/accounttransfers", body)
    bank.turn(timezone="Pacific/Kiritimati")
    taken = bank.post("/accounttransfers", body)

    reason = "error.msg.savingsaccount.transaction.in.the.future"
    assert code(refused) == (400, reason)
    assert taken.status_code == 200


def test_cash_comes_and_goes_at_the_counter(bank: CoreBank) -> None:
    asha = bank.opened(10_000)
    path = f"/savingsaccounts/{asha.ids[0]}/transactions"
    body = {
        "transactionDate": bank.today(),
        "transactionAmount": "25.5",
        "locale": "en",
        "dateFormat": "yyyy-MM-dd",
        "note": "at the counter",
    }

    given = bank.post(path, body, command="deposit")
    taken = bank.post(path, body | {"transactionAmount": 5}, command="withdrawal")
    much = bank.post(path, body | {"transactionAmount": 5_000}, command="withdrawal")

    assert given.status_code == taken.status_code == 200
    assert code(much) == (403, TOO_LITTLE)
    assert bank.left(asha.numbers[0]) == (12_050, 0)
    row = bank.get(f"{path}/{given.json()['resourceId']}").json()
    assert row["note"] == "at the counter"


def test_a_row_taken_back_stays_and_counts_no_more(bank: CoreBank) -> None:
    asha = bank.opened(10_000)
    posted = {"kind": "withdrawal", "amount": "20"}
    path = f"/_fineract/accounts/{asha.numbers[0]}/rows"
    row = bank.http.post(path, json=posted).json()["id"]
    later = bank.http.post(path, json={"kind": "deposit", "amount": "1"}).json()["id"]
    undo = f"/savingsaccounts/{asha.ids[0]}/transactions/{row}"

    done = bank.post(undo, command="undo")
    again = bank.post(undo, command="undo")

    assert done.status_code == again.status_code == 200
    assert bank.left(asha.numbers[0]) == (10_100, 0)
    rows = {one["id"]: one for one in bank.book(asha.numbers[0])["rows"]}
    assert (rows[row]["reversed"], rows[row]["running"]) == (True, 0)
    assert rows[later]["running"] == 10_100
    assert bank.get(undo).json()["reversed"] is True


def test_a_leg_of_a_transfer_is_not_taken_back(bank: CoreBank) -> None:
    asha, ben = bank.opened(10_000), bank.opened(500)
    bank.post("/accounttransfers", bank.transfer(asha, ben, "1.00"))
    leg = bank.book(asha.numbers[0])["rows"][-1]["id"]
    path = f"/savingsaccounts/{asha.ids[0]}/transactions/{leg}"

    assert code(bank.post(path, command="undo")) == (503, FIXED)
    assert bank.left(asha.numbers[0]) == (9_900, 0)


def test_a_deposit_is_taken_back_only_while_the_money_is_there(bank: CoreBank) -> None:
    asha = bank.opened(10_000)
    opening = bank.book(asha.numbers[0])["rows"][0]["id"]
    rows = f"/_fineract/accounts/{asha.numbers[0]}/rows"
    bank.http.post(rows, json={"kind": "withdrawal", "amount": "1"})
    path = f"/savingsaccounts/{asha.ids[0]}/transactions/{opening}"

    assert code(bank.post(path, command="undo")) == (403, TOO_LITTLE)
    assert bank.left(asha.numbers[0]) == (9_900, 0)


@pytest.mark.parametrize(
    "path",
    [
        "/savingsaccounts/1?command=sell",
        "/savingsaccounts/1/transactions?command=borrow",
        "/savingsaccounts/1/transactions/1?command=redo",
        "/interoperation/transfers?action=COMMIT",
    ],
)
def test_a_command_nobody_knows_is_refused(bank: CoreBank, path: str) -> None:
    answer = bank.post(path)

    assert code(answer) == (400, "error.msg.query.parameter.value.unsupported")


def test_a_part_of_a_paisa_is_kept_as_it_is(bank: CoreBank) -> None:
    asha = bank.opened(10_000)
    body = {"kind": "interestPosting", "amount": "0.123456"}
    bank.http.post(f"/_fineract/accounts/{asha.numbers[0]}/rows", json=body)

    answer = bank.get(f"/savingsaccounts/{asha.ids[0]}")

    assert '"accountBalance":100.123456' in answer.text
    assert bank.book(asha.numbers[0])["minor"] == "10012.3456"
