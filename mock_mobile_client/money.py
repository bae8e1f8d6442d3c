"""An amount as the wire carries it: whole minor units, currency, exponent."""

import re
from dataclasses import dataclass, field

from typing_extensions import override

from mock_mobile_client.errors import BadEntry

AMOUNT = re.compile(r"(\d{1,15})(?:\.(\d{1,4}))? ?([A-Z]{3})")


@dataclass(frozen=True, slots=True)
class MoneyValue:
    """An amount with its currency.

    Attributes:
        minor_units: Whole smallest units of the currency; may be negative in
            running balances.
        currency: ISO 4217 code.
        exponent: Decimal places the bank uses for the currency.
        formatted: The bank's text for people; not part of equality.
    """

    minor_units: int
    currency: str
    exponent: int
    formatted: str = field(default="", compare=False)

    @override
    def __str__(self) -> str:
        sign = "-" if self.minor_units < 0 else ""
        digits = str(abs(self.minor_units)).rjust(self.exponent + 1, "0")
        cut = len(digits) - self.exponent
        fraction = f".{digits[cut:]}" if self.exponent else ""
        return f"{sign}{digits[:cut]}{fraction} {self.currency}"

    def plus(self, other: "MoneyValue") -> "MoneyValue":
        """Add an amount of the same currency."""
        if (self.currency, self.exponent) != (other.currency, other.exponent):
            raise BadEntry(f"{self} and {other} do not add up")
        total = self.minor_units + other.minor_units
        return MoneyValue(total, self.currency, self.exponent)

    def minus(self, other: "MoneyValue") -> "MoneyValue":
        """Take away an amount of the same currency."""
        return self.plus(other.times(-1))

    def times(self, count: int) -> "MoneyValue":
        """Multiply by a whole number."""
        return MoneyValue(self.minor_units * count, self.currency, self.exponent)

    def at(self, exponent: int) -> "MoneyValue":
        """The same amount with the bank's number of decimal places.

        Raises:
            BadEntry: the amount has more decimals than the currency.
        """
        if exponent < self.exponent:
            raise BadEntry(f"{self.currency} has {exponent} decimal places")
        scale: int = 10 ** (exponent - self.exponent)
        return MoneyValue(self.minor_units * scale, self.currency, exponent)

    def as_input(self) -> dict[str, str]:
        """The `MoneyInput` of the contract."""
        return {"minorUnits": str(self.minor_units), "currency": self.currency}


def money(text: str) -> MoneyValue:
    """Read what a person types: `250.00 INR`.

    The exponent is the number of decimals typed; `MoneyValue.at` fits it to the
    account.

    Raises:
        BadEntry: the text is not an amount with a currency.
    """
    found = AMOUNT.fullmatch(text.strip())
    if found is None:
        raise BadEntry(f"{text!r} is not an amount such as 250.00 INR")
    whole, fraction, currency = found.group(1), found.group(2) or "", found.group(3)
    return MoneyValue(int(whole + fraction), currency, len(fraction))
