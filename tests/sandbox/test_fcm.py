"""The FCM of the outside world: who may send, what it takes, how it refuses."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.sandbox.world import an_open_world

pytestmark = pytest.mark.slow  # begun first: waits long

SEND = "/fcm/v1/projects/sixpence-demo/messages:send"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture(scope="module")
def account_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fcm") / "state" / "account.json"


@pytest.fixture(scope="module")
def google(account_file: Path) -> Iterator[httpx.Client]:
    with an_open_world("--fcm-account", str(account_file)) as world:
        yield world


@pytest.fixture
def account(google: httpx.Client, account_file: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(account_file.read_text())
    return found


def an_assertion(
    account: dict[str, str],
    key: RSAKey | None = None,
    alg: str = "RS256",
    **other: object,
) -> str:
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": account["client_email"],
        "aud": "https://oauth2.googleapis.com/token",
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "iat": now,
        "exp": now + 3600,
    }
    signer = key or RSAKey.import_key(account["private_key"])
    return jwt.encode({"alg": alg}, claims | other, signer, algorithms=[alg])


def asked(google: httpx.Client, assertion: str, grant: str = GRANT) -> httpx.Response:
    form = {"grant_type": grant, "assertion": assertion}
    return google.post("/fcm/token", data=form)


def a_bearer(google: httpx.Client, account: dict[str, str]) -> dict[str, str]:
    token = asked(google, an_assertion(account)).raise_for_status().json()
    return {"authorization": f"Bearer {token['access_token']}"}


def test_the_account_file_is_ours_alone_and_names_this_world(
    google: httpx.Client, account_file: Path, account: dict[str, str]
) -> None:
    assert account_file.stat().st_mode & 0o777 == 0o600
    assert account_file.parent.stat().st_mode & 0o777 == 0o700
    assert httpx.URL(account["token_uri"]) == google.base_url.join("/fcm/token")
    assert account["type"] == "service_account"


def test_the_next_start_keeps_the_key_and_names_its_own_port(
    tmp_path: Path,
) -> None:
    file = tmp_path / "account.json"
    found = []
    for _ in range(2):
        with an_open_world("--fcm-account", str(file)) as world:
            found.append((json.loads(file.read_text()), str(world.base_url)))

    (first, first_url), (second, second_url) = found
    assert first["private_key"] == second["private_key"]
    assert first["token_uri"].startswith(first_url.rstrip("/"))
    assert second["token_uri"].startswith(second_url.rstrip("/"))


def test_a_signed_assertion_earns_a_bearer_token(
    google: httpx.Client, account: dict[str, str]
) -> None:
    answer = asked(google, an_assertion(account))

    assert answer.status_code == 200
    assert answer.json().keys() == {"access_token", "expires_in", "token_type"}
    assert answer.json()["expires_in"] == 3600


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"key": None}, "Invalid JWT Signature."),
        ({"alg": "RS512"}, "Invalid JWT Signature."),
        ({"aud": "https://example.com"}, "Invalid JWT: Failed audience check."),
        ({"iss": "somebody@example.com"}, "Invalid grant: account not found"),
        ({"exp": 1000, "iat": 900}, "Invalid JWT: Token must be"),
        ({"iat": 4102444800, "exp": 4102444900}, "Invalid JWT: Token must be"),
        ({"exp": 4102444800}, "Invalid JWT: Token must be"),
        ({"exp": "soon"}, "Invalid JWT: iat and exp"),
        ({"scope": "email"}, "Invalid OAuth scope"),
    ],
    ids=["key", "algorithm", "aud", "iss", "ended", "future", "long", "text", "scope"],
)
def test_a_wrong_assertion_earns_nothing(
    google: httpx.Client, account: dict[str, str], other: dict[str, Any], why: str
) -> None:
    if "key" in other:  # made here: making one takes each worker that gathers long
        other = {"key": RSAKey.generate_key(2048)}

    answer = asked(google, an_assertion(account, **other))

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_grant"
    assert answer.json()["error_description"].startswith(why)


@pytest.mark.parametrize("nonsense", ["", "a.b.c", "é", "." * 100])
def test_what_is_no_assertion_earns_nothing(
    google: httpx.Client, nonsense: str
) -> None:
    assert asked(google, nonsense).json()["error"] == "invalid_grant"


def test_another_grant_earns_nothing(
    google: httpx.Client, account: dict[str, str]
) -> None:
    answer = asked(google, an_assertion(account), grant="password")

    assert answer.json()["error"] == "unsupported_grant_type"


def test_without_a_living_token_nothing_is_sent(
    account_file: Path, account: dict[str, str]
) -> None:
    message = {"message": {"fid": "stranger"}}

    options = ("--fcm-account", str(account_file), "--fcm-token-s", "1")
    with an_open_world(*options) as world:
        bearer = a_bearer(world, account)
        time.sleep(1.05)  # the machine's own time: the movable clock does not count
        answers = [
            world.post(SEND, json=message, headers=headers)
            for headers in ({}, {"authorization": "Bearer x"}, bearer)
        ]
        inbox = world.get("/phones/stranger/inbox").json()

    assert [answer.status_code for answer in answers] == [401] * 3
    assert answers[0].json()["error"]["status"] == "UNAUTHENTICATED"
    assert inbox["messages"] == []


def test_another_project_is_refused(
    google: httpx.Client, account: dict[str, str]
) -> None:
    answer = google.post(
        SEND.replace("sixpence-demo", "other"),
        json={"message": {"fid": "a"}},
        headers=a_bearer(google, account),
    )

    assert answer.status_code == 403
    assert answer.json()["error"]["status"] == "PERMISSION_DENIED"


def test_a_message_arrives_once_and_the_cursor_neither_misses_nor_doubles(
    google: httpx.Client, account: dict[str, str]
) -> None:
    bearer = a_bearer(google, account)
    inbox = "/phones/cursor/inbox"
    pages = []

    after = 0
    for number in ("1", "2"):
        message = {"fid": "cursor", "data": {"n": number}, "android": {"ttl": "60s"}}
        google.post(SEND, json={"message": message}, headers=bearer).raise_for_status()
        pages.append(google.get(inbox, params={"after": after, "wait": 5}).json())
        after = pages[-1]["next"]
    idle = google.get(inbox, params={"after": after}).json()

    shown = [[m["body"]["data"]["n"] for m in page["messages"]] for page in pages]
    assert shown == [["1"], ["2"]]
    assert pages[0]["messages"][0]["kind"] == "fcm"
    assert idle == {"messages": [], "next": 2}


@pytest.mark.parametrize(
    ("message", "field", "sentence"),
    [
        ({"data": {}}, "message", "Recipient of the message is not set"),
        ({"fid": "x", "token": "y"}, "message", "Recipient of the message is not set"),
        ({"topic": "all"}, "message", "Recipient of the message is not set"),
        ({"fid": "x", "dat": {}}, "message", "Invalid JSON payload received. Unknown"),
        ({"fid": "x", "data": {"n": 1}}, "message.data.n", "Invalid value"),
        ({"fid": "x", "data": []}, "message.data", "Invalid value"),
        ({"fid": "x", "data": {"from": "a"}}, "message.data", "Invalid data payload"),
        ({"fid": "x", "data": {"google.a": "b"}}, "message.data", "Invalid data"),
        ({"fid": "x", "data": {"n": "x" * 4097}}, "message", "Message is too big"),
        ({"fid": 5}, "message.fid", "Invalid value"),
        ({"fid": "x", "android": {"ttl": "60"}}, "message.android.ttl", "Invalid"),
        ({"fid": "x", "android": {"ttl": 60}}, "message.android.ttl", "Invalid"),
        (
            {"fid": "x", "android": {"priority": "loud"}},
            "message.android.priority",
            "Invalid value",
        ),
        (
            {"fid": "x", "android": {"collapse_key": "a", "collapseKey": "b"}},
            "message.android",
            "Invalid value",
        ),
        ("x", "message", "Invalid value"),
    ],
)
def test_a_message_off_the_published_schema_is_refused_as_google_refuses_it(
    google: httpx.Client,
    account: dict[str, str],
    message: object,
    field: str,
    sentence: str,
) -> None:
    answer = google.post(
        SEND, json={"message": message}, headers=a_bearer(google, account)
    )

    error = answer.json()["error"]
    assert (answer.status_code, error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["message"].startswith(sentence)
    assert error["details"][0]["errorCode"] == "INVALID_ARGUMENT"
    assert error["details"][1]["fieldViolations"][0]["field"] == field


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("dead-1", 404, "UNREGISTERED"),
        ("bad-1", 400, "INVALID_ARGUMENT"),
        ("mismatch-1", 403, "SENDER_ID_MISMATCH"),
        ("quota-1", 429, "QUOTA_EXCEEDED"),
        ("down-1", 503, "UNAVAILABLE"),
        ("thirdparty-1", 401, "THIRD_PARTY_AUTH_ERROR"),
    ],
)
def test_a_magic_address_is_refused_as_documented(
    google: httpx.Client, account: dict[str, str], address: str, status: int, code: str
) -> None:
    answer = google.post(
        SEND, json={"message": {"fid": address}}, headers=a_bearer(google, account)
    )

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, status)
    assert error["details"][0]["errorCode"] == code
    assert google.get(f"/phones/{address}/inbox").json()["messages"] == []


def test_a_fault_can_be_set_for_one_address(
    google: httpx.Client, account: dict[str, str]
) -> None:
    route = "/fcm/v1/projects/{project}/messages:send"
    rule = {"route": route, "kind": "http-status", "reply": 500, "address": "unlucky"}
    google.put("/_faults", json=rule).raise_for_status()
    bearer = a_bearer(google, account)

    statuses = [
        google.post(SEND, json={"message": target}, headers=bearer).status_code
        for target in ({"fid": "unlucky"}, {"token": "unlucky"}, {"fid": "lucky"})
    ]
    google.delete("/_faults").raise_for_status()

    assert statuses == [500, 500, 200]


def test_a_trial_is_checked_and_not_delivered(
    google: httpx.Client, account: dict[str, str]
) -> None:
    body = {"message": {"fid": "trial"}, "validate_only": True}

    answer = google.post(SEND, json=body, headers=a_bearer(google, account))

    assert answer.status_code == 200
    assert google.get("/phones/trial/inbox").json()["messages"] == []


def test_a_world_without_an_account_lets_nobody_send(
    account: dict[str, str],
) -> None:
    with an_open_world() as world:
        answer = asked(world, an_assertion(account))

    assert answer.json()["error_description"] == "Invalid grant: account not found"
