"""Rotating the rings under load: nobody is signed out, no code is void."""

import asyncio
from dataclasses import dataclass, field

import pytest

from app import database, keyring, sealed
from app.auth.actor import Actor
from app.auth.applicant import Activation, Sent, StartRequest
from app.auth.sealed import SEALED
from app.auth.session import TokenPair
from app.auth.signing_ring import SigningRing
from app.clock import StoppedClock
from app.database import Tx
from app.errors import NotAllowed, NotFound, ValidationFailed
from app.sealed import Declared, Moved, RingName
from app.settings import Settings
from app.vault import Ring, Vault
from tests.auth.room import STAFF, Person, Phone, Room, a_customer, origin
from tests.auth.wiring import open_room

PHONES = 4
ROUNDS = 6
OLD, NEW = bytes(range(32)), bytes(range(100, 132))
OLD_PEPPER, NEW_PEPPER = bytes(range(32, 64)), bytes(range(132, 164))


def rings(*ids: int) -> Vault:
    """Give a process's rings; the first id is current."""
    seals, peppers = {1: OLD, 2: NEW}, {1: OLD_PEPPER, 2: NEW_PEPPER}
    return Vault(
        sealing=Ring({key_id: seals[key_id] for key_id in ids}),
        pepper=Ring({key_id: peppers[key_id] for key_id in ids}),
    )


@dataclass
class Holder:
    """What the key commands need of a bank."""

    ring: SigningRing
    vault: Vault
    clock: StoppedClock
    declared: list[Declared] = field(default_factory=lambda: list(SEALED))

    def sealed(self) -> list[Declared]:
        return self.declared


@pytest.fixture
async def before(bank_database: Settings, clock: StoppedClock) -> Room:
    """Give a process that makes values with key 1 and knows key 2 already."""
    return await open_room(strict(bank_database), clock, rings(1, 2))


@pytest.fixture
async def after(before: Room) -> Room:
    """Give a process that was restarted: key 2 is current."""
    return await open_room(before.settings, before.clock, rings(2, 1))


def strict(settings: Settings) -> Settings:
    """Let codes be used once."""
    return settings.model_copy(update={"activation_reusable": False})


async def people(room: Room) -> list[Person]:
    """Add customers, two of them with the same phone number."""
    return [
        await a_customer(
            room,
            number=f"20000000{number}",
            phone=f"+91987654321{min(number, PHONES - 2)}",
            name=f"Person {number}",
        )
        for number in range(PHONES)
    ]


async def signed_in(room: Room, person: Person) -> tuple[Phone, str]:
    """Give a phone that signed in, and its refresh token."""
    phone = Phone(room)
    await phone.enrol(person)
    return phone, (await phone.login()).tokens.refresh_token


async def refreshed(phone: Phone, token: str) -> TokenPair:
    pair = await phone.room.refreshes.refresh(await phone.as_device(), token)
    phone.token = pair.access_token
    return pair


async def started(room: Room, phone: str) -> Sent:
    """Begin an enrolment and let the text go out."""
    request = StartRequest(
        phone=phone,
        platform=Phone(room).platform,
        app_version="1.0.0",
        model="Pixel 9",
    )
    sent = await room.enrolments.start(Actor(origin=origin()), request)
    await room.deliver()
    return sent


async def live_sessions() -> int:
    rows = await database.read("SELECT id FROM session WHERE ended_at IS NULL")
    return len(rows)


async def keys_of(column: str, table: str) -> set[int]:
    """Name the sealing keys of a column."""
    rows = await database.read(
        f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608  -- a test's own names
    )
    return {row.get(column, bytes)[0] for row in rows}


async def test_both_rings_rotate_under_load_and_nobody_notices(
    before: Room, after: Room
) -> None:
    phones = [await signed_in(before, person) for person in await people(before)]
    moved: list[Moved] = []

    async def used(phone: Phone, token: str) -> str:
        """Refresh and ask, now in an old process, now in a restarted one."""
        for turn in range(ROUNDS):
            phone.room = (before, after)[turn % 2]
            token = (await refreshed(phone, token)).refresh_token
            assert (await phone.as_login()).session is not None
        return token

    async def moving() -> None:
        moved.extend([await sealed.move(after.vault, SEALED) for _ in range(ROUNDS)])

    *tokens, _ = await asyncio.gather(*(used(*one) for one in phones), moving())

    assert await live_sessions() == PHONES
    assert sum(one.rows for one in moved) >= 2 * PHONES
    assert all(one.stuck == 0 for one in moved)
    assert await sealed.move(after.vault, SEALED) == Moved()
    for (phone, _), token in zip(phones, tokens, strict=True):
        phone.room = after
        assert token is not None
        await refreshed(phone, token)
        await phone.login()  # the mPIN, too
    assert await keys_of("sealed", "mpin_secret") == {2}


async def test_a_sign_in_that_began_before_ends_after(
    before: Room, after: Room
) -> None:
    (person, *_) = await people(before)
    phone, _ = await signed_in(before, person)
    challenge = await before.logins.start(await phone.as_device())
    await sealed.move(after.vault, SEALED)

    phone.room = after
    signature, response = phone.answer(challenge)
    done = await after.logins.finish(
        await phone.as_device(), challenge.id, signature, response
    )

    assert done.tokens.access_token


async def test_texts_and_codes_of_before_are_good_after(
    before: Room, after: Room
) -> None:
    (*_, one, twin) = await people(before)  # of one phone number
    anonymous = Actor(origin=origin())
    sent = await started(before, twin.phone)
    code = before.last_code()
    unsent = await before.enrolments.start(
        anonymous,
        StartRequest(
            phone=one.phone, platform=Phone(before).platform, app_version="1", model="P"
        ),
    )
    await sealed.move(after.vault, SEALED)

    await after.deliver()
    await after.enrolments.verify(anonymous, unsent.enrolment, after.last_code())
    await after.enrolments.verify(anonymous, sent.enrolment, code)
    proven = await after.enrolments.prove(
        anonymous,
        sent.enrolment,
        Activation(customer_number=twin.number, code=twin.code),
    )
    repeated = await after.enrolments.prove(
        anonymous,
        sent.enrolment,
        Activation(customer_number=twin.number, code=twin.code),
    )

    assert repeated.binding_nonce != proven.binding_nonce
    phone = Phone(after)
    await phone.bind(repeated.binding_nonce)
    assert phone.device is not None


async def test_a_code_is_sent_again_after_the_phone_number_moved(
    before: Room, after: Room
) -> None:
    (person, *_) = await people(before)
    sent = await started(before, person.phone)
    await sealed.move(after.vault, SEALED)
    after.clock.move(seconds=61)

    await after.enrolments.resend(Actor(origin=origin()), sent.enrolment)
    await after.deliver()

    assert [to for to, _ in after.sms.texts] == [person.phone]


async def test_an_enrolment_begun_in_an_old_process_fits_a_moved_customer(
    before: Room, after: Room
) -> None:
    (person, *_) = await people(before)
    sent = await started(before, person.phone)
    await sealed.move(after.vault, SEALED)

    async def late(tx: Tx) -> None:
        mac = before.vault.mac("lookup/phone", person.phone.encode(), 1)
        await tx.rows(
            "UPDATE enrolment SET phone_lookup = $1, phone_key_id = 1 RETURNING id", mac
        )

    await database.transaction(late, name="test.late")
    anonymous = Actor(origin=origin())
    await after.enrolments.verify(anonymous, sent.enrolment, before.last_code())

    proven = await after.enrolments.prove(
        anonymous,
        sent.enrolment,
        Activation(customer_number=person.number, code=person.code),
    )

    assert proven.binding_nonce


async def test_a_key_stays_while_rows_name_it_and_may_go_afterwards(
    before: Room, after: Room
) -> None:
    phones = [await signed_in(before, person) for person in await people(before)]
    holder = Holder(after.ring, after.vault, after.clock)
    with pytest.raises(NotAllowed, match=r"customer\.phone_sealed 4"):
        await keyring.retire(holder, STAFF, "sealing", 1)
    assert (await keyring.reseal(holder)).rows > 0
    with pytest.raises(NotAllowed, match=r"session\.key_id 4"):
        await keyring.retire(holder, STAFF, "pepper", 1)
    assert await live_sessions() == PHONES

    await keyring.retire(holder, STAFF, "sealing", 1)
    for phone, _ in phones:
        phone.room = after
        await phone.login()  # a new session, made with key 2
    after.clock.move(seconds=600)
    await keyring.retire(holder, STAFF, "pepper", 1)

    alone = await open_room(after.settings, after.clock, rings(2))
    for phone, _ in phones:
        phone.room = alone
        await phone.login()
    assert await live_sessions() == PHONES
    retired = await database.read(
        "SELECT object, actor_id FROM audit_entry WHERE action = 'ring_key.retired'"
    )
    assert sorted(row.get("object", str) for row in retired) == [
        "pepper.1",
        "sealing.1",
    ]
    assert {row.get("actor_id", str) for row in retired} == {STAFF.name}


async def test_an_activation_code_holds_its_pepper_until_it_is_used_or_too_old(
    before: Room, after: Room
) -> None:
    (person, *_) = await people(before)
    await sealed.move(after.vault, SEALED)
    now = after.clock.now()

    held = await sealed.naming(SEALED, RingName.PEPPER, 1, now)
    await Phone(after).enrol(person)
    less = await sealed.naming(SEALED, RingName.PEPPER, 1, now)
    after.clock.move(days=15)
    late = await sealed.naming(SEALED, RingName.PEPPER, 1, after.clock.now())

    assert held == {"activation_code.key_id": PHONES}
    assert less == {"activation_code.key_id": PHONES - 1}
    assert late == {}


@pytest.mark.parametrize(
    ("ring", "key_id", "no"),
    [
        ("sealing", 2, NotAllowed),
        ("pepper", 2, NotAllowed),
        ("sealing", 3, NotFound),
        ("other", 1, ValidationFailed),
    ],
)
async def test_what_cannot_be_retired_is_refused(
    after: Room, ring: str, key_id: int, no: type[Exception]
) -> None:
    holder = Holder(after.ring, after.vault, after.clock)

    with pytest.raises(no):
        await keyring.retire(holder, STAFF, ring, key_id)

    assert await database.read("SELECT id FROM audit_entry") == []


async def test_a_row_that_does_not_open_is_counted_and_left(
    before: Room, after: Room
) -> None:
    await people(before)

    async def damage(tx: Tx) -> None:
        await tx.rows(
            "UPDATE customer SET name_sealed = $1 WHERE id = "
            "(SELECT id FROM customer ORDER BY id LIMIT 1) RETURNING id",
            b"\x01" + bytes(40),
        )

    await database.transaction(damage, name="test.damage")

    done = await sealed.move(after.vault, SEALED)

    assert done.stuck == 1
    named = await sealed.naming(SEALED, RingName.SEALING, 1, after.clock.now())
    assert named["customer.name_sealed"] == 1
    assert await keys_of("phone_sealed", "customer") == {1, 2}
