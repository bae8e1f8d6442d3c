"""The phone on HTTP: what it sends, when it sends again, what it makes of answers."""

import httpx
import pytest

from mock_mobile_client import api, documents
from mock_mobile_client.api import Api, Credentials, Reply, unpack
from mock_mobile_client.errors import Refused, Unreachable
from mock_mobile_client.keys import DeviceKey
from tests.phone.conftest import Fake
from tests.phone.fake_edge import NONCE

LOGIN_START = documents.load("login_start")
STATUS = documents.load("service_status")


async def test_a_server_that_wants_its_nonce_gets_it_at_once(fake: Fake) -> None:
    fake.edge.wants_nonce = True
    async with Api(fake.url, lambda: 0.0) as api:
        answer = await api.call(LOGIN_START, {"input": {}}, Credentials(key()))

    assert answer["challenge"]["purpose"] == "LOGIN"
    assert [proof.get("nonce") for proof in fake.edge.proofs] == [None, NONCE]


async def test_a_replayed_proof_is_made_anew_once(fake: Fake) -> None:
    fake.edge.replays = 1
    async with Api(fake.url) as api:
        await api.call(LOGIN_START, {"input": {}}, Credentials(key()))

    assert len({proof["jti"] for proof in fake.edge.proofs}) == 2


async def test_a_proof_that_is_always_replayed_ends_as_a_refusal(fake: Fake) -> None:
    fake.edge.replays = 10
    async with Api(fake.url) as api:
        with pytest.raises(Refused) as told:
            await api.call(LOGIN_START, {"input": {}}, Credentials(key()))

    assert (told.value.code, told.value.request_id) == ("DPOP_REPLAYED", "req-1")
    assert len(fake.edge.proofs) == 2


async def test_a_call_without_a_key_carries_no_proof(fake: Fake) -> None:
    async with Api(fake.url) as api:
        answer = await api.call(STATUS, {}, Credentials())

    assert answer["serviceStatus"][0]["component"] == "LOGIN"
    assert fake.edge.proofs == []


@pytest.mark.parametrize(("faults", "asked"), [(3, 4), (4, 4)])
async def test_a_query_that_fails_inside_the_bank_is_asked_three_times_more(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, faults: int, asked: int
) -> None:
    monkeypatch.setattr(api, "AGAIN_AFTER_S", (0.0, 0.0, 0.0))
    fake.edge.faults = faults
    async with Api(fake.url) as line:
        try:
            await line.call(STATUS, {}, Credentials())
            came = "an answer"
        except Refused as refused:
            came = refused.code

    assert came == ("an answer" if faults < asked else "INTERNAL")
    assert fake.bank.calls == ["ServiceStatus"] * asked
    assert line.repeated == 3


async def test_a_mutation_that_fails_inside_the_bank_is_not_sent_again(
    fake: Fake,
) -> None:
    fake.edge.faults = 1
    async with Api(fake.url) as line:
        with pytest.raises(Refused, match="INTERNAL"):
            await line.call(LOGIN_START, {"input": {}}, Credentials(key()))

    assert fake.bank.calls == ["LoginStart"]


async def test_a_bank_that_is_not_there_was_never_asked() -> None:
    async with Api("http://127.0.0.1:1") as api:
        with pytest.raises(Unreachable) as told:
            await api.call(STATUS, {}, Credentials())
        with pytest.raises(Unreachable):
            await api.send_losing_reply(b"{}", Credentials())

    assert told.value.sent is False


@pytest.mark.parametrize(
    ("status", "sent"), [(200, True), (404, False), (503, False), (502, False)]
)
async def test_an_answer_that_is_no_graphql_is_no_answer(
    fake: Fake, status: int, *, sent: bool
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text="<html>proxy</html>")

    async with Api(fake.url) as api:
        await api._http.aclose()  # noqa: SLF001  -- a proxy stands in for the bank
        api._http = httpx.AsyncClient(transport=httpx.MockTransport(answer))  # noqa: SLF001  -- the same
        with pytest.raises(Unreachable, match=str(status)) as told:
            await api.call(STATUS, {}, Credentials())

    assert told.value.sent is sent


def test_facts_of_a_refusal_reach_the_caller() -> None:
    error = {
        "__typename": "SomethingNew",
        "code": "A_NEW_CODE",
        "message": "Not today.",
        "attemptsLeft": 2,
    }
    reply = Reply({"loginFinish": {"userErrors": [error]}}, (), "req-9")

    with pytest.raises(Refused) as told:
        unpack(reply, "loginFinish")

    assert told.value.code == "A_NEW_CODE"
    assert told.value.message == "Not today."
    assert told.value.attempts_left == 2
    assert told.value.request_id == "req-9"


def test_the_reason_of_a_top_level_error_reaches_the_caller() -> None:
    extensions = {"code": "UNAUTHENTICATED", "reason": "TOKEN_EXPIRED"}
    reply = Reply(None, ({"message": "sign in", "extensions": extensions},), "req-9")

    with pytest.raises(Refused) as told:
        unpack(reply, "me")

    assert (told.value.code, told.value.reason) == ("UNAUTHENTICATED", "TOKEN_EXPIRED")


def key() -> DeviceKey:
    return DeviceKey.generate()
