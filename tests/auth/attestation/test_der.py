"""DER is read one way: every other way to write a value is an error of ours."""

from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth.attestation import der
from app.auth.attestation.der import Element, Kind, Malformed
from tests.auth.attestation import der_maker as made

READERS: dict[str, Callable[[Element], object]] = {
    "integer": Element.integer,
    "enumerated": Element.enumerated,
    "boolean": Element.boolean,
    "octets": Element.octets,
    "null": Element.null,
    "sequence": Element.sequence,
    "set": Element.members_of_set,
    "tagged": Element.tagged,
}
WHOLE = {
    "integer": made.integer(5),
    "enumerated": made.enumerated(5),
    "boolean": made.boolean(),
    "octets": made.octets(b"x"),
    "null": made.null(),
    "sequence": made.sequence(made.integer(1)),
    "set": made.set_of(made.integer(1)),
    "tagged": made.tagged(704, made.integer(1)),
}


def test_each_type_is_read() -> None:
    assert der.read(WHOLE["integer"]).integer() == 5
    assert der.read(WHOLE["enumerated"]).enumerated() == 5
    assert der.read(made.boolean(b"\xff")).boolean() is True
    assert der.read(made.boolean(b"\x00")).boolean() is False
    assert der.read(WHOLE["octets"]).octets() == b"x"
    der.read(WHOLE["null"]).null()
    assert [one.integer() for one in der.read(WHOLE["sequence"]).sequence()] == [1]
    assert [one.integer() for one in der.read(WHOLE["set"]).members_of_set()] == [1]
    found = der.read(WHOLE["tagged"])
    assert (found.family, found.number) == (2, 704)
    assert found.tagged().integer() == 1


@pytest.mark.parametrize(
    ("reader", "kind"), [pair for pair in product(READERS, WHOLE) if len({*pair}) > 1]
)
def test_a_value_of_another_type_is_refused(reader: str, kind: str) -> None:
    with pytest.raises(Malformed):
        READERS[reader](der.read(WHOLE[kind]))


@pytest.mark.parametrize("value", range(1, 255))
def test_a_boolean_is_00_or_ff_and_no_third(value: int) -> None:
    with pytest.raises(Malformed, match="neither"):
        der.read(made.boolean(bytes([value]))).boolean()


BROKEN = {
    "nothing": b"",
    "a tag alone": b"\x02",
    "a long tag alone": b"\x1f",
    "a long tag that stops": b"\xbf\x85",
    "a low tag written long": b"\xbf\x1e\x00",
    "a tag with an idle byte": b"\xbf\x80\x40\x00",
    "a tag without an end": b"\xbf\x81\x81\x81\x81\x01\x00",
    "an indefinite length": b"\x30\x80\x02\x01\x01\x00\x00",
    "a short length written long": b"\x04\x81\x01x",
    "a length with an idle byte": b"\x04\x82\x00\x80" + bytes(128),
    "a length that stops": b"\x04\x82\x01",
    "a length of four bytes": b"\x04\x84\x00\x00\x00\x01x",
    "a reserved length": b"\x04\xff",
    "shorter than it says": b"\x04\x02x",
    "bytes behind the end": b"\x05\x00\x00",
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
def test_bytes_that_are_not_der_are_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        der.read(raw)


@pytest.mark.parametrize(
    "raw",
    [b"\x02\x00", b"\x02\x02\x00\x7f", b"\x02\x02\xff\x80", b"\x02\x0a" + b"a" * 10],
)
def test_a_number_has_one_form_and_at_most_64_bits(raw: bytes) -> None:
    with pytest.raises(Malformed):
        der.read(raw).integer()


@pytest.mark.parametrize(
    "body", [b"\x02\x01", b"\x02\x01\x01\x02", made.integer(1) + b"\x05"]
)
def test_members_fill_their_list_exactly(body: bytes) -> None:
    with pytest.raises(Malformed):
        der.read(made.tlv(b"\x30", body)).sequence()


def test_a_null_holds_nothing_and_an_empty_list_is_a_list() -> None:
    with pytest.raises(Malformed, match="holds"):
        der.read(b"\x05\x01x").null()
    assert der.read(made.sequence()).sequence() == []


def test_a_boolean_is_one_byte() -> None:
    for raw in (b"", b"\xff\xff"):
        with pytest.raises(Malformed):
            der.read(made.tlv(b"\x01", raw)).boolean()


def test_tags_are_found_in_any_order_but_only_once() -> None:
    one, two = made.tagged(702, made.integer(0)), made.tagged(1, made.integer(9))

    found = der.by_tag(der.read(made.sequence(one, two)).sequence())

    assert {tag: member.integer() for tag, member in found.items()} == {702: 0, 1: 9}
    with pytest.raises(Malformed, match="twice"):
        der.by_tag(der.read(made.sequence(one, one)).sequence())
    with pytest.raises(Malformed, match="explicit"):
        der.by_tag(der.read(made.sequence(made.integer(1))).sequence())


def test_an_explicit_tag_holds_one_element() -> None:
    for inner in (b"", made.integer(1) + made.integer(2)):
        with pytest.raises(Malformed):
            der.read(made.tagged(1, inner)).tagged()


# ------------------------------------------------------------------ for any bytes


TREES = st.recursive(
    st.one_of(
        st.integers(-(2**63), 2**63 - 1).map(made.integer),
        st.sampled_from([b"\x00", b"\xff"]).map(made.boolean),
        st.binary(max_size=200).map(made.octets),
        st.just(made.null()),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda some: made.sequence(*some)),
        st.lists(inner, max_size=4).map(lambda some: made.set_of(*some)),
        st.tuples(st.integers(0, 2**21), inner).map(lambda pair: made.tagged(*pair)),
    ),
    max_leaves=12,
)


def _all(write: Callable[..., bytes], members: list[Element]) -> bytes:
    return write(*map(walked, members))


def _null(found: Element) -> bytes:
    found.null()
    return made.tlv(b"\x05", b"")


WRITERS: dict[Kind, Callable[[Element], bytes]] = {
    Kind.BOOLEAN: lambda one: made.boolean(b"\xff" if one.boolean() else b"\x00"),
    Kind.INTEGER: lambda one: made.integer(one.integer()),
    Kind.OCTETS: lambda one: made.octets(one.octets()),
    Kind.NULL: _null,
    Kind.ENUMERATED: lambda one: made.enumerated(one.enumerated()),
    Kind.SEQUENCE: lambda one: _all(made.sequence, one.sequence()),
    Kind.SET: lambda one: _all(made.set_of, one.members_of_set()),
}


def walked(found: Element) -> bytes:
    """Read a whole tree by its own tags, and write it again."""
    if found.family == 2:
        return made.tagged(found.number, walked(found.tagged()))
    if found.family or found.number not in list(Kind):
        raise Malformed("a type this bank has no use for")
    return WRITERS[Kind(found.number)](found)


@given(TREES)
def test_what_was_written_strictly_is_read_and_written_the_same(raw: bytes) -> None:
    assert walked(der.read(raw)) == raw


@given(st.one_of(st.binary(max_size=64), TREES), st.data())
def test_any_bytes_are_read_the_one_way_or_refused_as_ours(
    raw: bytes, data: st.DataObject
) -> None:
    if raw:
        at = data.draw(st.integers(0, len(raw) - 1))
        raw = raw[:at] + data.draw(st.binary(max_size=2)) + raw[at + 1 :]

    for reader in READERS.values():
        try:
            reader(der.read(raw))
        except Malformed:
            continue
    try:
        found = walked(der.read(raw))
    except Malformed:
        return
    assert found == raw
