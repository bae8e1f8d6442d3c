import base64
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import settings as app_settings
from app import vault as app_vault
from app.settings import Misconfigured
from app.vault import Ring, Unsealable, Vault, subkey

PEPPER = bytes(range(0x60, 0x80))
SEALING = bytes(range(0xA0, 0xC0))
KEY = base64.b64encode(bytes(32)).decode()


def test_a_subkey_of_the_pepper_is_the_known_answer() -> None:
    assert subkey(PEPPER, "mac/refresh").hex() == (
        "75ccfc0450e22769bbbc218c0aabaf799bb0ba42ac662ad405008549aff991f3"
    )


def test_a_subkey_of_the_sealing_key_is_the_known_answer() -> None:
    assert subkey(SEALING, "seal/mpin_secret").hex() == (
        "037bcf3835bc704a7219f94078e966e66978d2a164cb1eb600ec965523fe47b3"
    )


def test_a_mac_of_a_one_time_code_is_the_known_answer() -> None:
    own = Vault(sealing=Ring({1: SEALING}), pepper=Ring({1: PEPPER}))

    made = own.mac("mac/otp", b"sixpence/otp/v1\x00enr_1|482913")

    assert made.hex() == (
        "5fd1b36b301020fbc6e4db79ce13f33b3a5228cbde0c90cb262edda264835904"
    )


@given(st.binary(max_size=200))
def test_what_is_sealed_for_a_row_is_opened_for_that_row(plaintext: bytes) -> None:
    own = Vault(sealing=Ring({7: SEALING}), pepper=Ring({1: PEPPER}))

    sealed = own.seal("mpin_secret", "dev_1", plaintext)

    assert own.open("mpin_secret", "dev_1", sealed) == plaintext
    assert sealed[0] == 7
    assert len(sealed) == 1 + 12 + len(plaintext) + 16


def test_the_same_plaintext_is_never_sealed_to_the_same_bytes(vault: Vault) -> None:
    assert vault.seal("t", "r", b"secret") != vault.seal("t", "r", b"secret")


def test_a_value_does_not_open_for_another_row_or_table(vault: Vault) -> None:
    sealed = vault.seal("mpin_secret", "dev_1", b"secret")

    for table, row in (("mpin_secret", "dev_2"), ("totp", "dev_1")):
        with pytest.raises(Unsealable):
            vault.open(table, row, sealed)


def test_one_damaged_bit_anywhere_is_noticed(vault: Vault) -> None:
    sealed = vault.seal("mpin_secret", "dev_1", b"secret")

    for place in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[place] ^= 1
        with pytest.raises(Unsealable):
            vault.open("mpin_secret", "dev_1", bytes(damaged))


@pytest.mark.parametrize("length", [0, 1, 12, 13, 20])
def test_a_cut_value_does_not_open(vault: Vault, length: int) -> None:
    sealed = vault.seal("mpin_secret", "dev_1", b"secret")

    with pytest.raises(Unsealable):
        vault.open("mpin_secret", "dev_1", sealed[:length])


def test_after_a_rotation_the_old_key_opens_and_the_new_one_seals() -> None:
    old, new = bytes(32), bytes([1] * 32)
    before = Vault(sealing=Ring({1: old}), pepper=Ring({1: old}))
    after = Vault(sealing=Ring({2: new, 1: old}), pepper=Ring({2: new, 1: old}))
    sealed, mac = before.seal("t", "r", b"secret"), before.mac("mac/otp", b"code")

    assert after.open("t", "r", sealed) == b"secret"
    assert after.seal("t", "r", b"secret")[0] == 2
    assert dict(after.macs("mac/otp", b"code"))[1] == mac
    assert list(dict(after.macs("mac/otp", b"code"))) == [2, 1]
    assert after.mac("mac/otp", b"code") == after.mac("mac/otp", b"code", 2) != mac


def test_a_retired_key_opens_nothing_any_more() -> None:
    before = Vault(sealing=Ring({1: bytes(32)}), pepper=Ring({1: bytes(32)}))
    after = Vault(sealing=Ring({2: SEALING}), pepper=Ring({2: PEPPER}))
    sealed = before.seal("t", "r", b"secret")

    with pytest.raises(Unsealable):
        after.open("t", "r", sealed)
    with pytest.raises(Unsealable):
        after.mac("mac/otp", b"code", 1)


def test_two_purposes_have_two_keys() -> None:
    own = Vault(sealing=Ring({1: SEALING}), pepper=Ring({1: PEPPER}))

    assert own.mac("mac/otp", b"m") != own.mac("mac/refresh", b"m")


def test_a_ring_shows_no_key_when_printed() -> None:
    shown = repr(Vault(sealing=Ring({1: SEALING}), pepper=Ring({1: PEPPER})))

    assert SEALING.hex() not in shown
    assert repr(SEALING) not in shown
    assert repr(PEPPER) not in shown


def test_a_ring_file_is_read_with_its_first_line_as_current(tmp_path: Path) -> None:
    file = tmp_path / "ring"
    file.write_text(f"9 {KEY}\n\n 3 {base64.b64encode(SEALING).decode()} \n")

    ring = Ring.read(file)

    assert ring.current == 9
    assert ring.keys == {9: bytes(32), 3: SEALING}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n \n",
        KEY,
        f"x {KEY}",
        f"0 {KEY}",
        f"256 {KEY}",
        f"-1 {KEY}",
        f"1 {KEY}\n1 {KEY}",
        "1 " + base64.b64encode(bytes(31)).decode(),
        "1 " + base64.b64encode(bytes(33)).decode(),
        "1 not base64!",
        "1 é",
        "1",
    ],
)
def test_a_malformed_ring_file_stops_the_start(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ring"
    file.write_text(text)

    with pytest.raises(Misconfigured) as refused:
        Ring.read(file)

    assert KEY not in str(refused.value)
    assert str(file) in str(refused.value)


def test_a_missing_or_binary_ring_file_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")

    for name in ("none", "binary"):
        with pytest.raises(Misconfigured):
            Ring.read(tmp_path / name)


def test_a_demo_makes_its_rings_once_and_only_its_owner_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = app_settings.load(env="demo")

    first, second = app_vault.open_vault(chosen), app_vault.open_vault(chosen)

    assert first == second
    for name in ("sealing.keys", "pepper.keys"):
        mode = (tmp_path / ".sixpence" / name).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600


def test_rings_are_read_from_the_files_of_the_settings(tmp_path: Path) -> None:
    sealing, pepper = tmp_path / "sealing", tmp_path / "pepper"
    sealing.write_text(f"1 {base64.b64encode(SEALING).decode()}\n")
    pepper.write_text(f"2 {base64.b64encode(PEPPER).decode()}\n")
    chosen = app_settings.load(
        env="test", sealing_keys_file=sealing, pepper_file=pepper
    )

    opened = app_vault.open_vault(chosen)

    assert opened == Vault(sealing=Ring({1: SEALING}), pepper=Ring({2: PEPPER}))
