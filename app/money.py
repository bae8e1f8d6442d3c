"""Money: whole minor units with their ISO 4217 currency, never a float."""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

MINOR_MAX = 2**63 - 1  # what BIGINT holds; more is refused at the edge

# ISO 4217 list one (2026): currencies whose minor unit is not two digits.
_NO_PLACES = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_PLACES = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_PLACES = "CLF UYW"
_EXPONENTS = {
    **dict.fromkeys(_NO_PLACES.split(), 0),
    **dict.fromkeys(_THREE_PLACES.split(), 3),
    **dict.fromkeys(_FOUR_PLACES.split(), 4),
}
_CODE = re.compile(r"[A-Z]{3}")


class MixedCurrencies(ValueError):
    """Two amounts of different currencies were added or compared: our mistake."""


def is_currency(code: str) -> bool:
    """Tell whether a text has the form of an ISO 4217 code."""
    return bool(_CODE.fullmatch(code))


def exponent_of(currency: str) -> int:
    """Give the number of decimal places of a currency: INR 2, JPY 0, KWD 3."""
    return _EXPONENTS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount: `minor` units (paise, cents) of `currency`. Negative means owed."""

    minor: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other).minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other).minor

    @property
    def exponent(self) -> int:
        """Decimal places of the currency."""
        return exponent_of(self.currency)

    def formatted(self, locale: str = "en-IN") -> str:
        """Write the amount for people; an unknown locale falls back to English."""
        return _formatted(self.minor, self.currency, locale)

    def _same(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise MixedCurrencies(self.currency, other.currency)
        return other


def zero(currency: str) -> Money:
    """Give nothing, in a currency."""
    return Money(0, currency)


@lru_cache(maxsize=8192)
def _formatted(minor: int, currency: str, locale: str) -> str:
    from babel import Locale, UnknownLocaleError  # noqa: PLC0415  -- 23 MiB, first use
    from babel.numbers import format_currency  # noqa: PLC0415  -- same

    try:
        found = Locale.parse(locale, sep="-")
    except (UnknownLocaleError, ValueError):
        found = Locale("en")
    amount = Decimal(minor).scaleb(-exponent_of(currency))
    return str(format_currency(amount, currency, locale=found, currency_digits=True))
