"""Compiled queries: what they share, and what they leave to graphql-core."""

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import orjson
import pytest

from app import database
from app.clock import StoppedClock
from app.schema.execution import Call
from app.settings import Settings
from tests.schema.full_bank import FullBank, a_full_bank, fallbacks
from tests.schema.planted import Garden
from tests.schema.tiny import SECRET, a_bank, asha, stranger
from tests.test_statements import LIMITS, text_of

GIVEN = {"platform": "ANDROID", "version": "1.0.0", "first": 25}


@pytest.fixture
def garden() -> Garden:
    """Give a garden nobody has asked anything yet."""
    return Garden()


@pytest.fixture
async def full(
    settings: Settings, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FullBank]:
    """Give a bank with a past."""
    async with a_full_bank(settings, clock, monkeypatch) as opened:
        yield opened


@contextmanager
def nothing_left() -> Iterator[None]:
    """See that no task goes on and no coroutine was begun in vain."""
    before = asyncio.all_tasks()
    gc.freeze()  # of what is there already nothing is looked for
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [str(one.message) for one in seen] == []
    assert asyncio.all_tasks() == before


# ------------------------------------------------------------------ what is shared


@pytest.mark.parametrize("operation", LIMITS)
async def test_a_shipped_query_has_a_plan_that_asks_the_database_no_more_often(
    full: FullBank, operation: str
) -> None:
    call = Call(text_of(operation), variables=GIVEN)
    await full.ask(call)  # the idle clock is written now
    before = fallbacks()

    async with database.watched_statements() as planned:
        found = await full.ask(call)
    unchanged = fallbacks() == before
    async with database.watched_statements() as core:
        expected = await full.ask(call, full.core)

    assert unchanged
    assert orjson.dumps(found.body) == orjson.dumps(expected.body)
    assert len(planned) <= len(core)


async def test_an_answer_keeps_the_order_of_the_question(garden: Garden) -> None:
    text = """{ branch { z: below { number } number a: below(by: 9) { number }
      beside(counts: [3, 4]) { below { number } caller number } } }"""

    found = await garden.ask(text)
    expected = await garden.by_core(text)

    assert garden.plans.whys == []
    assert orjson.dumps(found.body) == orjson.dumps(expected.body)


async def test_variables_decide_arguments_and_share_one_plan(garden: Garden) -> None:
    text = "query ($by: Int = 5) { branch { below(by: $by) { number } } }"

    given = [await garden.ask(text, by=by) for by in (1, 2)]
    given.append(await garden.ask(text))

    numbers = [one.body["data"]["branch"]["below"]["number"] for one in given]  # type: ignore[index]  # JSON
    assert numbers == [2, 3, 6]
    assert garden.plans.different == 1


async def test_a_condition_in_a_variable_makes_two_plans(garden: Garden) -> None:
    text = """query ($also: Boolean!) {
      branch { number below @include(if: $also) { number } } }"""

    given = [await garden.ask(text, also=also) for also in (True, False, True)]

    shown = [list(one.body["data"]["branch"]) for one in given]  # type: ignore[index]  # JSON
    assert shown == [["number", "below"], ["number"], ["number", "below"]]
    assert garden.plans.different == 2


async def test_two_callers_of_one_plan_are_told_of_themselves(garden: Garden) -> None:
    one, other = asha(), asha()

    told = [await garden.ask("{ branch { caller } }", who) for who in (one, other)]

    assert [answer.body["data"] for answer in told] == [
        {"branch": {"caller": str(who.customer)}} for who in (one, other)
    ]
    assert garden.plans.different == 1


async def test_who_may_not_ask_is_refused_before_a_plan_is_looked_for(
    full: FullBank,
) -> None:
    context = full.context_of(stranger())

    answer = await full.planned.run(context, Call("{ me { id } }"))

    assert answer.is_refused
    assert "data" not in answer.body


async def test_what_another_customer_has_is_null_by_both_ways(full: FullBank) -> None:
    text = """query ($ids: [ID!]!, $id: ID!) {
      nodes(ids: $ids) { id } node(id: $id) { id } payment(id: $id) { id }
      me { account(id: $id) { id balance { version } } } }"""
    theirs = full.known.foreign
    kinds = {one[:3] for one in theirs}
    before = fallbacks()

    for one in theirs:
        given = {"ids": theirs, "id": one}
        for engine in (full.planned, full.core):
            answer = await full.ask(Call(text, variables=given), engine)
            assert answer.body["data"] == {
                "nodes": [None] * len(theirs),
                "node": None,
                "payment": None,
                "me": {"account": None},
            }

    assert {"acc", "txn", "pay", "ben", "dev", "ses", "aud", "cus"} <= kinds
    by_core = fallbacks()["asked"] - before.get("asked", 0)
    assert by_core == len(theirs)
    assert sum(fallbacks().values()) - sum(before.values()) == by_core


# ------------------------------------------------------- what graphql-core owns


@pytest.mark.parametrize(
    ("below", "why"),
    [
        ("number breaks", "raised"),
        ("below { number } bursts", "raised"),
        ("below { breaks below { number } } breaks", "raised"),
        ("below { number } gone", "null"),
        ("below { below { gone } } beside(counts: [1]) { number }", "null"),
    ],
)
async def test_trouble_ends_in_the_very_answer_of_graphql_core(
    garden: Garden, below: str, why: str
) -> None:
    text = f"{{ branch {{ {below} }} }}"
    before = fallbacks().get(why, 0)

    with nothing_left():
        found = await garden.ask(text)
    expected = await garden.by_core(text)

    assert orjson.dumps(found.body) == orjson.dumps(expected.body)
    assert found.status == expected.status
    assert len(found.body["errors"]) > 0  # type: ignore[arg-type]  # JSON
    assert fallbacks()[why] == before + 1


async def test_what_is_begun_beside_trouble_is_never_run(garden: Garden) -> None:
    plan_of = "{ branch { below { number } bursts } }"

    await garden.ask(plan_of)

    assert garden.done == ["below 1"]  # by graphql-core alone


async def test_a_null_argument_is_graphql_cores_to_refuse(garden: Garden) -> None:
    text = "query ($by: Int = 5) { branch { below(by: $by) { number } } }"

    found = await garden.ask(text, by=None)
    expected = await garden.by_core(text, by=None)

    assert orjson.dumps(found.body) == orjson.dumps(expected.body)
    assert found.body["errors"]


async def test_a_null_condition_is_graphql_cores_to_refuse(garden: Garden) -> None:
    text = "query ($also: Boolean = true) { branch { number @include(if: $also) } }"

    found = await garden.ask(text, also=None)
    expected = await garden.by_core(text, also=None)

    assert orjson.dumps(found.body) == orjson.dumps(expected.body)
    assert garden.plans.whys == ["argument"]


@pytest.mark.parametrize(
    ("field", "why"),
    [("loud", "extension"), ("guarded", "extension"), ("below { loud }", "extension")],
)
async def test_what_stands_around_a_resolver_is_never_skipped(
    garden: Garden, field: str, why: str
) -> None:
    text = f"{{ branch {{ number {field} }} }}"

    found = await garden.ask(text)
    expected = await garden.by_core(text)

    assert orjson.dumps(found.body) == orjson.dumps(expected.body)
    assert garden.plans.whys == [why]
    assert SECRET not in str(found.body)


async def test_two_conditions_have_plans_and_three_have_none(garden: Garden) -> None:
    def text(count: int) -> str:
        told = ", ".join(f"$c{one}: Boolean!" for one in range(count))
        parts = " ".join(
            f"n{one}: number @include(if: $c{one})" for one in range(count)
        )
        return f"query ({told}) {{ branch {{ {parts} }} }}"

    few = await garden.ask(text(2), c0=True, c1=False)
    many = await garden.ask(text(3), c0=True, c1=False, c2=True)

    assert list(few.body["data"]["branch"]) == ["n0"]  # type: ignore[index]  # JSON
    assert list(many.body["data"]["branch"]) == ["n0", "n2"]  # type: ignore[index]  # JSON
    assert garden.plans.whys == ["directive"]


async def test_what_is_counted_is_asked_once_whatever_happens_beside_it(
    garden: Garden,
) -> None:
    answer = await garden.ask("{ counted branch { breaks } }")

    assert answer.body["data"] == {"counted": 1, "branch": {"breaks": None}}
    assert garden.done.count("counted") == 1
    assert garden.plans.whys == ["once"]


async def test_a_mutation_is_run_once_and_by_graphql_core(garden: Garden) -> None:
    before = fallbacks()

    answer = await garden.ask("mutation { grow { number below { number } } }")

    assert answer.body["data"] == {"grow": {"number": 7, "below": {"number": 8}}}
    assert garden.done == ["grow", "below 7"]
    assert garden.plans.given == []
    assert fallbacks() == before


# ------------------------------------------------------------------ what is left


@pytest.mark.parametrize(
    "below", ["waits", "waits again: waits", "below { waits } waits gone"]
)
async def test_a_query_that_runs_out_of_time_leaves_nothing_behind(below: str) -> None:
    garden = Garden(a_bank(max_operation_s=0.05))

    with nothing_left():
        answer = await garden.ask(f"{{ branch {{ {below} }} }}")

    assert answer.status == 500
    assert answer.body["data"] is None
    assert garden.plans.different == 1


async def test_a_query_that_is_cancelled_leaves_nothing_behind(garden: Garden) -> None:
    text = "{ branch { waits again: waits below { number } } }"
    before = fallbacks()

    with nothing_left():
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(garden.ask(text))
            while not garden.done:
                await asyncio.sleep(0)
            asking.cancel()

    assert asking.cancelled()
    assert fallbacks() == before
    assert garden.done == ["below 1"]
