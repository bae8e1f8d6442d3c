"""What a phone's statement is worth when it is bound, under each of three policies."""

import subprocess
import sys
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest

from app import audit, database
from app.auth.actor import AttestationGrade, DeviceState, Platform
from app.auth.attestation import (
    AndroidChain,
    AppAttestation,
    Evidence,
    Fault,
    Rejected,
    android,
)
from app.auth.attestation.grading import Attestations
from app.auth.device import Device
from app.auth.errors import AttestationRejected
from app.rows import Row
from tests.auth.attestation.apple_maker import DEVELOPMENT, TEAM_APP
from tests.auth.attestation.foundry import PACKAGE
from tests.auth.attestation.vendors import OUR_APPS, android_chain, app_attestation
from tests.auth.room import Person, Phone, Room
from tests.auth.test_enrolment import bound, tries_of
from tests.auth.wiring import open_room
from tests.conftest import NOON

SOFTWARE = {"levels": (0, 0)}
POLICIES = ("off", "prefer", "require")


async def under(room: Room, policy: str, **changed: Any) -> Room:
    """Open the same bank under another policy."""
    chosen = OUR_APPS | {"attestation": policy} | changed
    settings = room.settings.model_copy(update=chosen)
    return await open_room(settings, room.clock, room.vault)


async def bind(phone: Phone, nonce: bytes, evidence: Evidence | None) -> Device:
    request = phone.bind_request(nonce, attestation=evidence)
    return await phone.room.devices.bind(await phone.as_device(), request)


async def refused(phone: Phone, nonce: bytes, evidence: Evidence | None) -> str:
    """Bind in vain; gives the check that failed."""
    with pytest.raises(AttestationRejected) as no:
        await bind(phone, nonce, evidence)
    assert no.value.message == "This phone could not be verified."
    why: str = (await lines("device.attestation_rejected"))[-1].get("detail", dict)[
        "why"
    ]
    return why


async def kept(device: Device) -> Row:
    row = await database.read_one(
        "SELECT attestation, attestation_summary, attestation_until, attest_key, "
        "attest_counter FROM device WHERE id = $1",
        device.id,
    )
    assert row is not None
    return row


async def lines(action: str) -> list[Row]:
    return await database.read(
        "SELECT chain, outcome, code, detail, object FROM audit_entry "
        "WHERE action = $1 ORDER BY seq",
        action,
    )


# ------------------------------------------------------------------ the three policies


@pytest.mark.parametrize(
    ("policy", "days"), [("off", None), ("prefer", 30)], ids=("off", "prefer")
)
async def test_a_phone_without_a_statement_is_none(
    room: Room, asha: Person, policy: str, days: int | None
) -> None:
    phone = Phone(await under(room, policy))

    device = await bind(phone, await phone.prove(asha), None)

    row = await kept(device)
    assert device.attestation is AttestationGrade.NONE
    assert row.find("attestation_summary", str) is None
    until = None if days is None else NOON + timedelta(days=days)
    assert row.find("attestation_until", datetime) == until
    assert row.find("attest_key", str) is None
    assert row.find("attest_counter", int) is None


@pytest.mark.parametrize(
    ("policy", "days"), [("off", None), ("prefer", 90), ("require", 90)], ids=POLICIES
)
async def test_a_strong_phone_is_bound_under_every_policy(
    room: Room, asha: Person, policy: str, days: int | None
) -> None:
    phone = Phone(await under(room, policy))
    nonce = await phone.prove(asha)

    device = await bind(phone, nonce, android_chain(phone, nonce))

    row = await kept(device)
    assert device.attestation is AttestationGrade.STRONG
    assert row.get("attestation", AttestationGrade) is AttestationGrade.STRONG
    assert row.get("attestation_summary", dict) == {
        "app": PACKAGE,
        "format": "android-key",
        "in_time": True,
        "patch": 202609,
        "store": "TEE",
    }
    until = None if days is None else NOON + timedelta(days=days)
    assert row.find("attestation_until", datetime) == until
    (line,) = await lines("device.bound")
    assert line.get("detail", dict) == {
        "attestation": "STRONG",
        "platform": "ANDROID",
        **row.get("attestation_summary", dict),
    }


@pytest.mark.parametrize(
    ("policy", "days"), [("off", None), ("prefer", 30)], ids=("off", "prefer")
)
async def test_a_software_key_is_basic_where_basic_is_taken(
    room: Room, asha: Person, policy: str, days: int | None
) -> None:
    phone = Phone(await under(room, policy))
    nonce = await phone.prove(asha)

    device = await bind(phone, nonce, android_chain(phone, nonce, **SOFTWARE))

    assert device.attestation is AttestationGrade.BASIC
    until = None if days is None else NOON + timedelta(days=days)
    assert (await kept(device)).find("attestation_until", datetime) == until


async def test_require_takes_strong_only(room: Room, asha: Person) -> None:
    phone = Phone(await under(room, "require"))
    nonce = await phone.prove(asha)

    assert await refused(phone, nonce, None) == "ABSENT"
    weak = android_chain(phone, nonce, **SOFTWARE)
    assert await refused(phone, nonce, weak) == "WEAK"

    assert await bound() == 0
    assert await tries_of(asha) == 0


@pytest.mark.parametrize("policy", POLICIES)
async def test_supplied_and_invalid_is_refused_under_every_policy(
    room: Room, asha: Person, policy: str
) -> None:
    phone = Phone(await under(room, policy))
    nonce = await phone.prove(asha)
    other = android_chain(phone, bytes(32))

    assert await refused(phone, nonce, other) == "CHALLENGE"
    assert await refused(phone, nonce, AndroidChain(())) == "CHAIN"
    assert await refused(phone, nonce, AndroidChain(("?", "?"))) == "FORMAT"
    assert await refused(phone, nonce, AndroidChain(("A" * 65_537,))) == "FORMAT"

    assert await bound() == 0
    device = await bind(phone, nonce, android_chain(phone, nonce))
    assert device.state is DeviceState.COOLING


async def test_a_refusal_leaves_a_line_in_the_customers_audit(
    room: Room, asha: Person
) -> None:
    phone = Phone(await under(room, "prefer"))
    nonce = await phone.prove(asha)

    await refused(phone, nonce, android_chain(phone, nonce, software={709: None}))

    (line,) = await lines("device.attestation_rejected")
    assert line.get("chain", str) == str(asha.id)
    assert line.get("outcome", audit.Outcome) is audit.Outcome.DENIED
    assert line.get("code", str) == "ATTESTATION_REJECTED"
    assert line.get("detail", dict) == {"platform": "ANDROID", "why": "APP"}
    assert line.find("object", str) is None
    assert await lines("device.bound") == []
    assert await database.read("SELECT id FROM enrolment WHERE state = 'DONE'") == []


# ------------------------------------------------------------------ iOS


async def test_an_iphones_attested_key_is_kept_beside_the_device_key(
    room: Room, asha: Person
) -> None:
    phone = Phone(await under(room, "require"), platform=Platform.IOS)
    nonce = await phone.prove(asha)
    evidence, iphone = app_attestation(phone, nonce)

    device = await bind(phone, nonce, evidence)

    row = await kept(device)
    assert device.attestation is AttestationGrade.STRONG
    numbers = iphone.key.public_key().public_numbers()
    other = Phone(phone.room, key=iphone.key)
    assert row.get("attest_key", dict) == other.jwk
    assert numbers.x != phone.key.public_key().public_numbers().x
    assert row.get("attest_counter", int) == 0
    assert row.get("attestation_summary", dict) == {
        "app": TEAM_APP,
        "format": "apple-appattest",
        "store": True,
    }


async def test_an_app_attestation_vouches_for_one_device_key(
    room: Room, asha: Person
) -> None:
    phone = Phone(await under(room, "prefer"), platform=Platform.IOS)
    nonce = await phone.prove(asha)
    thiefs, _ = app_attestation(Phone(phone.room), nonce)

    assert await refused(phone, nonce, thiefs) == "NONCE"
    assert await bound() == 0


async def test_an_unpublished_build_is_basic_where_the_setting_says_so(
    room: Room, asha: Person
) -> None:
    strict = await under(room, "prefer")
    phone = Phone(strict, platform=Platform.IOS)
    nonce = await phone.prove(asha)
    evidence, _ = app_attestation(phone, nonce, aaguid=DEVELOPMENT)

    assert await refused(phone, nonce, evidence) == "ENVIRONMENT"
    phone.room = await under(room, "require", app_attest_development=True)
    assert await refused(phone, nonce, evidence) == "WEAK"
    phone.room = await under(room, "prefer", app_attest_development=True)
    device = await bind(phone, nonce, evidence)

    assert device.attestation is AttestationGrade.BASIC


@pytest.mark.parametrize("platform", Platform)
async def test_a_statement_is_of_the_platform_that_enrolled(
    room: Room, asha: Person, platform: Platform
) -> None:
    phone = Phone(await under(room, "prefer"), platform=platform)
    nonce = await phone.prove(asha)
    offered: list[Evidence] = []
    if platform is not Platform.ANDROID:
        offered.append(android_chain(phone, nonce))
    if platform is not Platform.IOS:
        offered.append(app_attestation(phone, nonce)[0])

    for evidence in offered:
        assert await refused(phone, nonce, evidence) == "PLATFORM"

    assert await bound() == 0


# ------------------------------------------------------------------ how


async def test_statements_are_judged_beside_the_event_loop(
    room: Room, asha: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = Phone(await under(room, "prefer"))
    nonce = await phone.prove(asha)
    seen: list[threading.Thread] = []
    verify = android.verify

    def watched(*args: Any) -> Any:
        seen.append(threading.current_thread())
        return verify(*args)

    monkeypatch.setattr(android, "verify", watched)
    await bind(phone, nonce, android_chain(phone, nonce))

    assert seen
    assert seen[0] is not threading.main_thread()


async def test_a_repeated_binding_is_answered_without_another_judgement(
    room: Room, asha: Person
) -> None:
    phone = Phone(await under(room, "require"))
    nonce = await phone.prove(asha)

    first = await bind(phone, nonce, android_chain(phone, nonce))
    second = await bind(phone, nonce, None)

    assert second.id == first.id
    assert second.attestation is AttestationGrade.STRONG
    assert await bound() == 1


async def test_the_vendors_own_roots_are_trusted_unless_a_test_says_otherwise(
    room: Room, asha: Person
) -> None:
    strict = await under(room, "prefer")
    phone = Phone(strict)
    nonce = await phone.prove(asha)
    key = phone.bind_request(nonce).jwk
    bank = Attestations(clock=strict.clock, settings=strict.settings)

    for platform, evidence in (
        (Platform.ANDROID, android_chain(phone, nonce)),
        (Platform.IOS, app_attestation(phone, nonce)[0]),
    ):
        with pytest.raises(Rejected) as no:
            await bank.judge(platform, evidence, nonce, key)
        assert no.value.fault is Fault.ROOT


def test_a_bank_starts_without_what_reads_certificates() -> None:
    asked = (
        "import sys, app.bank; lazy = {'cryptography.x509', 'cbor2'}; "
        "print(sorted(lazy & sys.modules.keys()))"
    )

    answer = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, check=True, text=True
    )

    assert answer.stdout.strip() == "[]"


def test_no_secret_of_a_statement_is_shown() -> None:
    shown = repr((AndroidChain(("secret",)), AppAttestation("id", "secret")))

    assert "secret" not in shown
