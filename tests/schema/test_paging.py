"""Pages and their cursors."""

import base64
from datetime import timedelta

import pytest

from app import ids
from app.errors import BadRequest
from app.schema import paging
from tests.schema.tiny import NOON


def test_a_cursor_comes_back_as_the_position_it_was_made_of() -> None:
    place = paging.Position(NOON + timedelta(milliseconds=7), ids.uuid7())

    assert paging.decode(paging.encode(place, "IN"), "IN") == place


def test_no_cursor_is_the_beginning() -> None:
    assert paging.decode(None) is None


def test_a_cursor_of_another_filter_is_refused() -> None:
    cursor = paging.encode(paging.Position(NOON, ids.uuid7()), "status:PAID")

    with pytest.raises(BadRequest):
        paging.decode(cursor, "status:FAILED")


def _packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "not a cursor!",
        "é",
        _packed("1.2.3"),
        _packed("9" * 30 + "." + "a" * 32 + "." + "b" * 16),
        "A" * 10_000,
    ],
)
def test_what_is_not_a_cursor_of_ours_is_refused(cursor: str) -> None:
    with pytest.raises(BadRequest):
        paging.decode(cursor)


@pytest.mark.parametrize(("asked", "given"), [(None, 25), (1, 1), (100, 100)])
def test_a_page_has_one_to_a_hundred_rows(asked: int | None, given: int) -> None:
    assert paging.size(asked, 25) == given


@pytest.mark.parametrize("asked", [0, -1, 101])
def test_other_sizes_are_refused(asked: int) -> None:
    with pytest.raises(BadRequest):
        paging.size(asked, 25)


def test_a_page_names_its_ends() -> None:
    places = [paging.Position(NOON, ids.uuid7()) for _ in range(3)]

    found = paging.page(
        places, shape=lambda one: one.id, at=lambda one: one, has_next=True, after="x"
    )

    assert found.nodes == [place.id for place in places]
    assert [edge.node for edge in found.edges] == found.nodes
    assert found.page_info.start_cursor == found.edges[0].cursor
    assert paging.decode(found.page_info.end_cursor) == places[-1]
    assert found.page_info.has_next_page
    assert found.page_info.has_previous_page


def test_an_empty_page_has_no_ends() -> None:
    found: paging.Connection[int] = paging.page(
        [],
        shape=lambda one: one,
        at=lambda _one: paging.Position(NOON, ids.uuid7()),
        has_next=False,
    )

    assert found.nodes == []
    assert (found.page_info.start_cursor, found.page_info.end_cursor) == (None, None)
