"""The kit bites: one planted fault each, and the broken promise is named.

The faults are small variations of the example core in docs/examples/bank-adapter,
which keeps every promise as it is (test_kit_loading.py).
"""

import importlib
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import stamina
from typing_extensions import override

from app.ids import uuid7
from app.integrations import http
from app.integrations.core_banking import AccountState, OpKind
from app.integrations.outcome import OpRef, PortCode, Rejected
from app.integrations.push import PushMessage, PushOutcome, console
from app.integrations.rails import on_us
from tests.integrations import console_rig, on_us_rig
from tests.integrations import faulty_cores as cores
from tests.integrations.kit import (
    test_core_conduct as conduct,
)
from tests.integrations.kit import (
    test_core_faults as faults,
)
from tests.integrations.kit import (
    test_core_reads as reads,
)
from tests.integrations.kit import (
    test_core_writes as writes,
)
from tests.integrations.kit import test_push as pushes
from tests.integrations.kit import test_rails as rails
from tests.integrations.kit.core_bench import CoreBench, a_core_bench
from tests.integrations.kit.promises import Broken, Promise
from tests.integrations.kit.push_bench import PushBench
from tests.integrations.kit.rail_bench import RailBench
from tests.integrations.kit.rig import Fault

EXAMPLE = Path(__file__).parents[2] / "docs/examples/bank-adapter"
Check = Callable[[CoreBench], Awaitable[None]]


@pytest.fixture(scope="module")
def example() -> Iterator[SimpleNamespace]:
    """Import the example core and its rig as a bank would: from its own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE))
        parts = {part: importlib.import_module(f"my_bank.{part}") for part in PARTS}
        yield SimpleNamespace(**parts)
        for name in [name for name in sys.modules if name.startswith("my_bank")]:
            del sys.modules[name]


PARTS = ("core", "rig")


@pytest.fixture(scope="module")
def rig(
    example: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    with (
        stamina.set_testing(True, attempts=3, cap=True),
        example.rig.core_banking(tmp_path_factory.mktemp("rig")) as opened,
    ):
        yield opened


@asynccontextmanager
async def a_faulty(
    example: SimpleNamespace, rig: Any, vary: Callable[[Any], None]
) -> AsyncIterator[CoreBench]:
    """Connect the example core, each time with the fault in it."""

    async def connect(settings: object, *, clock: object) -> object:
        core = await example.core.connect(settings, clock=clock)
        vary(core)
        return core

    module = SimpleNamespace(Settings=example.core.Settings, connect=connect)
    async with a_core_bench(module, rig) as bench:
        yield bench


# ------------------------------------------------------------------ the bites


@dataclass(frozen=True, slots=True)
class Bite:
    """A fault, the check that must fail on it, and the promise that it names."""

    fault: Callable[[Any], None]
    check: Check
    promise: Promise


def _of(check: Callable[..., Awaitable[None]], *given: Any, **named: Any) -> Check:
    return lambda bench: check(bench, *given, **named)


repeat = writes.test_a_repeat_changes_nothing_and_is_answered_alike
lost = faults.test_an_answer_that_does_not_come_is_unknown_until_it_is_asked_for
away = faults.test_what_was_surely_not_taken_is_raised_and_has_no_effect
misfit = writes.test_what_does_not_fit_is_rejected_and_moves_nothing
decides = writes.test_the_state_of_an_account_decides
pages = _of(reads.test_the_pages_of_a_history_lose_and_double_no_row, meanwhile=False)
BLOCKED = PortCode.ACCOUNT_BLOCKED
MOVES = OpKind.TRANSFER
AFTER, BEFORE = Fault.DROP_AFTER_WORK, Fault.DROP_BEFORE_WORK
P = Promise

BITES: list[Bite] = [
    Bite(cores.posts_again_on_a_retry, _of(repeat, MOVES), P.ONCE),
    Bite(cores.calls_unknown_rejected, _of(lost, MOVES, AFTER), P.UNSURE),
    Bite(
        cores.calls_unknown_rejected, _of(lost, MOVES, Fault.DROP_BEFORE_WORK), P.UNSURE
    ),
    Bite(cores.calls_unknown_not_sent, _of(lost, MOVES, Fault.MALFORMED), P.UNSURE),
    Bite(cores.calls_unknown_done, _of(lost, MOVES, Fault.FAILS), P.UNSURE),
    Bite(
        cores.calls_rejected_unknown,
        _of(misfit, 1001, PortCode.INSUFFICIENT_FUNDS),
        P.REFUSED,
    ),
    Bite(cores.calls_not_sent_unknown, _of(away, MOVES, Fault.TURNED_AWAY), P.NOT_SENT),
    Bite(
        cores.says_no_funds_of_a_blocked_account,
        _of(decides, AccountState.BLOCKED, BLOCKED, BLOCKED),
        P.REFUSED,
    ),
    Bite(
        cores.takes_another_body_for_the_same,
        writes.test_another_body_under_the_same_op_moves_nothing,
        P.OTHER_BODY,
    ),
    Bite(cores.skips_a_row_of_an_older_page, pages, P.PAGES),
    Bite(cores.doubles_a_row_of_an_older_page, pages, P.PAGES),
    Bite(cores.loses_its_place, pages, P.PAGES),
    Bite(
        cores.counts_money_in_floats,
        _of(reads.test_money_is_exact_in_every_currency, 2),
        P.MONEY,
    ),
    Bite(
        cores.keeps_money_as_decimals,
        _of(reads.test_money_is_exact_in_every_currency, 3),
        P.MONEY,
    ),
    Bite(
        cores.leaves_held_money_available,
        writes.test_a_hold_lowers_what_is_available_and_nothing_else,
        P.HOLD,
    ),
    Bite(
        cores.tells_available_money_as_booked,
        reads.test_a_balance_is_what_the_books_say,
        P.BALANCE,
    ),
    Bite(
        cores.tells_no_open_holds,
        reads.test_an_open_hold_is_a_pending_row_until_it_is_resolved,
        P.ROWS,
    ),
    Bite(
        cores.keeps_the_hold_of_a_capture,
        writes.test_a_capture_books_the_money_and_ends_the_hold,
        P.CAPTURE,
    ),
    Bite(cores.releases_nothing, writes.test_a_release_frees_the_money, P.RELEASE),
    Bite(
        cores.reverses_as_often_as_asked,
        writes.test_a_reversal_is_booked_once,
        P.REVERSE,
    ),
    Bite(
        cores.calls_a_done_op_never_seen,
        _of(writes.test_lookup_tells_what_became_of_an_op, MOVES),
        P.LOOKUP,
    ),
    Bite(
        cores.calls_a_done_op_never_seen,
        _of(lost, MOVES, AFTER),
        P.LOOKUP,
    ),
    Bite(
        cores.calls_an_op_done_that_nobody_saw,
        _of(writes.test_an_op_that_nobody_saw_is_never_seen, MOVES),
        P.NEVER_SEEN,
    ),
    Bite(
        cores.shows_no_state,
        _of(reads.test_a_state_is_changed_and_shown, AccountState.BLOCKED),
        P.STATE,
    ),
    Bite(
        cores.asks_once_for_each_account,
        reads.test_many_accounts_are_looked_at_in_two_calls,
        P.CALLS,
    ),
    Bite(
        cores.lists_accounts_of_others,
        reads.test_the_accounts_of_a_customer_are_listed,
        P.ACCOUNTS,
    ),
    Bite(
        cores.reads_nothing_where_nobody_answers,
        faults.test_a_read_without_an_answer_is_an_outage,
        P.READS,
    ),
    Bite(cores.closes_nothing, conduct.test_close_lets_go_of_everything, P.CLOSE),
    Bite(
        cores.has_the_settings_of_another,
        conduct.test_it_says_what_it_can_and_has_settings_of_its_own,
        P.FORM,
    ),
]


@pytest.mark.parametrize(
    "bite", BITES, ids=lambda bite: f"{bite.fault.__name__}-{BITES.index(bite)}"
)
async def test_a_planted_fault_is_found_and_named(
    example: SimpleNamespace, rig: Any, bite: Bite
) -> None:
    async with a_faulty(example, rig, bite.fault) as bench:
        with pytest.raises(Broken, match=re.escape(str(bite.promise))):
            await bite.check(bench)

    while cores.LEFT:
        await cores.LEFT.pop()()


@pytest.mark.parametrize(
    "fault", [cores.shows_its_secret, cores.logs_whom_it_asks_about]
)
async def test_a_told_secret_is_found_and_named(
    example: SimpleNamespace,
    rig: Any,
    fault: Callable[[Any], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with a_faulty(example, rig, fault) as bench:
        with pytest.raises(Broken, match=str(Promise.SECRETS)) as found:
            await conduct.test_no_secret_and_no_name_is_told(bench, caplog)

    assert rig.secrets[0] not in str(found.value)


async def test_a_call_inside_a_transaction_is_found_and_named(
    example: SimpleNamespace,
    rig: Any,
    bank_database: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "inside_transaction", lambda: False)

    async with a_faulty(example, rig, lambda _core: None) as bench:
        with pytest.raises(Broken, match=str(Promise.TRANSACTION)):
            await conduct.test_it_is_never_called_inside_a_transaction(bench, None)


# ------------------------------------------------------------------ rails


def _pays_again(rail: Any) -> None:
    submit = rail.submit

    async def anew(op: OpRef, order: object) -> object:
        await submit(replace(op, id=uuid7()), order)
        return await submit(replace(op, id=uuid7()), order)

    rail.submit = anew


def _never_saw_it(rail: Any) -> None:
    async def never(_op: OpRef, _context: object) -> object:
        return Rejected(PortCode.NEVER_SEEN)

    rail.status = never


def _shows_the_name(rail: Any) -> None:
    resolve = rail.resolve_payee

    async def unmasked(address: object) -> object:
        found = await resolve(address)
        return replace(found, masked=found.name)

    rail.resolve_payee = unmasked


def _believes_anybody(rail: Any) -> None:
    rail.parse_callback = lambda _callback: []


paid_once = rails.test_the_same_order_twice_is_one_payment_and_one_answer
named = rails.test_it_names_who_is_paid_masked_or_says_nobody


@pytest.mark.parametrize(
    ("fault", "check", "promise"),
    [
        (_pays_again, paid_once, P.SAME_ANSWER),
        (_pays_again, rails.test_the_same_order_at_the_same_time_is_one, P.ONCE),
        (_never_saw_it, paid_once, P.SAME_ANSWER),
        (_shows_the_name, named, P.NAMES),
        (_believes_anybody, rails.test_what_nobody_signed_is_forged, P.FORGED),
    ],
)
async def test_a_planted_fault_of_a_rail_is_found_and_named(
    tmp_path: Path,
    fault: Callable[[Any], None],
    check: Callable[[RailBench], Awaitable[None]],
    promise: Promise,
) -> None:
    async def connect(settings: on_us.Settings, **given: Any) -> object:
        rail = await on_us.connect(settings, **given)
        fault(rail)
        return rail

    module = SimpleNamespace(Settings=on_us.Settings, connect=connect)
    with on_us_rig.rails(tmp_path) as rig:
        async with RailBench.opened(module, rig) as bench:
            with pytest.raises(Broken, match=re.escape(str(promise))):
                await check(bench)


in_place = pushes.test_each_message_has_its_outcome_in_its_place_and_arrives_once


async def test_a_push_provider_that_swallows_an_outcome_is_found_and_named(
    tmp_path: Path,
) -> None:
    class Swallows(console.ConsolePush):
        @override
        async def send(self, batch: Sequence[PushMessage]) -> list[PushOutcome]:
            return (await super().send(batch))[1:]

    async def connect(_settings: console.Settings, **_given: Any) -> Swallows:
        return Swallows()

    module = SimpleNamespace(Settings=console.Settings, connect=connect)
    with console_rig.push(tmp_path) as rig:
        async with PushBench.opened(module, rig) as bench:
            with pytest.raises(Broken, match=str(Promise.PLACES)):
                await in_place(bench)


def test_there_is_a_bite_for_every_promise() -> None:
    planted = {bite.promise for bite in BITES} | {P.SECRETS, P.TRANSACTION}

    assert planted | {P.SAME_ANSWER, P.NAMES, P.FORGED, P.PLACES} == set(Promise)
