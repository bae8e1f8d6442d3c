"""A phone survives its program, in a file only its owner may read."""

from pathlib import Path

import pytest

from mock_mobile_client.errors import NotReady
from mock_mobile_client.store import (
    FileStore,
    MemoryStore,
    PhoneState,
    Store,
    StoredPasskey,
    Unanswered,
)

BANK = "http://localhost:8000"
STATE = PhoneState(
    key_pem="pem",
    device_id="dev_1",
    blob="blob",
    token="secret-token",
    refresh_token="secret-refresh",
    cursor="ec1.a.1.20261121",
    unanswered=(Unanswered("payment_create", {"input": {"amount": "1"}}),),
    passkeys=(StoredPasskey("id", "localhost", "handle", "PRIVATE", eligible=True),),
)


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return FileStore(tmp_path / "phones") if request.param == "file" else MemoryStore()


def test_a_phone_comes_back_as_it_was_stored(store: Store) -> None:
    store.save(BANK, "Asha-1", STATE)

    assert store.load(BANK, "asha-1") == STATE


def test_a_phone_of_another_name_or_bank_is_another_phone(store: Store) -> None:
    store.save(BANK, "Asha-1", STATE)

    assert store.load(BANK, "Asha-2") == PhoneState()
    assert store.load("http://localhost:9000", "Asha-1") == PhoneState()


def test_the_file_is_private_and_alone(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "phones")

    store.save(BANK, "Asha-1", STATE)
    store.save(BANK, "Asha-1", PhoneState())

    (path,) = (tmp_path / "phones").iterdir()
    assert path.name == "asha-1-localhost-8000.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "phones").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"unanswered":[]', '{"x":1}', "null"])
def test_a_damaged_file_is_named_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "asha-1-localhost-8000.json"
    path.write_text(text)

    with pytest.raises(NotReady, match="damaged"):
        FileStore(tmp_path).load(BANK, "Asha-1")

    assert path.read_text() == text


def test_secrets_do_not_show_when_a_state_is_printed() -> None:
    assert "secret-token" not in repr(STATE)
    assert "pem" not in repr(STATE)
    assert "blob" not in repr(STATE)
    assert "secret-refresh" not in repr(STATE)
    assert "PRIVATE" not in repr(STATE)


def test_a_phone_stored_before_it_had_passkeys_still_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "asha-1-localhost-8000.json"
    path.write_text('{"device_id":"dev_1","unanswered":[]}')

    assert FileStore(tmp_path).load(BANK, "Asha-1") == PhoneState(device_id="dev_1")
