from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.money import (
    MINOR_MAX,
    MixedCurrencies,
    Money,
    exponent_of,
    is_currency,
    zero,
)

MINORS = st.integers(min_value=-MINOR_MAX, max_value=MINOR_MAX)


@pytest.mark.parametrize(
    ("currency", "places"),
    [("INR", 2), ("GBP", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("BHD", 3)],
)
def test_a_currency_has_the_decimal_places_of_iso_4217(
    currency: str, places: int
) -> None:
    assert exponent_of(currency) == places
    assert Money(1, currency).exponent == places


@pytest.mark.parametrize(
    ("money", "locale", "text"),
    [
        (Money(4_825_000, "INR"), "en-IN", "₹48,250.00"),
        (Money(12_000_000, "INR"), "en-IN", "₹1,20,000.00"),
        (Money(12_000_000, "INR"), "hi", "₹1,20,000.00"),
        (Money(-150, "INR"), "en-IN", "-₹1.50"),
        (Money(1050, "JPY"), "en-US", "¥1,050"),
        (Money(1234, "KWD"), "en-US", "KWD1.234"),
    ],
)
def test_an_amount_is_written_as_people_write_it(
    money: Money, locale: str, text: str
) -> None:
    assert money.formatted(locale) == text


@pytest.mark.parametrize("locale", ["xx", "", "not a locale", "en-IN-x-y-z-1", "../.."])
def test_an_unknown_locale_falls_back_to_english(locale: str) -> None:
    assert Money(105_000, "INR").formatted(locale) == "₹1,050.00"


def test_the_largest_amount_is_written_to_its_last_digit() -> None:
    text = Money(MINOR_MAX, "INR").formatted("en-US")

    assert text == "₹92,233,720,368,547,758.07"


def test_two_currencies_are_never_mixed() -> None:
    rupees, pounds = Money(1, "INR"), Money(1, "GBP")

    for mixed in (
        lambda: rupees + pounds,
        lambda: rupees - pounds,
        lambda: rupees < pounds,
    ):
        with pytest.raises(MixedCurrencies):
            mixed()


@given(MINORS, MINORS)
def test_adding_and_taking_away_loses_nothing(first: int, second: int) -> None:
    one, other = Money(first, "INR"), Money(second, "INR")

    assert one + other - other == one
    assert (one + other).minor == first + second
    assert one + -one == zero("INR")
    assert (one < other) == (first < second)


@given(MINORS)
def test_what_is_written_holds_every_digit(minor: int) -> None:
    text = Money(minor, "INR").formatted("en-US")
    plain = text.replace("₹", "").replace(",", "")

    assert Decimal(plain).scaleb(2) == minor


@pytest.mark.parametrize(
    "code", ["inr", "IN", "INRR", "I1R", "", "INR\n", "ÄÖÜ"]
)  # codespell:ignore
def test_another_text_is_no_currency(code: str) -> None:
    assert not is_currency(code)
    assert is_currency("INR")
