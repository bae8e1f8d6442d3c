"""What a customer may write, and the hash that names an input."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ValidationFailed
from app.payments import texts


@pytest.mark.parametrize(
    "text", ["Rent 05/2026", "INV-1 (part 2): 50+50, ok?", "x" * 35, "it's fine."]
)
def test_the_sepa_set_is_a_reference(text: str) -> None:
    assert texts.reference(text) == text


@pytest.mark.parametrize("text", [None, "", "   "])
def test_blank_is_no_reference_and_no_note(text: str | None) -> None:
    assert texts.reference(text) is None
    assert texts.note(text) is None


def test_texts_are_kept_in_one_unicode_form_without_outer_blanks() -> None:
    assert texts.note("  Cafe\u0301 ") == "Café"
    assert texts.nickname(" Mum 👩\u200d👧".replace("\u200d", "")) == "Mum 👩👧"


@given(st.text(max_size=60))
def test_every_text_is_taken_or_refused_and_nothing_else(text: str) -> None:
    for read, longest in (
        (texts.reference, texts.REFERENCE_MAX),
        (texts.note, texts.NOTE_MAX),
        (texts.nickname, texts.NICKNAME_MAX),
        (texts.name, texts.NAME_MAX),
    ):
        with contextlib.suppress(ValidationFailed):
            found = read(text)
            assert found is None or 1 <= len(found) <= longest


def test_the_fingerprint_leaves_the_key_out_and_nothing_else() -> None:
    body: dict[str, object] = {"idempotencyKey": "a", "amount": "1", "to": None}

    same = texts.fingerprint(body | {"idempotencyKey": "b"})

    assert texts.fingerprint(body) == same
    assert texts.fingerprint(body | {"amount": "2"}) != same
    assert texts.fingerprint(body | {"note": None}) != same
    # sha256sum of {"amount":"1","to":null}
    assert same.hex() == (
        "af7be13d5ea68f993968e4d62e587b7db2485647799a98aef39509db34a1e4e8"
    )


def test_an_account_number_is_compared_without_blanks_and_dashes() -> None:
    assert texts.account_number(" 5010-0012 3456 78ab ") == "501000123456" + "78AB"
