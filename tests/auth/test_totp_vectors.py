"""RFC 6238 appendix B, and the bytes of our own codes."""

from datetime import UTC, datetime, timedelta

import pytest

from app import crockford
from app.auth import signing
from app.auth.totp_check import step_of
from app.vault import Ring, Vault
from tests.auth.authenticator_app import code_at

SECRET = b"12345678901234567890"
# Time, then the eight digits of SHA-1; ours are the last six of them.
VECTORS = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]


def at(seconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(("seconds", "digits"), VECTORS)
def test_the_vectors_of_the_standard(seconds: int, digits: str) -> None:
    assert code_at(SECRET, seconds // 30, 8) == digits
    assert step_of(SECRET, digits[2:], at(seconds), 0) == seconds // 30


@pytest.mark.parametrize("later", [-1, 0, 1])
def test_one_step_of_skew_either_way_is_taken(later: int) -> None:
    now = at(1234567890)
    step = 1234567890 // 30 + later

    assert step_of(SECRET, code_at(SECRET, step), now, 0) == step


@pytest.mark.parametrize("later", [-2, 2, -10, 10])
def test_codes_further_away_are_refused(later: int) -> None:
    step = 1234567890 // 30 + later

    assert step_of(SECRET, code_at(SECRET, step), at(1234567890), 0) is None


def test_a_step_that_was_used_and_older_ones_are_refused() -> None:
    step = 1234567890 // 30

    for older in (step - 1, step):
        typed = code_at(SECRET, older)
        assert step_of(SECRET, typed, at(1234567890), step) is None
    assert step_of(SECRET, code_at(SECRET, step + 1), at(1234567890), step) == step + 1


def test_spaces_do_not_matter_and_other_texts_are_wrong() -> None:
    right = code_at(SECRET, 1234567890 // 30)
    now = at(1234567890)

    assert step_of(SECRET, f"{right[:3]} {right[3:]}", now, 0) is not None
    for typed in ("", right[:5], right + "0", "१२३४५६", "\ud800" * 6):
        assert step_of(SECRET, typed, now, 0) is None


def test_the_known_answer_of_a_recovery_code() -> None:
    pepper = bytes(range(0x60, 0x80))
    vault = Vault(sealing=Ring({1: bytes(32)}), pepper=Ring({1: pepper}))

    message = signing.recovery_message("cus_1", "0123456789ABCDEFGHJKMNPQ")

    assert vault.mac("mac/recovery", message).hex() == (
        "f7df7d8bad2bd0d269d1b99d627495998b0dad356fa05cffd66424ee49bdc669"
    )


def test_what_is_typed_is_read_as_it_was_meant() -> None:
    assert crockford.plain("oil0-123a bcde") == "0110123ABCDE"
    assert crockford.printed("7K2MQ9XT4HWD") == "7K2M-Q9XT-4HWD"
    assert len(crockford.made(24)) == 24
    assert set(crockford.made(500)) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
