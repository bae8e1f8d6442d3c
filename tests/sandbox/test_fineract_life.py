"""The double of Fineract: its seed, its book over restarts, its faults and knobs."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.fineract_contract import BASE
from tests.sandbox.core_bank import TENANT, USER, CoreBank, called
from tests.sandbox.world import ROOT, an_open_world

SEED = {
    "clients": [
        {
            "number": "C1",
            "name": "Asha Rao",
            "accounts": [
                {
                    "accountNo": "0001",
                    "product": "Current account",
                    "currency": "INR",
                    "externalId": "ext-1",
                    "minor": 100_000,
                    "history": 12,
                },
                {"accountNo": "0002", "product": "Savings", "currency": "JPY"},
            ],
        }
    ]
}


def the_book(world: httpx.Client) -> object:
    """Give the whole book."""
    return world.get("/_fineract/book").json()


def test_a_seed_opens_what_is_not_there_and_changes_nothing_else(
    tmp_path: Path,
) -> None:
    file = tmp_path / "seed.json"
    file.write_text(json.dumps(SEED))
    with an_open_world("--fineract-seed", str(file)) as world:
        before = the_book(world)

        again = world.put("/_fineract/seed", json=SEED).json()
        unchanged = the_book(world)
        more = {"accountNo": "0003", "product": "Pot", "currency": "INR", "minor": 7}
        client = SEED["clients"][0] | {"accounts": [more]}
        grown = world.put("/_fineract/seed", json={"clients": [client]}).json()

        accounts = world.get("/_fineract/book").json()["accounts"]
    assert again == {"opened": {"clients": 0, "accounts": 0}}
    assert unchanged == before
    assert grown == {"opened": {"clients": 0, "accounts": 1}}
    assert [one["minor"] for one in accounts] == [100_000, 0, 7]
    assert [len(one["rows"]) for one in accounts] == [12, 0, 1]


@pytest.mark.slow
def test_a_book_in_a_file_goes_on_where_it_ended(tmp_path: Path) -> None:
    seed, book = tmp_path / "seed.json", tmp_path / "state" / "book"
    seed.write_text(json.dumps(SEED))
    options = ("--fineract-seed", str(seed), "--fineract-book", str(book))
    with an_open_world(*options) as world, called(world) as bank:
        asha, ben = bank.opened(100_000), bank.opened(500)
        held = bank.interop(asha, "kept", "10.00")
        bank.post("/interoperation/transfers", held, "hold", action="PREPARE")
        body = bank.transfer(asha, ben, "1.00")
        first = bank.post("/accounttransfers", body, "key-1").json()
        bank.post("/accounttransfers", body | {"transferAmount": "9999"}, "key-2")
        before = the_book(world)

    with an_open_world(*options) as world, called(world) as bank:
        after = the_book(world)
        again = bank.post("/accounttransfers", body, "key-1")
        burnt = bank.post("/accounttransfers", body, "key-2")
        taken = bank.post("/interoperation/transfers", held, action="CREATE")
        moved = the_book(world)

    with book.open("a") as out:
        out.write('[["Row",{"id":')  # what a kill leaves behind
    with an_open_world(*options) as world:
        last = the_book(world)
    assert after == before
    assert again.json() == first
    assert burnt.status_code == 403
    assert taken.status_code == 200
    assert last == moved
    assert book.stat().st_mode & 0o777 == 0o600


def test_a_password_file_is_made_once_and_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "password"
    with an_open_world("--fineract-password", str(file)) as world:
        path, secret = f"{BASE}/v1/interoperation/health", file.read_text().strip()

        mine = world.get(path, headers=TENANT, auth=(USER[0], secret))
        old = world.get(path, headers=TENANT, auth=USER)

    assert len(secret) >= 24
    assert (mine.status_code, old.status_code) == (200, 401)


@pytest.mark.parametrize(
    ("option", "text"),
    [("--fineract-seed", "{"), ("--fineract-book", "no book\n")],
)
def test_a_file_that_cannot_be_used_is_one_sentence_and_code_two(
    tmp_path: Path, option: str, text: str
) -> None:
    file = tmp_path / "file"
    file.write_text(text)

    found = subprocess.run(
        [sys.executable, "-m", "sandbox", "--port", "0", option, str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert found.returncode == 2
    assert found.stdout == ""
    assert found.stderr.startswith(str(file))
    assert found.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "seed",
    [
        {"clients": 7},
        {"clients": [{"number": "", "name": "x", "accounts": []}]},
        {"clients": [{"number": "1", "name": "x", "accounts": [], "more": 1}]},
        {"clients": [{"number": "1", "name": "x", "accounts": [{"accountNo": "1"}]}]},
    ],
)
def test_a_seed_nobody_can_read_opens_nothing(
    bank: CoreBank, seed: dict[str, object]
) -> None:
    before = the_book(bank.http)

    refused = bank.http.put("/_fineract/seed", json=seed)

    assert refused.status_code == 422
    assert the_book(bank.http) == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/_fineract/knobs", {"unknown": 1}),
        ("/_fineract/knobs", {"workMs": -1}),
        ("/_fineract/knobs", {"textDates": 1}),
        ("/_fineract/knobs", {"timezone": "Nowhere/Land"}),
    ],
)
def test_a_knob_nobody_knows_is_refused(
    bank: CoreBank, path: str, body: dict[str, object]
) -> None:
    before = bank.http.get(path).json()

    refused = bank.http.put(path, json=body)

    assert refused.status_code == 422
    assert bank.http.get(path).json() == before


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "amountHold", "amount": "1"},
        {"kind": "deposit", "amount": "0"},
        {"kind": "deposit", "amount": "1", "date": "yesterday"},
        {"kind": "deposit", "amount": "1", "more": 1},
    ],
)
def test_a_row_from_elsewhere_must_be_one(
    bank: CoreBank, body: dict[str, object]
) -> None:
    asha = bank.opened(500)

    path = f"/_fineract/accounts/{asha.numbers[0]}/rows"
    refused = bank.http.post(path, json=body)
    state = bank.http.put(f"/_fineract/accounts/{asha.numbers[0]}", json={"state": "x"})
    nobody = bank.http.post("/_fineract/accounts/none/rows", json=body)

    assert (refused.status_code, state.status_code) == (422, 422)
    assert nobody.status_code == 404
    assert bank.left(asha.numbers[0]) == (500, 0)


def test_a_row_of_an_earlier_day_is_counted_where_it_belongs(bank: CoreBank) -> None:
    asha = bank.opened(1_000, history=9)
    number = asha.numbers[0]
    days = [row["date"] for row in bank.book(number)["rows"]]

    body = {"kind": "deposit", "amount": "3", "date": days[0]}
    made = bank.http.post(f"/_fineract/accounts/{number}/rows", json=body).json()

    rows = bank.book(number)["rows"]
    place = [row["id"] for row in rows].index(made["id"])
    assert [row["date"] for row in rows] == sorted([*days, days[0]])
    assert place < len(rows) - 1
    assert rows[-1]["running"] == bank.left(number)[0] == 1_300


def test_faults_hit_one_route_and_one_account(bank: CoreBank) -> None:
    asha, ben = bank.opened(100_000), bank.opened(500)
    route = f"{BASE}/v1/accounttransfers"
    fault = {"route": route, "kind": "drop-after-work", "address": asha.numbers[0]}
    bank.http.put("/_faults", json=fault).raise_for_status()
    body = bank.transfer(asha, ben, "1.00")

    back = bank.post("/accounttransfers", bank.transfer(ben, asha, "1.00"), "b")
    with pytest.raises(httpx.TransportError):
        bank.post("/accounttransfers", body, f"lost-{asha.number}")
    bank.http.delete("/_faults")
    again = bank.post("/accounttransfers", body, f"lost-{asha.number}")

    assert back.status_code == 200
    assert again.headers["x-served-from-cache"] == "true"
    assert bank.left(asha.numbers[0]) == (100_000, 0)


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v1/savingsaccounts/{id}", "/v1/savingsaccounts/{accountId}"),
        (
            "/v1/clients/external-id/{number}/accounts",
            "/v1/clients/external-id/{externalId}/accounts",
        ),
    ],
)
def test_faults_find_the_account_or_the_client_of_a_read(
    world: httpx.Client, bank: CoreBank, path: str, template: str
) -> None:
    asha = bank.opened(500)
    address = asha.number if "external-id" in path else asha.numbers[0]
    fault = {"route": BASE + template, "kind": "http-status", "address": address}
    world.put("/_faults", json=fault).raise_for_status()
    url = BASE + path.format(id=asha.ids[0], number=asha.number)

    hit = world.get(url, headers=TENANT, auth=USER)

    assert hit.status_code == 503
    assert bank.get("/interoperation/health").status_code == 200
