"""A phone vouches for a new one over GraphQL; a proof alone opens the socket."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import pytest

from app.auth.actor import Actor, Level
from app.errors import BadRequest
from app.realtime.hub import Hub
from app.realtime.sockets import Holder, Sockets
from app.schema.execution import Engine
from app.schema.masking import Answer
from app.schema.root import SCHEMA
from app.schema.transport.operations import SocketOperations
from tests.auth.room import Person, Phone, Room, origin
from tests.auth.test_device_changes import another, cooled, lock, name_of
from tests.auth.test_passkey_contract import sent
from tests.auth.test_totp import actions
from tests.realtime.patience import within
from tests.realtime.test_sockets import FakeLink
from tests.realtime.world import running_hub

PROVE = """mutation($input: EnrolmentProveIdentityInput!) {
  enrolmentProveIdentity(input: $input) {
    bindingNonce bindingExpiresAt boundDevices { name } userErrors { code } } }"""
RESPOND = """mutation($input: ChallengeRespondInput!) {
  challengeRespond(input: $input) { approved payment { id } userErrors { code } } }"""
ASKED = """subscription { loginApproval {
  deviceName platform model ip requestedAt
  challenge { id purpose state allowed action attemptsLeft webauthnOptions
    display { summary lines { label value } } } } }"""
NODE = "query($id: ID!) { node(id: $id) { ... on Challenge { payload purpose } } }"
ANYBODY = Actor(origin=origin("198.51.100.9"))


@dataclass
class Opened:
    """The room with a hub and sockets beside it."""

    room: Room
    hub: Hub
    sockets: Sockets

    def __getattr__(self, name: str) -> Any:
        return getattr(self.room, name)


@pytest.fixture
async def old(room: Room, phone: Phone) -> Phone:
    """Give Asha's phone, ACTIVE and signed in."""
    await cooled(room, phone)
    return phone


@asynccontextmanager
async def following(
    room: Room, hub: Hub, phone: Phone, link: FakeLink | None = None
) -> AsyncIterator[AsyncIterator[Answer]]:
    """Follow what a phone is asked, on a socket that a proof alone opened."""
    proof = phone.proof(body=None, htm="GET", htu="ws://localhost:8000/graphql")
    actor, ends = await room.callers.socket(origin(), {"dpop": proof})
    assert (actor.level, ends) == (Level.DEVICE, None)
    engine = Engine(SCHEMA, room.settings, room.clock, room.callers.charge)
    sockets = Sockets(room.settings, room.clock)
    seat = sockets.open(link or FakeLink(), "198.51.100.1")
    sockets.seat(seat, Holder(customer=actor.customer, device=actor.device))
    operations = SocketOperations(engine, cast("Any", Opened(room, hub, sockets)))
    async with aclosing(operations.run(actor, {"query": ASKED})) as stream:
        yield stream


async def next_of(stream: AsyncIterator[Answer]) -> dict[str, Any]:
    body = cast("dict[str, Any]", (await within(anext(stream))).body)
    assert "errors" not in body, body
    return cast("dict[str, Any]", body["data"]["loginApproval"])


async def asks(room: Room, person: Person, enrolment: object) -> dict[str, Any]:
    given = {
        "enrolmentId": str(enrolment),
        "customerNumber": person.number,
        "proof": {"otherDevice": True},
    }
    return await sent(room, ANYBODY, PROVE, input=given)


async def says(phone: Phone, asked: str, *, approve: bool) -> dict[str, Any]:
    room = phone.room
    given: dict[str, Any] = {"challengeId": asked, "approve": approve}
    if approve:
        (one,) = await room.vouching.waiting(await phone.as_device())
        signature, response = phone.answer(one.challenge)
        proof = {"mpinProof": response.mpin_proof}
        given |= {"deviceSignature": signature, "response": proof}
    return await sent(room, await phone.as_login(), RESPOND, input=given)


async def test_what_waits_comes_at_once_and_each_new_one_when_it_asks(
    room: Room, old: Phone, asha: Person
) -> None:
    first, second = Phone(room), Phone(room)
    one = await first.verified(asha)
    waits = await asks(room, asha, one)

    async with (
        running_hub(room.settings, room.clock) as hub,
        following(room, hub, old) as stream,
    ):
        shown = await next_of(stream)
        node = await sent(room, await old.as_login(), NODE, id=shown["challenge"]["id"])
        refused = await says(old, shown["challenge"]["id"], approve=False)
        over = await asks(room, asha, one)
        other = await second.verified(asha)
        await asks(room, asha, other)
        later = await next_of(stream)
        approved = await says(old, later["challenge"]["id"], approve=True)
    assert hub.readers == 0
    proven = await asks(room, asha, other)

    assert waits == {
        "bindingNonce": None,
        "bindingExpiresAt": None,
        "boundDevices": None,
        "userErrors": [],
    }
    asked = shown.pop("challenge")
    assert shown == {
        "deviceName": "Pixel 9",
        "platform": "ANDROID",
        "model": "Pixel 9",
        "ip": "198.51.100.9",
        "requestedAt": "2026-11-22T09:30:00.000Z",
    }
    assert {name: asked[name] for name in ("purpose", "state", "allowed")} == {
        "purpose": "LOGIN_APPROVAL",
        "state": "PENDING",
        "allowed": ["MPIN"],
    }
    assert asked["action"] is asked["webauthnOptions"] is None
    assert asked["display"]["summary"] in node["payload"].replace('\\"', '"')
    assert refused == {"approved": False, "payment": None, "userErrors": []}
    assert over["userErrors"] == [{"code": "INVALID_CREDENTIAL"}]
    assert later["challenge"]["id"] != asked["id"]
    assert approved == {"approved": True, "payment": None, "userErrors": []}
    assert len(proven["bindingNonce"]) == 43
    assert [device["name"] for device in proven["boundDevices"]] == ["Asha's phone"]
    assert "enrolment.approved_by_device" in await actions(asha)


async def test_a_suspended_phone_and_a_waiting_one_hear_of_nothing(
    room: Room, old: Phone, asha: Person
) -> None:
    second = await another(room, asha)
    await cooled(room, old, second)
    third = await another(room, asha)
    await lock(room, old, second)

    async with (
        running_hub(room.settings, room.clock) as hub,
        following(room, hub, old) as stream,
        following(room, hub, second) as suspended,
        following(room, hub, third) as cooling,
    ):
        await asks(room, asha, await Phone(room).verified(asha))
        shown = await next_of(stream)

        for silent in (suspended, cooling):
            with pytest.raises(TimeoutError):
                await within(anext(silent), 0.05)

    assert shown["challenge"]["state"] == "PENDING"
    assert len({name_of(one) for one in (old, second, third)}) == 3


async def test_a_phone_that_is_suspended_while_it_listens_loses_its_socket(
    room: Room, old: Phone, asha: Person
) -> None:
    second = await another(room, asha)
    await cooled(room, old, second)
    link, other = FakeLink(), FakeLink()

    async with (
        running_hub(room.settings, room.clock) as hub,
        following(room, hub, second, link) as suspended,
        following(room, hub, old, other) as stream,
    ):
        await asks(room, asha, await Phone(room).verified(asha))
        for one in (suspended, stream):
            await next_of(one)
        await lock(room, old, second)
        ended = await within(anext(suspended, None))

    assert ended is None
    assert (link.codes, other.codes) == ([4401], [])


async def test_only_a_bound_phone_may_listen(room: Room, old: Phone) -> None:
    engine = Engine(SCHEMA, room.settings, room.clock, room.callers.charge)
    async with running_hub(room.settings, room.clock) as hub:
        opened = Opened(room, hub, Sockets(room.settings, room.clock))
        operations = SocketOperations(engine, cast("Any", opened))
        async with aclosing(operations.run(ANYBODY, {"query": ASKED})) as stream:
            answer = await within(anext(stream))
        assert hub.readers == 0

    assert answer.is_refused
    errors = cast("Any", answer.body["errors"])
    assert errors[0]["extensions"]["code"] == "DPOP_REQUIRED"
    assert (await old.as_device()).level is Level.DEVICE


async def test_a_no_to_asking_is_not_a_way(
    room: Room, old: Phone, asha: Person
) -> None:
    enrolment = await Phone(room).verified(asha)
    given = {
        "enrolmentId": str(enrolment),
        "customerNumber": asha.number,
        "proof": {"otherDevice": False},
    }

    with pytest.raises(BadRequest):
        await sent(room, ANYBODY, PROVE, input=given)

    assert await room.vouching.waiting(await old.as_device()) == []
