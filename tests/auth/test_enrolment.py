"""From a phone number to a bound phone, and everybody who tries without the right."""

import asyncio

import pytest

from app import database
from app.auth.actor import Actor, DeviceState, Platform
from app.auth.applicant import Activation, IdentityMethod, StartRequest, sms_text
from app.auth.errors import (
    EnrolmentExpired,
    InvalidCredential,
)
from app.auth.otp import EnrolmentId
from app.errors import (
    NotAllowed,
    RateLimited,
    ValidationFailed,
)
from tests.auth.room import PHONE, STAFF, Person, Phone, Room, a_customer, origin
from tests.auth.wiring import open_room

ANYBODY = Actor(origin=origin())


def request(phone: str = PHONE, **more: object) -> StartRequest:
    parts: dict[str, object] = {
        "phone": phone,
        "platform": Platform.IOS,
        "app_version": "1.0.0",
        "model": "iPhone",
    }
    return StartRequest(**(parts | more))  # type: ignore[arg-type]  # parts of the test


def given(person: Person, **more: str) -> Activation:
    parts = {"customer_number": person.number, "code": person.code}
    return Activation(**(parts | more))


async def bound() -> int:
    row = await database.read_one("SELECT count(*) AS n FROM device")
    assert row is not None
    return row.get("n", int)


async def tries_of(person: Person) -> int:
    row = await database.read_one(
        "SELECT tries FROM activation_code WHERE customer_id = $1 AND used_at IS NULL",
        person.id,
    )
    assert row is not None
    return row.get("tries", int)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def test_a_bound_phone_cools_and_everybody_is_told(
    room: Room, asha: Person
) -> None:
    phone = Phone(room)

    device = await phone.enrol(asha)
    await room.deliver()

    assert device.state is DeviceState.COOLING
    assert device.cooling_until is not None
    assert (device.cooling_until - room.clock.now()).total_seconds() == 86400
    to, text = room.sms.texts[-1]
    assert to == PHONE
    assert "A phone was added to your bank: Pixel 9." in text
    rows = await database.read(
        "SELECT type, payload FROM customer_event WHERE customer_id = $1 ORDER BY seq",
        asha.id,
    )
    assert [row.get("type", str) for row in rows] == [
        "SecurityEvent",
        "SecurityEvent",
        "DeviceChanged",
        "SecurityEvent",
    ]
    actions = await database.read(
        "SELECT action FROM audit_entry WHERE chain = $1 ORDER BY seq", str(asha.id)
    )
    assert [row.get("action", str) for row in actions] == [
        "staff.customer_added",
        "staff.code",
        "activation_code.issued",
        "enrolment.identity_proven",
        "device.bound",
        "mpin.set",
    ]


async def test_an_unknown_number_gets_the_same_answer_and_no_message(
    room: Room, asha: Person
) -> None:
    known = await room.enrolments.start(ANYBODY, request())
    unknown = await room.enrolments.start(ANYBODY, request("+4915112345678"))
    await room.deliver()

    assert known.otp_expires_at == unknown.otp_expires_at
    assert known.resend_after_s == unknown.resend_after_s == 60
    assert len(str(known.enrolment)) == len(str(unknown.enrolment)) == 36
    assert [to for to, _ in room.sms.texts] == [PHONE]
    with pytest.raises(InvalidCredential) as one:
        await room.enrolments.verify(ANYBODY, known.enrolment, wrong(room.last_code()))
    with pytest.raises(InvalidCredential) as other:
        await room.enrolments.verify(ANYBODY, unknown.enrolment, "x")
    assert vars(one.value) == vars(other.value)


async def test_the_right_code_at_the_fourth_try_fails(room: Room, asha: Person) -> None:
    sent = await room.enrolments.start(ANYBODY, request())
    await room.deliver()
    code = room.last_code()

    for _ in range(3):
        with pytest.raises(InvalidCredential):
            await room.enrolments.verify(ANYBODY, sent.enrolment, wrong(code))
    with pytest.raises(EnrolmentExpired):
        await room.enrolments.verify(ANYBODY, sent.enrolment, code)

    assert await bound() == 0


async def test_a_code_of_one_enrolment_fails_in_another(
    room: Room, asha: Person
) -> None:
    first = await room.enrolments.start(ANYBODY, request())
    await room.deliver()
    code = room.last_code()
    second = await room.enrolments.start(ANYBODY, request())

    with pytest.raises(InvalidCredential):
        await room.enrolments.verify(ANYBODY, second.enrolment, code)

    methods = await room.enrolments.verify(ANYBODY, first.enrolment, code)
    assert methods == [IdentityMethod.ACTIVATION_CODE]


async def test_a_code_ends_after_five_minutes_and_an_enrolment_after_ten(
    room: Room, asha: Person
) -> None:
    sent = await room.enrolments.start(ANYBODY, request())
    await room.deliver()
    room.clock.move(seconds=300)
    with pytest.raises(EnrolmentExpired):
        await room.enrolments.verify(ANYBODY, sent.enrolment, room.last_code())

    again = await room.enrolments.resend(ANYBODY, sent.enrolment)
    await room.deliver()
    await room.enrolments.verify(ANYBODY, again.enrolment, room.last_code())

    room.clock.move(seconds=300)
    with pytest.raises(EnrolmentExpired):
        await room.enrolments.prove(ANYBODY, sent.enrolment, given(asha))
    with pytest.raises(EnrolmentExpired):
        await room.enrolments.resend(ANYBODY, sent.enrolment)
    with pytest.raises(EnrolmentExpired):
        await room.enrolments.verify(ANYBODY, EnrolmentId.new(), "000000")


async def test_a_new_code_kills_the_old_one(room: Room, asha: Person) -> None:
    sent = await room.enrolments.start(ANYBODY, request())
    await room.deliver()
    old = room.last_code()
    await room.enrolments.resend(ANYBODY, sent.enrolment)
    await room.deliver()

    if room.last_code() != old:
        with pytest.raises(InvalidCredential):
            await room.enrolments.verify(ANYBODY, sent.enrolment, old)
    await room.enrolments.verify(ANYBODY, sent.enrolment, room.last_code())


async def test_the_same_proofs_again_give_the_same_answers(
    room: Room, asha: Person
) -> None:
    phone = Phone(room)
    enrolment = await phone.verified(asha)
    await room.enrolments.verify(ANYBODY, enrolment, room.last_code())
    first = await room.enrolments.prove(ANYBODY, enrolment, given(asha))
    second = await room.enrolments.prove(ANYBODY, enrolment, given(asha))
    await room.enrolments.verify(ANYBODY, enrolment, room.last_code())

    with pytest.raises(EnrolmentExpired):
        await phone.bind(first.binding_nonce)
    device = await phone.bind(second.binding_nonce)
    again = await phone.bind(second.binding_nonce)

    assert again.id == device.id
    assert await bound() == 1


async def test_three_wrong_proofs_end_the_enrolment(room: Room, asha: Person) -> None:
    enrolment = await Phone(room).verified(asha)

    for code in ("AAAA-AAAA-AAAA", "BBBB-BBBB-BBBB", "CCCC-CCCC-CCCC"):
        with pytest.raises(InvalidCredential) as refused:
            await room.enrolments.prove(ANYBODY, enrolment, given(asha, code=code))
        assert refused.value.attempts_left is None
    with pytest.raises(EnrolmentExpired):
        await room.enrolments.prove(ANYBODY, enrolment, given(asha))

    assert await tries_of(asha) == 3
    assert await bound() == 0


async def test_a_code_of_somebody_else_with_this_phone_is_refused(
    room: Room, asha: Person
) -> None:
    ravi = await a_customer(
        room, number="100000002", phone="+919800000002", name="Ravi"
    )
    enrolment = await Phone(room).verified(asha)

    with pytest.raises(InvalidCredential):
        await room.enrolments.prove(ANYBODY, enrolment, given(ravi))
    with pytest.raises(InvalidCredential):
        await room.enrolments.prove(
            ANYBODY, enrolment, given(asha, customer_number="999999999")
        )

    assert await tries_of(ravi) == 0


async def test_an_sms_alone_binds_nothing(room: Room, asha: Person) -> None:
    thief = Phone(room)
    await thief.verified(asha)

    with pytest.raises(EnrolmentExpired):
        await thief.bind(bytes(32))

    assert await bound() == 0


async def test_two_enrolments_race_with_one_activation_code_and_one_binds(
    room: Room, asha: Person
) -> None:
    one, other = Phone(room), Phone(room)
    nonces = [await one.prove(asha), await other.prove(asha)]

    outcomes = await asyncio.gather(
        one.bind(nonces[0]), other.bind(nonces[1]), return_exceptions=True
    )

    refused = [found for found in outcomes if isinstance(found, Exception)]
    assert [type(found) for found in refused] == [EnrolmentExpired]
    assert await bound() == 1
    late = await Phone(room).verified(asha)
    with pytest.raises(InvalidCredential):
        await room.enrolments.prove(ANYBODY, late, given(asha))


async def test_the_demo_may_use_its_codes_again(room: Room, asha: Person) -> None:
    lenient = room.settings.model_copy(update={"activation_reusable": True})
    demo = await open_room(lenient, room.clock, room.vault)

    for _ in range(2):
        await Phone(demo).enrol(asha)

    assert await bound() == 2


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"phone": "9876543210"}, "phone"),
        ({"phone": "+0123456789"}, "phone"),
        ({"phone": "+919876543210; drop"}, "phone"),
        ({"app_version": ""}, "appVersion"),
        ({"model": "x" * 65}, "model"),
    ],
)
async def test_step_one_is_looked_at_before_anything_is_counted(
    room: Room, changed: dict[str, str], field: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await room.enrolments.start(ANYBODY, request(**changed))

    assert refused.value.field == [field]


def test_a_text_shows_only_plain_characters_of_the_model() -> None:
    text = sms_text("482913", 'Pixel" to win.\nhttps://evil.example', "bank.example")

    assert text == (
        '<#> 482913 adds phone "Pixel to win.httpsevil.e" to your bank. '
        "Never tell it to anyone.\n@bank.example #482913"
    )
    assert '"new phone"' in sms_text("482913", "☎☎", None)


async def test_a_number_gets_three_codes_in_ten_minutes_and_five_a_day(
    room: Room, asha: Person
) -> None:
    narrow = room.settings.model_copy(update={"limit_factor": 1})
    tight = await open_room(narrow, room.clock, room.vault)

    await tight.enrolments.start(ANYBODY, request())
    with pytest.raises(RateLimited) as refused:
        await tight.enrolments.start(ANYBODY, request())
    assert refused.value.retry_after_s == 60

    sent = 1
    for _ in range(60):
        room.clock.move(minutes=2)
        try:
            await tight.enrolments.start(ANYBODY, request())
        except RateLimited:
            continue
        sent += 1
    await tight.deliver()
    assert sent == 5
    # Code first: the owner still gets a message in a quota of his own.
    before = await count_sms()
    await tight.enrolments.start(ANYBODY, request(activation=given(asha)))
    assert await count_sms() == before + 1


async def count_sms() -> int:
    row = await database.read_one("SELECT count(*) AS n FROM sms_message")
    assert row is not None
    return row.get("n", int)


async def test_a_hundred_wrong_code_first_starts_burn_no_try(
    room: Room, asha: Person
) -> None:
    before = await count_sms()

    for _ in range(100):
        activation = given(asha, code="ZZZZ-ZZZZ-ZZZZ")
        await room.enrolments.start(ANYBODY, request(activation=activation))

    assert await tries_of(asha) == 0
    assert await count_sms() == before
    await room.enrolments.start(ANYBODY, request(activation=given(asha)))
    assert await count_sms() == before + 1


async def test_ten_wrong_tries_kill_an_activation_code(
    room: Room, asha: Person
) -> None:
    for _ in range(4):
        enrolment = await Phone(room).verified(asha)
        for _ in range(3):
            with pytest.raises(InvalidCredential):
                await room.enrolments.prove(
                    ANYBODY, enrolment, given(asha, code="ZZZZ-ZZZZ-ZZZZ")
                )

    assert await tries_of(asha) == 10
    enrolment = await Phone(room).verified(asha)
    with pytest.raises(InvalidCredential):
        await room.enrolments.prove(ANYBODY, enrolment, given(asha))


async def test_an_activation_code_is_read_as_people_write_it(
    room: Room, asha: Person
) -> None:
    asha.code = await room.customers.code(STAFF, asha.number, code="0O1I-LABC-DEFG")
    enrolment = await Phone(room).verified(asha)

    proven = await room.enrolments.prove(
        ANYBODY, enrolment, given(asha, code="00 11 1abc defg")
    )

    assert len(proven.binding_nonce) == 32


async def test_a_customer_blocked_by_staff_is_told_after_the_proof(
    room: Room, asha: Person
) -> None:
    async def block(tx: database.Tx) -> None:
        await tx.rows("UPDATE customer SET status = 'BLOCKED_BY_STAFF' RETURNING id")

    await database.transaction(block, name="test.block")
    enrolment = await Phone(room).verified(asha)

    with pytest.raises(InvalidCredential):
        await room.enrolments.prove(ANYBODY, enrolment, given(asha, code="ZZZZ"))
    with pytest.raises(NotAllowed):
        await room.enrolments.prove(ANYBODY, enrolment, given(asha))

    assert await bound() == 0
