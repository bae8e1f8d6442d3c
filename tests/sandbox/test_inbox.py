import re
import threading
import time

import httpx
import pytest

from tests.sandbox.world import a_text


def test_a_waiting_phone_is_told_the_moment_a_text_arrives(
    world: httpx.Client,
) -> None:
    message = a_text(201, "+915550000201")
    sender = threading.Timer(
        0.3, lambda: httpx.post(f"{world.base_url}/sms/messages", json=message)
    )

    sender.start()
    began = time.monotonic()
    inbox = world.get("/phones/+915550000201/inbox?wait=20&after=0", timeout=25).json()
    took_s = time.monotonic() - began
    sender.join()

    assert [m["body"] for m in inbox["messages"]] == [message]
    assert inbox["next"] == 1
    assert 0.2 < took_s < 5


def test_a_wait_without_news_ends_empty(world: httpx.Client) -> None:
    began = time.monotonic()
    inbox = world.get("/phones/+915550000202/inbox?wait=0.2").json()

    assert inbox == {"messages": [], "next": 0}
    assert time.monotonic() - began >= 0.2


def test_reading_on_from_next_gives_only_what_is_new(world: httpx.Client) -> None:
    phone = "+915550000203"
    world.post("/sms/messages", json=a_text(203, phone, "one"))
    first = world.get(f"/phones/{phone}/inbox").json()
    world.post("/sms/messages", json=a_text(204, phone, "two"))

    second = world.get(f"/phones/{phone}/inbox?after={first['next']}&wait=5").json()

    assert [m["body"]["text"] for m in first["messages"]] == ["one"]
    assert [m["body"]["text"] for m in second["messages"]] == ["two"]
    assert (first["next"], second["next"]) == (1, 2)


def test_a_number_from_before_a_restart_does_not_hide_new_texts(
    world: httpx.Client,
) -> None:
    phone = "+915550000205"
    world.post("/sms/messages", json=a_text(205, phone, "new"))

    inbox = world.get(f"/phones/{phone}/inbox?after=40").json()

    assert [m["body"]["text"] for m in inbox["messages"]] == ["new"]
    assert inbox["next"] == 1


def test_an_inbox_keeps_the_latest_two_hundred(world: httpx.Client) -> None:
    phone = "+915550000206"
    for number in range(1, 206):
        world.post("/sms/messages", json=a_text(20_600 + number, phone, str(number)))

    inbox = world.get(f"/phones/{phone}/inbox").json()

    assert [m["id"] for m in inbox["messages"]] == list(range(6, 206))
    assert inbox["next"] == 205


def test_arrival_is_told_in_utc_with_milliseconds(world: httpx.Client) -> None:
    world.post("/sms/messages", json=a_text(207, "+915550000207"))

    (message,) = world.get("/phones/+915550000207/inbox").json()["messages"]

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", message["at"])


@pytest.mark.parametrize("query", ["wait=26", "wait=-1", "wait=nan", "after=soon"])
def test_a_question_out_of_range_is_refused(world: httpx.Client, query: str) -> None:
    answer = world.get(f"/phones/+915550000208/inbox?{query}")

    assert (answer.status_code, answer.json()["code"]) == (422, "OUT_OF_RANGE")
