"""Who was locked while a payment could still be stopped loses no money by it."""

import pytest

from app import database
from app.auth.actor import Actor
from app.auth.device_moves import DeviceMoves
from app.auth.panic import Panics
from app.database import Tx
from app.payments.lifecycle import State, Status
from app.payments.payment import Payment
from app.realtime.facts import PaymentChanged
from tests.payments.faults import Fault
from tests.payments.line import Killed
from tests.payments.rail_town import ALL, RailTown, counted
from tests.payments.world import facts_of

STOPPED = (
    ("UPDATE customer SET status = 'LOCKED_BY_CUSTOMER'", "CUSTOMER"),
    ("UPDATE customer SET status = 'HARD_LOCKED'", "RISK"),
    ("UPDATE customer SET status = 'BLOCKED_BY_STAFF'", "STAFF"),
    ("UPDATE device SET state = 'LOCKED', lock_reason = 'SUSPENDED'", "CUSTOMER"),
    ("UPDATE device SET state = 'LOCKED', lock_reason = 'FAILURES'", "RISK"),
    ("UPDATE device SET state = 'LOCKED', lock_reason = 'STAFF'", "STAFF"),
    (
        "UPDATE device SET state = 'REVOKED', lock_reason = NULL, lock_before = NULL",
        "CUSTOMER",
    ),
)


@pytest.fixture(autouse=True)
def _window(rail_town: RailTown) -> None:
    object.__setattr__(rail_town.track.caps, "undo_first_s", 10)


async def write(sql: str) -> None:
    """Write behind the bank's back."""

    async def work(tx: Tx) -> None:
        await tx.rows(f"{sql} RETURNING id")

    await database.transaction(work, name="tests.write")


async def nothing_left(rail_town: RailTown, payment: Payment, source: str) -> None:
    """See that a payment was cancelled, by whom, and that no money moved."""
    assert (await rail_town.now(payment)).state is State.CANCELLED
    assert (await rail_town.steps(payment))[-1] == (source, "access_stopped")
    assert rail_town.faults.calls == []
    assert (await rail_town.free(), await counted()) == (ALL, (0, 0))


async def test_a_lock_during_the_undo_time_keeps_the_money(
    rail_town: RailTown,
) -> None:
    rail_town.town.bank.clock.move(hours=25)  # Ben may be paid often by now
    for sql, source in STOPPED:
        kept = await rail_town.pay(100)
        where = f"WHERE customer_id = '{kept.customer.value}'"
        if sql.startswith("UPDATE customer"):
            where = f"WHERE id = '{kept.customer.value}'"

        await write(f"{sql}{_before(sql)} {where}")
        await rail_town.pass_time(11)
        await rail_town.pass_time(120)

        await nothing_left(rail_town, kept, source)
        if "REVOKED" not in sql:  # which is for ever
            await write("UPDATE customer SET status = 'ACTIVE'")
            await write(
                "UPDATE device SET state = 'ACTIVE', lock_reason = NULL, "
                "lock_before = NULL"
            )
    told = [
        f
        for f in await facts_of(rail_town.town.current.customer)
        if isinstance(f, PaymentChanged)
    ]
    assert told[-1].payment.status == Status.CANCELLED
    row = await database.read_one(
        "SELECT count(*) AS n FROM audit_entry WHERE action = 'payment.cancelled'"
    )
    assert row is not None
    assert row.get("n", int) == len(STOPPED)


def _before(sql: str) -> str:
    return ", lock_before = 'ACTIVE'" if "'LOCKED'" in sql else ""


class Dying:
    """The process dies between the emergency stop and the end of the payments."""

    async def halt(self, actor: Actor) -> int:
        del actor
        raise Killed("halt")


async def test_an_emergency_stop_whose_process_dies_still_keeps_the_money(
    rail_town: RailTown,
) -> None:
    kept, bank = await rail_town.pay(), rail_town.town.bank
    moves = DeviceMoves(clock=bank.clock, sessions=bank.sessions)
    panics = Panics(clock=bank.clock, moves=moves, money=Dying())

    with pytest.raises(Killed):
        await panics.lock(rail_town.town.asha.actor)
    await rail_town.pass_time(11)

    await nothing_left(rail_town, kept, "CUSTOMER")


async def test_what_had_no_undo_time_was_handed_over_and_goes_on(
    rail_town: RailTown,
) -> None:
    object.__setattr__(rail_town.track.caps, "undo_first_s", 0)
    rail_town.faults.plan("hold", Fault.KILLED_BEFORE)
    approved = await rail_town.pay()
    assert (approved.state, approved.not_before) == (State.HOLDING, None)

    await write("UPDATE customer SET status = 'LOCKED_BY_CUSTOMER'")
    await rail_town.pass_time(61)

    assert (await rail_town.now(approved)).state is State.SETTLED
