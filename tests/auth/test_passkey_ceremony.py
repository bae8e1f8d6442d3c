"""The wrapper around the library: one case per row of its table (auth.md 4)."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from app.auth import passkey_ceremony as ceremony
from app.auth.errors import InvalidCredential, PasskeyRejected
from app.auth.passkey_ceremony import Asserted, KnownKey, Registered, RelyingParty
from app.settings import load
from tests.auth.authenticator import (
    AT,
    BE,
    BS,
    EDDSA,
    ES256,
    ORIGIN,
    RP_ID,
    RS256,
    UP,
    UV,
    Authenticator,
    cose,
    made,
)
from tests.auth.room import b64u

PARTY = RelyingParty.of(load(env="test"))
CHALLENGE = bytes(range(32))
HANDLE = bytes(range(32, 64))
CREATION = ceremony.creation_options(PARTY, CHALLENGE, (HANDLE, "Asha Rao"), [])
REQUEST = {"challenge": b64u(CHALLENGE)}
P384 = {1: 2, 3: -35, -1: 2, -2: bytes(48), -3: bytes(48)}
OFF_CURVE = {1: 2, 3: ES256, -1: 1, -2: b"\x01" * 32, -3: b"\x02" * 32}
SMALL_RSA = {1: 3, 3: -257, -1: b"\xff" * 128, -2: b"\x01\x00\x01"}
DEEP = b"\x81" * 12_000 + b"\x00"

# Each stands for one thing wrong; the rest of the answer is right.
ANY_CEREMONY: dict[str, dict[str, Any]] = {
    "another origin": {"client": {"origin": "https://bank.example"}},
    "a longer origin": {"client": {"origin": ORIGIN + ".evil.example"}},
    "an origin with a path": {"client": {"origin": ORIGIN + "/"}},
    "a list of origins": {"client": {"origin": [ORIGIN]}},
    "another domain": {"rp_id": "evil.example"},
    "no user verification": {"flags": UP},
    "no user presence": {"flags": UV},
    "a frame of another site": {"client": {"crossOrigin": True}},
    "a frame said with a word": {"client": {"crossOrigin": "no"}},
    "a top origin": {"client": {"topOrigin": ORIGIN}},
    "an empty top origin": {"client": {"topOrigin": None}},
    "backed up though it cannot be": {"flags": UP | UV | BS},
    "another challenge": {"client": {"challenge": b64u(bytes(32))}},
    "a padded challenge": {"client": {"challenge": b64u(CHALLENGE) + "="}},
    "client data that is no JSON": {"client_data": b"{"},
    "client data that is no object": {"client_data": b"[]"},
    "client data that is no UTF-8": {"client_data": b'{"type":"\xff"}'},
    "a member twice": {
        "client_data": json.dumps(
            {"type": "webauthn.get", "challenge": REQUEST["challenge"]}
        ).encode()[:-1]
        + f', "origin": "https://a.example", "origin": "{ORIGIN}"}}'.encode()
    },
    "bytes after the end": {"tail": b"\x00"},
    "another type": {"credential": {"type": "password"}},
    "two names": {"credential": {"rawId": b64u(b"other")}},
    "no name": {"credential": {"id": "", "rawId": ""}},
    "a name of 1,024 bytes": {"credential_id": bytes(1024)},
    "a padded name": {"credential": {"id": "AA==", "rawId": "AA=="}},
    "no response": {"credential": {"response": None}},
    "a response of another type": {"credential": {"response": "text"}},
    "more than 16 KB": {"credential": {"extra": "x" * 16_384}},
    "not JSON": {"credential": {"extra": {1, 2}}},
    "half a letter": {"credential": {"extra": "\ud800"}},
}


def registered(authenticator: Authenticator, **wrong: Any) -> Registered:
    given = authenticator.create(CREATION, **wrong)
    return ceremony.finish_registration(PARTY, given, CHALLENGE)


def known(authenticator: Authenticator) -> KnownKey:
    return KnownKey(
        credential_id=authenticator.credential_id,
        cose_key=cbor2.dumps(cose(authenticator.key)),
        be=bool(authenticator.flags & BE),
        handle=HANDLE,
    )


def asserted(authenticator: Authenticator, **wrong: Any) -> Asserted:
    given = authenticator.get(REQUEST, **wrong)
    key = known(authenticator)
    return ceremony.check_assertion(PARTY, given, CHALLENGE, key)


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_each_algorithm_registers_and_signs(algorithm: int) -> None:
    authenticator = Authenticator(algorithm=algorithm, flags=UP | UV | BE | BS, count=4)

    new = registered(authenticator)
    proven = asserted(authenticator)

    assert new.credential_id == authenticator.credential_id
    assert cbor2.loads(new.cose_key) == cose(authenticator.key)
    assert (new.be, new.bs, new.sign_count) == (True, True, 4)
    assert new.transports == ("hybrid", "internal")
    assert (proven.sign_count, proven.bs) == (5, True)


def test_the_options_ask_for_what_we_demand() -> None:
    assert CREATION["rp"] == {"id": "localhost", "name": "Sixpence"}
    assert CREATION["user"] == {
        "id": b64u(HANDLE),
        "name": "Asha Rao",
        "displayName": "Asha Rao",
    }
    assert CREATION["challenge"] == b64u(CHALLENGE)
    assert CREATION["pubKeyCredParams"] == [
        {"type": "public-key", "alg": alg} for alg in (-7, -8, -257)
    ]
    assert CREATION["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert CREATION["attestation"] == "none"
    assert CREATION["timeout"] == 300_000


def test_the_origins_of_the_settings_are_the_only_ones() -> None:
    chosen = load(
        env="test",
        webauthn_rp_id="bank.example",
        webauthn_origins="https://bank.example,android:apk-key-hash:AAAA",
    )

    party = RelyingParty.of(chosen)

    assert party.id == "bank.example"
    assert party.origins == ("https://bank.example", "android:apk-key-hash:AAAA")
    assert (PARTY.id, PARTY.origins) == (RP_ID, (ORIGIN,))


@pytest.mark.parametrize("site", [ORIGIN, "https://my.bank.example"])
def test_the_origins_of_our_apps_follow_from_their_names(site: str) -> None:
    chosen = load(
        env="test",
        webauthn_rp_id="bank.example",
        webauthn_origins="" if site == ORIGIN else site,
        android_apps=f"bank.example.app:{'ab' * 32},bank.example.beta:{'ab' * 32}",
        ios_apps="ABCDE12345.bank.example.app",
    )

    party = RelyingParty.of(chosen)

    android = "android:apk-key-hash:" + b64u(bytes([0xAB]) * 32)
    assert party.origins == (site, android, "https://bank.example")


def test_a_passkey_of_our_android_app_is_taken_and_of_another_app_is_not() -> None:
    ours, theirs = bytes(32), bytes([1]) * 32
    apps = f"bank.example.app:{ours.hex()}"
    party = RelyingParty.of(load(env="test", android_apps=apps))
    phone = Authenticator()

    def made_in(digest: bytes) -> Mapping[str, Any]:
        origin = f"android:apk-key-hash:{b64u(digest)}"
        return phone.create(CREATION, client={"origin": origin})

    taken = ceremony.finish_registration(party, made_in(ours), CHALLENGE)

    assert taken.credential_id == phone.credential_id
    with pytest.raises(PasskeyRejected):
        ceremony.finish_registration(party, made_in(theirs), CHALLENGE)
    with pytest.raises(PasskeyRejected):
        ceremony.finish_registration(PARTY, made_in(ours), CHALLENGE)


@pytest.mark.parametrize("name", ANY_CEREMONY)
def test_a_registration_with_one_thing_wrong_is_refused(name: str) -> None:
    with pytest.raises(PasskeyRejected) as refused:
        registered(Authenticator(), **ANY_CEREMONY[name])

    assert refused.value.message == "This passkey cannot be used."


@pytest.mark.parametrize("name", ANY_CEREMONY)
def test_an_assertion_with_one_thing_wrong_is_refused(name: str) -> None:
    with pytest.raises(InvalidCredential) as refused:
        asserted(Authenticator(), **ANY_CEREMONY[name])

    assert refused.value.attempts_left is None


ONLY_REGISTRATION: dict[str, dict[str, Any]] = {
    "an answer to another ceremony": {"client": {"type": "webauthn.get"}},
    "another credential inside": {"attested_id": b"other"},
    "a key of another curve": {"cose": P384},
    "a key off its curve": {"cose": OFF_CURVE},
    "a key without its end": {"cose": {1: 2, 3: ES256, -1: 1, -2: bytes(32)}},
    "a key with one member more": {"cose": cose(made(ES256)) | {2: b"kid"}},
    "a key that names another curve": {"cose": cose(made(ES256)) | {-1: 2}},
    "a key whose part is no bytes": {"cose": cose(made(ES256)) | {-2: "x"}},
    "an RSA key of 1024 bits": {"cose": SMALL_RSA},
    "an RSA key with a strange exponent": {
        "cose": SMALL_RSA | {-1: b"\xff" * 256, -2: b"\xff" * 5}
    },
    "a key of another kind": {"cose": cose(made(EDDSA)) | {3: ES256}},
    "a number for a key": {"cose": b"\x04"},
    "a text for a key": {"cose": cbor2.dumps("key")},
    "a key that is no CBOR": {"cose": b"\xff\xff"},
    "an exponent of one": {"cose": cose(made(RS256)) | {-2: b"\x01"}},
    "garbage": {"attestation_object": bytes(range(200))},
    "nothing": {"attestation_object": b""},
    "a list": {"attestation_object": cbor2.dumps([1, 2])},
    "a map without its members": {"attestation_object": cbor2.dumps({"fmt": "none"})},
    "twelve thousand levels": {"attestation_object": DEEP},
    "a length nobody has": {"attestation_object": b"\x5b" + b"\xff" * 8},
    "half an authenticator data": {
        "attestation_object": cbor2.dumps(
            {"fmt": "none", "attStmt": {}, "authData": bytes(36)}
        )
    },
    "no credential data": {
        "attestation_object": cbor2.dumps(
            {
                "fmt": "none",
                "attStmt": {},
                "authData": hashlib.sha256(RP_ID.encode()).digest()
                + bytes([UP | UV])
                + bytes(4),
            }
        )
    },
    "no credential data though it is said": {"flags": UP | UV | AT, "cose": b""},
    "none with a statement": {"statement": {"sig": b"x"}},
    "packed with a bad signature": {
        "fmt": "packed",
        "statement": {"alg": ES256, "sig": b"\x30\x06\x02\x01\x01\x02\x01\x01"},
    },
    "packed with another algorithm": {
        "fmt": "packed",
        "statement": {"alg": RS256, "sig": b"x"},
    },
    "packed without a statement": {"fmt": "packed", "statement": {}},
    "an unknown format": {"fmt": "made-up", "statement": {}},
    "a format that is a number": {"fmt": 7, "statement": {}},
}


@pytest.mark.parametrize("name", ONLY_REGISTRATION)
def test_a_new_passkey_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(PasskeyRejected):
        registered(Authenticator(), **ONLY_REGISTRATION[name])


def test_a_short_rsa_key_is_refused() -> None:
    authenticator = Authenticator(algorithm=RS256)
    authenticator.key = rsa.generate_private_key(65537, 1024)  # noqa: S505  -- refused

    with pytest.raises(PasskeyRejected):
        registered(authenticator)


def test_a_good_self_attestation_counts_like_none() -> None:
    authenticator = Authenticator()

    new = registered(authenticator, fmt="packed")

    assert new.credential_id == authenticator.credential_id
    assert not hasattr(new, "fmt")


ONLY_ASSERTION: dict[str, dict[str, Any]] = {
    "an answer to another ceremony": {"client": {"type": "webauthn.create"}},
    "another person's handle": {"response": {"userHandle": b64u(bytes(32))}},
    "a handle that is no text": {"response": {"userHandle": 7}},
    "an empty handle": {"response": {"userHandle": ""}},
    "another credential": {"credential_id": b"other"},
    "a signature over anything else": {"signed": b"anything else"},
    "no signature": {"signature": b""},
    "a signature that is no DER": {"signature": bytes(range(64))},
    "a lax signature": {"response": {"signature": "AA=="}},
    "no authenticator data": {"response": {"authenticatorData": None}},
    "half an authenticator data": {"response": {"authenticatorData": b64u(bytes(36))}},
    "a key that may be copied now": {"flags": UP | UV | BE},
}


@pytest.mark.parametrize("name", ONLY_ASSERTION)
def test_an_assertion_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(InvalidCredential):
        asserted(Authenticator(), **ONLY_ASSERTION[name])


def test_a_passkey_that_could_be_copied_must_say_so_for_ever() -> None:
    synced = Authenticator(flags=UP | UV | BE | BS)

    kept, lost = asserted(synced), asserted(synced, flags=UP | UV | BE)

    assert (kept.bs, lost.bs) == (True, False)
    with pytest.raises(InvalidCredential):
        asserted(synced, flags=UP | UV)


def test_the_right_handle_and_none_are_both_good() -> None:
    authenticator = Authenticator(handle=HANDLE)

    proven = asserted(authenticator), asserted(Authenticator(handle=None))

    assert [one.sign_count for one in proven] == [0, 0]


@pytest.mark.parametrize(
    "stored",
    [b"", b"\x04", b"\xff", bytes(range(60))],
    ids=["none", "a tag", "no CBOR", "noise"],
)
def test_a_key_that_was_spoilt_in_the_database_is_a_refusal(stored: bytes) -> None:
    authenticator = Authenticator()
    key = known(authenticator)
    spoilt = KnownKey(
        credential_id=key.credential_id, cose_key=stored, be=key.be, handle=HANDLE
    )

    with pytest.raises(InvalidCredential):
        ceremony.check_assertion(PARTY, authenticator.get(REQUEST), CHALLENGE, spoilt)


@pytest.mark.parametrize("given", [None, 7, "text", [], b"bytes", {}, {"id": 7}])
def test_what_is_no_credential_at_all_is_a_refusal(given: object) -> None:
    with pytest.raises(PasskeyRejected):
        ceremony.finish_registration(PARTY, given, CHALLENGE)
    with pytest.raises(InvalidCredential):
        ceremony.check_assertion(PARTY, given, CHALLENGE, known(Authenticator()))

    assert ceremony.credential_id_of(given) is None


def test_a_refusal_is_logged_by_its_class_alone(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    planted: Mapping[str, Any] = {"origin": "https://planted.example"}

    with pytest.raises(InvalidCredential):
        asserted(Authenticator(), client=planted)

    written = caplog.text + "".join(capsys.readouterr())
    assert "planted" not in written
    assert "CeremonyFault" in written


def test_a_bank_starts_without_the_library() -> None:
    asked = "import sys, app.bank; print('webauthn' in sys.modules)"

    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", asked],
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.strip() == "False"
