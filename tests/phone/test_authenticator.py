"""The software authenticator against the library `webauthn`, and against the text."""

import hashlib
import json
from dataclasses import dataclass, field

import cbor2
import pytest
import webauthn
from webauthn.registration.verify_registration_response import VerifiedRegistration

from mock_mobile_client.authenticator import Authenticator, origin_of
from mock_mobile_client.errors import NotAsIntended, PasskeyRefused
from mock_mobile_client.signing import b64url, unb64url
from mock_mobile_client.store import StoredPasskey
from tests.phone.fake_parts import Node

ORIGIN = "https://app.bank.example"
RP_ID = "bank.example"
CHALLENGE = b64url(bytes(range(32)))
HANDLE = b64url(b"handle-of-asha")


@dataclass
class Drawer:
    """What lies on a phone."""

    kept: list[StoredPasskey] = field(default_factory=list)
    writes: int = 0
    person: bool = True

    def open(self) -> Authenticator:
        return Authenticator(tuple(self.kept), self.keep, lambda: self.person)

    def keep(self, passkeys: tuple[StoredPasskey, ...]) -> None:
        self.kept, self.writes = list(passkeys), self.writes + 1


@pytest.fixture
def drawer() -> Drawer:
    return Drawer()


def creation(**changes: object) -> Node:
    return {
        "rp": {"id": RP_ID, "name": "Bank"},
        "user": {"id": HANDLE, "name": "asha", "displayName": "Asha"},
        "challenge": CHALLENGE,
        "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
        "excludeCredentials": [],
        "authenticatorSelection": {
            "residentKey": "required",
            "userVerification": "required",
        },
        "attestation": "none",
        **changes,
    }


def request(**changes: object) -> Node:
    asked = {"challenge": CHALLENGE, "rpId": RP_ID, "userVerification": "required"}
    return {**asked, **changes}


def registered(credential: Node) -> VerifiedRegistration:
    return webauthn.verify_registration_response(
        credential=credential,
        expected_challenge=unb64url(CHALLENGE),
        expected_rp_id=RP_ID,
        expected_origin=ORIGIN,
        require_user_verification=True,
    )


def test_fifty_sign_ins_with_counter_and_person_verify(drawer: Drawer) -> None:
    made = registered(drawer.open().create(creation(), ORIGIN, synced=False))
    counter = made.sign_count
    assert (counter, made.user_verified, str(made.fmt)) == (0, True, "none")

    for turn in range(1, 51):
        seen = webauthn.verify_authentication_response(
            credential=drawer.open().get(request(), ORIGIN),
            expected_challenge=unb64url(CHALLENGE),
            expected_rp_id=RP_ID,
            expected_origin=ORIGIN,
            credential_public_key=made.credential_public_key,
            credential_current_sign_count=counter,
            require_user_verification=True,
        )
        counter = seen.new_sign_count
        assert counter == turn

    assert drawer.kept[0].counter == 50


def test_a_synced_passkey_is_one_key_on_two_phones_without_a_counter(
    drawer: Drawer,
) -> None:
    first = registered(drawer.open().create(creation(), ORIGIN))
    other = Drawer()

    assert other.open().take(drawer.open().give()) == 1

    for phone in (drawer, other):
        credential = phone.open().get(request(), ORIGIN)
        seen = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=unb64url(CHALLENGE),
            expected_rp_id=RP_ID,
            expected_origin=ORIGIN,
            credential_public_key=first.credential_public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
        assert seen.credential_device_type.value == "multi_device"
        assert (seen.credential_backed_up, seen.new_sign_count) == (True, 0)
    assert first.credential_backed_up is False


def test_a_passkey_of_one_device_never_leaves_it(drawer: Drawer) -> None:
    made = registered(drawer.open().create(creation(), ORIGIN, synced=False))

    assert drawer.open().give() == ()

    assert made.credential_device_type.value == "single_device"
    assert drawer.kept[0].backed_up is False


def test_the_bytes_stand_where_the_text_says(drawer: Drawer) -> None:
    credential = drawer.open().create(creation(), ORIGIN)
    response = credential["response"]

    statement = cbor2.loads(unb64url(response["attestationObject"]))
    data = statement["authData"]

    assert list(statement) == ["fmt", "attStmt", "authData"]
    assert (statement["fmt"], statement["attStmt"]) == ("none", {})
    assert data == unb64url(response["authenticatorData"])
    assert data[:32] == hashlib.sha256(RP_ID.encode()).digest()
    assert data[32] == 0x01 | 0x04 | 0x08 | 0x40
    assert data[33:37] == bytes(4)
    assert data[37:53] == bytes(16)
    assert data[53:55] == (32).to_bytes(2, "big")
    assert data[55:87] == unb64url(credential["id"])
    assert list(cbor2.loads(data[87:])) == [1, 3, -1, -2, -3]
    client_data = unb64url(response["clientDataJSON"]).decode()
    assert client_data == (
        f'{{"type":"webauthn.create","challenge":"{CHALLENGE}",'
        f'"origin":"{ORIGIN}","crossOrigin":false}}'
    )
    assert credential["rawId"] == credential["id"]


def test_an_assertion_names_the_person_and_nothing_else(drawer: Drawer) -> None:
    drawer.open().create(creation(), ORIGIN)

    credential = drawer.open().get(request(), ORIGIN)

    client_data = json.loads(unb64url(credential["response"]["clientDataJSON"]))
    assert client_data["type"] == "webauthn.get"
    assert credential["response"]["userHandle"] == HANDLE
    assert set(credential["response"]) == {
        "authenticatorData",
        "clientDataJSON",
        "signature",
        "userHandle",
    }


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"rp": {"id": "evil.example", "name": "Bank"}}, "SecurityError"),
        ({"rp": {"id": "ank.example", "name": "Bank"}}, "SecurityError"),
        ({"rp": {"id": "example", "name": "Bank"}}, "SecurityError"),
        (
            {"pubKeyCredParams": [{"type": "public-key", "alg": -257}]},
            "NotSupportedError",
        ),
        ({"user": {"id": "", "name": "a", "displayName": "A"}}, "TypeError"),
        ({"user": {"id": b64url(bytes(65)), "name": "a"}}, "TypeError"),
        ({"challenge": b64url(bytes(15))}, "TypeError"),
        ({"challenge": None}, "TypeError"),
        ({"rp": None}, "TypeError"),
        ({"excludeCredentials": [{"type": "public-key"}]}, "TypeError"),
        (
            {"authenticatorSelection": {"authenticatorAttachment": "cross-platform"}},
            "NotAllowedError",
        ),
    ],
)
def test_options_that_do_not_fit_make_no_passkey(
    drawer: Drawer, changes: Node, name: str
) -> None:
    with pytest.raises(PasskeyRefused) as told:
        drawer.open().create(creation(**changes), ORIGIN)

    assert told.value.name == name
    assert (drawer.kept, drawer.writes) == ([], 0)


def test_a_challenge_with_stray_bits_is_not_signed(drawer: Drawer) -> None:
    with pytest.raises(NotAsIntended, match="stray bits"):
        drawer.open().create(creation(challenge="A" * 42 + "B"), ORIGIN)


def test_an_excluded_passkey_is_not_made_twice(drawer: Drawer) -> None:
    made = drawer.open().create(creation(), ORIGIN)
    excluded = [{"type": "public-key", "id": made["id"]}]

    with pytest.raises(PasskeyRefused) as told:
        drawer.open().create(creation(excludeCredentials=excluded), ORIGIN)

    assert told.value.name == "InvalidStateError"
    assert [one.id for one in drawer.kept] == [made["id"]]


def test_a_new_passkey_of_the_same_person_replaces_the_old_one(drawer: Drawer) -> None:
    drawer.open().create(creation(), ORIGIN)

    second = drawer.open().create(creation(), ORIGIN)

    assert [one.id for one in drawer.kept] == [second["id"]]


@pytest.mark.parametrize(
    "changes",
    [
        {"allowCredentials": [{"type": "public-key", "id": "AAAA"}]},
        {"rpId": "app.bank.example"},
    ],
)
def test_nothing_fits_a_foreign_list_or_party(drawer: Drawer, changes: Node) -> None:
    drawer.open().create(creation(), ORIGIN, synced=False)

    with pytest.raises(PasskeyRefused) as told:
        drawer.open().get(request(**changes), ORIGIN)

    assert told.value.name == "NotAllowedError"
    assert drawer.kept[0].counter == 0


def test_without_the_person_nothing_required_is_signed(drawer: Drawer) -> None:
    drawer.open().create(creation(), ORIGIN)
    drawer.person = False

    with pytest.raises(PasskeyRefused, match="not verified"):
        drawer.open().get(request(), ORIGIN)
    preferred = drawer.open().get(request(userVerification="preferred"), ORIGIN)

    assert unb64url(preferred["response"]["authenticatorData"])[32] == 0x01 | 0x08


@pytest.mark.parametrize(
    ("origin", "rp_id"),
    [
        ("http://bank.example", "bank.example"),
        ("https://127.0.0.1:8000", "127.0.0.1"),
        ("https://bank.example.evil.example", "bank.example"),
    ],
)
def test_only_a_secure_domain_has_passkeys(
    drawer: Drawer, origin: str, rp_id: str
) -> None:
    with pytest.raises(PasskeyRefused) as told:
        drawer.open().create(creation(rp={"id": rp_id, "name": "Bank"}), origin)

    assert told.value.name == "SecurityError"


def test_this_machine_counts_as_secure(drawer: Drawer) -> None:
    origin = origin_of("http://localhost:8000/graphql")

    drawer.open().create(creation(rp={"name": "Bank"}), origin)

    assert origin == "http://localhost:8000"
    assert drawer.kept[0].rp_id == "localhost"


def test_the_usual_port_is_no_part_of_an_origin() -> None:
    assert origin_of("https://bank.example:443/x") == "https://bank.example"
    assert origin_of("https://bank.example:8443") == "https://bank.example:8443"


def test_a_private_key_does_not_show_when_it_is_printed(drawer: Drawer) -> None:
    drawer.open().create(creation(), ORIGIN)

    assert "PRIVATE" not in repr(drawer.kept)
