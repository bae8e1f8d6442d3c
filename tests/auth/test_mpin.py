"""The mPIN: the first is free, its secret is sealed."""

import asyncio

import pytest

from app import database
from app.errors import (
    Forbidden,
    ValidationFailed,
)
from tests.auth.room import (
    KDF,
    PHONE,
    Person,
    Phone,
    Room,
    b64u,
)


async def test_the_first_mpin_is_free_and_the_same_bytes_change_nothing(
    room: Room, asha: Person
) -> None:
    phone = Phone(room)
    await phone.bind(await phone.prove(asha))
    first = await room.mpins.set(await phone.as_device(), b64u(phone.secret), KDF)
    again = await room.mpins.set(await phone.as_device(), b64u(phone.secret), KDF)

    assert first.id == again.id
    rows = await database.read("SELECT seq FROM audit_entry WHERE action = 'mpin.set'")
    assert len(rows) == 1
    with pytest.raises(Forbidden):
        await room.mpins.set(await phone.as_device(), b64u(bytes(32)), KDF)


async def test_the_same_mpin_sent_twice_at_once_is_set_once_and_both_are_told_so(
    room: Room, asha: Person
) -> None:
    phone = Phone(room)
    await phone.bind(await phone.prove(asha))
    twins = [await phone.as_device() for _ in range(2)]

    done = await asyncio.gather(
        *(room.mpins.set(twin, b64u(phone.secret), KDF) for twin in twins)
    )

    assert done[0].id == done[1].id
    rows = await database.read("SELECT seq FROM audit_entry WHERE action = 'mpin.set'")
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("secret", "kdf", "field"),
    [
        ("AA", KDF, "pinSecret"),
        ("?", KDF, "pinSecret"),
        (b64u(bytes(32)), "v=01;PBKDF2-HMAC-SHA256;i=099999;s=16", "kdf"),
        (b64u(bytes(32)), "v=01;PBKDF2-HMAC-SHA256;i=600000;s=15", "kdf"),
        (b64u(bytes(32)), "v=03;PBKDF2-HMAC-SHA256;i=600000;s=16", "kdf"),
        (b64u(bytes(32)), "scrypt", "kdf"),
    ],
)
async def test_a_weak_or_malformed_mpin_is_refused(
    room: Room, asha: Person, secret: str, kdf: str, field: str
) -> None:
    phone = Phone(room)
    await phone.bind(await phone.prove(asha))

    with pytest.raises(ValidationFailed) as refused:
        await room.mpins.set(await phone.as_device(), secret, kdf)

    assert refused.value.field == [field]
    rows = await database.read("SELECT device_id FROM mpin_secret")
    assert rows == []


async def test_the_secret_is_sealed_and_no_code_stands_in_clear(
    room: Room, phone: Phone, asha: Person
) -> None:
    for table in (
        "mpin_secret",
        "activation_code",
        "otp_code",
        "customer",
        "enrolment",
    ):
        rows = await database.read(f"SELECT * FROM {table}")  # noqa: S608  -- own names
        shown = repr([dict(row._columns) for row in rows]).encode()  # noqa: SLF001  -- looked into
        for planted in (asha.code, asha.number, PHONE, "Asha Rao", room.last_code()):
            assert planted.encode() not in shown
        assert repr(phone.secret)[2:-1].encode() not in shown
