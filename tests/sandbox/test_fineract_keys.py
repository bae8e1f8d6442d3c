"""The double of Fineract: one key, one command, one answer for ever."""

import json
import threading
import time

import httpx
import pytest

from tests.sandbox.core_bank import CoreBank, code

SERVED = "x-served-from-cache"
TOO_LITTLE = "error.msg.savingsaccount.transaction.insufficient.account.balance"


def test_a_key_again_gives_the_first_answer_and_moves_nothing(bank: CoreBank) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500)
    body, key = bank.transfer(asha, ben, "1.00"), f"again-{asha.number}"

    first = bank.post("/accounttransfers", body, key)
    again = bank.post("/accounttransfers", body, key)
    other = bank.post("/accounttransfers", body | {"transferAmount": "9.00"}, key)

    assert first.json() == again.json() == other.json()
    assert SERVED not in first.headers
    assert again.headers[SERVED] == other.headers[SERVED] == "true"
    assert bank.left(asha.numbers[0]) == (99_900, 0)


def test_without_a_key_each_call_is_new(bank: CoreBank) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500)
    body = bank.transfer(asha, ben, "1.00")

    ids = {bank.post("/accounttransfers", body).json()["resourceId"] for _ in range(2)}

    assert len(ids) == 2
    assert bank.left(asha.numbers[0]) == (99_800, 0)


def test_a_failed_key_is_burnt_though_the_reason_is_gone(bank: CoreBank) -> None:
    asha, ben = bank.opened(100), bank.opened(500)
    body, key = bank.transfer(asha, ben, "2.00"), f"burnt-{asha.number}"

    first = bank.post("/accounttransfers", body, key)
    rows = f"/_fineract/accounts/{asha.numbers[0]}/rows"
    bank.http.post(rows, json={"kind": "deposit", "amount": "50"})
    again = bank.post("/accounttransfers", body, key)
    fresh = bank.post("/accounttransfers", body, f"fresh-{asha.number}")

    assert code(first) == code(again) == (403, TOO_LITTLE)
    assert SERVED not in first.headers
    assert again.headers[SERVED] == "true"
    assert fresh.status_code == 200


def test_a_key_counts_for_its_own_action_only(bank: CoreBank) -> None:
    asha = bank.opened(10_000)
    key = f"scope-{asha.number}"
    body = bank.interop(asha, key, "10.00")
    path = "/interoperation/transfers"

    held = bank.post(path, body, key, action="PREPARE")
    taken = bank.post(path, body, key, action="CREATE")

    assert held.status_code == taken.status_code == 200
    assert SERVED not in taken.headers
    assert bank.left(asha.numbers[0]) == (9_000, 0)


def test_a_key_answers_for_another_account_as_well(bank: CoreBank) -> None:
    asha = bank.opened(0, 0)
    key = f"path-{asha.number}"
    why = {"reasonForBlock": "asked for"}

    bank.post(f"/savingsaccounts/{asha.ids[0]}", why, key, command="block")
    other = bank.post(f"/savingsaccounts/{asha.ids[1]}", why, key, command="block")

    assert other.json()["savingsId"] == asha.ids[0]
    assert bank.book(asha.numbers[1])["sub"] == "none"


def test_a_key_at_work_is_too_early_and_has_no_body(bank: CoreBank) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500)
    body, key = bank.transfer(asha, ben, "1.00"), f"early-{asha.number}"
    bank.turn(workMs=400)
    done: list[httpx.Response] = []

    def first() -> None:
        done.append(bank.post("/accounttransfers", body, key))

    thread = threading.Thread(target=first)
    thread.start()
    time.sleep(0.15)
    early = bank.post("/accounttransfers", body, key)
    thread.join()
    late = bank.post("/accounttransfers", body, key)

    assert (early.status_code, early.content) == (425, b"")
    assert early.headers[SERVED] == "true"
    assert late.json() == done[0].json()
    assert bank.left(asha.numbers[0]) == (99_900, 0)


def test_a_conflict_burns_its_key_and_has_no_effect(bank: CoreBank) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500)
    body, key = bank.transfer(asha, ben, "1.00"), f"clash-{asha.number}"
    bank.turn(conflicts=1)

    first = bank.post("/accounttransfers", body, key)
    again = bank.post("/accounttransfers", body, key)
    before = bank.left(asha.numbers[0])
    fresh = bank.post("/accounttransfers", body, f"{key}-2")

    reason = "error.msg.platform.service.accounttransfer.conflict"
    assert code(first) == code(again) == (409, reason)
    assert before == (100_000, 0)
    assert fresh.status_code == 200


def test_a_server_that_dies_midway_leaves_the_key_at_work_for_ever(
    bank: CoreBank,
) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500)
    body, key = bank.transfer(asha, ben, "1.00"), f"stuck-{asha.number}"
    bank.turn(stuck=1)

    died = bank.post("/accounttransfers", body, key)
    after = [bank.post("/accounttransfers", body, key).status_code for _ in range(2)]

    assert died.status_code == 500
    assert after == [425, 425]
    assert bank.left(asha.numbers[0]) == (100_000, 0)
    newest = bank.get("/audits", actionName="CREATE", limit=1).json()[0]
    assert newest["processingResult"] == "underProcessing"


def test_who_is_not_signed_in_burns_no_key(bank: CoreBank) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500)
    body, key = bank.transfer(asha, ben, "1.00"), f"nobody-{asha.number}"

    nobody = bank.http.post(
        "/fineract-provider/api/v1/accounttransfers",
        json=body,
        headers={"Idempotency-Key": key},
        auth=("mifos", "wrong"),
    )
    after = bank.post("/accounttransfers", body, key)

    assert nobody.status_code == 401
    assert after.status_code == 200
    assert SERVED not in after.headers


def test_a_server_that_only_reads_takes_no_command(bank: CoreBank) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500)
    bank.turn(readOnly=True)

    refused = bank.post("/accounttransfers", bank.transfer(asha, ben, "1.00"))

    assert code(refused) == (405, "error.msg.invalid.instance.type")
    assert bank.left(asha.numbers[0]) == (100_000, 0)


def test_every_command_is_on_record(bank: CoreBank) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500)
    body = bank.transfer(asha, ben, "1.00")
    made = bank.post("/accounttransfers", body).json()["resourceId"]
    bank.post("/accounttransfers", body | {"transferAmount": "9999999"})
    query = {"actionName": "CREATE", "entityName": "ACCOUNTTRANSFER"}

    newest = bank.get("/audits", **query, limit=2).json()
    page = bank.get("/audits", **query, paged="true", limit=1).json()
    told = bank.get("/audits", **query, includeJson="true", limit=1).json()
    later = bank.get("/audits", **query, makerDateTimeFrom="2999-01-01").json()

    assert [one["processingResult"] for one in newest] == ["error", "processed"]
    assert newest[1]["resourceId"] == made
    assert page["pageItems"] == newest[:1]
    assert page["totalFilteredRecords"] >= 2
    assert later == []
    alone = bank.get(f"/audits/{newest[0]['id']}").json()
    assert json.loads(alone.pop("commandAsJson")) == body | {
        "transferAmount": "9999999"
    }
    assert alone == newest[0]
    assert json.loads(told[0]["commandAsJson"])["transferAmount"] == "9999999"


def test_the_record_is_asked_by_account_and_time(bank: CoreBank) -> None:
    asha = bank.opened(0)
    path, why = f"/savingsaccounts/{asha.ids[0]}", {"reasonForBlock": "asked for"}
    bank.post(path, why, command="block")
    mine = {"savingsAccountId": asha.ids[0]}

    (found,) = bank.get("/audits", **mine, makerDateTimeFrom="2000-01-01").json()
    before = bank.get("/audits", **mine, makerDateTimeTo="2000-01-01 00:00:00").json()
    unread = bank.get("/audits", **mine, makerDateTimeTo="soon")

    assert found["actionName"] == "BLOCK"
    assert found["savingsAccountNo"] == asha.numbers[0]
    assert before == []
    assert unread.status_code == 400


@pytest.mark.parametrize("body", [b"{", b"[]", b"7"])
def test_a_command_that_is_no_object_is_refused(bank: CoreBank, body: bytes) -> None:
    path = "/fineract-provider/api/v1/accounttransfers"

    answer = bank.http.post(path, content=body)

    assert code(answer) == (400, "error.msg.invalid.request.body")
