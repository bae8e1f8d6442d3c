"""Random queries to a bank with a past: plans answer what graphql-core answers."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from random import Random
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app import telemetry
from app.clock import StoppedClock
from app.schema import root
from app.schema.execution import Call
from app.schema.masking import Answer
from app.settings import Settings
from tests.conftest import broken_proofs
from tests.schema.full_bank import FullBank, a_full_bank, fallbacks
from tests.schema.queries import Queries

VARIED = 5  # ways to fill the variables of one document: a case is one of them
AGAIN = 20
GRAPH = root.SCHEMA._schema  # noqa: SLF001  -- the built contract


def started() -> float:
    """Give how many queries were let in in this process."""
    return sum(
        sample.value
        for metric in telemetry.operations_total.collect()
        for sample in metric.samples
        if sample.labels.get("kind") == "query" and sample.name.endswith("_total")
    )


async def ask_both(full: FullBank, seed: int, outcomes: Counter[str]) -> None:
    """Ask one random query with several variables, both ways, and compare the bytes."""
    chance = Random(seed)  # noqa: S311  -- a history that can be repeated
    asked = Queries(chance, GRAPH, full.known)
    text = asked.document()
    for _ in range(VARIED):
        call = Call(text, asked.operation, asked.variables())
        told: dict[bool, list[str]] = {}
        answers: dict[bool, Answer] = {}
        outcome = ""
        for planned in chance.sample((True, False), 2):
            before, begun = fallbacks(), started()
            with capture_logs() as logs:
                engine = full.planned if planned else full.core
                answers[planned] = await full.ask(call, engine)
            # A refusal has its number, and is not always told.
            told[planned] = sorted(_told(one) for one in logs if "count" not in one)
            outcome = _outcome(before, begun) if planned else outcome
        outcomes[outcome] += 1
        story = f"{outcome}: {text}\n{orjson.dumps(call.variables).decode()}"
        found, expected = answers[True], answers[False]
        if found.body != expected.body and outcome not in {"planned", "refused"}:
            expected = await by_core_again(full, call, found)
        else:
            assert told[True] == told[False], story
        assert orjson.dumps(found.body) == orjson.dumps(expected.body), story
        assert (found.status, found.packable) == (expected.status, expected.packable)
        shown = orjson.dumps(found.body).decode()
        assert [one for one in full.known.foreign if one in shown] == [], story


async def by_core_again(full: FullBank, call: Call, found: Answer) -> Answer:
    """Ask graphql-core until it gives the same, if it does.

    Which of several broken fields under one null it tells is decided by whose coroutine
    ends first, so it may say otherwise the next time. Data and codes it never changes.
    """
    expected = found
    for _ in range(AGAIN):
        with capture_logs():
            expected = await full.ask(call, full.core)
        assert _lasting(expected) == _lasting(found), call
        if expected.body == found.body:
            return expected
    return found


def _lasting(answer: Answer) -> tuple[bytes, set[str]]:
    """Give of an answer what no race decides."""
    errors = cast("list[dict[str, Any]]", answer.body["errors"])
    codes = {one["extensions"]["code"] for one in errors}
    return orjson.dumps(answer.body.get("data")), codes


def _outcome(before: dict[str, float], begun: float) -> str:
    """Say in one word how the last query went."""
    why = [one for one, value in fallbacks().items() if value > before.get(one, 0)]
    if why:
        return why[0]
    return "planned" if started() > begun else "refused"


def _told(entry: Mapping[str, object]) -> str:
    """Give a line of the log without the frames, which are those of the engine."""
    return str({name: entry.get(name) for name in ("event", "code", "path")})


# Of the second run: graphql-core leaves what it began beside a field that failed. Where
# Python lets go of that while it makes a named tuple, it cannot even warn, and says so.
@pytest.mark.filterwarnings(
    r"ignore:coroutine '(Executor|GraphQLCoreConverter)\.:RuntimeWarning",
    r"ignore:Exception ignored in. <coroutine object (Executor|GraphQLCoreConverter)\."
    ":pytest.PytestUnraisableExceptionWarning",
)
@pytest.mark.parametrize("cases", [500, pytest.param(50_000, marks=pytest.mark.chaos)])
def test_a_plan_answers_what_graphql_core_answers(
    cases: int,
    settings: Settings,
    clock: StoppedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcomes: Counter[str] = Counter()
    before = sum(fallbacks().values())

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        opening = stack.enter_async_context(a_full_bank(settings, clock, monkeypatch))
        full = runner.run(opening)
        asked = fallbacks()["asked"]

        @hypothesis_settings(max_examples=cases // VARIED, deadline=None)
        @given(seed=st.integers(0, 2**63))
        def compare(seed: int) -> None:
            runner.run(ask_both(full, seed, outcomes))

        try:
            compare()
            assert runner.run(broken_proofs()) == []
        finally:
            runner.run(stack.aclose())

    total = outcomes.total()
    fell = total - outcomes["planned"] - outcomes["refused"]
    by_core = fallbacks()["asked"] - asked
    assert total >= cases
    assert outcomes["planned"] > total * 0.6, outcomes
    assert outcomes["refused"] < total * 0.05, outcomes
    assert fell > 0
    fallen = {"argument", "directive", "raised", "failing"}
    assert set(outcomes) <= {"planned", "refused", *fallen}
    assert sum(fallbacks().values()) - before >= fell + by_core
