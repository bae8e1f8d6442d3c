"""What staff sees of payments nobody is sure of, and what staff may do about them."""

import pytest

from app import database, review_desk
from app.auth.standing import Staff
from app.errors import NotAllowed, NotFound, ValidationFailed
from app.integrations.rails import RailStatus
from app.payments import doubts
from app.payments.doubts import Doubts
from app.payments.lifecycle import Status
from tests.payments.faults import Fault, Word
from tests.payments.rail_town import ALL, RailTown, open_holds, ops_of

DESK = Staff(name="Mira", reason="ticket 7")
TWO_DAYS_S = 48 * 3600
NEVER = (Word(10**9, RailStatus.SETTLED),)


def at_desk(rail_town: RailTown) -> Doubts:
    """Give what staff works with."""
    bank = rail_town.town.bank
    return Doubts(clock=bank.clock, passage=bank.passage)


async def audited() -> list[tuple[str, str]]:
    """Give what staff did, by name."""
    rows = await database.read(
        "SELECT action, actor_id FROM audit_entry WHERE actor_kind = 'STAFF' "
        "AND actor_id = 'Mira' ORDER BY at, action"
    )
    return [(row.get("action", str), row.get("actor_id", str)) for row in rows]


@pytest.mark.parametrize("settled", [True, False])
async def test_staff_writes_what_the_records_of_the_rail_say(
    rail_town: RailTown,
    settled: bool,  # noqa: FBT001  -- pytest parameter
) -> None:
    rail_town.track.fate = NEVER
    kept, desk = await rail_town.pay(), at_desk(rail_town)
    with pytest.raises(NotAllowed):
        await desk.decide(DESK, str(kept.id), settled=settled)
    await rail_town.pass_time(TWO_DAYS_S)
    lines = await review_desk.unsure(desk, DESK)

    ended = await desk.decide(DESK, str(kept.id), settled=settled)

    op = (await ops_of(kept.id))[1][2]
    assert lines[0].startswith(f"{kept.id}  STAFF  IN_FLIGHT  10000 INR  INTERNAL  ")
    assert f"SUBMIT {op}" in lines[0]
    assert ended.status is (Status.SETTLED if settled else Status.FAILED)
    assert await rail_town.free() == (ALL - 10_000 if settled else ALL)
    assert await open_holds() == 0
    assert [one for one in await rail_town.steps(ended) if one[0] == "STAFF"] == [
        ("STAFF", "settled_by_rail" if settled else "refused_by_rail")
    ]
    assert await audited() == [
        (
            "payment.settled_by_staff" if settled else "payment.failed_by_staff",
            "Mira",
        ),
        ("staff.doubts_listed", "Mira"),
    ]
    assert await review_desk.unsure(desk, DESK) == ["Nobody has a doubt."]


async def test_staff_need_not_wait_for_the_timetable(rail_town: RailTown) -> None:
    rail_town.track.fate = (Word(TWO_DAYS_S + 60, RailStatus.SETTLED),)
    kept, desk = await rail_town.pay(), at_desk(rail_town)
    await rail_town.pass_time(TWO_DAYS_S)
    found = await doubts.figures()
    assert (found.with_staff, found.oldest) == (1, rail_town.town.bank.clock.now())
    assert (await desk.ask(DESK, str(kept.id))).manual_since is not None

    rail_town.town.bank.clock.move(seconds=61)
    ended = await desk.ask(DESK, str(kept.id))

    assert ended.status is Status.SETTLED
    assert await doubts.figures() == doubts.Figures(0, None)


async def test_money_that_cannot_be_credited_back_is_staffs_too(
    rail_town: RailTown,
) -> None:
    paid, desk = await rail_town.pay(), at_desk(rail_town)
    rail_town.faults.plan("reverse", *[Fault.CONFLICT] * 20)
    await rail_town.hear(paid, RailStatus.RETURNED)

    await rail_town.pass_time(TWO_DAYS_S)
    lines = await review_desk.unsure(desk, DESK)
    rail_town.faults.once.clear()
    ended = await desk.ask(DESK, str(paid.id))

    assert lines[0].startswith(f"{paid.id}  STAFF  SETTLED  10000 INR")
    assert "CREDIT_BACK" in lines[0]
    assert (ended.status, await rail_town.free()) == (Status.REVERSED, ALL)
    steps = await rail_town.steps(ended)
    assert ("CORE", "outcome_unsure") not in steps


async def test_who_and_why_and_which_must_be_right(rail_town: RailTown) -> None:
    kept, desk = await rail_town.pay(), at_desk(rail_town)

    for unknown in ("pay_1", "pay_" + "0" * 32):
        with pytest.raises(NotFound):
            await desk.ask(DESK, unknown)
    with pytest.raises(ValidationFailed):
        await desk.ask(Staff(name="Mira", reason=""), str(kept.id))
    with pytest.raises(ValidationFailed):
        await desk.unsure(Staff(name="", reason="x"))
    with pytest.raises(NotAllowed):
        await desk.decide(DESK, str(kept.id), settled=False)

    assert await audited() == []
    assert await rail_town.now(kept) == kept
