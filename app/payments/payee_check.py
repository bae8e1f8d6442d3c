"""Whether the name a customer wrote is the name at the payee's bank. Pure.

Names are compared as sets of words without case, accents and punctuation; what is not
the same but nearly so (Jaro-Winkler of at least 0.92) is a close match, which is how
spelling mistakes look. Source: banking.md section 4.5.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.realtime.shots import PayeeCheckShot

CLOSE = 0.92
_PREFIX_MAX, _PREFIX_SHARE = 4, 0.1  # Winkler 1990: what a common beginning adds
_TITLES = frozenset({"mr", "mrs", "ms", "dr", "shri", "smt"})


class PayeeMatch(StrEnum):
    """How well a name fits. UNAVAILABLE: the payee's bank did not tell."""

    MATCH = "MATCH"
    CLOSE_MATCH = "CLOSE_MATCH"
    NO_MATCH = "NO_MATCH"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayeeCheck:
    """What a check found.

    Args:
        match: how well the names fit.
        suggested_name: masked by the payee's bank; only with CLOSE_MATCH.
        checked_at: when.
    """

    match: PayeeMatch
    suggested_name: str | None = None
    checked_at: datetime

    def shot(self) -> PayeeCheckShot:
        """Give the snapshot that goes into an event."""
        return PayeeCheckShot(
            match=self.match,
            suggested_name=self.suggested_name,
            checked_at=self.checked_at,
        )


def compared(written: str, held: str) -> PayeeMatch:
    """Compare the name that was written with the one the account is held under."""
    ours, theirs = _words(written), _words(held)
    if not ours or not theirs:
        return PayeeMatch.NO_MATCH
    if set(ours) == set(theirs):
        return PayeeMatch.MATCH
    ways = ((ours, theirs), (sorted(ours), sorted(theirs)))
    near = max(similar(" ".join(one), " ".join(other)) for one, other in ways)
    return PayeeMatch.CLOSE_MATCH if near >= CLOSE else PayeeMatch.NO_MATCH


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name).casefold()
    bare = "".join(one for one in plain if not unicodedata.combining(one))
    return [word for word in re.findall(r"\w+", bare) if word not in _TITLES]


def similar(one: str, other: str) -> float:
    """Give the similarity of Jaro and Winkler, from 0 to 1 for the same text."""
    reach = max(0, max(len(one), len(other)) // 2 - 1)
    taken: list[int] = []
    ours = []
    for place, letter in enumerate(one):
        near = range(max(0, place - reach), min(len(other), place + reach + 1))
        found = next((i for i in near if other[i] == letter and i not in taken), None)
        if found is not None:
            taken.append(found)
            ours.append(letter)
    if not ours:
        return 0.0
    theirs = [other[i] for i in sorted(taken)]
    swapped = sum(a != b for a, b in zip(ours, theirs, strict=True)) / 2
    same = len(ours)
    jaro = (same / len(one) + same / len(other) + (same - swapped) / same) / 3
    common = 0
    while common < min(len(one), len(other), _PREFIX_MAX):
        if one[common] != other[common]:
            break
        common += 1
    return jaro + common * _PREFIX_SHARE * (1 - jaro)
