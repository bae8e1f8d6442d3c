"""The double of Fineract: what is read of clients, accounts and rows."""

import json
from decimal import Decimal

import httpx
import pytest

from sandbox.fineract.doors import DOORS
from tests.fineract_contract import BASE, DATA, wrong_with
from tests.sandbox.core_bank import TENANT, USER, V1, CoreBank, code


def test_a_client_and_its_accounts_are_found_by_our_own_number(bank: CoreBank) -> None:
    asha = bank.opened(1_000_050, 0)

    client = bank.get(f"/clients/{asha.id}").json()
    listed = bank.get(f"/clients/{asha.id}/accounts").json()["savingsAccounts"]

    assert client["externalId"] == asha.number
    assert client["displayName"] == "Asha Rao"
    assert [one["accountNo"] for one in listed] == asha.numbers
    assert [one["currency"]["decimalPlaces"] for one in listed] == [2, 2]
    assert all(one["status"]["active"] for one in listed)


def test_a_client_without_accounts_has_no_list_of_them(bank: CoreBank) -> None:
    nobody = bank.opened()

    listed = bank.get(f"/clients/external-id/{nobody.number}/accounts")

    assert listed.json() == {}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/clients/external-id/C-none", "error.msg.client.id.invalid"),
        ("/clients/external-id/C-none/accounts", "error.msg.client.id.invalid"),
        ("/clients/999999", "error.msg.client.id.invalid"),
        ("/savingsaccounts/999999", "error.msg.saving.account.id.invalid"),
        ("/savingsaccounts/x", "error.msg.saving.account.id.invalid"),
        ("/savingsaccounts/external-id/x", "error.msg.saving.account.id.invalid"),
        (
            "/savingsaccounts/999999/transactions/search",
            "error.msg.saving.account.id.invalid",
        ),
        ("/accounttransfers/999999", "error.msg.accounttransfer.id.invalid"),
        ("/audits/999999", "error.msg.audit.id.invalid"),
        (
            "/interoperation/transactions/a/transfers/b",
            "error.msg.interop.transfer.not.found",
        ),
    ],
)
def test_what_is_not_there_is_said_so(bank: CoreBank, path: str, reason: str) -> None:
    assert code(bank.get(path)) == (404, reason)


def test_an_account_shows_its_figures_with_six_decimals(bank: CoreBank) -> None:
    asha = bank.opened(1_000_050)

    answer = bank.get(f"/savingsaccounts/{asha.ids[0]}")

    found = json.loads(answer.text, parse_float=str)
    assert found["summary"]["accountBalance"] == "10000.500000"
    assert found["summary"]["availableBalance"] == "10000.500000"
    assert "savingsAmountOnHold" not in found
    assert found["externalId"] == asha.externals[0]
    assert found["clientId"] == asha.id
    by_external = bank.get(f"/savingsaccounts/external-id/{asha.externals[0]}")
    assert by_external.json()["id"] == asha.ids[0]


def test_an_account_without_external_id_has_none(bank: CoreBank) -> None:
    asha = bank.opened(500, externalId=None)

    assert "externalId" not in bank.get(f"/savingsaccounts/{asha.ids[0]}").json()


def test_dates_are_lists_and_by_a_knob_text(bank: CoreBank) -> None:
    asha = bank.opened(500)
    path = f"/savingsaccounts/{asha.ids[0]}/transactions/search"

    listed = bank.get(path).json()["content"][0]["submittedOnDate"]
    bank.turn(textDates=True)
    text = bank.get(path).json()["content"][0]["submittedOnDate"]

    assert len(listed) == 3
    assert text == f"{listed[0]:04d}-{listed[1]:02d}-{listed[2]:02d}"


def test_a_history_adds_up_and_each_row_says_what_was_left(bank: CoreBank) -> None:
    asha = bank.opened(1_000_000, history=40)

    found = bank.get(f"/savingsaccounts/{asha.ids[0]}/transactions/search").json()

    rows = found["content"][::-1]
    left = Decimal(0)
    for row in rows:
        sign = 1 if row["entryType"] == "CREDIT" else -1
        left += sign * Decimal(str(row["amount"]))
        assert Decimal(str(row["runningBalance"])) == left
        assert left >= 0
    assert found["total"] == len(rows) == 40
    assert left == 10_000


def test_a_search_gives_pages_in_the_order_asked_for(bank: CoreBank) -> None:
    asha = bank.opened(1_000_000, history=7)
    path = f"/savingsaccounts/{asha.ids[0]}/transactions/search"
    newest = {"orderBy": "createdDate,id", "sortOrder": "DESC", "limit": 3}

    every = [row["id"] for row in bank.get(path).json()["content"]]
    first = [r["id"] for r in bank.get(path, **newest).json()["content"]]
    second = [r["id"] for r in bank.get(path, **newest, offset=1).json()["content"]]
    bank.turn(offsetIsRows=True)
    by_rows = [r["id"] for r in bank.get(path, **newest, offset=1).json()["content"]]

    assert every == sorted(every, reverse=True)
    assert first == every[:3]
    assert second == every[3:6]
    assert by_rows == every[1:4]


def test_a_search_takes_days_amounts_kinds_and_sides(bank: CoreBank) -> None:
    asha = bank.opened(1_000_000)
    number, path = (
        asha.numbers[0],
        f"/savingsaccounts/{asha.ids[0]}/transactions/search",
    )
    for body in (
        {"kind": "interestPosting", "amount": "1.25"},
        {"kind": "payCharge", "amount": "0.50"},
        {"kind": "withdrawal", "amount": "20", "note": "cash"},
    ):
        bank.http.post(f"/_fineract/accounts/{number}/rows", json=body)

    def kinds(**query: str) -> list[str]:
        rows = bank.get(path, locale="en", dateFormat="yyyy-MM-dd", **query).json()
        return [row["transactionType"]["value"] for row in rows["content"]]

    assert kinds(types="3,7") == ["Pay Charge", "Interest posting"]
    assert kinds(credit="true") == ["Interest posting", "Deposit"]
    assert kinds(debit="false") == ["Interest posting", "Deposit"]
    assert kinds(fromAmount="1", toAmount="100") == ["Withdrawal", "Interest posting"]
    assert kinds(fromSubmittedDate="2999-01-01") == []
    assert len(kinds(fromSubmittedDate=bank.today(), toDate=bank.today())) >= 3


@pytest.mark.parametrize(
    "query",
    [
        {"orderBy": "nobody", "sortOrder": "DESC"},
        {"orderBy": "id", "sortOrder": "sideways"},
        {"limit": "x"},
        {"fromSubmittedDate": "2026-01-01"},
        {"fromAmount": "much"},
    ],
)
def test_a_search_refuses_what_it_cannot_read(
    bank: CoreBank, query: dict[str, str]
) -> None:
    asha = bank.opened(500)

    answer = bank.http.get(
        f"{V1}/savingsaccounts/{asha.ids[0]}/transactions/search", params=query
    )

    assert answer.status_code == 400


def test_an_account_gives_all_its_rows_when_asked(bank: CoreBank) -> None:
    asha = bank.opened(1_000_000, history=5)
    path = f"/savingsaccounts/{asha.ids[0]}"

    alone = bank.get(path).json()
    whole = bank.get(path, associations="transactions").json()

    assert "transactions" not in alone
    assert len(whole["transactions"]) == 5
    one = whole["transactions"][0]
    assert bank.get(f"{path}/transactions/{one['id']}").json() == one


def test_a_row_of_another_account_is_not_given(bank: CoreBank) -> None:
    asha = bank.opened(500, 500)
    theirs = bank.book(asha.numbers[1])["rows"][0]["id"]

    found = bank.get(f"/savingsaccounts/{asha.ids[0]}/transactions/{theirs}")

    assert code(found) == (404, "error.msg.saving.account.trasaction.id.invalid")


def test_a_batch_serves_each_call_for_itself(bank: CoreBank) -> None:
    asha = bank.opened(1_000_000)
    mine = f"v1/savingsaccounts/{asha.ids[0]}"
    asked = [
        {
            "requestId": 3,
            "method": "GET",
            "relativeUrl": f"{mine}/transactions/search"
            "?limit=1&orderBy=createdDate,id&sortOrder=DESC",
        },
        {"requestId": 1, "method": "GET", "relativeUrl": mine},
        {"requestId": 2, "method": "GET", "relativeUrl": "savingsaccounts/999999"},
        {"requestId": 4, "method": "GET", "relativeUrl": "v1/nowhere"},
    ]

    found = bank.post("/batches", asked, enclosingTransaction="false").json()

    assert [(one["requestId"], one["statusCode"]) for one in found] == [
        (1, 200),
        (2, 404),
        (3, 200),
        (4, 501),
    ]
    assert json.loads(found[0]["body"])["id"] == asha.ids[0]
    assert json.loads(found[2]["body"])["total"] == 1
    assert found[3]["body"].endswith("relativeUrl v1/nowhere doesn't exist")


def test_a_stock_batch_knows_accounts_but_no_search(bank: CoreBank) -> None:
    asha = bank.opened(1_000_000)
    mine = f"v1/savingsaccounts/{asha.ids[0]}"
    urls = [mine, f"{mine}?associations=transactions", f"{mine}/transactions/search"]
    asked = [
        {"requestId": at, "method": "GET", "relativeUrl": url}
        for at, url in enumerate(urls)
    ]

    bank.turn(stockBatches=True)
    found = bank.post("/batches", asked).json()

    assert [one["statusCode"] for one in found] == [200, 200, 501]


@pytest.mark.parametrize("body", [b"{", b"{}", b"[1]", b'[{"requestId": "x"}]'])
def test_a_batch_that_is_none_is_refused(bank: CoreBank, body: bytes) -> None:
    answer = bank.http.post(f"{V1}/batches", content=body)

    assert code(answer) == (400, "error.msg.invalid.request.body")


def test_one_transaction_around_a_batch_is_refused(bank: CoreBank) -> None:
    answer = bank.post("/batches", [], enclosingTransaction="true")

    assert answer.status_code == 400


def test_health_is_an_empty_answer(bank: CoreBank) -> None:
    answer = bank.get("/interoperation/health")

    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("auth", "headers", "reason"),
    [
        (USER, {}, "error.msg.invalid.tenant.identifier"),
        (
            USER,
            {"Fineract-Platform-TenantId": "x"},
            "error.msg.invalid.tenant.identifier",
        ),
        (None, TENANT, "error.msg.not.authenticated"),
        (("mifos", "wrong"), TENANT, "error.msg.not.authenticated"),
    ],
)
def test_nobody_is_served_who_is_not_signed_in_to_a_bank(
    world: httpx.Client,
    auth: tuple[str, str] | None,
    headers: dict[str, str],
    reason: str,
) -> None:
    for path in ("/v1/savingsaccounts/1", "/v1/clients/external-id/C1/accounts"):
        answer = world.get(BASE + path, auth=auth, headers=headers)

        assert code(answer) == (401, reason)
        assert answer.headers["www-authenticate"].startswith("Basic ")


def test_every_correction_of_the_contract_has_its_reason() -> None:
    entries = json.loads((DATA / "overlay.json").read_text())

    assert all(entry["reason"].endswith(".") for entry in entries)
    assert len({(entry["at"], "rename" in entry) for entry in entries}) == len(entries)


def test_every_route_is_one_of_the_published_contract() -> None:
    contract = json.loads((DATA / "fineract-1.15-subset.openapi.json").read_text())
    known = {
        (method.upper(), path)
        for path, methods in contract["paths"].items()
        for method in methods
    }

    assert {(one.method, one.template) for one in DOORS} <= known


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/savingsaccounts/1", {"summary": {"accountBalance": "1.00"}}),
        ("/v1/savingsaccounts/1", {"activatedOnDate": [2026, 11]}),
        ("/v1/savingsaccounts/1/transactions/search", {"content": {}}),
        ("/v1/savingsaccounts/1/transactions/1", "text"),
        ("/v1/audits", "text"),
    ],
)
def test_the_judge_finds_what_breaks_the_contract(path: str, body: object) -> None:
    asked = httpx.Request("GET", f"http://127.0.0.1{BASE}{path}")

    assert wrong_with(asked, httpx.Response(200, json=body))
    assert wrong_with(asked, httpx.Response(404, json={"errors": []}))
