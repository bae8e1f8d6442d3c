"""Names are compared by their words, and spelling mistakes are close."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.payments.payee_check import CLOSE, PayeeMatch, compared, similar

NAMES = st.text(alphabet="abcdeé ñ-", min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("written", "held", "match"),
    [
        ("Dev Malhotra", "Dev Malhotra", PayeeMatch.MATCH),
        ("MALHOTRA, dev", "Dev Malhotra", PayeeMatch.MATCH),
        ("Mr. Dev Malhotra", "DEV MALHOTRA", PayeeMatch.MATCH),
        ("José Núñez", "jose nunez", PayeeMatch.MATCH),
        ("Straße 1 GmbH", "STRASSE 1 GMBH", PayeeMatch.MATCH),
        ("Dev Malhotr", "Dev Malhotra", PayeeMatch.CLOSE_MATCH),
        ("Malhotra Deb", "Dev Malhotra", PayeeMatch.CLOSE_MATCH),
        ("Close Match", "Closs Match", PayeeMatch.CLOSE_MATCH),
        ("Dev", "Dev Malhotra", PayeeMatch.NO_MATCH),
        ("No Match", "Somebody Else", PayeeMatch.NO_MATCH),
        ("Meera Iyer", "Dev Malhotra", PayeeMatch.NO_MATCH),
        ("...", "Dev Malhotra", PayeeMatch.NO_MATCH),
        ("...", "...", PayeeMatch.NO_MATCH),
    ],
)
def test_a_name_fits_by_its_words(written: str, held: str, match: PayeeMatch) -> None:
    assert compared(written, held) is match


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("MARTHA", "MARHTA", 0.961),
        ("DIXON", "DICKSONX", 0.813),
        ("JELLYFISH", "SMELLYFISH", 0.896),
        ("abc", "xyz", 0.0),
        ("same", "same", 1.0),
    ],
)
def test_similarity_is_that_of_jaro_and_winkler(
    one: str, other: str, share: float
) -> None:
    assert similar(one, other) == pytest.approx(share, abs=0.001)


@given(NAMES, NAMES)
def test_only_the_same_is_wholly_similar(one: str, other: str) -> None:
    assert 0 <= similar(one, other) <= 1
    assert similar(one, one) == 1 >= CLOSE
