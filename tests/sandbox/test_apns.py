"""The APNs of the outside world: who may send, what it takes, how it refuses."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from sandbox.apns_errors import MAGIC, STATUS, address_of
from sandbox.apns_key import Signers, write_key
from sandbox.app import create_app
from sandbox.line import Line

IPHONE = "a1" * 32
ID = "00000000-0000-0000-0000-000000000007"
ALERT = {"aps": {"alert": {"loc-key": "push.money_in.body"}}, "n": "ntf_1"}


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("apns") / "state" / "key.p8"
    write_key(file)
    return file


@pytest.fixture
async def apple(key_file: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with a_world(Signers(key_file)) as found:
        yield found


def a_world(signers: Signers) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(Line(), None, None, signers))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


def a_token(key_file: Path, age_s: int = 0, **other: Any) -> str:
    header = {"alg": "ES256", "kid": other.pop("kid", "SIXPENCE01")}
    key = other.pop("key", None) or ECKey.import_key(key_file.read_bytes())
    claims = {"iss": "SANDBOX001", "iat": int(time.time()) - age_s}
    return jwt.encode(header, claims | other, key, algorithms=["ES256"])


def around(key_file: Path, **other: str | None) -> dict[str, str]:
    found = {
        "authorization": f"bearer {a_token(key_file)}",
        "apns-topic": "app.sixpence.mock",
        "apns-push-type": "alert",
        "apns-priority": "10",
        "apns-expiration": "1800000000",
        "apns-collapse-id": "pay_1",
        "apns-id": ID,
    }
    given = found | {name.replace("_", "-"): value for name, value in other.items()}
    return {name: value for name, value in given.items() if value is not None}


async def sent(
    apple: httpx.AsyncClient,
    headers: dict[str, str],
    token: str = IPHONE,
    payload: object = None,
    service: str = "/apns",
) -> httpx.Response:
    body = payload if isinstance(payload, bytes) else json.dumps(payload or ALERT)
    return await apple.post(
        f"{service}/3/device/{token}", headers=headers, content=body
    )


async def arrived(apple: httpx.AsyncClient, token: str = IPHONE) -> list[Any]:
    page = await apple.get(f"/phones/{token}/inbox")
    messages: list[Any] = page.raise_for_status().json()["messages"]
    return messages


def test_the_key_is_ours_alone_and_the_next_start_keeps_it(tmp_path: Path) -> None:
    file = tmp_path / "state" / "key.p8"
    write_key(file)
    first = file.read_text()
    write_key(file)

    assert file.read_text() == first
    assert first.startswith("-----BEGIN PRIVATE KEY-----")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


async def test_a_message_arrives_whole_and_is_named(
    apple: httpx.AsyncClient, key_file: Path
) -> None:
    answer = await sent(apple, around(key_file), IPHONE.upper())
    unnamed = await sent(apple, around(key_file, apns_id=None))

    first, second = await arrived(apple)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["apns-id"] == ID
    assert unnamed.headers["apns-id"] == second["body"]["id"] != ID
    assert first["kind"] == "apns"
    assert first["body"] == {
        "id": ID,
        "environment": "PRODUCTION",
        "topic": "app.sixpence.mock",
        "pushType": "alert",
        "priority": "10",
        "expiration": "1800000000",
        "collapseId": "pay_1",
        "payload": ALERT,
    }


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"key": ECKey.generate_key("P-256")}, "InvalidProviderToken"),
        ({"iss": "OTHERTEAM1"}, "InvalidProviderToken"),
        ({"iat": "now"}, "InvalidProviderToken"),
        ({"age_s": -120}, "InvalidProviderToken"),
        ({"kid": "OTHERKEY01"}, "UnrelatedKeyIdInToken"),
        ({"age_s": 3700}, "ExpiredProviderToken"),
    ],
    ids=["key", "team", "text", "future", "key id", "old"],
)
async def test_a_wrong_provider_token_opens_nothing(
    apple: httpx.AsyncClient, key_file: Path, other: dict[str, Any], reason: str
) -> None:
    bearer = f"bearer {a_token(key_file, **other)}"

    answer = await sent(apple, around(key_file, authorization=bearer))

    assert (answer.status_code, answer.json()) == (403, {"reason": reason})
    assert await arrived(apple) == []


@pytest.mark.parametrize("shown", [None, "", "Basic x", "bearer", "bearer a.b.c"])
async def test_what_is_no_provider_token_opens_nothing(
    apple: httpx.AsyncClient, key_file: Path, shown: str | None
) -> None:
    answer = await sent(apple, around(key_file, authorization=shown))

    known = "Invalid" if shown == "bearer a.b.c" else "Missing"
    assert answer.json() == {"reason": f"{known}ProviderToken"}


async def test_a_world_without_a_key_lets_nobody_send(key_file: Path) -> None:
    async with a_world(Signers(None)) as apple:
        answer = await sent(apple, around(key_file))

    assert answer.json() == {"reason": "InvalidProviderToken"}


async def test_too_many_new_tokens_within_20_minutes_are_refused(
    key_file: Path,
) -> None:
    tokens = [a_token(key_file, age_s=age_s) for age_s in (1500, 60, 30, 0)]

    async with a_world(Signers(key_file, updates_max=2)) as apple:
        answers = [
            await sent(apple, around(key_file, authorization=f"bearer {token}"))
            for token in [*tokens, tokens[2]]
        ]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 200]
    assert answers[3].json() == {"reason": "TooManyProviderTokenUpdates"}


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"apns_topic": None}, "MissingTopic"),
        ({"apns_topic": "not a topic"}, "BadTopic"),
        ({"apns_topic": "app.other"}, "TopicDisallowed"),
        ({"apns_push_type": None}, "InvalidPushType"),
        ({"apns_push_type": "loud"}, "InvalidPushType"),
        ({"apns_push_type": "voip"}, "TopicDisallowed"),
        ({"apns_priority": "7"}, "BadPriority"),
        ({"apns_push_type": "background"}, "BadPriority"),
        ({"apns_expiration": "soon"}, "BadExpirationDate"),
        ({"apns_collapse_id": "x" * 65}, "BadCollapseId"),
        ({"apns_collapse_id": "é" * 33}, "BadCollapseId"),
        ({"apns_id": "psh_1"}, "BadMessageId"),
    ],
)
async def test_a_header_that_breaks_a_rule_is_refused(
    apple: httpx.AsyncClient, key_file: Path, other: dict[str, str], reason: str
) -> None:
    headers = {
        name: value.encode() for name, value in around(key_file, **other).items()
    }

    answer = await apple.post(f"/apns/3/device/{IPHONE}", headers=headers, json=ALERT)  # type: ignore[arg-type]  # httpx takes bytes too

    assert (answer.status_code, answer.json()) == (400, {"reason": reason})
    assert await arrived(apple) == []


async def test_what_is_allowed_at_the_edge_of_a_rule_passes(
    apple: httpx.AsyncClient, key_file: Path
) -> None:
    room = 4096 - len(json.dumps({"n": ""}))
    quiet = {"apns_push_type": "background", "apns_priority": "5"}
    call = {"apns_push_type": "voip", "apns_topic": "app.sixpence.mock.voip"}

    answers = [
        await sent(apple, around(key_file, apns_collapse_id="x" * 64)),
        await sent(apple, around(key_file, **quiet)),
        await sent(apple, around(key_file), payload={"n": "x" * room}),
        await sent(apple, around(key_file, **call), payload={"n": "x" * (room + 1000)}),
    ]

    assert [answer.status_code for answer in answers] == [200] * 4
    assert len(await arrived(apple)) == 4


@pytest.mark.parametrize(
    ("payload", "status", "reason"),
    [
        ({"n": "x" * 4089}, 413, "PayloadTooLarge"),
        (b"x" * 70_000, 413, "PayloadTooLarge"),
        (b"", 400, "PayloadEmpty"),
        (b"{}", 400, "PayloadEmpty"),
        (b"[1]", 400, "PayloadEmpty"),
        (b'{"aps":', 400, "PayloadEmpty"),
    ],
)
async def test_a_payload_that_is_none_or_too_large_is_refused(
    apple: httpx.AsyncClient, key_file: Path, payload: object, status: int, reason: str
) -> None:
    answer = await apple.post(
        f"/apns/3/device/{IPHONE}",
        headers=around(key_file),
        content=payload if isinstance(payload, bytes) else json.dumps(payload),
    )

    assert (answer.status_code, answer.json()) == (status, {"reason": reason})


async def test_a_header_that_comes_twice_is_refused(
    apple: httpx.AsyncClient, key_file: Path
) -> None:
    headers = [*around(key_file).items(), ("apns-priority", "5")]

    answer = await apple.post(f"/apns/3/device/{IPHONE}", headers=headers, json=ALERT)

    assert answer.json() == {"reason": "DuplicateHeaders"}


async def test_every_error_of_apple_has_an_address_that_provokes_it(
    apple: httpx.AsyncClient, key_file: Path
) -> None:
    listed = (await apple.get("/apns/errors")).text.splitlines()
    answers = {
        reason: await sent(apple, around(key_file), address_of(reason))
        for reason in STATUS
    }

    assert {reason: one.status_code for reason, one in answers.items()} == STATUS
    assert [one.json()["reason"] for one in answers.values()] == [*STATUS]
    assert len(listed) == len(STATUS) == 32
    assert listed[24] == "ee24  410  ExpiredToken"
    gone = [r for r, one in answers.items() if "timestamp" in one.json()]
    assert gone == ["ExpiredToken", "Unregistered"]
    assert answers["Shutdown"].headers["retry-after"] == "30"
    assert await arrived(apple, address_of("Unregistered")) == []


async def test_a_magic_word_at_the_beginning_of_an_address_refuses_it(
    apple: httpx.AsyncClient, key_file: Path
) -> None:
    answers = {
        word: await sent(apple, around(key_file), word.ljust(64, "0")) for word in MAGIC
    }

    assert {word: one.json()["reason"] for word, one in answers.items()} == MAGIC
    now_ms = time.time() * 1000
    assert now_ms - 60_000 < answers["dead"].json()["timestamp"] <= now_ms


@pytest.mark.parametrize(
    ("service", "token", "status"),
    [
        ("/apns", "a1" * 32, 200),
        ("/apns", "de7e" * 16, 400),
        ("/apns/development", "de7e" * 16, 200),
        ("/apns/development", "a1" * 32, 400),
        ("/apns", "a1", 400),
        ("/apns", "z1" * 32, 400),
    ],
)
async def test_a_token_is_known_to_one_service_only(
    apple: httpx.AsyncClient, key_file: Path, service: str, token: str, status: int
) -> None:
    answer = await sent(apple, around(key_file), token, service=service)

    assert answer.status_code == status
    assert len(await arrived(apple, token)) == (status == 200)


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", f"/apns/3/device/{IPHONE}", 405, "MethodNotAllowed"),
        ("POST", "/apns/3/device/", 400, "MissingDeviceToken"),
        ("POST", f"/apns/2/device/{IPHONE}", 404, "BadPath"),
        ("POST", f"/apns/development/device/{IPHONE}", 404, "BadPath"),
    ],
)
async def test_another_path_or_method_is_refused_as_apple_does(
    apple: httpx.AsyncClient, method: str, path: str, status: int, reason: str
) -> None:
    answer = await apple.request(method, path)

    assert (answer.status_code, answer.json()) == (status, {"reason": reason})


async def test_a_fault_can_be_set_for_one_iphone(
    apple: httpx.AsyncClient, key_file: Path
) -> None:
    rule = {
        "route": "/apns/3/device/{token}",
        "kind": "http-status",
        "reply": 500,
        "address": IPHONE,
    }
    (await apple.put("/_faults", json=rule)).raise_for_status()

    answers = [
        await sent(apple, around(key_file), token)
        for token in (IPHONE.upper(), "a2" * 32)
    ]

    assert [answer.status_code for answer in answers] == [500, 200]


async def test_an_answer_without_a_body_can_be_kept_back_after_delivery(
    apple: httpx.AsyncClient, key_file: Path
) -> None:
    rule = {"route": "*", "kind": "slow-body", "latency_ms": 60_000}
    (await apple.put("/_faults", json=rule)).raise_for_status()

    async with asyncio.TaskGroup() as group:
        sending = group.create_task(sent(apple, around(key_file)))
        while not await arrived(apple):
            await asyncio.sleep(0.001)
        is_kept_back = not sending.done()
        sending.cancel()

    assert is_kept_back


async def test_the_page_names_the_magic_words(apple: httpx.AsyncClient) -> None:
    page = (await apple.get("/")).text

    assert "dead Unregistered" in page
    assert "ee00 to ee31" in page
    assert "de7e" in page
