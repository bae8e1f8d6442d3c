"""What every rail promises, faults of the line included."""

import asyncio

from structlog.testing import capture_logs

from app.errors import NotFound, Outage
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
from tests.integrations.kit.held import all_let_go, open_things
from tests.integrations.kit.promises import Promise, kept
from tests.integrations.kit.rail_bench import RailBench, an_op
from tests.integrations.kit.rig import NEEDED, Fault

PREFIX = "SIXPENCE_RAILS_"
UNDONE = {Fault.DROP_BEFORE_WORK, Fault.FAILS}
MUST = set(NEEDED) - {Fault.SLOW}  # not every adapter's wait can be set
MANY = 1000


async def test_it_says_what_it_can_and_has_settings_of_its_own(rail: RailBench) -> None:
    caps = rail.rail.caps
    prefix = rail.module.Settings.model_config["env_prefix"]

    kept(Promise.FORM, caps.schemes and caps.settles in Settles, caps)
    kept(Promise.FORM, list(caps.ask_plan) == sorted(caps.ask_plan), caps)
    kept(Promise.FORM, caps.ask_every_s > 0, caps)
    own = prefix.startswith(PREFIX) and prefix.endswith("_") and prefix != PREFIX
    kept(Promise.FORM, own, f"env_prefix {prefix!r}, not {PREFIX}<NAME>_")


async def test_it_names_who_is_paid_masked_or_says_nobody(rail: RailBench) -> None:
    found = await rail.rail.resolve_payee(rail.address())

    kept(Promise.NAMES, found.name == rail.rig.name, "another name")
    kept(Promise.NAMES, found.masked not in {"", found.name}, found.masked)
    kept(Promise.SECRETS, found.name not in repr(found), "the payee's name")
    kept(Promise.SECRETS, rail.rig.known not in repr(rail.address()), "the number")
    try:
        nobody: object = await rail.rail.resolve_payee(rail.address(rail.rig.nobody))
    except NotFound as raised:
        nobody = raised
    kept(Promise.NAMES, isinstance(nobody, NotFound), repr(nobody))


async def test_it_quotes_in_the_currency_of_the_order(rail: RailBench) -> None:
    told = await rail.rail.quote(rail.order())

    kept(Promise.MONEY, told.fee.currency == rail.rig.currency, told)
    kept(Promise.MONEY, type(told.fee.minor) is int and told.fee.minor >= 0, told)
    later = told.arrives_by is None or told.arrives_by >= rail.rig.clock.now()
    kept(Promise.FORM, later, f"{told} arrives in the past")


async def test_the_same_order_twice_is_one_payment_and_one_answer(
    rail: RailBench,
) -> None:
    op = an_op()

    first = await rail.rail.submit(op, rail.order())
    second = await rail.rail.submit(op, rail.order())
    async with rail.anew() as fresh:
        asked = await fresh.status(op, rail.context())

    kept(Promise.SAME_ANSWER, first == second == asked, (first, second, asked))
    kept(Promise.ONCE, _settled(first), first)
    await _effects(rail, op, 1)


async def test_the_same_order_at_the_same_time_is_one(rail: RailBench) -> None:
    op = an_op()

    sent = [rail.rail.submit(op, rail.order()) for _ in range(3)]
    answers = await asyncio.gather(*sent)

    fine = all(_settled(one) or isinstance(one, Unknown) for one in answers)
    kept(Promise.UNSURE, fine, answers)
    await _effects(rail, op, 1)


async def test_an_order_it_never_saw_is_said_so(rail: RailBench) -> None:
    op = an_op()

    found = await rail.rail.status(op, rail.context())

    never = isinstance(found, Rejected) and found.code is PortCode.NEVER_SEEN
    kept(Promise.NEVER_SEEN, never, found)
    await _effects(rail, op, 0)


async def test_what_nobody_signed_is_forged(rail: RailBench) -> None:
    body = b'{"type": "payment.updated", "data": {"status": "SETTLED"}}'

    try:
        said: object = rail.rail.parse_callback(
            Callback({}, body, rail.rig.clock.now())
        )
    except Forged as raised:
        said = raised

    kept(Promise.FORGED, isinstance(said, Forged), repr(said))


async def test_an_answer_that_does_not_come_is_unknown_and_asking_tells_the_truth(
    rail: RailBench,
) -> None:
    cannot = [one.name for one in MUST if one not in rail.rig.faults]
    local = rail.rail.caps.settles is Settles.ATOMIC
    assert local or not cannot, f"the rig must be able to play {', '.join(cannot)}"
    for fault in NEEDED:
        if fault not in rail.rig.faults:
            continue
        op, done = an_op(), fault not in UNDONE
        async with rail.anew(hasty=fault is Fault.SLOW) as hasty:
            await rail.rig.fault(fault)
            try:
                lost: object = await hasty.submit(op, rail.order())
            except Outage as raised:
                lost = raised
        await rail.rig.no_faults()

        kept(Promise.UNSURE, isinstance(lost, Unknown), f"{fault}: {lost!r}")
        asked = await rail.rail.status(op, rail.context())
        never = asked == Rejected(PortCode.NEVER_SEEN)
        told = _settled(asked) if done else never
        kept(Promise.LOOKUP, told, f"{fault}: {asked}")
        again = await rail.rail.submit(op, rail.order())
        kept(Promise.ONCE, _settled(again), f"{fault}, sent again: {again}")
        await _effects(rail, op, 1)


async def test_what_was_surely_not_taken_raises_and_has_no_effect(
    rail: RailBench,
) -> None:
    for fault in (Fault.TURNED_AWAY, Fault.UNTRUSTED):
        if fault not in rail.rig.faults:
            continue
        op = an_op()
        await rail.rig.fault(fault, MANY)
        try:
            said: object = await rail.rail.submit(op, rail.order())
        except NotSent as raised:
            said = raised
        await rail.rig.no_faults()

        kept(Promise.NOT_SENT, isinstance(said, NotSent), f"{fault}: {said!r}")
        await _effects(rail, op, 0)


async def test_a_rail_that_is_away_was_surely_not_reached(rail: RailBench) -> None:
    if not rail.rig.faults:
        return
    op = an_op()

    async with rail.anew(away=True) as nowhere:
        try:
            said: object = await nowhere.submit(op, rail.order())
        except NotSent as raised:
            said = raised

    kept(Promise.NOT_SENT, isinstance(said, NotSent), repr(said))
    await _effects(rail, op, 0)


async def test_close_lets_go_of_everything_and_nothing_is_told(
    rail: RailBench,
) -> None:
    before = open_things()

    with capture_logs() as logged:
        async with rail.anew() as other:
            told = [repr(await other.submit(an_op(), rail.order())), repr(other)]
            await other.resolve_payee(rail.address())

    left = await all_let_go(before)
    kept(Promise.CLOSE, not left, f"{left} still open")
    everything = repr((told, logged, rail.rig.settings()))
    order = rail.order()
    hidden = [*rail.rig.secrets, order.payer_name, rail.rig.name, rail.rig.known]
    for number, one in enumerate(hidden):
        kept(Promise.SECRETS, one not in everything, f"number {number} of the list")


def _settled(outcome: Outcome[RailAnswer]) -> bool:
    return isinstance(outcome, Ok) and outcome.value.status is RailStatus.SETTLED


async def _effects(rail: RailBench, op: object, wanted: int) -> None:
    times = await rail.rig.effects([op])  # type: ignore[list-item]  # an OpRef
    kept(Promise.ONCE, times == wanted, f"{times} payments in the books, not {wanted}")
