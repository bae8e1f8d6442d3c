"""Step 3 of enrolment by authenticator, recovery code and reset code (auth.md 3.1)."""

import asyncio
from datetime import timedelta

import pytest

from app import database
from app.auth.actor import Actor, DeviceState, FactorState
from app.auth.applicant import Activation, IdentityMethod, OtherProof, Shown
from app.auth.errors import CredentialLocked, EnrolmentExpired, InvalidCredential
from app.auth.otp import EnrolmentId
from tests.auth.authenticator_app import Owner, an_owner, cooled, started
from tests.auth.room import STAFF, Person, Phone, Room, a_customer, origin
from tests.auth.test_totp import actions, rows_of

ANYBODY = Actor(origin=origin())


@pytest.fixture
async def owner(room: Room, asha: Person) -> Owner:
    """Give Asha an authenticator; its newest step is used."""
    found = await an_owner(room, asha)
    room.clock.move(seconds=60)
    return found


def totp(owner: Owner, code: str | None = None) -> OtherProof:
    return OtherProof(
        customer_number=owner.person.number,
        code=owner.app.code() if code is None else code,
        method=IdentityMethod.TOTP,
    )


def paper(owner: Owner, slot: int = 0) -> OtherProof:
    return OtherProof(
        customer_number=owner.person.number,
        code=owner.codes[slot],
        method=IdentityMethod.RECOVERY_CODE,
    )


def printed(person: Person, code: str) -> Activation:
    return Activation(customer_number=person.number, code=code)


async def verified(room: Room, person: Person) -> tuple[Phone, EnrolmentId]:
    phone = Phone(room)
    return phone, await phone.verified(person)


async def bound(room: Room, person: Person, given: Shown) -> Phone:
    phone, enrolment = await verified(room, person)
    proven = await room.enrolments.prove(ANYBODY, enrolment, given)
    await phone.bind(proven.binding_nonce)
    return phone


async def last_step() -> int:
    row = await database.read_one("SELECT last_step FROM totp_secret")
    assert row is not None
    return row.get("last_step", int)


async def test_the_methods_are_those_the_number_has(room: Room, owner: Owner) -> None:
    phone = Phone(room)
    enrolment = await phone.verified(owner.person)
    code = room.last_code()

    methods = await room.enrolments.verify(ANYBODY, enrolment, code)

    assert methods == [
        IdentityMethod.ACTIVATION_CODE,
        IdentityMethod.TOTP,
        IdentityMethod.RECOVERY_CODE,
        IdentityMethod.OTHER_DEVICE,
    ]


async def test_an_authenticator_binds_a_phone_and_its_step_is_used(
    room: Room, owner: Owner
) -> None:
    before = await last_step()
    phone, enrolment = await verified(room, owner.person)

    proven = await room.enrolments.prove(ANYBODY, enrolment, totp(owner))

    assert await last_step() == before
    device = await phone.bind(proven.binding_nonce)
    assert device.state is DeviceState.COOLING
    assert await last_step() == int(room.clock.now().timestamp()) // 30
    again = await room.devices.bind(
        await phone.as_device(), phone.bind_request(proven.binding_nonce)
    )
    assert again.id == device.id


async def test_a_code_binds_one_phone_of_two(room: Room, owner: Owner) -> None:
    given = totp(owner)
    first, one = await verified(room, owner.person)
    second, other = await verified(room, owner.person)
    proven = [await room.enrolments.prove(ANYBODY, it, given) for it in (one, other)]

    done = await asyncio.gather(
        first.bind(proven[0].binding_nonce),
        second.bind(proven[1].binding_nonce),
        return_exceptions=True,
    )

    assert sorted(type(it).__name__ for it in done) == ["Device", "EnrolmentExpired"]
    assert await rows_of("device") == 2
    with pytest.raises(InvalidCredential):
        await room.enrolments.prove(
            ANYBODY, (await verified(room, owner.person))[1], given
        )


@pytest.mark.parametrize("seconds", [-300, -30, 0])
async def test_a_used_code_stays_used_when_the_clock_jumps(
    room: Room, owner: Owner, seconds: int
) -> None:
    given = totp(owner)
    await bound(room, owner.person, given)
    _, enrolment = await verified(room, owner.person)
    room.clock.move(seconds=seconds)

    with pytest.raises(InvalidCredential):
        await room.enrolments.prove(ANYBODY, enrolment, given)

    assert await rows_of("device") == 2


async def test_codes_of_five_minutes_before_and_after_are_wrong(
    room: Room, owner: Owner
) -> None:
    _, enrolment = await verified(room, owner.person)

    for later in (-10, 10):
        with pytest.raises(InvalidCredential):
            await room.enrolments.prove(
                ANYBODY, enrolment, totp(owner, owner.app.code(later))
            )


async def test_a_lost_answer_costs_no_code_also_after_its_thirty_seconds(
    room: Room, owner: Owner
) -> None:
    phone, enrolment = await verified(room, owner.person)
    given = totp(owner)
    lost = await room.enrolments.prove(ANYBODY, enrolment, given)
    room.clock.move(seconds=240)

    proven = await room.enrolments.prove(ANYBODY, enrolment, given)

    with pytest.raises(EnrolmentExpired):
        await phone.bind(lost.binding_nonce)
    await phone.bind(proven.binding_nonce)
    assert (await room.totps.status(owner.person.id)).attempts_left == 5


@pytest.mark.attack("SIM swap")
async def test_who_has_an_authenticator_is_not_let_in_by_an_activation_code(
    room: Room, owner: Owner
) -> None:
    code = await room.customers.code(STAFF, owner.person.number)
    _, enrolment = await verified(room, owner.person)

    for _ in range(3):
        with pytest.raises(InvalidCredential) as no:
            await room.enrolments.prove(ANYBODY, enrolment, printed(owner.person, code))
        assert no.value.attempts_left is None
    with pytest.raises(EnrolmentExpired):
        await room.enrolments.prove(ANYBODY, enrolment, totp(owner))

    assert await rows_of("device") == 1


async def test_an_activation_code_reserved_before_is_not_enough_at_the_end(
    room: Room, asha: Person
) -> None:
    old = await cooled(room, asha)
    code = await room.customers.code(STAFF, asha.number)
    phone, enrolment = await verified(room, asha)
    proven = await room.enrolments.prove(ANYBODY, enrolment, printed(asha, code))
    app = await started(room, old)
    await room.totps.finish(await old.as_login(), app.code())

    with pytest.raises(EnrolmentExpired):
        await phone.bind(proven.binding_nonce)

    assert await rows_of("device") == 1


async def test_five_wrong_codes_pause_the_authenticator_and_nothing_else(
    room: Room, owner: Owner
) -> None:
    for _ in range(2):
        _, enrolment = await verified(room, owner.person)
        for _ in range(3):
            with pytest.raises((InvalidCredential, CredentialLocked)):
                await room.enrolments.prove(
                    ANYBODY, enrolment, totp(owner, owner.app.wrong())
                )
    _, enrolment = await verified(room, owner.person)
    with pytest.raises(CredentialLocked) as no:
        await room.enrolments.prove(ANYBODY, enrolment, totp(owner))
    assert no.value.locked_until == room.clock.now() + timedelta(minutes=15)
    status = await room.totps.status(owner.person.id)
    assert (status.state, status.attempts_left) == (FactorState.LOCKED, 0)
    await owner.phone.login()

    await bound(room, owner.person, paper(owner))

    assert (await actions(owner.person)).count("totp.failed") == 5


async def test_thirty_six_guesses_at_once_get_five_comparisons(
    room: Room, owner: Owner
) -> None:
    enrolments = [(await verified(room, owner.person))[1] for _ in range(12)]
    given = totp(owner, owner.app.wrong())

    await asyncio.gather(
        *(
            room.enrolments.prove(ANYBODY, one, given)
            for one in enrolments
            for _ in range(3)
        ),
        return_exceptions=True,
    )

    assert (await actions(owner.person)).count("totp.failed") == 5


async def test_a_recovery_code_works_once_and_everybody_is_told(
    room: Room, owner: Owner
) -> None:
    given = paper(owner, 4)
    typed = OtherProof(
        customer_number=given.customer_number,
        code=given.code.lower().replace("-", " "),
        method=given.method,
    )

    await bound(room, owner.person, typed)

    assert "recovery.used" in await actions(owner.person)
    rows = await database.read("SELECT payload FROM customer_event ORDER BY seq")
    assert any("9 are left" in row.get("payload", str) for row in rows)
    _, enrolment = await verified(room, owner.person)
    with pytest.raises(InvalidCredential):
        await room.enrolments.prove(ANYBODY, enrolment, given)


async def test_a_recovery_code_that_was_replaced_meanwhile_binds_nothing(
    room: Room, owner: Owner
) -> None:
    phone, enrolment = await verified(room, owner.person)
    proven = await room.enrolments.prove(ANYBODY, enrolment, paper(owner))

    async def work(tx: database.Tx) -> None:
        await room.recovery.make(tx, owner.person.id)

    await database.transaction(work, name="test.replace")

    with pytest.raises(EnrolmentExpired):
        await phone.bind(proven.binding_nonce)

    assert await rows_of("device") == 1


async def test_five_wrong_recovery_codes_pause_them(room: Room, owner: Owner) -> None:
    wrong = OtherProof(
        customer_number=owner.person.number,
        code="0" * 24,
        method=IdentityMethod.RECOVERY_CODE,
    )
    for _ in range(2):
        _, enrolment = await verified(room, owner.person)
        for _ in range(3):
            with pytest.raises((InvalidCredential, CredentialLocked)):
                await room.enrolments.prove(ANYBODY, enrolment, wrong)
    _, enrolment = await verified(room, owner.person)
    with pytest.raises(CredentialLocked) as no:
        await room.enrolments.prove(ANYBODY, enrolment, paper(owner))

    assert no.value.locked_until == room.clock.now() + timedelta(minutes=15)
    room.clock.move(minutes=15)
    await bound(room, owner.person, paper(owner))
    assert (await actions(owner.person)).count("recovery.failed") == 5


async def test_nobody_proves_with_what_another_customer_has(
    room: Room, owner: Owner
) -> None:
    ben = await a_customer(room, number="100000002", name="Ben Okafor")
    _, enrolment = await verified(room, ben)

    for given in (totp(owner), paper(owner)):
        stolen = OtherProof(
            customer_number=ben.number, code=given.code, method=given.method
        )
        with pytest.raises(InvalidCredential):
            await room.enrolments.prove(ANYBODY, enrolment, stolen)

    assert (await room.totps.status(owner.person.id)).attempts_left == 5


async def test_a_reset_code_takes_every_other_factor_along(
    room: Room, owner: Owner
) -> None:
    code = await room.customers.reset_factors(STAFF, owner.person.number)

    phone = await bound(room, owner.person, printed(owner.person, code))

    assert phone.device is not None
    assert phone.device.cooling_until == room.clock.now() + timedelta(hours=72)
    assert await rows_of("totp_secret") == await rows_of("recovery_code") == 0
    told = await actions(owner.person)
    assert {"staff.reset_factors", "reset_code.issued", "reset_code.used"} <= set(told)
    _, enrolment = await verified(room, owner.person)
    with pytest.raises(InvalidCredential):
        await room.enrolments.prove(ANYBODY, enrolment, printed(owner.person, code))


@pytest.mark.usefixtures("holder")
async def test_a_reset_code_removes_passkeys(room: Room, asha: Person) -> None:
    code = await room.customers.reset_factors(STAFF, asha.number)
    assert await rows_of("passkey") == 1

    await bound(room, asha, printed(asha, code))

    assert await rows_of("passkey") == 0


async def test_a_reset_code_that_was_only_shown_removes_nothing(
    room: Room, owner: Owner
) -> None:
    code = await room.customers.reset_factors(STAFF, owner.person.number)
    _, enrolment = await verified(room, owner.person)

    await room.enrolments.prove(ANYBODY, enrolment, printed(owner.person, code))

    assert await rows_of("totp_secret") == 1
    assert await rows_of("recovery_code") == 10
