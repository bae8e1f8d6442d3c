"""DER, read strictly: one way to write each value, and every other way is an error.

A lax reader takes a broken boolean for true and so a broken `deviceLocked` for locked
(auth.md 5.1). Only what the extension of a phone's key needs is here (X.690, 8 and 10):
definite, shortest lengths, shortest tags and integers, booleans of 00 or FF, nothing
behind the end. Nothing recurses, so no depth can hurt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

_CONSTRUCTED = 0x20
_NUMBER_BITS = 0x1F
_MORE = 0x80
_LENGTH_BYTES_MAX = 3
_TAG_BYTES_MAX = 4
_INTEGER_BYTES_MAX = 9


class Malformed(ValueError):
    """The bytes are not DER, or not of the shape that was asked for."""


class Kind(IntEnum):
    """The universal types this bank reads."""

    BOOLEAN = 1
    INTEGER = 2
    OCTETS = 4
    NULL = 5
    ENUMERATED = 10
    SEQUENCE = 16
    SET = 17


_CONTEXT = 2


@dataclass(frozen=True, slots=True)
class Element:
    """One value with its tag.

    Args:
        family: 0 universal, 1 application, 2 context, 3 private.
        constructed: whether it holds other elements.
        number: the tag's number within its family.
        body: what stands inside.
    """

    family: int
    constructed: bool
    number: int
    body: bytes

    def integer(self) -> int:
        """Read an INTEGER of at most 64 bits.

        Raises:
            Malformed: another type, a longer way to write it, or more bits.
        """
        return _whole(self._simple(Kind.INTEGER))

    def enumerated(self) -> int:
        """Read an ENUMERATED.

        Raises:
            Malformed: another type, a longer way to write it, or more bits.
        """
        return _whole(self._simple(Kind.ENUMERATED))

    def boolean(self) -> bool:
        """Read a BOOLEAN: 00 is false, FF is true.

        Raises:
            Malformed: another type, or any other byte: X.690 11.1 knows no third.
        """
        body = self._simple(Kind.BOOLEAN)
        if body not in {b"\x00", b"\xff"}:
            raise Malformed("a boolean that is neither 00 nor FF")
        return body == b"\xff"

    def octets(self) -> bytes:
        """Read an OCTET STRING in one piece.

        Raises:
            Malformed: another type.
        """
        return self._simple(Kind.OCTETS)

    def null(self) -> None:
        """Demand a NULL.

        Raises:
            Malformed: another type, or something in it.
        """
        if self._simple(Kind.NULL):
            raise Malformed("a null that holds something")

    def sequence(self) -> list["Element"]:
        """Read the members of a SEQUENCE.

        Raises:
            Malformed: another type, or members that do not fill it exactly.
        """
        return _members(self._holding(Kind.SEQUENCE))

    def members_of_set(self) -> list["Element"]:
        """Read the members of a SET OF; their order is not looked at.

        Raises:
            Malformed: another type, or members that do not fill it exactly.
        """
        return _members(self._holding(Kind.SET))

    def tagged(self) -> "Element":
        """Give the one element inside an explicit context tag.

        Raises:
            Malformed: another family, or not exactly one element.
        """
        if self.family != _CONTEXT or not self.constructed:
            raise Malformed("not an explicit tag")
        return read(self.body)

    def _simple(self, kind: Kind) -> bytes:
        if (self.family, self.number, self.constructed) != (0, kind, False):
            raise Malformed(f"not a {kind.name}")
        return self.body

    def _holding(self, kind: Kind) -> bytes:
        if (self.family, self.number, self.constructed) != (0, kind, True):
            raise Malformed(f"not a {kind.name}")
        return self.body


def read(data: bytes) -> Element:
    """Read exactly one element.

    Raises:
        Malformed: not strict DER, or bytes behind the end.
    """
    found, end = _element(data, 0)
    if end != len(data):
        raise Malformed("bytes behind the end")
    return found


def by_tag(members: Sequence[Element]) -> dict[int, Element]:
    """Give what stands inside the explicit context tags of a list, by tag number.

    The order of the tags is not looked at: old phones mix it up.

    Raises:
        Malformed: a member without such a tag, or one tag twice.
    """
    found = {member.number: member.tagged() for member in members}
    if len(found) != len(members):
        raise Malformed("a tag twice")
    return found


# ------------------------------------------------------------------ inside


def _members(body: bytes) -> list[Element]:
    found, at = [], 0
    while at < len(body):
        member, at = _element(body, at)
        found.append(member)
    return found


def _element(data: bytes, at: int) -> tuple[Element, int]:
    first = _byte(data, at)
    number, at = _number(data, at)
    length, at = _length(data, at)
    end = at + length
    if end > len(data):
        raise Malformed("shorter than it says")
    constructed = bool(first & _CONSTRUCTED)
    return Element(first >> 6, constructed, number, data[at:end]), end


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Read a tag's number; from 31 on it takes bytes of its own, the fewest."""
    low = data[at] & _NUMBER_BITS
    if low < _NUMBER_BITS:
        return low, at + 1
    number = 0
    for step in range(1, _TAG_BYTES_MAX + 1):
        part = _byte(data, at + step)
        if step == 1 and part == _MORE:
            raise Malformed("a tag with idle bytes")
        number = number << 7 | part & ~_MORE
        if not part & _MORE:
            break
    else:
        raise Malformed("a tag without an end")
    if number < _NUMBER_BITS:
        raise Malformed("a low tag written long")
    return number, at + step + 1


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Read a definite length in its shortest form."""
    first = _byte(data, at)
    if first < _MORE:
        return first, at + 1
    count = first & ~_MORE
    if not 0 < count <= _LENGTH_BYTES_MAX:
        raise Malformed("an indefinite or an enormous length")
    raw = data[at + 1 : at + 1 + count]
    length = int.from_bytes(raw, "big")
    if len(raw) != count or raw[0] == 0 or length < _MORE:
        raise Malformed("a length written too long")
    return length, at + 1 + count


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise Malformed("ends too early")
    return data[at]


def _whole(body: bytes) -> int:
    if not 0 < len(body) <= _INTEGER_BYTES_MAX:
        raise Malformed("a number of no or too many bytes")
    value = int.from_bytes(body, "big", signed=True)
    if len(body) > 1 and -(1 << 8 * len(body) - 9) <= value < 1 << 8 * len(body) - 9:
        raise Malformed("a number written too long")
    return value
