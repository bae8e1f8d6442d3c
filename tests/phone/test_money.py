"""Amounts are whole numbers with a currency, and cannot be misread."""

import pytest

from mock_mobile_client.errors import BadEntry
from mock_mobile_client.money import MoneyValue, money


@pytest.mark.parametrize(
    ("text", "minor", "exponent"),
    [("250.00 INR", 25000, 2), ("0.05 INR", 5, 2), ("7 JPY", 7, 0), ("1.5KWD", 15, 1)],
)
def test_what_a_person_types_becomes_minor_units(
    text: str, minor: int, exponent: int
) -> None:
    assert (money(text).minor_units, money(text).exponent) == (minor, exponent)


@pytest.mark.parametrize("text", ["", "250", "-1 INR", "1.2.3 INR", "1,000 INR", "1 €"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(BadEntry):
        money(text)


def test_one_rupee_is_a_hundred_paise_and_not_one() -> None:
    assert money("1 INR").at(2) == money("1.00 INR")
    with pytest.raises(BadEntry, match="2 decimal places"):
        money("1.005 INR").at(2)


def test_sums_keep_the_currency() -> None:
    assert money("10.00 INR").minus(money("0.05 INR")) == money("9.95 INR")
    assert money("10.00 INR").times(3) == money("30.00 INR")
    with pytest.raises(BadEntry):
        money("1.00 INR").plus(money("1.00 EUR"))


def test_the_text_shows_sign_and_every_decimal() -> None:
    assert str(MoneyValue(-5, "INR", 2)) == "-0.05 INR"
    assert str(MoneyValue(1050, "JPY", 0)) == "1050 JPY"
    assert money("1.00 INR").as_input() == {"minorUnits": "100", "currency": "INR"}
