"""What an Android key store says of a key, against a policy: one defect a test."""

import pytest

from app.auth.actor import AttestationGrade
from app.auth.attestation import key_description
from app.auth.attestation.android import Wanted
from app.auth.keys import jwk_of
from tests.auth.attestation.android_case import (
    CHALLENGE,
    KEY,
    PERSON,
    STORE,
    WANTED,
    chain,
    fault,
    judged,
    stated,
)
from tests.auth.attestation.der_maker import (
    boolean,
    integer,
    null,
    octets,
    sequence,
    set_of,
    tagged,
)
from tests.auth.attestation.foundry import (
    ALGORITHM,
    ALL_APPS,
    APP,
    AUTH_TIMEOUT,
    CURVE,
    EXTENSION,
    KEY_SIZE,
    NO_AUTH,
    ORIGIN,
    PATCH,
    PURPOSE,
    ROOT_OF_TRUST,
    USER_AUTH,
    Issuer,
    calling_app,
    description,
    new_key,
    root_of_trust,
)

# ------------------------------------------------------------------ the extension


def test_the_extension_stands_in_the_leaf() -> None:
    made = STORE.chain(KEY.public_key(), None)

    assert fault(judged, made) == "EXTENSION"


def test_an_attested_key_cannot_certify_a_leaf_of_its_own() -> None:
    victim = Issuer("Key", KEY)
    fake = new_key()
    stated_by_itself = {EXTENSION: description(CHALLENGE)}
    leaf = victim.issue("Fake", fake.public_key(), stated_by_itself)
    wanted = Wanted(challenge=CHALLENGE, key=jwk_of(fake.public_key()))

    assert fault(judged, [leaf, *chain()], wanted) == "EXTENSION"
    bare = victim.issue("Fake", fake.public_key())
    assert fault(judged, [bare, *chain()], wanted) == "EXTENSION"
    assert fault(judged, chain(above={EXTENSION: b""})) == "EXTENSION"


BAD = description(CHALLENGE)
NOT_DER = {
    "nothing": b"",
    "bytes behind the end": BAD + b"\x00",
    "a ninth member": description(CHALLENGE, more=integer(1)),
    "an indefinite length": b"\x30\x80" + BAD[4:] + b"\x00\x00",
    "no list": integer(1),
    "an unknown level": description(CHALLENGE, levels=(1, 3)),
    "a level that is a plain number": BAD.replace(b"\x0a\x01\x01", b"\x02\x01\x01", 1),
    "cut": BAD[:-1],
    "a tag twice": sequence(
        *(integer(4), b"\x0a\x01\x01", integer(4), b"\x0a\x01\x01"),
        *(octets(CHALLENGE), octets(b""), sequence()),
        sequence(tagged(ORIGIN, integer(2)), tagged(ORIGIN, integer(0))),
    ),
}


@pytest.mark.parametrize("raw", NOT_DER.values(), ids=NOT_DER)
def test_an_extension_that_is_not_strict_der_of_the_schema_is_refused(
    raw: bytes,
) -> None:
    assert fault(judged, chain(raw)) == "EXTENSION"


def test_both_lists_may_be_empty_and_then_prove_nothing() -> None:
    whole = sequence(
        *(integer(4), b"\x0a\x01\x01", integer(4), b"\x0a\x01\x01"),
        *(octets(CHALLENGE), octets(b""), sequence(), sequence()),
    )

    found = key_description.read(whole)

    assert (found.software, found.hardware) == ({}, {})
    assert fault(judged, chain(whole)) == "ORIGIN"


@pytest.mark.parametrize("value", [1, 2, 0x7F, 0x80, 0xFE])
def test_a_broken_boolean_is_never_a_locked_phone(value: int) -> None:
    broken = root_of_trust(locked=bytes([value]))

    assert fault(stated, hardware={ROOT_OF_TRUST: broken}) == "EXTENSION"


@pytest.mark.parametrize(
    ("tag", "inner"),
    [
        (ORIGIN, octets(b"\x00")),
        (PURPOSE, integer(2)),
        (PURPOSE, set_of(octets(b"\x02"))),
        (ROOT_OF_TRUST, sequence(octets(b""), boolean())),
        (ROOT_OF_TRUST, integer(0)),
        (PATCH, octets(b"202609")),
        (ALGORITHM, set_of(integer(3))),
    ],
)
def test_an_authorisation_of_another_type_is_refused(tag: int, inner: bytes) -> None:
    assert fault(stated, hardware={tag: inner}) == "EXTENSION"


@pytest.mark.parametrize(
    "inner",
    [
        integer(1),
        octets(b"\x30"),
        octets(sequence(set_of())),
        octets(sequence(set_of(sequence(octets(b"a"))), set_of())),
        octets(sequence(set_of(sequence(octets(b"\xff"), integer(1))), set_of())),
        octets(sequence(set_of(sequence(octets(b"a"), octets(b""))), set_of())),
    ],
)
def test_an_application_of_another_shape_is_refused(inner: bytes) -> None:
    assert fault(stated, software={APP: inner}) == "EXTENSION"


# ------------------------------------------------------------------ the policy


def test_the_challenge_is_ours() -> None:
    assert fault(judged, chain(description(bytes(32)))) == "CHALLENGE"
    assert fault(judged, chain(description(CHALLENGE[:31]))) == "CHALLENGE"
    assert fault(judged, chain(description(b""))) == "CHALLENGE"


def test_the_certified_key_is_the_one_being_registered() -> None:
    other = Wanted(challenge=CHALLENGE, key=jwk_of(new_key().public_key()))

    assert fault(judged, chain(), other) == "KEY"


@pytest.mark.parametrize("origin", [1, 2, 3, 4])
def test_a_key_is_made_in_the_hardware(origin: int) -> None:
    assert fault(stated, hardware={ORIGIN: integer(origin)}) == "ORIGIN"


def test_a_claim_of_the_software_list_is_no_claim_of_the_hardware() -> None:
    moved = {ORIGIN: integer(0)}

    assert fault(stated, hardware={ORIGIN: None}, software=moved) == "ORIGIN"


@pytest.mark.parametrize(
    "purposes", [(), (3,), (2, 7), (2, 5), (2, 6), (2, 4), (2, 0), (2, 1), (2, 8)]
)
def test_a_key_signs_and_does_nothing_else(purposes: tuple[int, ...]) -> None:
    some = set_of(*map(integer, purposes))

    assert fault(stated, hardware={PURPOSE: some}) == "PURPOSE"
    assert fault(stated, hardware={PURPOSE: None}) == "PURPOSE"


@pytest.mark.parametrize(
    "facts",
    [
        {ALGORITHM: integer(1)},
        {ALGORITHM: None},
        {CURVE: integer(2)},
        {KEY_SIZE: integer(384)},
        {CURVE: None, KEY_SIZE: None},
    ],
)
def test_a_key_is_one_on_p_256(facts: dict[int, bytes | None]) -> None:
    assert fault(stated, hardware=facts) == "KEY"


def test_a_key_every_app_may_use_is_refused_wherever_it_says_so() -> None:
    assert fault(stated, hardware={ALL_APPS: null()}) == "SHARED"
    assert fault(stated, software={ALL_APPS: null()}) == "SHARED"


@pytest.mark.parametrize(
    "boot",
    [None, root_of_trust(locked=b"\x00"), *(root_of_trust(state=n) for n in (1, 2, 3))],
)
def test_a_phone_starts_locked_and_verified(boot: bytes | None) -> None:
    assert fault(stated, hardware={ROOT_OF_TRUST: boot}) == "BOOT"


def test_a_software_store_that_admits_an_unlocked_boot_is_refused_too() -> None:
    unlocked = {ROOT_OF_TRUST: root_of_trust(locked=b"\x00")}
    silent: dict[int, bytes | None] = {ROOT_OF_TRUST: None}

    assert fault(stated, levels=(0, 0), hardware=unlocked) == "BOOT"
    assert stated(levels=(0, 0), hardware=silent).level is AttestationGrade.BASIC


def test_a_patch_older_than_the_floor_is_refused() -> None:
    silent = chain(description(CHALLENGE, hardware={PATCH: None}))

    assert judged(chain(), patch_floor=202609).level is AttestationGrade.STRONG
    assert fault(judged, chain(), patch_floor=202610) == "PATCH"
    assert fault(judged, silent, patch_floor=202001) == "PATCH"


@pytest.mark.parametrize(
    "app",
    [
        None,
        calling_app(package="bank.sixpence.app2"),
        calling_app(digest=bytes(32)),
        octets(sequence(set_of(), set_of())),
    ],
)
def test_only_our_app_under_our_certificate_counts(app: bytes | None) -> None:
    assert fault(stated, software={APP: app}) == "APP"


def test_a_bank_without_an_app_takes_nobodys() -> None:
    assert fault(judged, chain(), apps=frozenset()) == "APP"


def test_the_hardware_list_cannot_name_the_app() -> None:
    facts = {APP: calling_app()}

    assert fault(stated, hardware=facts, software={APP: None}) == "APP"


@pytest.mark.parametrize("kinds", [2, 3, 0xFFFFFFFF])
def test_a_biometric_key_asks_for_the_person_each_time(kinds: int) -> None:
    found = stated(PERSON, hardware={USER_AUTH: integer(kinds)})

    assert found.level is AttestationGrade.STRONG


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {USER_AUTH: integer(1)},
        {USER_AUTH: integer(2), NO_AUTH: null()},
        {USER_AUTH: integer(2), AUTH_TIMEOUT: integer(30)},
    ],
)
def test_a_key_without_the_person_is_no_biometric_key(
    facts: dict[int, bytes | None],
) -> None:
    assert fault(stated, PERSON, hardware=facts) == "PERSON"
    assert stated(WANTED, hardware=facts).level is AttestationGrade.STRONG
