"""Each write of a core, once and again: what moves, what is refused, what is found."""

import asyncio
from typing import Any

import pytest

from app.integrations.core_banking import (
    AccountState,
    Hold,
    OpContext,
    OpKind,
    Posting,
)
from app.integrations.outcome import Ok, Outcome, PortCode, Rejected, Unknown
from app.money import Money
from tests.integrations.kit.core_bench import (
    RENT,
    CoreBench,
    Write,
    a_write,
    an_op,
    other_body,
    value_of,
)
from tests.integrations.kit.promises import Promise, kept

KINDS = [OpKind.TRANSFER, OpKind.HOLD, OpKind.CAPTURE, OpKind.RELEASE]
each_kind = pytest.mark.parametrize("kind", KINDS)
AT_ONCE = 4


async def test_a_transfer_moves_money_once(core: CoreBench) -> None:
    asha, ben = await core.account(1000), await core.account()

    posted = await core.transfer(an_op(), asha, ben, 250)

    kept(Promise.ONCE, isinstance(value_of(Promise.ONCE, posted), Posting), posted)
    sides = await core.figures(asha), await core.figures(ben)
    kept(Promise.ONCE, sides == ((750, 0, 750), (250, 0, 250)), sides)


async def test_a_hold_lowers_what_is_available_and_nothing_else(
    core: CoreBench,
) -> None:
    core.must_hold()
    asha = await core.account(1000)
    op = an_op()

    held = value_of(Promise.HOLD, await core.core.hold(op, asha, core.money(600), RENT))

    wanted = Hold(id=op.id, ref=asha, amount=core.money(600))
    kept(Promise.HOLD, held == wanted, held)
    figures = await core.figures(asha)
    kept(Promise.HOLD, figures == (1000, 600, 400), figures)
    over = await core.core.hold(an_op(), asha, core.money(401), RENT)
    kept(Promise.HOLD, _refused(over) == PortCode.INSUFFICIENT_FUNDS, over)


async def test_a_capture_books_the_money_and_ends_the_hold(core: CoreBench) -> None:
    core.must_hold()
    asha = await core.account(1000)
    first, second = await core.hold(asha, 600), await core.hold(asha, 300)

    captured = await core.core.capture(an_op(), first, None)

    posting = value_of(Promise.CAPTURE, captured)
    kept(Promise.CAPTURE, isinstance(posting, Posting), posting)
    figures = await core.figures(asha)
    kept(Promise.CAPTURE, figures == (400, 300, 100), figures)
    again = await core.core.capture(an_op(), first, None)
    is_the_same = isinstance(again, Ok) and again.value == posting
    kept(Promise.CAPTURE, is_the_same or _refused(again) is not None, again)
    freed = await core.core.release(an_op(), first)
    kept(Promise.CAPTURE, _refused(freed) is not None, freed)
    figures = await core.figures(asha)
    kept(Promise.CAPTURE, figures == (400, 300, 100), figures)
    await core.core.release(an_op(), second)


async def test_a_part_of_a_hold_is_captured_where_the_core_can(
    core: CoreBench,
) -> None:
    core.must_hold()
    asha = await core.account(1000)
    hold = await core.hold(asha, 600)

    part = await core.core.capture(an_op(), hold, core.money(450))

    if core.core.caps.partial_capture:
        value_of(Promise.CAPTURE, part)
        wanted = (550, 0, 550)
    else:
        kept(Promise.REFUSED, _refused(part) == PortCode.NOT_SUPPORTED, part)
        wanted = (1000, 600, 400)
    figures = await core.figures(asha)
    kept(Promise.CAPTURE, figures == wanted, figures)


async def test_a_release_frees_the_money(core: CoreBench) -> None:
    core.must_hold()
    asha = await core.account(1000)
    hold = await core.hold(asha, 600)

    released = await core.core.release(an_op(), hold)

    empty = isinstance(released, Ok) and released.value is None
    kept(Promise.RELEASE, empty, released)
    figures = await core.figures(asha)
    kept(Promise.RELEASE, figures == (1000, 0, 1000), figures)
    late = await core.core.capture(an_op(), hold, None)
    kept(Promise.RELEASE, _refused(late) is not None, late)
    kept(Promise.RELEASE, await core.figures(asha) == figures, "captured afterwards")


async def test_a_reversal_is_booked_once(core: CoreBench) -> None:
    asha, ben = await core.account(1000), await core.account(1000)
    moved = await core.transfer(an_op(), asha, ben, 250)
    posting = value_of(Promise.ONCE, moved)

    undone = await core.core.reverse(an_op(), posting, "Sent twice")
    again = await core.core.reverse(an_op(), posting, "Sent twice")

    if not core.core.caps.reverse:
        kept(Promise.REFUSED, _refused(undone) == PortCode.NOT_SUPPORTED, undone)
        return
    value_of(Promise.REVERSE, undone)
    kept(Promise.REVERSE, _refused(again) is not None, again)
    sides = await core.figures(asha), await core.figures(ben)
    kept(Promise.REVERSE, sides == ((1000, 0, 1000), (1000, 0, 1000)), sides)


@each_kind
async def test_a_repeat_changes_nothing_and_is_answered_alike(
    core: CoreBench, kind: OpKind
) -> None:
    write = await a_write(core, kind)
    op = an_op()

    answers = [await write.send(op) for _ in range(3)]

    await _once(write)
    told = [_told(one) for one in answers]
    kept(Promise.SAME_ANSWER, told[0] == told[1] == told[2], answers)
    kept(Promise.SAME_ANSWER, _happened(answers[0]), answers)


@each_kind
async def test_the_same_op_at_the_same_time_is_one(
    core: CoreBench, kind: OpKind
) -> None:
    write = await a_write(core, kind)
    op = an_op()

    answers = await asyncio.gather(*(write.send(op) for _ in range(AT_ONCE)))
    last = await write.send(op)

    await _once(write)
    fine = all(_happened(one) or isinstance(one, Unknown) for one in answers)
    kept(Promise.UNSURE, fine, answers)
    kept(Promise.SAME_ANSWER, _happened(last), last)


async def test_another_body_under_the_same_op_moves_nothing(core: CoreBench) -> None:
    asha, ben = await core.account(1000), await core.account()
    op = an_op()
    first = await core.transfer(op, asha, ben, 250)

    other = await core.transfer(other_body(op), asha, ben, 1)

    if core.rig.compares_bodies:
        mismatch = _refused(other) == PortCode.DUPLICATE_MISMATCH
        kept(Promise.OTHER_BODY, mismatch, other)
    else:
        same = _told(other) == _told(first)
        kept(Promise.OTHER_BODY, same or _refused(other), (first, other))
    figures = await core.figures(asha)
    kept(Promise.OTHER_BODY, figures == (750, 0, 750), figures)


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (1001, PortCode.INSUFFICIENT_FUNDS),
        (0, PortCode.VALIDATION),
        (-1, PortCode.VALIDATION),
        (None, PortCode.CURRENCY_MISMATCH),
    ],
    ids=["too much", "nothing", "less than nothing", "another currency"],
)
async def test_what_does_not_fit_is_rejected_and_moves_nothing(
    core: CoreBench, amount: int | None, code: PortCode
) -> None:
    asha, ben = await core.account(1000), await core.account()
    money = Money(1, "EUR") if amount is None else core.money(amount)

    moved = await core.core.transfer(an_op(), asha, ben, money, RENT)
    if core.core.caps.holds:
        held = await core.core.hold(an_op(), asha, money, RENT)
        kept(Promise.REFUSED, _refused(held) == code, f"a hold: {held}, not {code}")

    kept(Promise.REFUSED, _refused(moved) == code, f"{moved}, not {code}")
    sides = await core.figures(asha), await core.figures(ben)
    kept(Promise.REFUSED, sides == ((1000, 0, 1000), (0, 0, 0)), sides)


async def test_an_unknown_account_is_rejected_or_left_out(core: CoreBench) -> None:
    asha = await core.account(1000)
    port, one = core.core, core.money(1)

    for nobody in core.rig.nobody:
        answers: list[Outcome[Any]] = [
            await port.transfer(an_op(), asha, nobody, one, RENT),
            await port.transfer(an_op(), nobody, asha, one, RENT),
            await port.set_state(an_op(), nobody, AccountState.BLOCKED),
        ]
        if port.caps.holds:
            answers.append(await port.hold(an_op(), nobody, one, RENT))
        codes = {_refused(answer) for answer in answers}
        kept(Promise.REFUSED, codes == {PortCode.ACCOUNT_NOT_FOUND}, answers)
        found = [told.ref for told in await port.balances([asha, nobody])]
        kept(Promise.BALANCE, found == [asha], found)

    figures = await core.figures(asha)
    kept(Promise.REFUSED, figures == (1000, 0, 1000), figures)


BLOCKED, CLOSED = PortCode.ACCOUNT_BLOCKED, PortCode.ACCOUNT_CLOSED


@pytest.mark.parametrize(
    ("state", "out", "into"),
    [
        (AccountState.BLOCK_DEBIT, BLOCKED, None),
        (AccountState.BLOCK_CREDIT, None, BLOCKED),
        (AccountState.BLOCKED, BLOCKED, BLOCKED),
        (AccountState.CLOSED, CLOSED, CLOSED),
    ],
)
async def test_the_state_of_an_account_decides(
    core: CoreBench, state: AccountState, out: PortCode | None, into: PortCode | None
) -> None:
    rich = 0 if state is AccountState.CLOSED else 1000
    asha, ben = await core.account(rich), await core.account(1000)
    await core.rig.set_state(asha, state)

    sent = await core.transfer(an_op(), asha, ben, 1)
    got = await core.transfer(an_op(), ben, asha, 1)
    codes = _refused(sent), _refused(got)

    kept(Promise.REFUSED, codes == (out, into), f"{state}: {sent} out, {got} in")
    if core.core.caps.holds:
        held = await core.core.hold(an_op(), asha, core.money(1), RENT)
        kept(Promise.REFUSED, _refused(held) == out, f"{state}: a hold: {held}")
    books = await core.rig.books(ben)
    moved = 1000 + (0 if out else 1) - (0 if into else 1)
    kept(Promise.REFUSED, books.committed.minor == moved, books)


async def test_a_refused_op_stays_refused_or_is_judged_anew_but_is_never_unknown(
    core: CoreBench,
) -> None:
    asha, ben = await core.account(1000), await core.account()
    op = an_op()
    refused = await core.transfer(op, asha, ben, 5000)

    found = await core.fate(op, OpKind.TRANSFER, core.context(asha, ben, 5000))

    kept(Promise.REFUSED, _refused(refused) == PortCode.INSUFFICIENT_FUNDS, refused)
    told: set[PortCode | None] = {PortCode.INSUFFICIENT_FUNDS, PortCode.NEVER_SEEN}
    kept(Promise.LOOKUP, _refused(found) in told, found)
    figures = await core.figures(asha)
    kept(Promise.LOOKUP, figures == (1000, 0, 1000), figures)


@each_kind
async def test_lookup_tells_what_became_of_an_op(core: CoreBench, kind: OpKind) -> None:
    write = await a_write(core, kind)
    op = an_op()
    done = await write.send(op)

    found = await core.fate(op, kind, write.context)

    kept(Promise.LOOKUP, _happened(done) and _happened(found), found)
    kept(Promise.LOOKUP, _told(found) == _told(done), (done, found))
    await _once(write)


@each_kind
async def test_an_op_that_nobody_saw_is_never_seen(
    core: CoreBench, kind: OpKind
) -> None:
    write = await a_write(core, kind)

    found = await core.fate(an_op(), kind, write.context)

    kept(Promise.NEVER_SEEN, _refused(found) == PortCode.NEVER_SEEN, found)
    kept(Promise.NEVER_SEEN, await write.effects() == 0, "asking moved money")


async def test_an_op_is_not_called_never_seen_of_another_like_it(
    core: CoreBench,
) -> None:
    asha, ben = await core.account(1000), await core.account()
    first, second = an_op(), an_op()
    context: OpContext = core.context(asha, ben, 250)
    done = await core.transfer(first, asha, ben, 250)

    found = await core.fate(second, OpKind.TRANSFER, context)
    other = await core.fate(first, OpKind.TRANSFER, context)

    kept(Promise.NEVER_SEEN, _refused(found) == PortCode.NEVER_SEEN, found)
    kept(Promise.LOOKUP, _told(other) == _told(done), other)


# ------------------------------------------------------------------ what was said


async def _once(write: Write) -> None:
    times = await write.effects()
    kept(Promise.ONCE, times == 1, f"{write.kind} had {times} effects in the books")


def _refused(outcome: Outcome[Any]) -> PortCode | None:
    return outcome.code if isinstance(outcome, Rejected) else None


def _happened(outcome: Outcome[Any]) -> bool:
    return isinstance(outcome, Ok)


def _told(outcome: Outcome[Any]) -> object:
    """Give what an answer names: the journal of a posting, else the value."""
    value = outcome.value if isinstance(outcome, Ok) else outcome
    return value.journal if isinstance(value, Posting) else value
