"""What is said, in every language: gettext catalogues, and how much of a sentence.

The catalogues `locales/*.po` are read as they lie in a clone, once, at the first use:
there is no build step that could be forgotten. A sentence exists in several richnesses;
its id names the figures it holds, so `push.money_in.body.amount` needs the amount and
nothing else. `push.<template>.title` and `.body` hold none: these two are also the keys
under which phones have their own copy (realtime.md section 11.3 of the design).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import MappingProxyType

from app.money import Money, is_currency

LANGUAGES = ("en", "hi")  # the first speaks for languages that have no catalogue
_FOLDER = Path(__file__).parent / "locales"
_HOLE = re.compile(r"\{(\w+)\}")

Args = Mapping[str, str | int | None]


class Show(Enum):
    """Which figures a sentence may hold, by who reads it.

    HINT: anybody, on any screen; AMOUNT: a locked phone whose customer and bank allow
    it: the amount, never a name or a number; ALL: the customer after signing in.
    """

    HINT = frozenset[str]()
    AMOUNT = frozenset({"amount"})
    ALL = frozenset({"amount", "account", "counterparty", "device", "title", "limit"})


@dataclass(frozen=True, slots=True)
class Words:
    """A title and a sentence."""

    title: str
    body: str


def told(template: str, args: Args, locale: str, show: Show = Show.HINT) -> Words:
    """Say a notification in a language, as richly as is known and allowed.

    Args:
        template: what is said.
        args: figures of the inbox item; amounts are whole minor units.
        locale: BCP 47; a language without a catalogue is spoken to in English, its
            figures too.
        show: how much the reader may see.
    """
    language = language_of(locale)
    said = sentences(language)
    known = locale.lower().startswith(language)
    figures = _figures(args, locale if known else language, show)
    bodies = [
        said[name]
        for name in said
        if name.startswith(f"push.{template}.body")
        and holes(said[name]) <= figures.keys()
    ]
    richest = max(bodies, key=lambda body: len(holes(body)))
    return Words(said[f"push.{template}.title"], richest.format_map(figures))


def language_of(locale: str) -> str:
    """Give the catalogue for a BCP 47 tag."""
    language = re.split(r"[-_]", locale.lower())[0]
    return language if language in LANGUAGES else LANGUAGES[0]


def holes(sentence: str) -> frozenset[str]:
    """Name the figures a sentence holds."""
    return frozenset(_HOLE.findall(sentence))


@cache
def sentences(language: str) -> Mapping[str, str]:
    """Read the catalogue of a language: sentences by id."""
    from babel.messages.pofile import read_po  # noqa: PLC0415  -- 23 MiB, first use

    with (_FOLDER / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language, abort_invalid=True)
    return MappingProxyType(
        {str(message.id): str(message.string) for message in catalogue if message.id}
    )


def _figures(args: Args, locale: str, show: Show) -> dict[str, str]:
    return {name: text for name, text in _written(args, locale) if name in show.value}


def _written(args: Args, locale: str) -> Iterator[tuple[str, str]]:
    currency = args.get("currency")
    for name, given in args.items():
        if isinstance(given, str) and given:
            yield name, given
        elif isinstance(given, int) and is_currency(str(currency)):
            yield name, Money(given, str(currency)).formatted(locale)
