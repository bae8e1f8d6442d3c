"""The mPIN blob: known answers, floors, and no hint for a thief."""

import pytest

from mock_mobile_client.errors import BadEntry, NotReady
from mock_mobile_client.pin import ITERATIONS_MIN, PinBlob, check_pin

SECRET = bytes(range(0x20, 0x40))
K_HW = bytes(range(0x80, 0xA0))
SALT = bytes(16)


def test_blob_01_is_the_known_answer() -> None:
    blob = PinBlob.seal("482913", SECRET, SALT, 600_000)

    assert blob.packed().hex() == (
        "01000927c0"
        + "00" * 16
        + "626bbe6f816133f7dafeaf2baa6dab17fb76747c45bab8cb64ac6806ad9a0a20"
    )
    assert blob.kdf == "v=01;PBKDF2-HMAC-SHA256;i=600000;s=16"


def test_blob_02_is_the_known_answer() -> None:
    blob = PinBlob.seal("482913", SECRET, SALT, 100_000, K_HW)

    assert blob.packed().hex() == (
        "02000186a0"
        + "00" * 16
        + "1f08a277e98d868a451585f9c180dd3a79e7659c01f0d38904a41a61bd4aac24"
    )
    assert blob.kdf == "v=02;PBKDF2-HMAC-SHA256;i=100000;s=16"


@pytest.mark.parametrize("hardware", [None, K_HW])
def test_the_right_pin_gives_the_secret_and_a_wrong_one_another(
    hardware: bytes | None,
) -> None:
    sealed = PinBlob.seal("482913", SECRET, SALT, ITERATIONS_MIN, hardware)

    blob = PinBlob.parse(sealed.packed())

    assert blob == sealed
    assert len(sealed.packed()) == 53
    assert blob.open("482913", hardware) == SECRET
    wrong = blob.open("482914", hardware)
    assert wrong != SECRET
    assert len(wrong) == 32


def test_a_hardware_blob_says_nothing_without_its_key_store() -> None:
    blob = PinBlob.seal("482913", SECRET, SALT, ITERATIONS_MIN, K_HW)

    assert blob.open("482913", bytes(32)) != SECRET
    with pytest.raises(NotReady, match="key store"):
        blob.open("482913")


def test_fewer_rounds_than_the_floor_are_refused() -> None:
    with pytest.raises(BadEntry, match="100000"):
        PinBlob.seal("482913", SECRET, SALT, ITERATIONS_MIN - 1)


@pytest.mark.parametrize("raw", [b"", bytes(53), b"\x03" + bytes(52), b"\x01" * 52])
def test_damaged_bytes_are_no_blob(raw: bytes) -> None:
    with pytest.raises(NotReady, match="damaged"):
        PinBlob.parse(raw)


@pytest.mark.parametrize(
    "pin",
    [
        "12345",
        "abcdef",
        "٤٨٢٩١٣",
        "000000",
        "111111",
        "123456",
        "234567",
        "654321",
        "987654",
        "890123",
        "121212",
        "112233",
        "199012",
        "201187",
        "121990",
        "787878",
    ],
)
def test_a_pin_that_is_easy_to_guess_is_refused(pin: str) -> None:
    with pytest.raises(BadEntry):
        check_pin(pin)


@pytest.mark.parametrize("pin", ["480257", "913564", "482913", "7305184"])
def test_an_ordinary_pin_is_taken(pin: str) -> None:
    check_pin(pin)
