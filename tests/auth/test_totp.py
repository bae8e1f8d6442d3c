"""An authenticator app: switched on, counted, paused, removed."""

import asyncio
import base64
from datetime import timedelta

import pytest

from app import database
from app.auth.actor import FactorState
from app.auth.errors import (
    CoolingPeriod,
    CredentialLocked,
    InvalidCredential,
    StepUpRequired,
)
from app.errors import NotAllowed
from tests.auth.authenticator_app import (
    App,
    an_owner,
    approved,
    cooled,
    started,
)
from tests.auth.room import Person, Phone, Room


async def rows_of(table: str) -> int:
    row = await database.read_one(f"SELECT count(*) AS n FROM {table}")  # noqa: S608  -- the test's own names
    assert row is not None
    return row.get("n", int)


async def actions(person: Person) -> list[str]:
    rows = await database.read(
        "SELECT action FROM audit_entry WHERE chain = $1 ORDER BY seq", str(person.id)
    )
    return [row.get("action", str) for row in rows]


async def test_the_first_code_switches_it_on_and_gives_ten_codes(
    room: Room, asha: Person
) -> None:
    phone = await cooled(room, asha)
    opened = await approved(phone, room.totps.start)
    assert opened.uri.startswith("otpauth://totp/Sixpence:Asha%20Rao?secret=")
    assert opened.uri.endswith(f"secret={opened.secret}&issuer=Sixpence")
    assert (await room.totps.status(asha.id)).state is FactorState.NOT_SET
    again = await room.totps.start(await phone.as_login())
    assert (again.uri, again.secret) == (opened.uri, opened.secret)

    app = App(room.clock, base64.b32decode(opened.secret))
    done = await room.totps.finish(await phone.as_login(), app.code())

    assert done.factor.state is FactorState.ACTIVE
    assert len(set(done.codes)) == 10
    assert {len(code) for code in done.codes} == {29}
    status = await room.totps.status(asha.id)
    assert (status.state, status.attempts_left) == (FactorState.ACTIVE, 5)
    assert (await actions(asha))[-1] == "totp.enrolled"
    assert await room.recovery.left(await phone.as_login()) == 10


async def test_the_same_code_again_shows_the_same_ten_for_five_minutes(
    room: Room, asha: Person
) -> None:
    phone = await cooled(room, asha)
    app = await started(room, phone)
    actor, code = await phone.as_login(), app.code()

    done = await asyncio.gather(*(room.totps.finish(actor, code) for _ in range(4)))
    room.clock.move(seconds=280)
    later = await room.totps.finish(actor, code)

    assert [one.codes for one in done] == [later.codes] * 4
    status = await room.totps.status(asha.id)
    assert status.attempts_left == 5
    room.clock.move(seconds=20)
    with pytest.raises(InvalidCredential):
        await room.totps.finish(actor, code)


async def test_the_ten_codes_cannot_be_guessed_out_of_the_stored_answer(
    room: Room, asha: Person
) -> None:
    owner = await an_owner(room, asha)
    actor, right = await owner.phone.as_login(), owner.app.code()

    for left in (4, 3, 2, 1):
        with pytest.raises(InvalidCredential) as no:
            await room.totps.finish(actor, owner.app.wrong())
        assert no.value.attempts_left == left
    with pytest.raises(CredentialLocked):
        await room.totps.finish(actor, owner.app.wrong())
    with pytest.raises(CredentialLocked):
        await room.totps.finish(actor, right)


async def test_another_session_does_not_see_the_codes(room: Room, asha: Person) -> None:
    owner = await an_owner(room, asha)
    code = owner.app.code()
    await owner.phone.login()

    with pytest.raises(InvalidCredential):
        await room.totps.finish(await owner.phone.as_login(), code)


async def test_a_secret_waits_ten_minutes(room: Room, asha: Person) -> None:
    phone = await cooled(room, asha)
    app = await started(room, phone)
    room.clock.move(seconds=600)
    await phone.login()

    with pytest.raises(InvalidCredential):
        await room.totps.finish(await phone.as_login(), app.code())

    assert (await room.totps.status(asha.id)).state is FactorState.NOT_SET
    assert await rows_of("recovery_code") == 0


async def test_five_wrong_first_codes_pause_it(room: Room, asha: Person) -> None:
    phone = await cooled(room, asha)
    app = await started(room, phone)
    actor = await phone.as_login()

    for _ in range(4):
        with pytest.raises(InvalidCredential):
            await room.totps.finish(actor, app.wrong())
    with pytest.raises(CredentialLocked) as no:
        await room.totps.finish(actor, app.wrong())
    with pytest.raises(CredentialLocked):
        await room.totps.finish(actor, app.code())

    assert no.value.locked_until == room.clock.now() + timedelta(minutes=15)
    assert await rows_of("recovery_code") == 0


async def test_a_cooling_phone_may_not(room: Room, phone: Phone, asha: Person) -> None:
    await phone.login()
    actor = await phone.as_login()

    for call in (room.totps.start, room.totps.remove, room.recovery.regenerate):
        with pytest.raises(CoolingPeriod):
            await call(actor)
    with pytest.raises(CoolingPeriod):
        await room.totps.finish(actor, "000000")

    assert await rows_of("totp_secret") == await rows_of("challenge") - 1 == 0


async def test_a_second_one_is_refused_until_the_first_is_removed(
    room: Room, asha: Person
) -> None:
    owner = await an_owner(room, asha)
    with pytest.raises(NotAllowed):
        await room.totps.start(await owner.phone.as_login())

    left = await approved(owner.phone, room.totps.remove)

    assert left.state is FactorState.NOT_SET
    again = await room.totps.remove(await owner.phone.as_login())
    assert again.state is FactorState.NOT_SET
    assert await rows_of("totp_secret") == 0
    assert (await actions(asha)).count("totp.removed") == 1
    await started(room, owner.phone)
    with pytest.raises(NotAllowed):
        await room.totps.remove(await owner.phone.as_login())


async def test_nothing_happens_without_an_approval(room: Room, asha: Person) -> None:
    phone = await cooled(room, asha)

    for call in (room.totps.start, room.recovery.regenerate):
        with pytest.raises(StepUpRequired) as asked:
            await call(await phone.as_login())
        assert [kind.value for kind in asked.value.challenge.allowed] == ["MPIN"]

    assert await rows_of("totp_secret") == await rows_of("recovery_code") == 0


async def test_new_codes_replace_the_old_and_are_shown_again(
    room: Room, asha: Person
) -> None:
    owner = await an_owner(room, asha)

    codes = await approved(owner.phone, room.recovery.regenerate)

    again = await room.recovery.regenerate(await owner.phone.as_login())
    assert again == codes
    assert not set(codes) & set(owner.codes)
    assert await rows_of("recovery_code") == 10
    for code in owner.codes:
        assert await room.recovery.find(asha.id, code) is None
    assert await room.recovery.find(asha.id, codes[3].lower()) is not None
    await approved(owner.phone, room.totps.remove)
    with pytest.raises(StepUpRequired):
        await room.recovery.regenerate(await owner.phone.as_login())


async def test_no_code_and_no_secret_stands_in_the_database(
    room: Room, asha: Person
) -> None:
    owner = await an_owner(room, asha)

    secrets = await database.read("SELECT * FROM totp_secret")
    codes = await database.read("SELECT * FROM recovery_code")
    kept = [row.get("sealed", bytes) for row in secrets]
    kept += [row.get("outcome_sealed", bytes) for row in secrets]
    kept += [row.get("mac", bytes) for row in codes]

    for secret in (owner.app.secret, *(code.encode() for code in owner.codes)):
        assert not any(secret in value for value in kept)
