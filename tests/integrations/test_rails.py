"""What every rail promises, tried on each file of the folder, faults included."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import stamina

from app import adapters
from app.errors import NotFound
from app.integrations.outcome import (
    NotSent,
    Ok,
    Outcome,
    PortCode,
    Rejected,
    Unknown,
)
from app.integrations.rails import Callback, RailAnswer, RailStatus, Settles
from app.integrations.webhooks import Forged
from tests.integrations.rail_benches import (
    AT,
    KNOWN,
    NOBODY,
    PORT,
    Bench,
    a_bench,
    an_op,
    context,
)
from tests.sandbox.world import an_open_world

NAMES = adapters.choices(PORT)


@pytest.fixture(autouse=True)
def _tries_without_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture(scope="module")
def started_world() -> Iterator[httpx.Client]:
    with an_open_world() as world:
        yield world


@pytest.fixture
def world(started_world: httpx.Client) -> Iterator[httpx.Client]:
    yield started_world
    started_world.delete("/_faults").raise_for_status()


@pytest.fixture(params=NAMES)
async def bench(
    request: pytest.FixtureRequest, world: httpx.Client
) -> AsyncIterator[Bench]:
    """Give each rail of the folder in turn."""
    async with a_bench(request.param, world) as opened:
        yield opened


def test_every_rail_has_settings_of_its_own_block() -> None:
    assert NAMES == ["imps", "on_us"]
    for name in NAMES:
        prefix = adapters.load(PORT, name).Settings.model_config["env_prefix"]
        assert prefix == f"SIXPENCE_RAILS_{name.upper()}_"


async def test_it_says_what_it_can(bench: Bench) -> None:
    caps = bench.rail.caps

    assert caps.schemes
    assert caps.settles in Settles
    assert list(caps.ask_plan) == sorted(caps.ask_plan)
    assert caps.ask_every_s > 0


async def test_it_names_who_is_paid_masked_or_says_nobody(bench: Bench) -> None:
    found = await bench.rail.resolve_payee(bench.address())

    assert found.name == "Dev Malhotra"
    assert found.masked not in {"", found.name}
    assert found.name not in repr(found)
    with pytest.raises(NotFound):
        await bench.rail.resolve_payee(bench.address(NOBODY))
    assert KNOWN not in repr(bench.address())


async def test_it_quotes_in_the_currency_of_the_order(bench: Bench) -> None:
    told = await bench.rail.quote(bench.order())

    assert (told.fee.minor, told.fee.currency) == (0, "INR")
    assert told.arrives_by is None or told.arrives_by >= AT


async def test_the_same_order_twice_is_one_payment_and_one_answer(
    bench: Bench,
) -> None:
    op = an_op(f"twice {bench.rail.caps.rail}")

    answers = [await bench.rail.submit(op, bench.order()) for _ in range(2)]
    asked = await bench.rail.status(op, context())

    assert answers[0] == answers[1] == asked
    assert settled(answers[0])
    assert bench.effects([op]) == 1


async def test_an_order_it_never_saw_is_said_so(bench: Bench) -> None:
    op = an_op(f"never {bench.rail.caps.rail}")

    found = await bench.rail.status(op, context())

    assert isinstance(found, Rejected)
    assert found.code is PortCode.NEVER_SEEN
    assert bench.effects([op]) == 0


async def test_what_nobody_signed_is_forged(bench: Bench) -> None:
    body = b'{"type": "payment.updated", "data": {"status": "SETTLED"}}'

    with pytest.raises(Forged):
        bench.rail.parse_callback(Callback({}, body, AT))


FAULTS = [
    ("drop-before-work", {}, 0),
    ("drop-after-work", {}, 1),
    ("malformed-json", {}, 1),
    ("http-status", {"reply": 500}, 0),
    ("http-status", {"reply": 503}, 0),
    ("http-status", {"reply": 425}, 0),
    ("http-status", {"reply": 418}, 0),
]


@pytest.mark.parametrize(("kind", "more", "done"), FAULTS)
async def test_an_answer_that_does_not_come_is_unknown_and_asking_tells_the_truth(
    bench: Bench, kind: str, more: dict[str, object], done: int
) -> None:
    if bench.fault is None:
        pytest.skip("no line between us and the books")
    op = an_op(f"{kind} {more} {bench.rail.caps.rail}")
    bench.fault({"kind": kind, "count": 1} | more)

    lost = await bench.rail.submit(op, bench.order())
    asked = await bench.rail.status(op, context())
    again = await bench.rail.submit(op, bench.order())

    assert isinstance(lost, Unknown)
    assert settled(asked) == bool(done)
    assert done or asked == Rejected(PortCode.NEVER_SEEN)
    assert settled(again)
    assert bench.effects([op]) == 1


@pytest.mark.parametrize(
    ("kind", "more"), [("429", {}), ("http-status", {"reply": 401})]
)
async def test_what_was_surely_not_taken_raises_and_has_no_effect(
    bench: Bench, kind: str, more: dict[str, object]
) -> None:
    if bench.fault is None:
        pytest.skip("no line between us and the books")
    op = an_op(f"{kind} {more} {bench.rail.caps.rail}")
    bench.fault({"kind": kind} | more)

    with pytest.raises(NotSent):
        await bench.rail.submit(op, bench.order())

    assert bench.effects([op]) == 0


def settled(outcome: Outcome[RailAnswer]) -> bool:
    """Tell whether a rail said that the payee has the money."""
    return isinstance(outcome, Ok) and outcome.value.status is RailStatus.SETTLED
