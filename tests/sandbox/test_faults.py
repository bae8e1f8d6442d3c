import json
import time

import httpx
import pytest

from tests.sandbox.world import a_text, texts

SMS = "/sms/messages"


def test_drop_after_work_delivers_and_then_breaks_the_connection(
    world: httpx.Client,
) -> None:
    message = a_text(401, "+915550000401")
    world.put("/_faults", json={"route": SMS, "kind": "drop-after-work", "count": 1})

    with pytest.raises(httpx.NetworkError):
        world.post(SMS, json=message)
    again = world.post(SMS, json=message)

    assert again.status_code == 202
    assert texts(world, "+915550000401") == [message["text"]]


def test_drop_before_work_breaks_the_connection_and_delivers_nothing(
    world: httpx.Client,
) -> None:
    world.put("/_faults", json={"route": SMS, "kind": "drop-before-work"})

    with pytest.raises(httpx.NetworkError):
        world.post(SMS, json=a_text(402, "+915550000402"))

    assert texts(world, "+915550000402") == []


def test_latency_delays_and_then_works(world: httpx.Client) -> None:
    world.put("/_faults", json={"route": SMS, "kind": "latency", "latency_ms": 300})

    began = time.monotonic()
    answer = world.post(SMS, json=a_text(403, "+915550000403"))

    assert answer.status_code == 202
    assert time.monotonic() - began >= 0.3
    assert len(texts(world, "+915550000403")) == 1


def test_http_status_answers_without_working(world: httpx.Client) -> None:
    world.put("/_faults", json={"route": "*", "kind": "http-status", "reply": 502})

    answer = world.post(SMS, json=a_text(404, "+915550000404"))

    assert answer.status_code == 502
    assert texts(world, "+915550000404") == []


def test_429_says_when_to_come_back(world: httpx.Client) -> None:
    world.put("/_faults", json={"route": SMS, "kind": "429", "latency_ms": 2500})

    answer = world.post(SMS, json=a_text(405, "+915550000405"))

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert texts(world, "+915550000405") == []


def test_malformed_json_works_and_answers_half(world: httpx.Client) -> None:
    world.put("/_faults", json={"route": SMS, "kind": "malformed-json"})

    answer = world.post(SMS, json=a_text(406, "+915550000406"))

    assert answer.status_code == 202
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert len(texts(world, "+915550000406")) == 1


def test_a_slow_body_sends_its_head_at_once_and_comes_whole(
    world: httpx.Client,
) -> None:
    world.put("/_faults", json={"route": SMS, "kind": "slow-body", "latency_ms": 600})
    message = a_text(407, "+915550000407")

    began = time.monotonic()
    with world.stream("POST", SMS, json=message) as answer:
        head_s = time.monotonic() - began
        body = json.loads(answer.read())

    assert body == {"id": message["id"], "state": "ACCEPTED"}
    assert time.monotonic() - began >= 0.6 > head_s


def test_a_refused_connection_is_refused_by_the_machine_until_its_time_is_over(
    world: httpx.Client,
) -> None:
    rule = {"route": "*", "kind": "refuse-connection", "latency_ms": 700}

    with httpx.Client(base_url=world.base_url) as bank:
        bank.post(SMS, json=a_text(408, "+915550000408"))  # a pooled connection
        assert world.put("/_faults", json=rule).status_code == 200
        time.sleep(0.1)
        with pytest.raises(httpx.NetworkError):
            bank.post(SMS, json=a_text(409, "+915550000408"))
    with pytest.raises(httpx.ConnectError):
        httpx.post(f"{world.base_url}{SMS}", json=a_text(410, "+915550000408"))
    time.sleep(0.9)
    answer = httpx.post(f"{world.base_url}{SMS}", json=a_text(411, "+915550000408"))

    assert answer.status_code == 202
    assert len(texts(world, "+915550000408")) == 2


def test_the_port_opens_again_at_once_when_the_faults_are_forgotten(
    world: httpx.Client,
) -> None:
    rule = {"route": "*", "kind": "refuse-connection", "latency_ms": 60_000}

    with httpx.Client(base_url=world.base_url) as second:
        second.get("/livez")  # the line on which the faults are taken back
        world.put("/_faults", json=rule)
        time.sleep(0.1)
        second.delete("/_faults").raise_for_status()
    time.sleep(0.2)

    assert httpx.get(f"{world.base_url}/livez").status_code == 200


def test_an_address_alone_suffers_its_fault(world: httpx.Client) -> None:
    rule = {"route": SMS, "kind": "http-status", "address": "+915550000412"}
    world.put("/_faults", json=rule)

    hit = world.post(SMS, json=a_text(412, "+915550000412"))
    missed = world.post(SMS, json=a_text(413, "+915550000413"))
    unread = world.post(SMS, content=b"no JSON")

    assert [a.status_code for a in (hit, missed, unread)] == [503, 202, 400]


def test_a_fault_ends_after_its_count(world: httpx.Client) -> None:
    rule = {"route": SMS, "kind": "http-status", "reply": 500, "count": 2}
    world.put("/_faults", json=rule)

    answers = [
        world.post(SMS, json=a_text(420 + n, "+915550000420")).status_code
        for n in range(3)
    ]

    assert answers == [500, 500, 202]
    (shown,) = world.get("/_faults").json()["faults"]
    assert (shown["hits"], shown["count"]) == (2, 0)


def test_the_same_seed_hits_the_same_requests_again(world: httpx.Client) -> None:
    rule = {"route": SMS, "kind": "http-status", "rate": 0.5, "seed": 6016}

    def a_run() -> list[int]:
        world.put("/_faults", json=rule)
        return [
            world.post(SMS, json=a_text(430, "+915550000430")).status_code
            for _ in range(40)
        ]

    first, second = a_run(), a_run()

    assert first == second
    assert 10 < first.count(503) < 30


def test_latency_and_another_fault_come_together(world: httpx.Client) -> None:
    world.put("/_faults", json={"route": SMS, "kind": "latency", "latency_ms": 200})
    world.put("/_faults", json={"route": SMS, "kind": "http-status", "reply": 500})

    began = time.monotonic()
    answer = world.post(SMS, json=a_text(440, "+915550000440"))

    assert answer.status_code == 500
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "explode"}, "KIND_UNKNOWN"),
        ({"route": "/_faults"}, "ROUTE_UNKNOWN"),
        ({"route": None}, "ROUTE_UNKNOWN"),
        ({"kind": "refuse-connection"}, "ROUTE_UNKNOWN"),
        ({"address": 5}, "ADDRESS_INVALID"),
        ({"rate": 0}, "OUT_OF_RANGE"),
        ({"rate": 1.1}, "OUT_OF_RANGE"),
        ({"rate": True}, "OUT_OF_RANGE"),
        ({"count": 0}, "OUT_OF_RANGE"),
        ({"latency_ms": 60_001}, "OUT_OF_RANGE"),
        ({"reply": 200}, "OUT_OF_RANGE"),
        ({"seed": -1}, "OUT_OF_RANGE"),
        ({"latency": 5}, "UNKNOWN_NAME"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_and_changes_nothing(
    world: httpx.Client, change: dict[str, object], code: str
) -> None:
    rule = {"route": SMS, "kind": "http-status"} | change

    refused = world.put("/_faults", json=rule)

    assert (refused.status_code, refused.json()["code"]) == (422, code)
    shown = world.get("/_faults").json()
    assert shown["faults"] == []
    assert "/sms/messages" in shown["routes"]


def test_there_are_at_most_a_hundred_rules(world: httpx.Client) -> None:
    def put(number: int) -> httpx.Response:
        address = f"+9155500{number:05}"
        rule = {"route": SMS, "kind": "http-status", "address": address}
        return world.put("/_faults", json=rule)

    answers = [put(number).status_code for number in range(101)]

    assert answers == [200] * 100 + [409]
    assert put(0).status_code == 200  # a known subject is replaced
    assert len(world.get("/_faults").json()["faults"]) == 100
