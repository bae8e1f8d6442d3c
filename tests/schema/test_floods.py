"""T4: documents made to cost are refused after bounded work, quietly, saying nothing.

Work is counted in function calls, not in milliseconds: a busy machine changes nothing.
"""

import asyncio
import tracemalloc
from collections.abc import Callable
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from app.schema.execution import Call
from app.schema.prepare import Prepared, Rejection
from app.schema.transport.operations import SocketOperations
from tests.schema.asking import KEY, MOVE, codes, facts, move_input
from tests.schema.floods import FLOODS, chain, counted, many
from tests.schema.tiny import FakeBank, a_bank, a_context, an_engine, asha, nobody

MOST_CALLS = 75_000  # about 30 ms
KIB = 1024


def production(**chosen: object) -> FakeBank:
    return a_bank(introspection=False, **chosen)


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_is_refused_after_bounded_work_and_told_nothing(
    name: str,
) -> None:
    text, code, budget = FLOODS[name]
    bank = production()
    engine = an_engine(bank)
    operations = SocketOperations(engine, cast("Any", bank))

    with counted() as work:
        found = engine.document(Call(text))
    answer = await engine.run(a_context(bank), Call(text))
    over = [one async for one in operations.run(nobody(), {"query": text})]

    assert work.calls < MOST_CALLS
    assert over == [answer]
    assert (answer.status, answer.is_refused) == (400, True)
    assert (codes(answer)[0], facts(answer).get("budget")) == (code, budget)
    assert facts(answer).keys() <= {"code", "requestId", "budget"}
    assert len(codes(answer)) <= 5
    assert len(str(answer.body)) < 2 * KIB
    assert isinstance(found, Rejection)
    assert is_short(found)
    assert bank.callers.charged == []


def is_short(found: Rejection) -> bool:
    """Tell whether what is remembered of a text is little, and none of its frames."""
    return all(
        len(getattr(fault, "why", None) or "") <= 200
        and len(places) <= 3
        and fault.__traceback__ is None
        and fault.__context__ is None
        for fault, places in found.faults
    )


def test_work_grows_with_the_text_and_not_with_what_it_would_become() -> None:
    engine = an_engine(a_bank())

    with counted() as short:
        engine.document(Call(chain(14)))
    with counted() as long:
        engine.document(Call(chain(28)))

    assert long.calls < short.calls * 2.2


@pytest.mark.slow
async def test_a_thousand_bad_documents_hold_nobody_up_and_fill_no_log() -> None:
    bank = production()
    engine = an_engine(bank)
    kinds = ["{ pong% }", "{ ping", "} {", "query ($a: [) { ping }"]
    texts = [kinds[one % 4].replace("%", str(one)) + f" #{one}" for one in range(1000)]
    rounds = 0

    async def others() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    with capture_logs() as logs:
        async with asyncio.TaskGroup() as tasks:
            meanwhile = tasks.create_task(others())
            asked = [
                tasks.create_task(engine.run(a_context(bank), Call(text)))
                for text in texts
            ]
            await asyncio.wait(asked)
            meanwhile.cancel()

    assert {codes(one.result())[0] for one in asked} == {"BAD_REQUEST"}
    assert rounds > len(texts)  # the loop went round after each of them
    assert len(logs) <= 20
    assert {one["log_level"] for one in logs} == {"info"}
    assert not any("exception" in one for one in logs)
    assert not any("query" in one or "ping" in str(one) for one in logs)


async def test_a_huge_name_is_cut_in_the_log() -> None:
    bank = production()
    call = Call("query A { ping }", operation_name="x" * 60_000)

    with capture_logs() as logs:
        answer = await an_engine(bank).run(a_context(bank), call)

    assert codes(answer) == ["BAD_REQUEST"]
    assert len(str(logs)) < KIB


async def test_a_known_document_does_not_wait_behind_new_ones() -> None:
    bank = a_bank()
    engine = an_engine(bank)
    await engine.run(a_context(bank), Call("{ ping }"))
    finished: list[str] = []

    async def ask(text: str) -> None:
        await engine.run(a_context(bank), Call(text))
        finished.append(text)

    new = [f"{{ pong{one} }}" for one in range(50)]
    await asyncio.gather(*map(ask, new), ask("{ ping }"))

    assert finished.index("{ ping }") < 3


def test_refused_texts_leave_no_text_in_memory() -> None:
    engine = an_engine(a_bank())
    fill = "x" * 14_000
    for one in range(20):
        engine.document(Call(f"}} {one} {fill}"))
    tracemalloc.start()
    try:
        for one in range(300):
            engine.document(Call(f"}} a{one} {fill}"))
            engine.document(Call(f"{{ ping }} {one} {fill} {fill}"))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < 2000 * KIB  # the texts themselves are 12 MiB


def test_good_texts_are_kept_up_to_a_sum_of_their_lengths() -> None:
    engine = an_engine(a_bank())
    texts = [f"{{ ping }} {',' * 14_900} #{one}" for one in range(34)]

    first, *_, last = [engine.document(Call(text)) for text in texts]

    assert isinstance(first, Prepared)
    assert engine.document(Call(texts[-1])) is last
    assert engine.document(Call(texts[0])) is not first


def test_bad_texts_do_not_push_good_ones_out() -> None:
    engine = an_engine(a_bank(max_documents=2))
    good = engine.document(Call("{ ping }"))

    for one in range(600):
        engine.document(Call(f"}} {one}"))

    assert engine.document(Call("{ ping }")) is good


def tree(size: int) -> str:
    """Write so many fields with few of one name at one place."""
    if size < 5:
        return "number " * size
    half = (size - 3) // 2
    return f"number below {{ {tree(size - 3 - half)} }} beside {{ {tree(half)} }}"


def deep(size: int) -> str:
    return "{ row {" + "below {" * (size - 2) + "number" + "}" * size


def told(size: int) -> str:
    inner = "ofType {" * (size - 5) + "name" + "}" * (size - 5)
    return "{ __schema { types { fields { type { " + inner + " } } } } }"


@pytest.mark.parametrize(
    ("written", "most", "budget"),
    [
        (lambda size: "{ ping }" + " " * (size - 8), 15_000, "characters"),
        (lambda size: "{" + " ping" * (size - 2) + "}", 1_000, "tokens"),
        (lambda size: many("query A% { ping }", size), 30, "definitions"),
        (lambda size: "{ row {" + tree(size - 1) + "} }", 400, "fields"),
        (lambda size: "{ row {" + "number " * size + "} }", 32, "fields"),
        (deep, 10, "depth"),
        (told, 16, "introspectionDepth"),
        (lambda size: "{ row {" + many("a%: number", size) + "} }", 15, "aliases"),
        (lambda size: "{ ping " + "@skip(if: true) " * size + "}", 20, "directives"),
        (
            lambda size: (
                f"{{ rows(first: {size}) {{ nodes {{ below {{ number }} }} }} }}"
            ),
            999,
            "cost",
        ),
        (lambda size: "{ ping(text: " + "[" * size + "]" * size + ") }", 8, "depth"),
        (lambda size: "{ ping(text: [" + "1 " * size + "]) }", 200, "items"),
    ],
)
def test_a_limit_refuses_one_more_and_not_one_less(
    written: Callable[[int], str], most: int, budget: str
) -> None:
    chosen = {} if budget == "cost" else {"max_cost": 10**6}
    engine = an_engine(a_bank(**chosen))

    at, over = (engine.document(Call(written(size))) for size in (most, most + 1))

    assert isinstance(over, Rejection)
    assert over.faults[0][0].facts == {"budget": budget}
    if isinstance(at, Rejection):  # then for another reason, which is not this limit
        assert at.faults[0][0].facts.get("budget") != budget
        assert budget in {"tokens", "directives", "depth", "items"}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"input": {f"f{one}": 1 for one in range(6000)}}, "BAD_REQUEST"),
        ({"input": [[1] * 200 for _ in range(150)]}, "BAD_REQUEST"),
        ({"input": move_input()["input"], "x": [1] * 201}, "BAD_REQUEST"),
        (move_input() | {f"v{one}": one for one in range(6000)}, None),
    ],
    ids=["members", "lists", "a long list", "unheard of"],
)
async def test_a_flood_of_variables_is_bounded_work(
    given: dict[str, object], code: str | None
) -> None:
    bank = production()
    engine = an_engine(bank)
    call = Call(MOVE, variables=given)
    engine.document(call)

    with counted() as work:
        answer = await engine.run(a_context(bank, asha()), call)

    assert work.calls < MOST_CALLS
    assert answer.is_refused is (code is not None)
    assert bank.moves == ([] if code else [KEY])
