"""DER written by hand: the statements under test are not made by what reads them."""

from collections.abc import Mapping

CONTEXT = 0xA0


def length(size: int) -> bytes:
    if size < 128:
        return bytes([size])
    raw = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(raw)]) + raw


def tlv(tag: bytes, body: bytes) -> bytes:
    return tag + length(len(body)) + body


def integer(value: int, tag: bytes = b"\x02") -> bytes:
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return tlv(tag, value.to_bytes(size, "big", signed=True))


def enumerated(value: int) -> bytes:
    return integer(value, b"\x0a")


def boolean(value: bytes = b"\xff") -> bytes:
    return tlv(b"\x01", value)


def octets(value: bytes) -> bytes:
    return tlv(b"\x04", value)


def null() -> bytes:
    return tlv(b"\x05", b"")


def sequence(*members: bytes) -> bytes:
    return tlv(b"\x30", b"".join(members))


def set_of(*members: bytes) -> bytes:
    return tlv(b"\x31", b"".join(members))


def tagged(number: int, inner: bytes) -> bytes:
    """Put an explicit context tag around an element."""
    if number < 31:
        return tlv(bytes([CONTEXT | number]), inner)
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.insert(0, number & 0x7F | 0x80)
    return tlv(bytes([CONTEXT | 31, *groups]), inner)


def by_tag(members: Mapping[int, bytes | None]) -> bytes:
    """Write an authorisation list; a tag without a value is left out."""
    return sequence(
        *(tagged(tag, inner) for tag, inner in members.items() if inner is not None)
    )
