"""Changes of phones over GraphQL, and every door as a phone that may not enter."""

from typing import Any, cast

import pytest

from app.auth.actor import Actor
from app.auth.errors import DeviceBlocked, DeviceLocked
from app.auth.panic import Panics
from app.errors import Refusal, Unauthenticated
from app.schema import refusals, root, status
from app.schema.auth import challenges, device_changes, devices, passkeys
from app.schema.context import Context
from app.schema.execution import Call, Engine
from tests.auth.room import KDF, Person, Phone, Room, b64u
from tests.auth.test_device_changes import another, cooled, lock, name_of, states
from tests.auth.test_sessions import change

SLICES = [refusals, status, challenges, devices, device_changes, passkeys]
NO = "userErrors { __typename code field ... on CoolingPeriodError { endsAt } }"


class Nothing:
    """A room of money in which nothing is under way."""

    async def halt(self, actor: Actor) -> int:
        assert actor.customer is not None
        return 0


class Opened:
    """The room as resolvers reach it, with the emergency stop."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.panics = Panics(clock=room.clock, moves=room.moves, money=Nothing())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._room, name)


async def asked(room: Room, actor: Actor, text: str) -> dict[str, Any]:
    engine = Engine(root.built(SLICES), room.settings, room.clock, room.callers.charge)
    context = Context(cast("Any", Opened(room)), actor, actor.origin.request_id)
    answer = await engine.run(context, Call(text))
    return cast("dict[str, Any]", answer.body)


def by_id(field: str, phone: Phone, more: str = "") -> str:
    given = f'id: "{name_of(phone)}" {more}'
    shown = f"device {{ name state }} {NO}"
    return f"mutation {{ {field}(input: {{ {given} }}) {{ {shown} }} }}"


async def test_what_a_cooling_phone_may_and_may_not(
    room: Room, phone: Phone, asha: Person
) -> None:
    await cooled(room, phone)
    newcomer = await another(room, asha)
    await newcomer.login()
    actor = await newcomer.as_login()
    assert newcomer.device is not None
    assert newcomer.device.cooling_until is not None
    before = await states()

    revoked = await asked(room, actor, by_id("deviceRevoke", phone))
    others = await asked(room, actor, f"mutation {{ devicesRevokeOthers {{ {NO} }} }}")
    suspended = await asked(room, actor, by_id("deviceLock", phone))

    no = revoked["data"]["deviceRevoke"]["userErrors"]
    assert [one["__typename"] for one in no] == ["CoolingPeriodError"]
    assert no[0]["endsAt"] == "2026-11-23T09:30:00.000Z"
    assert others["data"]["devicesRevokeOthers"]["userErrors"] == no
    asks = suspended["data"]["deviceLock"]["userErrors"]
    assert [one["code"] for one in asks] == ["STEP_UP_REQUIRED"]
    assert await states() == before


async def test_a_rename_needs_no_approval(room: Room, phone: Phone) -> None:
    await phone.login()
    text = by_id("deviceRename", phone, 'name: "Kitchen"')

    body = await asked(room, await phone.as_login(), text)

    found = body["data"]["deviceRename"]
    assert found["device"] == {"name": "Kitchen", "state": "COOLING"}


async def test_a_locked_phone_stops_everything_and_forgets_itself(
    room: Room, phone: Phone, asha: Person
) -> None:
    thief = await another(room, asha)
    await thief.login()
    await lock(room, thief, phone)
    counts = "endedSessionCount lockedDeviceCount cancelledPaymentCount"
    stop = f"mutation {{ panicLock {{ lockedAt {counts} {NO} }} }}"
    forget = f"mutation {{ deviceForget {{ forgottenDeviceId {NO} }} }}"

    stopped = await asked(room, await phone.as_device(), stop)
    gone = await asked(room, await phone.as_device(), forget)

    assert stopped["data"]["panicLock"] == {
        "lockedAt": "2026-11-21T09:30:00.000Z",
        "endedSessionCount": 1,
        "lockedDeviceCount": 2,
        "cancelledPaymentCount": 0,
        "userErrors": [],
    }
    assert gone["data"]["deviceForget"]["forgottenDeviceId"] == str(name_of(phone))
    assert await states() == {
        name_of(phone): ("REVOKED", None),
        name_of(thief): ("LOCKED", "PANIC"),
    }


async def test_no_door_opens_for_a_locked_phone(
    room: Room, phone: Phone, asha: Person
) -> None:
    token = (await phone.login()).tokens.refresh_token
    other = await another(room, asha)
    await other.login()
    await lock(room, other, phone)
    actor = await phone.as_device()

    with pytest.raises(Unauthenticated) as no:
        await phone.as_login()
    assert no.value.reason == "DEVICE_LOCKED"
    with pytest.raises(DeviceLocked):
        await phone.login()
    with pytest.raises(DeviceLocked):
        await room.mpins.set(actor, b64u(phone.secret), KDF)
    with pytest.raises(DeviceLocked):
        await room.passkeys.start(actor)
    with pytest.raises(Refusal):
        await room.refreshes.refresh(actor, token)
    body = await asked(room, actor, by_id("deviceUnlock", phone))
    assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert (await states())[name_of(phone)] == ("LOCKED", "SUSPENDED")


async def test_no_door_opens_for_a_removed_phone(room: Room, phone: Phone) -> None:
    token = (await phone.login()).tokens.refresh_token
    await room.device_changes.forget(await phone.as_device())

    stranger = await phone.as_device()

    assert (stranger.customer, stranger.device) == (None, None)
    with pytest.raises(Unauthenticated):
        await phone.as_login()
    with pytest.raises(DeviceBlocked):
        await phone.login()
    with pytest.raises(Refusal):
        await room.refreshes.refresh(stranger, token)
    body = await asked(room, stranger, f"mutation {{ panicLock {{ {NO} }} }}")
    assert body["errors"][0]["extensions"]["reason"] == "DEVICE_UNKNOWN"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE customer SET status = 'LOCKED_BY_CUSTOMER'",
        "UPDATE customer SET status = 'HARD_LOCKED'",
        "UPDATE customer SET status = 'BLOCKED_BY_STAFF'",
    ],
)
async def test_no_door_opens_for_a_locked_customer(
    room: Room, phone: Phone, sql: str
) -> None:
    token = (await phone.login()).tokens.refresh_token
    await change(sql)

    with pytest.raises(Refusal):
        await phone.login()
    with pytest.raises(Refusal):
        await room.refreshes.refresh(await phone.as_device(), token)
    with pytest.raises(Unauthenticated):
        await room.device_changes.rename(
            await phone.as_login(), name_of(phone), "Kitchen"
        )
