"""The instant rail of the outside world: once per id, fates by amount, signed calls."""

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from typing_extensions import override

from sandbox.calls import signature
from tests.sandbox.world import an_open_world

PAY = "/imps/payments"
GOOD = {"ifsc": "SAND0000001", "account": "409900000001"}


@dataclass(slots=True)
class Ear:
    """What listens for calls; the first about each order of `deaf` is answered 503."""

    url: str = ""
    deaf: set[str] = field(default_factory=set)
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    told: threading.Condition = field(default_factory=threading.Condition)

    def about(self, number: int) -> list[tuple[dict[str, str], dict[str, str]]]:
        """Give the calls about one order: the head, and what it said."""
        found = [(head, json.loads(body)["data"]) for head, body in self.heard]
        return [one for one in found if one[1]["id"] == str(UUID(int=number))]

    def wait(self, number: int, count: int) -> list[str]:
        """Wait for so many calls about one order; gives the states that they said."""
        with self.told:
            assert self.told.wait_for(
                lambda: len(self.about(number)) >= count, timeout=20
            )
        return [said["status"] for _, said in self.about(number)]


@pytest.fixture(scope="module")
def ear() -> Iterator[Ear]:
    found = Ear()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            head = {name.lower(): text for name, text in self.headers.items()}
            with found.told:
                order = json.loads(body)["data"]["id"]
                taken = order not in found.deaf
                found.deaf.discard(order)
                found.heard.append((head, body))
                found.told.notify_all()
            self.send_response(202 if taken else 503)
            self.end_headers()

        @override
        def log_message(self, *_said: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    found.url = f"http://127.0.0.1:{server.server_port}/callbacks/imps"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True, slots=True)
class Rail:
    """The rail with its key and its listener."""

    world: httpx.Client
    ear: Ear
    key: Path

    def pay(self, number: int, amount: float, **payee: str) -> httpx.Response:
        """Hand an order over."""
        body = {
            "id": str(UUID(int=number)),
            "amount": amount,
            "currency": "INR",
            "payer": {"name": "Asha Rao", "account": "••••1234"},
            "payee": {"name": "Dev Malhotra", **(GOOD | payee)},
            "reference": None,
        }
        key = {"idempotency-key": str(UUID(int=number))}
        return self.world.post(PAY, json=body, headers=key)

    def status(self, number: int) -> str:
        """Ask what became of an order."""
        found = self.world.get(f"{PAY}/{UUID(int=number)}").json()
        return str(found.get("status") or found["code"])

    def later(self, seconds: int) -> None:
        """Move the world's time."""
        self.world.put("/_clock", json={"offset_s": seconds}).raise_for_status()


@pytest.fixture(scope="module")
def started(ear: Ear, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rail]:
    folder = tmp_path_factory.mktemp("rail")
    options = ["--clock-file", str(folder / "clock"), "--imps-callbacks", ear.url]
    options += ["--imps-key", str(folder / "imps.key")]
    with an_open_world(*options) as world:
        yield Rail(world, ear, folder / "imps.key")


@pytest.fixture
def rail(started: Rail) -> Iterator[Rail]:
    yield started
    started.world.delete("/_faults").raise_for_status()
    started.later(0)


def test_an_order_is_taken_once_and_another_under_its_id_is_refused(
    rail: Rail,
) -> None:
    answers = [rail.pay(1, 250.10).json() for _ in range(2)]
    other = rail.pay(1, 250.20)

    assert answers[0] == answers[1]
    assert (answers[0]["status"], answers[0]["amount"]) == ("SETTLED", 250.1)
    assert len(answers[0]["rrn"]) == 12
    assert answers[0]["rrn"].isdigit()
    assert (other.status_code, other.json()["code"]) == (409, "ID_USED")
    today = answers[0]["at"][:10]
    file = rail.world.get(f"/imps/settlement/{today}").text
    assert f"{answers[0]['rrn']},{UUID(int=1)},250.10,INR,SETTLED," in file


def test_the_last_digits_of_an_amount_choose_its_fate(rail: Rail) -> None:
    fates = {
        11: ("ACCEPTED", "SETTLED"),
        13: ("UNKNOWN", "SETTLED"),
        14: ("UNKNOWN", "REJECTED"),
        15: ("UNKNOWN", "UNKNOWN"),
        21: ("REJECTED", "REJECTED"),
        31: ("SETTLED", "SETTLED"),
        32: ("SETTLED", "SETTLED"),
        41: ("SETTLED", "RETURNED"),
        51: ("DEEMED", "SETTLED"),
    }

    first = {digits: rail.pay(100 + digits, 7 + digits / 100) for digits in fates}
    rail.later(61)
    then = {digits: rail.status(100 + digits) for digits in fates}

    found = {digits: (first[digits].json()["status"], then[digits]) for digits in fates}
    assert found == fates
    assert rail.status(999) == "NEVER_SEEN"


def test_a_call_is_signed_and_made_again_until_it_is_taken(rail: Rail) -> None:
    rail.ear.deaf.add(str(UUID(int=2)))

    rail.pay(2, 100)

    assert rail.ear.wait(2, 2) == ["SETTLED"] * 2
    secret = rail.key.read_text().strip().removeprefix("whsec_")
    head, body = next(
        one for one in rail.ear.heard if str(UUID(int=2)).encode() in one[1]
    )
    stamp, event = head["webhook-timestamp"], head["webhook-id"]
    key = base64.b64decode(secret)
    assert head["webhook-signature"] == signature(key, event, stamp, body)
    assert rail.key.stat().st_mode & 0o777 == 0o600


def test_calls_come_twice_late_out_of_order_and_otherwise_if_told_to(
    rail: Rail,
) -> None:
    def told(number: int, kind: str, calls: int) -> list[str]:
        rule = {"route": PAY, "kind": kind, "count": 1, "latency_ms": 60_000}
        rail.world.put("/_faults", json=rule).raise_for_status()
        rail.pay(number, 100)
        if kind == "late-callback":
            assert rail.ear.about(number) == []
            rail.later(61)
        return rail.ear.wait(number, calls)

    assert told(11, "duplicate-callback", 2) == ["SETTLED", "SETTLED"]
    assert told(12, "callback-out-of-order", 2) == ["SETTLED", "ACCEPTED"]
    assert told(13, "contradicting-callback", 2) == ["SETTLED", "REJECTED"]
    assert told(14, "late-callback", 1) == ["SETTLED"]


def test_a_call_may_come_twice_and_before_the_answer_by_the_amount_alone(
    rail: Rail,
) -> None:
    rail.pay(21, 9.32)
    before = len(rail.ear.about(21))
    rail.pay(22, 9.31)
    rail.ear.wait(22, 2)

    assert before == 1
    (first, _), (second, _) = rail.ear.about(22)
    assert first["webhook-id"] == second["webhook-id"]


@pytest.mark.parametrize(
    ("account", "status", "name"),
    [
        ("409900000001", 200, "Dev Malhotra"),
        ("409900000090", 200, "Closs Match"),
        ("409900000091", 200, "Somebody Else"),
        ("409900000000", 404, None),
        ("409900000099", 424, None),
        ("12", 422, None),
    ],
)
def test_who_holds_an_account_is_told_by_its_last_digits(
    rail: Rail, account: str, status: int, name: str | None
) -> None:
    asked = {"account": account, "ifsc": "SAND0000001"}

    answer = rail.world.post("/imps/name-enquiry", json=asked)

    assert answer.status_code == status
    assert answer.json().get("name") == name
    assert name is None or name not in answer.json()["maskedName"]


@pytest.mark.parametrize(
    ("amount", "payee", "code"),
    [
        (0, {}, "AMOUNT_INVALID"),
        (0.001, {}, "AMOUNT_INVALID"),
        (500_000.01, {}, "AMOUNT_INVALID"),
        (1, {"account": "x"}, "ACCOUNT_INVALID"),
        (1, {"ifsc": "SAND1000001"}, "IFSC_INVALID"),
    ],
)
def test_an_order_that_no_rail_would_take_is_refused(
    rail: Rail, amount: float, payee: dict[str, str], code: str
) -> None:
    answer = rail.pay(31, amount, **payee)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert rail.status(31) == "NEVER_SEEN"
