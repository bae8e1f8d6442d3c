"""Refreshing and revoking over GraphQL: what a phone sends, and what it gets back."""

from typing import Any, cast

import pytest

from app.auth.actor import Actor
from app.auth.revocations import EndReason, Revocations
from app.auth.sessions import Sessions
from app.database import Tx
from app.ids import CustomerId, DeviceId, SessionId
from app.schema import refusals, root, status
from app.schema.auth import challenges, devices, sign_in
from app.schema.context import Context
from app.schema.execution import Call, Channel, Engine
from app.schema.masking import Answer
from tests.auth.room import STAFF, Person, Phone, Room, a_customer, origin
from tests.auth.test_refresh import session_of
from tests.auth.test_sessions import change

SCHEMA = root.built([refusals, status, challenges, devices, sign_in])
REFRESH = """mutation Refresh($token: String!) {
  tokenRefresh(input: { refreshToken: $token }) {
    tokens {
      accessToken refreshToken expiresAt idleExpiresAt sessionExpiresAt
    }
    userErrors { __typename code message ... on CredentialError { attemptsLeft } }
  }
}"""
REVOKE = """mutation Revoke($id: ID!) {
  sessionRevoke(input: { id: $id }) { revokedSessionId userErrors { code } }
}"""


async def asked(room: Room, actor: Actor, text: str, **variables: object) -> Answer:
    engine = Engine(SCHEMA, room.settings, room.clock, room.callers.charge)
    context = Context(cast("Any", room), actor, actor.origin.request_id)
    return await engine.run(context, Call(text, variables=variables))


async def refresh(room: Room, actor: Actor, token: str) -> dict[str, Any]:
    answer = await asked(room, actor, REFRESH, token=token)
    body = cast("dict[str, Any]", answer.body)
    assert answer.status == 200
    assert "errors" not in body, body
    found: dict[str, Any] = body["data"]["tokenRefresh"]
    return found


async def second_phone(room: Room, person: Person) -> Phone:
    person.code = await room.customers.code(STAFF, person.number)
    other = Phone(room)
    await other.enrol(person)
    return other


def fault(answer: Answer) -> tuple[int, str]:
    errors = cast("list[dict[str, Any]]", answer.body["errors"])
    return answer.status, errors[0]["extensions"]["code"]


async def test_a_refresh_shows_the_new_pair(room: Room, phone: Phone) -> None:
    token = (await phone.login()).tokens.refresh_token
    room.clock.move(seconds=60)

    answer = await refresh(room, await phone.as_device(), token)

    tokens = answer["tokens"]
    phone.token = tokens.pop("accessToken")
    assert (await phone.as_login()).customer is not None
    assert tokens.pop("refreshToken").split(".")[2] == "1"
    assert answer["userErrors"] == []
    assert tokens == {
        "expiresAt": "2026-11-21T09:35:00.000Z",
        "idleExpiresAt": "2026-11-21T09:35:00.000Z",
        "sessionExpiresAt": "2026-11-21T21:30:00.000Z",
    }


async def test_refusals_of_a_refresh_are_data(room: Room, phone: Phone) -> None:
    token = (await phone.login()).tokens.refresh_token
    thief = Phone(room)
    seen = [await refresh(room, await thief.as_device(), token)]
    seen.append(await refresh(room, await phone.as_device(), "rt1.of.no.form"))
    room.clock.move(seconds=300)
    seen.append(await refresh(room, await phone.as_device(), token))
    await room.sessions.logout(await phone.as_device())
    seen.append(await refresh(room, await phone.as_device(), token))

    no = [answer["userErrors"][0] for answer in seen]
    assert [one["code"] for one in no] == [
        "INVALID_CREDENTIAL",
        "INVALID_CREDENTIAL",
        "SESSION_LOCKED",
        "SESSION_ENDED",
    ]
    assert no[0]["__typename"] == "CredentialError"
    assert no[0]["attemptsLeft"] is None
    assert [answer["tokens"] for answer in seen] == [None] * 4


async def test_a_refresh_without_a_good_proof_is_a_fault_of_the_request(
    room: Room, phone: Phone
) -> None:
    token = (await phone.login()).tokens.refresh_token
    loose = await room.callers.http(origin(), None, [phone.proof(body=None)], b"")

    bare = await asked(room, Actor(origin=origin()), REFRESH, token=token)
    uncovered = await asked(room, loose, REFRESH, token=token)

    assert fault(bare) == (401, "DPOP_REQUIRED")
    assert fault(uncovered) == (401, "DPOP_INVALID")
    assert (await session_of(room, phone)).generation == 0


async def test_a_refresh_does_not_count_as_something_the_customer_did(
    room: Room, phone: Phone
) -> None:
    token = (await phone.login()).tokens.refresh_token
    began = (await session_of(room, phone)).last_active_at
    room.clock.move(seconds=100)

    await refresh(room, await phone.as_device(), token)
    await refresh(room, await phone.as_login(), token)

    assert (await session_of(room, phone)).last_active_at == began


async def test_one_phone_ends_the_session_of_another(
    room: Room, phone: Phone, asha: Person
) -> None:
    other = await second_phone(room, asha)
    lost = (await other.login()).actor.known_session
    await phone.login()
    room.closed.clear()

    for _ in range(2):
        answer = await asked(room, await phone.as_login(), REVOKE, id=str(lost))
        assert cast("dict[str, Any]", answer.body)["data"]["sessionRevoke"] == {
            "revokedSessionId": str(lost),
            "userErrors": [],
        }

    assert room.closed == [(lost, 4401)]
    assert (await session_of(room, phone)).ended_at is None


class Bell:
    """Notes whose pushes were muted or let through again."""

    def __init__(self) -> None:
        self.muted: list[DeviceId] = []

    async def signed_in(self, tx: Tx, device: DeviceId) -> None:
        """Ring again."""

    async def signed_out(self, tx: Tx, device: DeviceId) -> None:
        """Be quiet."""
        assert await tx.one("SELECT id FROM device WHERE id = $1", device)
        self.muted.append(device)

    async def revoked(self, tx: Tx, device: DeviceId) -> None:
        """Never ring again."""


async def test_a_revoked_session_mutes_the_pushes_of_its_phone_once(
    room: Room, phone: Phone
) -> None:
    bell = Bell()
    revocations = Revocations(clock=room.clock, settings=room.settings)
    sessions = Sessions(
        clock=room.clock,
        settings=room.settings,
        vault=room.vault,
        tokens=room.tokens,
        revocations=revocations,
        bell=bell,
    )
    old = (await phone.login()).actor.known_session
    new = (await phone.login()).actor.known_session
    actor = await phone.as_login()

    await sessions.revoke(actor, old)
    assert bell.muted == []
    await sessions.revoke(actor, new)

    assert bell.muted == [actor.device]
    assert revocations.reason(new) is EndReason.REVOKED


async def test_a_session_of_somebody_else_does_not_exist(
    room: Room, phone: Phone
) -> None:
    ben = await a_customer(
        room, number="100000002", phone="+919876543211", name="Ben Okafor"
    )
    other = Phone(room)
    await other.enrol(ben)
    theirs = (await other.login()).actor.known_session
    await phone.login()

    for name in (theirs, SessionId.new(), CustomerId.new(), "x"):
        answer = await asked(room, await phone.as_login(), REVOKE, id=str(name))
        assert cast("dict[str, Any]", answer.body)["data"]["sessionRevoke"] == {
            "revokedSessionId": None,
            "userErrors": [{"code": "NOT_FOUND"}],
        }

    assert (await session_of(room, other)).ended_at is None


async def test_revoking_needs_a_sign_in_with_the_right_scope(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    own = str((await session_of(room, phone)).id)
    actor = await phone.as_login()

    below = await asked(room, await phone.as_device(), REVOKE, id=own)
    narrow = Actor(
        **{name: getattr(actor, name) for name in actor.__slots__}
        | {"scopes": frozenset({"payments"})}
    )
    without = await asked(room, narrow, REVOKE, id=own)

    assert fault(below) == fault(without) == (403, "FORBIDDEN")
    assert (await session_of(room, phone)).ended_at is None


async def test_a_session_that_ended_revokes_nothing(
    room: Room, phone: Phone, asha: Person
) -> None:
    other = await second_phone(room, asha)
    await other.login()
    await phone.login()
    actor = await phone.as_login()
    await change(
        "UPDATE session SET ended_at = $1, ended_reason = 'REVOKED' WHERE jkt = $2",
        room.clock.now(),
        phone.jkt,
    )

    own = str((await session_of(room, other)).id)
    answer = await asked(room, actor, REVOKE, id=own)

    assert fault(answer) == (401, "UNAUTHENTICATED")
    assert (await session_of(room, other)).ended_at is None


@pytest.mark.parametrize("text", [REFRESH, REVOKE])
async def test_a_socket_carries_neither(room: Room, phone: Phone, text: str) -> None:
    await phone.login()
    actor = await phone.as_login()
    engine = Engine(SCHEMA, room.settings, room.clock, room.callers.charge)
    context = Context(cast("Any", room), actor, "r")
    call = Call(text, variables={"token": "x", "id": "x"})

    answer = await engine.run(context, call, over=Channel.SOCKET)

    assert fault(answer) == (403, "FORBIDDEN")
