"""Plans of a process: made in turn, kept within bounds, left out where they fail."""

import asyncio

import orjson
import pytest
from structlog.testing import capture_logs

from app.schema.plan.keys import Weighed
from tests.schema.full_bank import fallbacks
from tests.schema.planted import Garden
from tests.schema.tiny import SECRET, a_bank

BOUNDLESS: dict[str, int] = dict.fromkeys(
    ("max_aliases", "max_fields", "max_cost", "max_document_tokens"), 10**6
)
WEATHER = "{ branch { weather } }"


@pytest.fixture
def garden() -> Garden:
    """Give a garden nobody has asked anything yet."""
    return Garden()


# ------------------------------------------------------------------ made in turn


async def test_a_new_plan_waits_for_its_turn_and_a_known_one_never(
    garden: Garden,
) -> None:
    text = "query ($also: Boolean!) { branch { number @include(if: $also) } }"
    await garden.ask(text, also=True)

    async with asyncio.TaskGroup() as group, garden.documents.turn():
        known = await garden.ask(text, also=True)
        fresh = group.create_task(garden.ask(text, also=False))
        for _ in range(50):
            await asyncio.sleep(0)
        made_meanwhile = garden.plans.different

    assert known.body["data"] == {"branch": {"number": 1}}
    assert made_meanwhile == 1
    assert fresh.result().body["data"] == {"branch": {}}
    assert garden.plans.different == 2


async def test_the_loop_goes_round_after_each_plan(garden: Garden) -> None:
    texts = [f"{{ branch {{ n{one}: number }} }}" for one in range(5)]
    for text in texts:
        garden.documents.find(text, None)
    seen: list[int] = []

    async def watch() -> None:
        while garden.plans.different < len(texts):
            seen.append(garden.plans.different)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        for text in texts:
            group.create_task(garden.ask(text))

    assert set(range(len(texts))) <= set(seen)


async def test_many_who_ask_the_same_at_once_share_one_plan(garden: Garden) -> None:
    asked = (garden.ask("{ branch { below { number } } }") for _ in range(20))

    answers = await asyncio.gather(*asked)

    assert {str(one.body["data"]) for one in answers} == {
        "{'branch': {'below': {'number': 2}}}"
    }
    assert garden.plans.different == 1


# ------------------------------------------------------------------ kept within bounds


def test_what_is_kept_again_weighs_once() -> None:
    kept: Weighed[str] = Weighed(most=3, weight=10)

    for _ in range(9):
        kept.keep("a", "old", 4)
    kept.keep("a", "new", 4)
    kept.keep("b", "other", 6)

    assert (kept.get("a"), kept.get("b")) == ("new", "other")


def test_what_is_weighed_makes_room_by_number_and_by_weight() -> None:
    kept: Weighed[str] = Weighed(most=3, weight=10)

    for name in "abcd":
        kept.keep(name, name, 1)
    assert kept.get("b") == "b"  # and is the last asked for
    kept.keep("e", "e", 8)

    assert [kept.get(name) for name in "abcde"] == [None, "b", None, "d", "e"]
    kept.keep("f", "f", 11)
    assert [kept.get(name) for name in "bdef"] == [None] * 4


async def test_five_hundred_plans_are_kept(garden: Garden) -> None:
    texts = [f"{{ branch {{ n{one}: number }} }}" for one in range(501)]

    for text in (*texts, texts[-1], texts[0]):
        await garden.ask(text)

    assert garden.plans.different == 502


async def test_long_documents_leave_room_for_fewer_plans(garden: Garden) -> None:
    texts = [f"{{ branch {{ n{one}: number }} }} # {'x' * 14_000}" for one in range(40)]

    for text in (*texts, texts[-1], texts[0]):
        await garden.ask(text)

    assert garden.plans.different == 41


@pytest.mark.parametrize(("count", "whys"), [(1999, []), (2000, ["size"])])
async def test_a_plan_of_more_than_two_thousand_fields_is_none(
    count: int, whys: list[str]
) -> None:
    garden = Garden(a_bank(max_document_chars=10**6, **BOUNDLESS))
    fields = " ".join(f"n{one}: number" for one in range(count))
    text = f"{{ branch {{ {fields} }} }}"

    found = await garden.ask(text)
    expected = await garden.by_core(text)

    assert orjson.dumps(found.body) == orjson.dumps(expected.body)
    assert len(found.body["data"]["branch"]) == count  # type: ignore[index]  # JSON
    assert garden.plans.whys == whys


async def test_a_bug_of_the_compiler_is_told_once_and_answered_by_graphql_core(
    garden: Garden,
) -> None:
    text = "{ branch { crooked { number } } }"

    with capture_logs() as logs:
        answers = [await garden.ask(text) for _ in range(3)]

    shown = {"branch": {"crooked": [{"number": 1}, {"number": 5}]}}
    assert [one.body["data"] for one in answers] == [shown] * 3
    assert [one["event"] for one in logs] == ["plan_not_compiled"]
    assert garden.plans.whys == ["raised"] * 3


# ------------------------------------------------------------------ left out


async def test_what_meets_an_outage_rests_for_five_seconds(garden: Garden) -> None:
    garden.done.append("outage")
    before = fallbacks()
    tries = []

    for seconds in (0, 0, 4.9, 0.1):
        garden.bank.clock.move(seconds=seconds)
        told = garden.done.count("weather")
        answer = await garden.ask(WEATHER)
        assert answer.body["data"] == {"branch": {"weather": None}}
        tries.append(garden.done.count("weather") - told)

    assert tries == [2, 1, 1, 2]
    assert fallbacks()["outage"] - before.get("outage", 0) == 2
    assert fallbacks()["resting"] - before.get("resting", 0) == 2


async def test_a_plan_that_met_an_outage_answers_again_when_it_is_over(
    garden: Garden,
) -> None:
    garden.done.append("outage")
    await garden.ask(WEATHER)
    garden.done.clear()
    garden.bank.clock.move(seconds=5)
    before = fallbacks()

    answers = [await garden.ask(WEATHER) for _ in range(2)]

    assert [one.body["data"] for one in answers] == [
        {"branch": {"weather": "fine"}}
    ] * 2
    assert fallbacks() == before


async def test_a_plan_that_fails_three_times_in_a_row_is_tried_now_and_then(
    garden: Garden,
) -> None:
    garden.done.append("bug")
    before = fallbacks().get("failing", 0)
    tries = []

    for _ in range(24):
        told = garden.done.count("weather")
        answer = await garden.ask(WEATHER)
        assert SECRET not in str(answer.body)
        tries.append(garden.done.count("weather") - told)

    assert tries == [2] * 3 + [1] * 19 + [2, 1]
    assert fallbacks()["failing"] - before == 20


async def test_a_plan_that_succeeds_once_is_tried_each_time_again(
    garden: Garden,
) -> None:
    garden.done.append("bug")
    for _ in range(3):
        await garden.ask(WEATHER)
    garden.done.clear()
    for _ in range(20):
        await garden.ask(WEATHER)
    before = fallbacks()

    await garden.ask(WEATHER)

    assert fallbacks() == before


async def test_what_a_caller_does_wrong_takes_the_plan_from_nobody(
    garden: Garden,
) -> None:
    garden.done.append("wrong")

    for _ in range(5):
        await garden.ask(WEATHER)

    assert garden.done.count("weather") == 10
