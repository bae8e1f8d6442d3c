import httpx
import pytest

from tests.sandbox.world import a_text, texts


def test_a_text_arrives_at_its_number_and_nowhere_else(world: httpx.Client) -> None:
    message = a_text(101, to="+915550000101", text="482913 adds phone “Pixel 9”")

    answer = world.post("/sms/messages", json=message)

    assert (answer.status_code, answer.json()) == (
        202,
        {"id": message["id"], "state": "ACCEPTED"},
    )
    inbox = world.get("/phones/+915550000101/inbox").json()
    (arrived,) = inbox["messages"]
    assert (arrived["id"], arrived["kind"], arrived["body"]) == (1, "sms", message)
    assert inbox["next"] == 1
    assert texts(world, "+915550000102") == []


def test_the_same_id_is_answered_again_and_delivered_once(world: httpx.Client) -> None:
    message = a_text(103, to="+915550000103")

    answers = [world.post("/sms/messages", json=message) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert len(texts(world, "+915550000103")) == 1


def test_an_id_with_another_text_is_refused(world: httpx.Client) -> None:
    world.post("/sms/messages", json=a_text(104, "+915550000104", "first"))

    answer = world.post("/sms/messages", json=a_text(104, "+915550000104", "second"))

    assert (answer.status_code, answer.json()["code"]) == (409, "ID_USED")
    assert texts(world, "+915550000104") == ["first"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"to": "5550000105"}, "NUMBER_INVALID"),
        ({"to": "+0550000105"}, "NUMBER_INVALID"),
        ({"to": "+9155500001051234567"}, "NUMBER_INVALID"),
        ({"to": "+91555\u0966\u0966\u0966105"}, "NUMBER_INVALID"),
        ({"to": None}, "NUMBER_INVALID"),
        ({"text": ""}, "TEXT_INVALID"),
        ({"text": "x" * 481}, "TEXT_INVALID"),
        ({"text": 5}, "TEXT_INVALID"),
        ({"id": "7"}, "ID_INVALID"),
        ({"sender": "BANK"}, "UNKNOWN_NAME"),
    ],
)
def test_a_message_that_no_network_would_take_is_refused(
    world: httpx.Client, change: dict[str, object], code: str
) -> None:
    message = a_text(105, "+915550000105") | change

    answer = world.post("/sms/messages", json=message)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert texts(world, "+915550000105") == []


def test_the_longest_text_is_taken(world: httpx.Client) -> None:
    message = a_text(106, "+915550000106", "x" * 480)

    answer = world.post("/sms/messages", json=message)

    assert answer.status_code == 202
    assert texts(world, "+915550000106") == ["x" * 480]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"to=me", 400, "NOT_JSON"),
        (b"[1]", 400, "NOT_JSON"),
        (b"\xff", 400, "NOT_JSON"),
        (b"[" * 60_000, 400, "NOT_JSON"),
        (b" " * 70_000, 413, "TOO_LONG"),
    ],
)
def test_a_body_that_is_no_message_gets_a_clear_answer(
    world: httpx.Client, body: bytes, status: int, code: str
) -> None:
    answer = world.post("/sms/messages", content=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
