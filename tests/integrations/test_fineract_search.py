"""How far evidence reads at a slow core, and goes on there; whose names count."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from app.integrations.core_banking import Hold, OpContext, OpKind, Posting
from app.integrations.core_banking.fineract import audits, questions
from app.integrations.exchange import Ask
from app.integrations.outcome import (
    ContractBroken,
    Ok,
    OpRef,
    Outcome,
    PortCode,
    Rejected,
    Unknown,
)
from app.payments.asking import ANSWER_S
from tests.integrations.fineract_answers import AT
from tests.integrations.fineract_record import BareCore, stored, told
from tests.integrations.fineract_world import RENT, Town, an_op, inr

NEVER_SEEN = Rejected(PortCode.NEVER_SEEN)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SOMEBODY = stored().id


@pytest.fixture
def core() -> BareCore:
    """Open a core that tells little."""
    return BareCore()


async def asked_again(
    core: BareCore, op: OpRef, kind: OpKind, earlier: UUID | None = None
) -> tuple[list[Outcome[Posting | Hold | None]], float]:
    """Look an op up until it is known, at most 12 times; gives how long one took."""
    said: list[Outcome[Posting | Hold | None]] = []
    longest = 0.0
    while len(said) < 12 and not (said and isinstance(said[-1], Ok | Rejected)):
        before = core.clock.monotonic()
        said.append(await told(core, op, kind, earlier))
        longest = max(longest, core.clock.monotonic() - before)
    return said, longest


# ------------------------------------------------------------------ the record


async def test_a_slow_record_is_learned_in_as_many_looks_as_it_takes() -> None:
    core, op = BareCore(answer_s=1.2), stored(HOUR)
    core.command(op.id, ago=HOUR)
    for _ in range(199):
        core.command(SOMEBODY)

    said, longest = await asked_again(core, op, OpKind.HOLD)

    assert [type(one) for one in said] == [Unknown, Unknown, Unknown, Ok]
    assert longest < ANSWER_S
    assert core.times(audits.AUDIT) == 200


async def test_a_release_whose_record_took_all_the_time_leaves_some_to_send_it() -> (
    None
):
    core, hold, op = BareCore(answer_s=1.2), stored(3 * HOUR).id, stored(2 * HOUR)
    for _ in range(300):
        core.command(SOMEBODY, "RELEASE", ago=HOUR)
    core.row(AT - HOUR)

    before = core.clock.monotonic()
    found = await told(core, op, OpKind.RELEASE, hold)

    assert found == NEVER_SEEN  # to send it again under its key is safe
    assert core.times(questions.SEARCH) == 0
    assert core.clock.monotonic() - before < ANSWER_S - 10


async def test_a_command_at_which_the_core_fails_hides_no_other(
    core: BareCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    op = stored(HOUR)
    core.command(op.id, ago=MINUTE)
    for _ in range(40):
        core.command(SOMEBODY, ago=MINUTE)
    whole = core.several

    async def failing(asks: Sequence[Ask]) -> list[object | None]:
        if any(ask.path["id"] == "41" for ask in asks):
            raise ContractBroken("answered 500", component="ACCOUNTS")
        return await whole(asks)

    monkeypatch.setattr(core, "several", failing)

    found = await told(core, op, OpKind.HOLD)
    other = await told(core, stored(HOUR), OpKind.HOLD)

    assert isinstance(found, Ok)
    assert isinstance(other, Unknown)


async def test_commands_that_a_list_tells_are_not_read_one_by_one(town: Town) -> None:
    asha = await town.account(1000)
    op = an_op()
    await town.core.hold(op, asha, inr(5), RENT)
    await town.held(asha, 5)
    context = town.context(asha, 5)

    async with town.again() as bank:
        before = await bank.rig.calls()
        found = await bank.core.lookup(an_op(), OpKind.HOLD, context)

    asked = [one.target for one in town.rig.tap.requests[before:]]
    assert found == NEVER_SEEN
    assert sum("/audits" in one for one in asked) == 1
    assert not any(b"audits/" in one.body for one in town.rig.tap.requests[before:])


# ------------------------------------------------------------------ rows


@pytest.mark.parametrize(
    "kind", [OpKind.TRANSFER, OpKind.HOLD, OpKind.CAPTURE, OpKind.RELEASE]
)
@pytest.mark.parametrize("rows", [3_000, 5_100])
async def test_a_busy_account_at_a_slow_core_is_looked_through_in_the_end(
    kind: OpKind, rows: int
) -> None:
    core, hold, op = BareCore(answer_s=0.8), stored(3 * HOUR).id, stored(2 * HOUR)
    for _ in range(rows):
        core.row(AT - HOUR)

    said, longest = await asked_again(core, op, kind, hold)

    assert said[-1] == NEVER_SEEN
    assert longest < ANSWER_S
    if kind is not OpKind.RELEASE:  # which proves nothing, and is sent again
        assert rows / 100 <= core.times(questions.SEARCH) <= rows / 100 + 3


async def test_what_comes_after_the_page_that_was_reached_is_found() -> None:
    core, op = BareCore(answer_s=0.8), stored(2 * HOUR)
    for _ in range(950):
        core.row(AT - HOUR)

    said, _longest = await asked_again(core, op, OpKind.TRANSFER)
    core.row(AT, note=f"6p:{op.id} Rent")
    found = await told(core, op, OpKind.TRANSFER)
    again = await told(core, op, OpKind.TRANSFER)

    assert said[-1] == NEVER_SEEN
    assert isinstance(found, Ok)
    assert again == found


async def test_a_row_that_came_in_between_is_not_passed_by() -> None:
    core, op = BareCore(answer_s=0.8), stored(2 * HOUR)
    for _ in range(2_000):
        core.row(AT - HOUR)
    first = await told(core, op, OpKind.TRANSFER)
    core.row(AT - HOUR, note=f"6p:{op.id} Rent")
    core.rows.insert(3, core.rows.pop())  # begun early, committed late

    said, _longest = await asked_again(core, op, OpKind.TRANSFER)

    assert isinstance(first, Unknown)
    assert isinstance(said[-1], Ok)


@pytest.mark.parametrize("note", ["", "Capture"])
async def test_a_capture_that_only_its_hold_names_is_undone_and_seen_to_be(
    note: str,
) -> None:
    core, first, later = BareCore(), stored(3 * DAY), stored(2 * HOUR)
    hold = stored(4 * DAY).id
    mark = {"note": f"6p:{first.id} {note}"} if note else {}
    named = {"paymentDetailData": {"receiptNumber": str(hold)}}
    core.row(AT - 3 * DAY, **named, **mark)
    context = OpContext("7", None, inr(100), AT, later.id, hold)

    booked = await told(core, later, OpKind.CAPTURE, hold)
    assert isinstance(booked, Ok)
    assert isinstance(booked.value, Posting)
    row = await core.evidence.row_of("7", booked.value, hold)
    before = await core.evidence.lookup(stored(), OpKind.REVERSE, context)
    core.rows[0]["reversed"] = True
    undone = await core.evidence.lookup(stored(), OpKind.REVERSE, context)

    assert row is not None
    assert before == NEVER_SEEN
    assert isinstance(undone, Ok)


async def test_what_books_another_hold_is_not_what_is_undone(core: BareCore) -> None:
    hold, capture = stored(4 * HOUR).id, stored(2 * HOUR)
    core.row(AT, paymentDetailData={"receiptNumber": str(SOMEBODY)}, reversed=True)
    context = OpContext("7", None, inr(100), AT, capture.id, hold)

    row = await core.evidence.row_of("7", Posting(capture.id, AT), hold)
    undone = await core.evidence.lookup(stored(), OpKind.REVERSE, context)

    assert row is None
    assert undone == NEVER_SEEN
