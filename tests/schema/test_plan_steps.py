"""A plan beside trouble: what it begins ends, what it shares nobody can change."""

import orjson
import pytest

from tests.schema.full_bank import fallbacks
from tests.schema.planted import Garden
from tests.schema.test_compiler import nothing_left
from tests.schema.tiny import a_bank


@pytest.fixture
def garden() -> Garden:
    """Give a garden nobody has asked anything yet."""
    return Garden()


# ------------------------------------------------------------------ what it begins


async def test_a_level_ends_with_its_first_failure_and_takes_the_rest_along() -> None:
    garden = Garden(a_bank(max_operation_s=2))

    with nothing_left():
        answer = await garden.ask("{ branch { tardy breaks } }")

    assert answer.status == 200
    assert answer.body["data"] == {"branch": {"tardy": "answered", "breaks": None}}
    assert garden.done == ["tardy", "breaks", "left", "tardy", "breaks"]


async def test_who_is_run_again_has_the_whole_time_again() -> None:
    garden = Garden(a_bank(max_operation_s=0.5))

    answer = await garden.ask("{ branch { later { breaks } } }")

    assert answer.status == 200
    assert answer.body["data"] == {"branch": {"later": {"breaks": None}}}
    assert garden.done.count("later") == 2


# ------------------------------------------------------------------ what it shares


async def test_no_caller_changes_what_the_next_one_is_given(garden: Garden) -> None:
    text = "{ branch { greedy(counts: [1], wish: {counts: [2]}) } }"

    answers = [await garden.ask(text) for _ in range(2)]

    assert [one.body["data"] for one in answers] == [
        {"branch": {"greedy": [1, 0, 2, 0]}}
    ] * 2
    assert garden.plans.different == 1


async def test_snapshots_are_left_out_where_a_field_has_arguments(
    garden: Garden,
) -> None:
    text = "{ branch { some(first: 1) { number } } }"

    found = await garden.ask(text)
    expected = await garden.by_core(text)

    assert orjson.dumps(found.body) == orjson.dumps(expected.body)
    assert garden.plans.whys == ["argument"]


async def test_snapshots_below_a_snapshot_are_read_from_its_object(
    garden: Garden,
) -> None:
    text = "{ branch { twigs { number leaves { number } } } }"
    before = fallbacks()

    found = await garden.ask(text)
    by_plan = fallbacks() == before
    expected = await garden.by_core(text)

    assert orjson.dumps(found.body) == orjson.dumps(expected.body)
    assert found.body["data"]["branch"]["twigs"][1] == {  # type: ignore[index]  # JSON
        "number": 5,
        "leaves": [{"number": 5}, {"number": 6}],
    }
    assert by_plan
