"""Android Key Attestation against a root of our own: the chain, one defect a test."""

import os
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from app.auth.actor import AttestationGrade
from app.auth.attestation import Rejected, key_description
from app.auth.attestation.android import verify
from app.clock import StoppedClock
from tests.auth.attestation.android_case import (
    CHALLENGE,
    CLOCK,
    COMING,
    KEY,
    PAST,
    ROOT,
    STORE,
    WANTED,
    chain,
    fault,
    judged,
    policy,
    stated,
)
from tests.auth.attestation.der_maker import (
    boolean,
    integer,
    octets,
    sequence,
    set_of,
)
from tests.auth.attestation.foundry import (
    ALGORITHM,
    CURVE,
    KEY_SIZE,
    ORIGIN,
    PACKAGE,
    PATCH,
    PURPOSE,
    ROOT_OF_TRUST,
    Issuer,
    KeyStore,
    der,
    description,
)

# ------------------------------------------------------------------ good ones


def test_a_key_of_a_locked_phone_is_strong() -> None:
    found = judged(chain())

    assert found.level is AttestationGrade.STRONG
    assert found.summary == {
        "format": "android-key",
        "store": "TEE",
        "app": PACKAGE,
        "patch": 202609,
        "in_time": True,
    }
    assert (found.key, found.counter) == (None, None)


def test_a_chain_without_its_root_is_as_good() -> None:
    assert judged(chain(with_root=False)).level is AttestationGrade.STRONG


def test_the_newer_root_counts_beside_the_older() -> None:
    other = Issuer("Other").certificate()

    assert judged(chain(), roots=(other, ROOT)).level is AttestationGrade.STRONG


@pytest.mark.parametrize(
    ("levels", "store", "level"),
    [
        ((2, 2), "STRONGBOX", AttestationGrade.STRONG),
        ((1, 2), "TEE", AttestationGrade.STRONG),
        ((2, 1), "TEE", AttestationGrade.STRONG),
        ((0, 1), "SOFTWARE", AttestationGrade.BASIC),
        ((2, 0), "SOFTWARE", AttestationGrade.BASIC),
        ((0, 0), "SOFTWARE", AttestationGrade.BASIC),
    ],
)
def test_a_key_is_as_good_as_the_weaker_of_the_two_levels(
    levels: tuple[int, int], store: str, level: AttestationGrade
) -> None:
    found = stated(levels=levels)

    assert (found.level, found.summary["store"]) == (level, store)


def test_a_software_store_says_what_it_knows_in_its_own_list() -> None:
    facts = {
        PURPOSE: set_of(integer(2)),
        ALGORITHM: integer(3),
        CURVE: integer(1),
        ORIGIN: integer(0),
    }
    empty = dict.fromkeys(
        (PURPOSE, ALGORITHM, KEY_SIZE, CURVE, ORIGIN, ROOT_OF_TRUST, PATCH)
    )

    found = stated(levels=(0, 0), software=facts, hardware=empty)

    assert found.level is AttestationGrade.BASIC
    assert found.summary["patch"] == 0
    assert fault(stated, levels=(1, 1), software=facts, hardware=empty) == "ORIGIN"


def test_a_key_that_also_verifies_is_taken() -> None:
    both = set_of(integer(2), integer(3))

    assert stated(hardware={PURPOSE: both}).level is AttestationGrade.STRONG


@pytest.mark.parametrize("left_out", [CURVE, KEY_SIZE])
def test_an_older_key_store_names_only_size_or_curve(left_out: int) -> None:
    assert stated(hardware={left_out: None}).level is AttestationGrade.STRONG


def test_an_older_key_store_knows_no_boot_hash() -> None:
    short = sequence(octets(b"key"), boolean(), b"\x0a\x01\x00")

    assert stated(hardware={ROOT_OF_TRUST: short}).level is AttestationGrade.STRONG


def test_a_patch_level_with_a_day_counts_as_its_month() -> None:
    made = chain(description(CHALLENGE, hardware={PATCH: integer(20260905)}))

    assert judged(made, patch_floor=202609).summary["patch"] == 202609


# ------------------------------------------------------------------ the chain


@pytest.mark.parametrize("size", [0, 1, 9])
def test_a_chain_has_two_to_eight_certificates(size: int) -> None:
    made = [*chain(), *[ROOT] * 6][:size]

    assert fault(judged, made) == "CHAIN"


def test_a_chain_of_eight_is_still_read() -> None:
    made = [*chain(), *[ROOT] * 5]

    assert len(made) == 8
    assert judged(made).level is AttestationGrade.STRONG


def test_a_chain_has_at_most_32_kilobytes() -> None:
    raw = der(chain())

    assert fault(verify, [*raw, bytes(32_768)], WANTED, policy(), CLOCK) == "CHAIN"


@pytest.mark.parametrize("at", [0, 1, 2])
def test_what_is_no_certificate_is_refused(at: int) -> None:
    raw = der(chain())
    raw[at] = os.urandom(300)

    assert fault(verify, raw, WANTED, policy(), CLOCK) == "CHAIN"


def test_each_certificate_is_signed_by_the_next() -> None:
    leaf, middle, root = chain()
    same_name = Issuer(STORE.store.name).issue("Key", KEY.public_key())
    other_root = Issuer(STORE.root.name).certificate()

    assert fault(judged, [same_name, middle, root]) == "SIGNATURE"
    assert fault(judged, [leaf, middle, other_root]) == "SIGNATURE"
    assert fault(judged, [leaf, root]) == "SIGNATURE"
    assert fault(judged, [middle, leaf, root]) == "SIGNATURE"


def test_a_chain_leads_to_a_pinned_key() -> None:
    stranger = KeyStore()
    made = stranger.chain(KEY.public_key(), description(CHALLENGE))

    assert fault(judged, made) == "ROOT"
    assert fault(judged, made[:2]) == "ROOT"
    assert fault(judged, chain(), roots=()) == "ROOT"


def test_a_root_is_pinned_by_its_key_and_not_by_its_name() -> None:
    reissued = Issuer(STORE.root.name, STORE.root.key).certificate(PAST)
    namesake = Issuer(STORE.root.name).certificate()

    assert judged(chain(), roots=(reissued,)).level is AttestationGrade.STRONG
    assert fault(judged, chain(), roots=(namesake,)) == "ROOT"
    assert fault(judged, chain(with_root=False), roots=(namesake,)) == "ROOT"


@pytest.mark.parametrize("dates", [PAST, COMING])
@pytest.mark.parametrize("which", ["leaf", "store"])
def test_a_chain_that_fails_only_by_date_is_basic(which: str, dates: Any) -> None:
    for with_root in (True, False):
        found = judged(chain(dates={which: dates}, with_root=with_root))

        assert found.level is AttestationGrade.BASIC
        assert found.summary["in_time"] is False


def test_the_dates_of_the_root_itself_are_not_looked_at() -> None:
    assert judged(chain(dates={"root": PAST})).level is AttestationGrade.STRONG


def test_short_lived_certificates_follow_the_banks_clock() -> None:
    day = (datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC))
    made = der(chain(dates={"store": day}))
    later = StoppedClock(datetime(2026, 11, 23, tzinfo=UTC))

    on_the_day = verify(made, WANTED, policy(), CLOCK)
    afterwards = verify(made, WANTED, policy(), later)

    assert on_the_day.level is AttestationGrade.STRONG
    assert afterwards.level is AttestationGrade.BASIC


def test_a_revoked_serial_anywhere_in_the_chain_is_refused() -> None:
    made = chain()

    for one in made:
        revoked = frozenset({one.serial_number})
        assert fault(judged, made, revoked=revoked) == "REVOKED"
    assert judged(made, revoked=frozenset({1})).level is AttestationGrade.STRONG


# ------------------------------------------------------------------ any bytes


@given(st.data())
def test_a_changed_extension_is_judged_or_refused_as_ours(data: st.DataObject) -> None:
    raw = bytearray(description(CHALLENGE))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))

    try:
        found = key_description.read(bytes(raw))
        key_description.root_of_trust(found.facts)
        key_description.calling_app(found.software)
        for tag in key_description.Tag:
            key_description.number(found.facts, tag)
    except Rejected as refused:
        assert refused.fault == "EXTENSION"  # noqa: PT017  -- either way is right


GOOD = der(chain())


def signed_parts(raw: list[bytes]) -> list[tuple[bytes, bytes]]:
    found = [x509.load_der_x509_certificate(one) for one in raw]
    return [(one.tbs_certificate_bytes, one.signature) for one in found]


@given(st.data())
def test_a_chain_with_a_changed_byte_is_never_taken(data: st.DataObject) -> None:
    raw = list(GOOD[:2])
    at = data.draw(st.integers(0, 1))
    spot = data.draw(st.integers(0, len(raw[at]) - 1))
    flipped = bytearray(raw[at])
    flipped[spot] ^= data.draw(st.integers(1, 255))
    raw[at] = bytes(flipped)

    try:
        verify(raw, WANTED, policy(), CLOCK)
    except Rejected:
        return
    # One byte is not signed: how many bits of the signature's last byte are idle.
    assert signed_parts(raw) == signed_parts(GOOD[:2])
