"""Random selections of random facts: the projector gives what graphql-core gives."""

import asyncio
from collections import Counter
from random import Random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import telemetry
from tests.schema.projecting import SCHEMA, Question, an_event
from tests.schema.selections import Selections, any_fact

EVENTS = 5  # shown for each document: a case is one event


async def show_both(seed: int, outcomes: Counter[str]) -> None:
    """Show random events of one document both ways and compare the bytes."""
    chance = Random(seed)  # noqa: S311  -- a history that can be repeated
    asked = Selections(chance, SCHEMA)
    text = asked.document()
    question = Question(text, asked.variables)
    for _ in range(EVENTS):
        item = an_event(any_fact(chance), seen=chance.random() < 0.9)

        found = question.projected(item)
        answer = await question.rendering().answer(item)
        expected = await question.by_core(item)

        outcomes["projected" if isinstance(found, bytes) else found] += 1
        assert orjson.dumps(answer.body) == expected, text
        if isinstance(found, bytes):
            assert found == expected, text


def fallbacks() -> float:
    """Give how many events fell back in this process."""
    return sum(
        sample.value
        for metric in telemetry.projector_fallbacks.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.labels["why"] != "asked"
    )


@pytest.mark.parametrize("cases", [200, pytest.param(50_000, marks=pytest.mark.chaos)])
def test_the_projector_shows_what_graphql_core_shows(cases: int) -> None:
    outcomes: Counter[str] = Counter()
    before = fallbacks()

    with asyncio.Runner() as runner:

        @settings(max_examples=cases // EVENTS, deadline=None)
        @given(seed=st.integers(0, 2**63))
        def compare(seed: int) -> None:
            runner.run(show_both(seed, outcomes))

        compare()

    assert outcomes.total() >= cases
    assert outcomes["projected"] > cases * 0.6
    assert set(outcomes) <= {"projected", "resolver", "null"}
    assert fallbacks() - before == outcomes.total() - outcomes["projected"]
