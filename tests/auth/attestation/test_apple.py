"""App Attest against a root of our own: one defect a test."""

import os
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from app.auth.actor import AttestationGrade
from app.auth.attestation import Attested, Rejected
from app.auth.attestation.apple import STATEMENT_BYTES_MAX, ApplePolicy, verify
from app.auth.keys import jwk_of
from app.clock import StoppedClock
from tests.auth.attestation.apple_maker import (
    AT,
    DEVELOPMENT,
    ED,
    TEAM_APP,
    Phone,
    Vendor,
    cose_of,
    point_of,
    sha256,
)
from tests.auth.attestation.foundry import EARLY, LATE, der, new_key
from tests.auth.room import b64u

CLOCK = StoppedClock(datetime(2026, 11, 21, 9, 30, tzinfo=UTC))
PAST = (EARLY, datetime(2025, 1, 1, tzinfo=UTC))
COMING = (datetime(2027, 1, 1, tzinfo=UTC), LATE)
HASH = bytes(range(32))
PHONE = Phone()
ROOT = PHONE.vendor.root.certificate()
MAP = cbor2.dumps({"anything": [1, {"deep": b"x"}]})


def policy(**changed: Any) -> ApplePolicy:
    whole: dict[str, Any] = {
        "apps": ("ABCDE12345.another.app", TEAM_APP),
        "development": False,
        "roots": (ROOT,),
    }
    return ApplePolicy(**(whole | changed))


def judged(statement: bytes, key_id: str | None = None, **changed: Any) -> Attested:
    name = PHONE.key_id if key_id is None else key_id
    return verify(statement, name, HASH, policy(**changed), CLOCK)


def fault(statement: bytes, key_id: str | None = None, **changed: Any) -> str:
    with pytest.raises(Rejected) as refused:
        judged(statement, key_id, **changed)
    return refused.value.fault


def bad(**wrong: Any) -> str:
    """Name the check that a statement with one defect fails."""
    return fault(PHONE.attest(HASH, **wrong))


def test_a_key_of_our_published_app_is_strong_and_kept() -> None:
    found = judged(PHONE.attest(HASH))

    assert found.level is AttestationGrade.STRONG
    assert found.summary == {
        "format": "apple-appattest",
        "app": TEAM_APP,
        "store": True,
    }
    assert found.key == jwk_of(PHONE.key.public_key())
    assert found.counter == 0


def test_the_keys_name_may_come_as_ios_writes_it_or_in_base64url() -> None:
    name = b64u(sha256(point_of(PHONE.key)))

    assert judged(PHONE.attest(HASH), name).level is AttestationGrade.STRONG
    for other in ("", name[:-1], b64u(bytes(32))):
        assert fault(PHONE.attest(HASH), other) == "KEY"


def test_a_build_that_never_saw_the_store_is_basic_where_it_is_taken_at_all() -> None:
    made = PHONE.attest(HASH, aaguid=DEVELOPMENT)

    found = judged(made, development=True)

    assert (found.level, found.summary["store"]) == (AttestationGrade.BASIC, False)
    assert fault(made) == "ENVIRONMENT"
    assert fault(PHONE.attest(HASH, aaguid=bytes(16)), development=True) == (
        "ENVIRONMENT"
    )


# ------------------------------------------------------------------ the object


BROKEN = {
    "another format": lambda whole: whole | {"fmt": "apple"},
    "no format": lambda whole: {"attStmt": whole["attStmt"]},
    "no statement": lambda whole: whole | {"attStmt": []},
    "no data": lambda whole: whole | {"authData": None},
    "data that is text": lambda whole: whole | {"authData": "x" * 200},
    "data that is cut": lambda whole: whole | {"authData": whole["authData"][:86]},
    "a list": lambda whole: [whole],
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_an_object_of_another_shape_is_refused(change: Any) -> None:
    assert bad(whole=change) == "FORMAT"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"\x81" * 4000,
        b"\x5b" + b"\xff" * 8,
        b"\xd8\x23\x61(",
        b"\xa2\x01\x01\x01\x02",
        PHONE.attest(HASH) + b"\x00",
        bytes(STATEMENT_BYTES_MAX + 1),
    ],
)
def test_bytes_that_are_not_one_cbor_map_are_refused(raw: bytes) -> None:
    assert fault(raw) == "FORMAT"


# ------------------------------------------------------------------ the chain


CHAINS = {
    "one": lambda raw: raw[:1],
    "three": lambda raw: [*raw, *der([ROOT])],
    "none": [],
    "nothing": None,
    "texts": ["x", "y"],
    "no certificate": lambda raw: [raw[0], os.urandom(200)],
}


@pytest.mark.parametrize("change", CHAINS.values(), ids=CHAINS)
def test_the_chain_is_exactly_two_certificates(change: Any) -> None:
    assert bad(x5c=change) == "CHAIN"


def test_the_chain_is_signed_and_leads_to_the_pinned_root() -> None:
    stranger = Phone(key=PHONE.key).attest(HASH)

    assert bad(x5c=lambda raw: raw[::-1]) == "SIGNATURE"
    assert fault(stranger) == "ROOT"
    assert fault(PHONE.attest(HASH), roots=()) == "ROOT"


def test_the_root_cannot_stand_in_the_intermediates_place() -> None:
    short = Vendor()
    short.middle = short.root
    root = short.root.certificate()
    phone = Phone(vendor=short)
    made = phone.attest(HASH)

    assert fault(made, phone.key_id, roots=(root,)) == "ROOT"


@pytest.mark.parametrize("dates", [PAST, COMING])
@pytest.mark.parametrize("which", ["leaf", "middle"])
def test_both_certificates_are_valid_at_the_banks_clock(which: str, dates: Any) -> None:
    phone = Phone(vendor=Vendor(dates={which: dates}))
    root = phone.vendor.root.certificate()

    assert fault(phone.attest(HASH), phone.key_id, roots=(root,)) == "DATES"


# ------------------------------------------------------------------ the nonce


NONCES = {
    "missing": None,
    "empty": b"",
    "a byte behind it": lambda good: good + b"\x00",
    "another": lambda good: good[:-1] + bytes([good[-1] ^ 1]),
    "longer": lambda good: bytes.fromhex("3026a1240422") + bytes(2) + good[6:],
    "without a length": lambda good: bytes.fromhex("3080a1220420") + good[6:],
    "a long length": lambda good: bytes.fromhex("308124a1220420") + good[6:],
    "another tag": lambda good: bytes.fromhex("3024a2220420") + good[6:],
    "bare": lambda good: good[6:],
}


@pytest.mark.parametrize("change", NONCES.values(), ids=NONCES)
def test_the_nonce_has_one_form_and_covers_data_and_hash(change: Any) -> None:
    assert bad(extension=change) == "NONCE"


def test_a_statement_over_another_hash_or_other_data_is_refused() -> None:
    other = PHONE.data(counter=1)

    assert fault(PHONE.attest(bytes(32))) == "NONCE"
    assert bad(whole=lambda whole: whole | {"authData": other}) == "NONCE"


# ------------------------------------------------------------------ the key


def test_certificate_name_credential_and_cose_key_are_one() -> None:
    other = new_key()

    assert bad(certified=other) == "KEY"
    assert bad(credential_id=sha256(point_of(other))) == "KEY"
    assert bad(credential_id=bytes(31)) == "KEY"
    assert bad(length=33) == "KEY"
    assert bad(cose=cose_of(other)) == "KEY"
    assert bad(cose=b"") == "KEY"
    assert bad(certified=new_key(ec.SECP384R1())) == "KEY"


def test_the_app_is_one_of_ours() -> None:
    assert bad(app="ABCDE12345.bank.sixpence.other") == "APP"
    assert fault(PHONE.attest(HASH), apps=()) == "APP"


def test_a_key_was_never_used_before() -> None:
    assert bad(counter=1) == "COUNTER"
    assert bad(counter=2**32 - 1) == "COUNTER"


def test_the_data_says_that_it_holds_a_key() -> None:
    assert bad(flags=0) == "FORMAT"


# ------------------------------------------------------------------ the tail


@pytest.mark.parametrize("flags", [AT, AT | ED])
@pytest.mark.parametrize("tail", [MAP, b"\xa0"])
def test_newer_phones_append_one_map_whatever_their_flags_say(
    tail: bytes, flags: int
) -> None:
    found = judged(PHONE.attest(HASH, tail=tail, flags=flags))

    assert found.level is AttestationGrade.STRONG


@pytest.mark.parametrize(
    "tail", [MAP + MAP, MAP + b"\x00", b"\x00", b"\x80", b"\xa1", b"\xff", b"\xa1\x01"]
)
def test_anything_but_one_map_behind_the_key_is_refused(tail: bytes) -> None:
    assert bad(tail=tail) == "FORMAT"


def test_a_promised_map_must_be_there() -> None:
    assert bad(flags=AT | ED) == "FORMAT"


# ------------------------------------------------------------------ any bytes


GOOD = PHONE.attest(HASH)


def signed_parts(raw: bytes) -> list[object]:
    whole = cbor2.loads(raw)
    chain = map(x509.load_der_x509_certificate, whole["attStmt"]["x5c"])
    return [
        whole["authData"],
        *((one.tbs_certificate_bytes, one.signature) for one in chain),
    ]


@given(st.data())
def test_a_changed_byte_is_refused_or_changes_nothing_that_counts(
    data: st.DataObject,
) -> None:
    raw = bytearray(GOOD)
    spot = data.draw(st.integers(0, len(raw) - 1))
    raw[spot] ^= data.draw(st.integers(1, 255))

    try:
        judged(bytes(raw))
    except Rejected:
        return
    assert signed_parts(bytes(raw)) == signed_parts(GOOD)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_as_ours(raw: bytes) -> None:
    with pytest.raises(Rejected):
        judged(raw)
