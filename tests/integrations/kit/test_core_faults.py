"""A core whose line breaks: outcomes are honest, asking tells, and once is once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from app.errors import Outage
from app.integrations.core_banking import OpKind, Remote
from app.integrations.outcome import (
    NotSent,
    Ok,
    Outcome,
    PortCode,
    Rejected,
    Unknown,
)
from tests.integrations.kit.core_bench import CoreBench, Write, a_write, an_op
from tests.integrations.kit.promises import Broken, Promise, kept
from tests.integrations.kit.rig import NEEDED, Fault

KINDS = [OpKind.TRANSFER, OpKind.HOLD, OpKind.CAPTURE, OpKind.RELEASE]
UNDONE = {Fault.DROP_BEFORE_WORK, Fault.FAILS}
LOOKS, LOOK_S = 200, 0.01
TRIES = 3  # a machine under load is slow by itself
MANY = 1000  # until the faults are forgotten


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", NEEDED, ids=lambda fault: fault.name)
async def test_an_answer_that_does_not_come_is_unknown_until_it_is_asked_for(
    remote: CoreBench, kind: OpKind, fault: Fault
) -> None:
    write = await a_write(remote, kind)
    op = an_op()
    hasty = fault is Fault.SLOW
    lost: object = None
    async with remote.anew(hasty=hasty) as core:
        for _ in range(TRIES if hasty else 1):
            await remote.rig.fault(fault)
            lost = await _sent(write.through(core, op), fault)
            if not isinstance(lost, Outage):
                break  # else it had no patience for a question before the write
    effects = await _seen(write, fault)
    await remote.rig.no_faults()

    _honest(lost, effects, fault)
    found = await remote.fate(op, kind, write.context)
    effects = await write.effects()
    told = isinstance(found, Ok) if effects else found == Rejected(NEVER)
    kept(Promise.LOOKUP, told, f"{found} with {effects} effects in the books")
    again = await write.send(op)
    kept(Promise.ONCE, isinstance(again, Ok), f"sent again after {fault}: {again}")
    effects = await write.effects()
    kept(Promise.ONCE, effects == 1, f"{fault}, sent again: {effects} effects")


NEVER = PortCode.NEVER_SEEN


def _honest(lost: object, effects: int, fault: Fault) -> None:
    """Hold an outcome against the books. What was done may be found out at once."""
    said = f"{fault}: {lost!r} with {effects} effects in the books"
    if fault in UNDONE:
        kept(Promise.UNSURE, effects == 0, f"the rig did the work: {said}")
    else:
        kept(Promise.UNSURE, effects == 1, f"the rig did not do the work: {said}")
    kept(Promise.UNSURE, isinstance(lost, Unknown) or (lost and effects), said)
    kept(Promise.UNSURE, not isinstance(lost, Rejected | NotSent), said)


async def _sent(sending: Awaitable[Outcome[object]], fault: Fault) -> object:
    """Send; an outage that is raised is given back to be judged."""
    try:
        return await sending
    except Outage as raised:
        allowed = fault is Fault.FAILS and isinstance(raised, NotSent)
        if allowed:  # a partner whose 503 surely comes before any work
            return Unknown(f"NotSent, told of a {fault}")
        return raised


async def _seen(write: Write, fault: Fault) -> int:
    """Count the effects; one who went away early waits until the work is done."""
    for _ in range(LOOKS if fault is Fault.SLOW else 0):
        with suppress(Broken):  # two accounts read while money moves between them
            if effects := await write.effects():
                return effects
        await asyncio.sleep(LOOK_S)
    return await write.effects()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "fault", [Fault.TURNED_AWAY, Fault.UNTRUSTED], ids=lambda fault: fault.name
)
async def test_what_was_surely_not_taken_is_raised_and_has_no_effect(
    remote: CoreBench, kind: OpKind, fault: Fault
) -> None:
    remote.must_have_a_line(fault)
    write = await a_write(remote, kind)
    op = an_op()
    await remote.rig.fault(fault, MANY)

    try:
        said: object = await write.send(op)
    except NotSent as raised:
        said = raised
    await remote.rig.no_faults()

    kept(Promise.NOT_SENT, isinstance(said, NotSent), f"{fault}: {said!r}")
    kept(Promise.NOT_SENT, await write.effects() == 0, fault)
    again = await write.send(op)
    kept(Promise.NOT_SENT, isinstance(again, Ok), f"sent again: {again}")
    kept(Promise.ONCE, await write.effects() == 1, fault)


async def test_a_core_that_is_away_was_surely_not_reached(remote: CoreBench) -> None:
    asha, ben = await remote.account(1000), await remote.account()

    async with remote.anew(away=True) as nowhere:
        bench = CoreBench(remote.module, nowhere, remote.rig)
        try:
            said: object = await bench.transfer(an_op(), asha, ben, 250)
        except NotSent as raised:
            said = raised
        health = await nowhere.health()

    kept(Promise.NOT_SENT, isinstance(said, NotSent), repr(said))
    kept(Promise.READS, not health.reachable, health)
    figures = await remote.figures(asha)
    kept(Promise.NOT_SENT, figures == (1000, 0, 1000), figures)


async def test_a_read_without_an_answer_is_an_outage(remote: CoreBench) -> None:
    asha = await remote.account(1000)
    customer = await remote.rig.customer()

    async with remote.anew(away=True) as nowhere:
        assert isinstance(nowhere, Remote), "a core that is not local is Remote"
        reads: list[Callable[[], Awaitable[object]]] = [
            lambda: nowhere.balances([asha]),
            lambda: nowhere.look([asha], 5),
            lambda: nowhere.accounts(customer),
        ]
        for read in reads:
            try:
                said: object = await read()
            except Outage as raised:
                said = raised
            kept(Promise.READS, isinstance(said, Outage), repr(said))
