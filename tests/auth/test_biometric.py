"""Setting the biometric key: who may, what it signs, whose key it may be (2.7)."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from app import database
from app.auth.actor import FactorKind, FactorState, Platform
from app.auth.attestation import AndroidChain, AppAttestation
from app.auth.errors import (
    AttestationRejected,
    ChallengeFailed,
    CoolingPeriod,
    DeviceBlocked,
    StepUpRequired,
)
from app.clock import StoppedClock
from app.errors import Forbidden, NotAllowed
from app.settings import Settings
from app.vault import Vault
from tests.auth.attestation.apple_maker import sha256
from tests.auth.attestation.der_maker import integer
from tests.auth.attestation.foundry import USER_AUTH, der, description
from tests.auth.attestation.vendors import GOOGLE, OUR_APPS
from tests.auth.authenticator import unb64u
from tests.auth.finger import Finger, a_finger
from tests.auth.passkey_holder import Holder
from tests.auth.room import KDF, STAFF, Person, Phone, Room, a_customer, b64u
from tests.auth.test_passkey_approvals import SENSITIVE
from tests.auth.test_passkeys import bound
from tests.auth.test_sessions import change
from tests.auth.wiring import open_room


async def bio_jkt(phone: Phone) -> str | None:
    assert phone.device is not None
    row = await database.read_one(
        "SELECT bio_jkt FROM device WHERE id = $1", phone.device.id
    )
    assert row is not None
    return row.find("bio_jkt", str)


async def sets() -> int:
    rows = await database.read(
        "SELECT seq FROM audit_entry WHERE action = 'biometric_key.set'"
    )
    return len(rows)


async def test_a_new_phone_sets_its_first_factor_without_a_session(
    room: Room, asha: Person
) -> None:
    phone = await bound(room, asha)
    finger = Finger(phone)

    device = await finger.set()

    assert await bio_jkt(phone) == finger.jkt
    pin, bio = (await room.devices.factors([device.id]))[device.id]
    assert (pin.kind, pin.state) == (FactorKind.MPIN, FactorState.NOT_SET)
    assert (bio.kind, bio.state) == (FactorKind.BIOMETRIC, FactorState.ACTIVE)
    assert (bio.attempts_left, bio.locked_until) == (5, None)
    assert bio.set_at == room.clock.now()
    rows = await database.read(
        "SELECT payload FROM customer_event WHERE type = 'SecurityEvent' ORDER BY seq"
    )
    assert rows[-1].get("payload", dict)["title"] == (
        "Finger or face was switched on for Asha's phone."
    )


async def test_the_same_key_again_changes_nothing(room: Room, asha: Person) -> None:
    finger = await a_finger(room, asha)
    room.clock.move(hours=1)

    again = await finger.set()

    assert again.id == finger.phone.device.id  # type: ignore[union-attr]  # bound
    assert await sets() == 1


async def test_a_phone_with_a_biometric_key_is_not_removed_as_unused(
    room: Room, asha: Person
) -> None:
    finger = await a_finger(room, asha)
    room.clock.move(minutes=16)

    with pytest.raises(Forbidden):
        await room.mpins.set(await finger.phone.as_device(), b64u(bytes(32)), KDF)

    assert await bio_jkt(finger.phone) == finger.jkt


async def test_with_a_factor_and_without_a_session_it_is_forbidden(
    phone: Phone,
) -> None:
    with pytest.raises(Forbidden) as refused:
        await Finger(phone).set()

    assert refused.value.facts == {"requiredLevel": "LOGIN"}
    assert await bio_jkt(phone) is None


async def test_after_fifteen_minutes_a_phone_without_a_factor_enrols_again(
    room: Room, asha: Person
) -> None:
    phone = await bound(room, asha)
    room.clock.move(minutes=15)

    with pytest.raises(NotAllowed):
        await Finger(phone).set()

    assert await bio_jkt(phone) is None


async def test_with_a_session_the_change_is_approved(phone: Phone) -> None:
    await phone.login()
    finger = Finger(phone)

    with pytest.raises(StepUpRequired) as required:
        await finger.set(await phone.as_login())

    assert required.value.challenge.action == "biometricKeySet"
    assert await bio_jkt(phone) is None
    await finger.set_by(phone.answer)
    assert await bio_jkt(phone) == finger.jkt


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": b64u(bytes(32))},
        {"nonce": "?"},
        {"nonce": "\u00e9"},
        {"signature": "AA"},
        {"signature": b64u(bytes(64))},
        {"device_jkt": "A" * 43},
        {"label": b"sixpence/bind/v1"},
        {"label": b"sixpence/login/v1"},
    ],
    ids=str,
)
async def test_what_the_key_did_not_sign_for_this_phone_is_refused(
    room: Room, asha: Person, wrong: dict[str, Any]
) -> None:
    phone = await bound(room, asha)

    with pytest.raises(ChallengeFailed):
        await Finger(phone).set(**wrong)

    assert await bio_jkt(phone) is None
    assert await sets() == 0


async def test_a_nonce_serves_two_windows_and_no_third(
    room: Room, asha: Person
) -> None:
    phone = await bound(room, asha)
    finger = Finger(phone)
    request = finger.request()

    room.clock.move(minutes=4)
    with pytest.raises(ChallengeFailed) as refused:
        await room.biometrics.set(await phone.as_device(), request)
    assert refused.value.field == ["nonce"]
    late = finger.request()
    room.clock.move(minutes=2)
    await room.biometrics.set(await phone.as_device(), late)

    assert await bio_jkt(phone) == finger.jkt


async def test_a_key_is_used_once_and_in_one_role(room: Room, asha: Person) -> None:
    finger = await a_finger(room, asha)
    other = await a_customer(room, number="100000002", phone="+919876543211")
    phone = await bound(room, other)

    for taken in (finger.key, finger.phone.key, phone.key):
        with pytest.raises(ChallengeFailed):
            await Finger(phone, taken).set()
    assert await bio_jkt(phone) is None

    thief = Phone(room, key=finger.key)
    other.code = await room.customers.code(STAFF, other.number)
    with pytest.raises(ChallengeFailed):
        await thief.bind(await thief.prove(other))


async def test_two_phones_that_set_one_key_at_once_do_not_share_it(
    room: Room, asha: Person
) -> None:
    other = await a_customer(room, number="100000002", phone="+919876543211")
    key = ec.generate_private_key(ec.SECP256R1())
    fingers = [Finger(await bound(room, who), key) for who in (asha, other)]

    done = await asyncio.gather(*(one.set() for one in fingers), return_exceptions=True)

    assert [type(one) for one in done if isinstance(one, BaseException)] == [
        ChallengeFailed
    ]
    rows = await database.read("SELECT id FROM device WHERE bio_jkt IS NOT NULL")
    assert len(rows) == 1


async def test_two_first_factors_at_once_do_not_both_come_in(
    room: Room, asha: Person
) -> None:
    phone = await bound(room, asha)
    actor = await phone.as_device()
    fingers = [Finger(phone) for _ in range(4)]

    done = await asyncio.gather(
        *(room.biometrics.set(actor, one.request()) for one in fingers),
        room.mpins.set(actor, b64u(phone.secret), KDF),
        return_exceptions=True,
    )

    refused = [one for one in done if isinstance(one, BaseException)]
    assert len(refused) == 4
    assert {type(one) for one in refused} == {Forbidden}


async def test_a_removed_phone_sets_no_key_and_keeps_none(
    room: Room, asha: Person
) -> None:
    finger = await a_finger(room, asha)
    on_its_way = await finger.phone.as_device()
    await room.device_changes.forget(await finger.phone.as_device())

    assert await bio_jkt(finger.phone) is None
    with pytest.raises(DeviceBlocked):
        await Finger(finger.phone).set(on_its_way)


# ------------------------------------------------------------------ young factors


async def test_a_key_that_a_passkey_approved_is_young(
    room: Room, holder: Holder
) -> None:
    room.clock.move(hours=24)
    await holder.login()
    finger = Finger(holder.phone)
    await finger.set_by(holder.answer)
    ripe = room.clock.now() + timedelta(hours=24)
    await finger.login()

    with pytest.raises(CoolingPeriod) as refused:
        await room.step_ups.require(await holder.phone.as_login(), SENSITIVE)

    assert refused.value.ends_at == ripe
    room.clock.move(hours=24)
    await finger.login()
    with pytest.raises(StepUpRequired) as required:
        await room.step_ups.require(await holder.phone.as_login(), SENSITIVE)
    assert required.value.challenge.allowed == (FactorKind.BIOMETRIC,)


async def test_a_young_factor_makes_no_ripe_one(room: Room, holder: Holder) -> None:
    room.clock.move(hours=24)
    await holder.login()
    first, second = Finger(holder.phone), Finger(holder.phone)
    await first.set_by(holder.answer)
    ripe = room.clock.now() + timedelta(hours=24)
    room.clock.move(hours=1)
    await first.login()

    await second.set_by(first.answer)
    await approve_mpin(holder.phone, second)

    with pytest.raises(CoolingPeriod) as refused:
        await room.step_ups.require(await holder.phone.as_login(), SENSITIVE)
    assert refused.value.ends_at == ripe
    (row,) = await database.read("SELECT full_from FROM mpin_secret")
    assert row.get("full_from", datetime) == ripe


async def approve_mpin(phone: Phone, finger: Finger) -> None:
    """Set an mPIN that the finger approves."""
    room, secret = phone.room, b64u(phone.secret)
    with pytest.raises(StepUpRequired) as required:
        await room.mpins.set(await phone.as_login(), secret, KDF)
    challenge = required.value.challenge
    signature, response = finger.answer(challenge)
    actor = await phone.as_login()
    await room.step_ups.answer(actor, challenge.id, signature, response)
    await room.mpins.set(await phone.as_login(), secret, KDF)


async def test_a_ripe_factor_makes_a_ripe_one(phone: Phone) -> None:
    await phone.login()
    finger = Finger(phone)

    await finger.set_by(phone.answer)

    with pytest.raises(StepUpRequired) as required:
        await phone.room.step_ups.require(await phone.as_login(), SENSITIVE)
    assert required.value.challenge.allowed == (FactorKind.BIOMETRIC, FactorKind.MPIN)


# ------------------------------------------------------------------ attestation


def chain(finger: Finger, nonce: str, kinds: int = 2) -> AndroidChain:
    """Attest the key as one that a finger opens each time it is used."""
    challenge = sha256(b"sixpence/attest/v1\x00" + unb64u(nonce))
    stated = description(challenge, hardware={USER_AUTH: integer(kinds)})
    made = GOOGLE.chain(finger.key.public_key(), stated, with_root=False)
    return AndroidChain(tuple(b64u(one) for one in der(made)))


@pytest.mark.parametrize(
    "case",
    [
        ("prefer", Platform.ANDROID, "none", True),
        ("prefer", Platform.ANDROID, "finger", True),
        ("prefer", Platform.ANDROID, "screen lock", False),
        ("prefer", Platform.ANDROID, "other key", False),
        ("prefer", Platform.ANDROID, "other nonce", False),
        ("prefer", Platform.IOS, "none", True),
        ("prefer", Platform.IOS, "app attest", False),
        ("prefer", Platform.IOS, "finger", False),
        ("require", Platform.ANDROID, "none", False),
        ("require", Platform.ANDROID, "finger", True),
        ("require", Platform.IOS, "none", True),
    ],
)
async def test_each_policy_takes_what_says_that_a_finger_is_needed(
    bank_database: Settings,
    clock: StoppedClock,
    vault: Vault,
    case: tuple[str, Platform, str, bool],
) -> None:
    policy, platform, sends, taken = case
    lenient = bank_database.model_copy(update={"attestation": "off", **OUR_APPS})
    room = await open_room(lenient, clock, vault)
    phone = await bound(room, await a_customer(room))
    await change(f"UPDATE device SET platform = '{platform.value}'")  # noqa: S608  -- own
    strict = lenient.model_copy(update={"attestation": policy})
    finger = Finger(phone)
    phone.room = await open_room(strict, clock, vault)
    nonce = room.proofs.nonce()
    statements = {
        "none": None,
        "finger": chain(finger, nonce),
        "screen lock": chain(finger, nonce, kinds=1),
        "other key": chain(Finger(phone), nonce),
        "other nonce": chain(finger, b64u(bytes(32))),
        "app attest": AppAttestation("id", "AA"),
    }

    if taken:
        await finger.set(nonce=nonce, attestation=statements[sends])
    else:
        with pytest.raises(AttestationRejected):
            await finger.set(nonce=nonce, attestation=statements[sends])

    assert (await bio_jkt(phone) == finger.jkt) is taken
    rows = await database.read(
        "SELECT seq FROM audit_entry WHERE action = 'biometric_key.failed'"
    )
    assert len(rows) == (0 if taken else 1)
