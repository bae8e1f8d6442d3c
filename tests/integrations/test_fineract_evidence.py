"""What evidence proves at Fineract, and what it leaves open."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid5

import pytest

from app.integrations.core_banking import Hold, OpContext, OpKind, Posting
from app.integrations.core_banking.fineract import audits, looking, questions
from app.integrations.outcome import (
    Ok,
    OpRef,
    PortCode,
    Rejected,
    Unknown,
)
from tests.integrations.fineract_answers import AT
from tests.integrations.fineract_record import BareCore, stored, told
from tests.integrations.fineract_world import RENT, Town, an_op, inr, value_of

NEVER_SEEN = Rejected(PortCode.NEVER_SEEN)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HELD = {"id": 20, "amountHold": True}
SOMEBODY = stored().id


@pytest.fixture
def core() -> BareCore:
    """Open a core that tells little."""
    return BareCore()


# ------------------------------------------------------------------ the record


@pytest.mark.parametrize("zone_h", [0, 5.5, -8])
async def test_a_hold_that_left_long_after_it_was_stored_is_found(
    zone_h: float,
) -> None:
    core, op = BareCore(zone_h=zone_h), stored(HOUR)
    core.command(op.id, ago=20 * MINUTE)

    found = await told(core, op, OpKind.HOLD)

    assert found == Ok(Hold(op.id, "7", inr(100)))


async def test_an_op_without_a_time_in_its_id_is_looked_for_since_it_was_sent(
    core: BareCore,
) -> None:
    op = OpRef(uuid5(SOMEBODY, "op"), b"body".ljust(32, b"."))
    core.command(op.id, ago=20 * MINUTE)
    context = OpContext("7", None, inr(100), AT - HOUR)

    found = await core.evidence.lookup(op, OpKind.HOLD, context)

    assert isinstance(found, Ok)


@pytest.mark.parametrize("page_max", [10_000, 100])
async def test_the_record_is_read_page_by_page_to_its_end(page_max: int) -> None:
    core, op = BareCore(page_max=page_max), stored(10 * MINUTE)
    core.command(op.id, ago=9 * MINUTE)
    for _ in range(350):
        core.command(SOMEBODY)

    found = await told(core, op, OpKind.HOLD)
    other = await told(core, stored(10 * MINUTE), OpKind.HOLD)

    assert isinstance(found, Ok)
    assert other == NEVER_SEEN


async def test_commands_from_before_the_op_are_not_read(core: BareCore) -> None:
    for _ in range(300):
        core.command(SOMEBODY, ago=HOUR)
    core.command(SOMEBODY, ago=MINUTE)

    found = await told(core, stored(10 * MINUTE), OpKind.HOLD)

    assert found == NEVER_SEEN
    assert (core.times(audits.AUDITS), core.times(audits.AUDIT)) == (1, 1)


async def test_a_record_that_was_not_read_to_its_end_proves_nothing(
    core: BareCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "PAGE", 2)
    monkeypatch.setattr(audits, "_PAGES_MAX", 3)
    for _ in range(7):
        core.command(SOMEBODY)
    op = stored(HOUR)

    found = await told(core, op, OpKind.HOLD)
    core.commands.pop()
    whole = await told(core, op, OpKind.HOLD)

    assert isinstance(found, Unknown)
    assert whole == Unknown("the audit is too long to be read to its end")
    core.commands.pop()
    assert await told(core, op, OpKind.HOLD) == NEVER_SEEN


async def test_what_was_not_read_of_a_record_is_read_by_the_next_look(
    core: BareCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "_ALONE_MAX", 4)
    op = stored(HOUR)
    core.command(op.id, ago=HOUR)
    for _ in range(9):
        core.command(SOMEBODY)

    said = [await told(core, op, OpKind.HOLD) for _ in range(3)]

    assert [type(one) for one in said] == [Unknown, Unknown, Ok]
    assert core.times(audits.AUDIT) == 10


async def test_a_command_that_is_not_told_may_be_the_one(core: BareCore) -> None:
    op = stored(HOUR)
    core.command(op.id)
    body, core.bodies["1"] = core.bodies["1"], None

    silent = await told(core, op, OpKind.HOLD)
    core.bodies["1"] = body
    found = await told(core, op, OpKind.HOLD)

    assert isinstance(silent, Unknown)
    assert isinstance(found, Ok)


@pytest.mark.parametrize(
    ("result", "made", "outcome"),
    [
        ("underProcessing", (AT - MINUTE).isoformat(), Unknown),
        ("underProcessing", (AT - 6 * MINUTE).isoformat(), Rejected),
        ("underProcessing", int((AT - MINUTE).timestamp()) * 1000, Unknown),
        ("underProcessing", int((AT - 6 * MINUTE).timestamp()), Rejected),
        ("Under Processing", (AT - 6 * MINUTE).isoformat(), Rejected),
        ("underProcessing", "2026-11-22T00:00:00", Unknown),
        ("underProcessing", [2026, 11, 22], Unknown),
        ("", (AT - 6 * MINUTE).isoformat(), Unknown),
        ("error", (AT - MINUTE).isoformat(), Rejected),
    ],
)
async def test_a_command_is_dead_by_its_own_time_not_by_when_the_op_was_stored(
    core: BareCore, result: str, made: object, outcome: type
) -> None:
    op = stored(HOUR)
    core.command(op.id, processingResult=result, madeOnDate=made)

    found = await told(core, op, OpKind.HOLD)

    assert isinstance(found, outcome), found


@pytest.mark.parametrize(
    "result", [None, "", 1, "awaiting.approval", "invalid", "not processed", {"id": 1}]
)
@pytest.mark.parametrize("kind", [OpKind.HOLD, OpKind.RELEASE])
async def test_a_command_without_a_clear_result_proves_nothing(
    core: BareCore, kind: OpKind, result: object
) -> None:
    op = stored(HOUR)
    action = "PREPARE" if kind is OpKind.HOLD else "RELEASE"
    core.command(op.id, action, ago=30 * MINUTE, processingResult=result)

    found = await told(core, op, kind, stored(2 * HOUR).id)

    assert isinstance(found, Unknown), found


async def test_the_record_of_the_double_is_paged_as_the_contract_has_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "PAGE", 2)
    asha = await town.account(1000)
    op = an_op()
    hold = await town.held(asha, 5)
    await town.core.release(op, hold)
    for _ in range(4):
        await town.core.release(an_op(), await town.held(asha, 5))
    context = OpContext(asha, None, inr(5), town.clock.now(), hold.id)

    async with town.again() as bank:
        before = await bank.rig.calls()
        found = await bank.core.lookup(op, OpKind.RELEASE, context)

    asked = [one.target for one in town.rig.tap.requests[before:]]
    assert found == Ok(None)
    assert [one.split("offset=")[1][0] for one in asked if "/audits?" in one] == [
        "0",
        "2",
        "4",
    ]
    assert not any("/transactions/search" in one for one in asked)


# ------------------------------------------------------------------ rows


@pytest.mark.parametrize(
    ("kind", "hold"),
    [(OpKind.TRANSFER, None), (OpKind.TRANSFER, SOMEBODY), (OpKind.CAPTURE, None)],
)
async def test_a_row_of_somebody_is_no_posting_of_ours(
    core: BareCore, kind: OpKind, hold: UUID | None
) -> None:
    for number in ("None", "7", str(SOMEBODY)):
        core.row(AT, paymentDetailData={"receiptNumber": number})

    found = await told(core, stored(HOUR), kind, hold)

    assert found == NEVER_SEEN


async def test_a_booking_that_was_undone_is_no_capture(core: BareCore) -> None:
    hold = stored(2 * HOUR).id
    booked = {"paymentDetailData": {"receiptNumber": str(hold)}}
    core.row(AT, **booked, reversed=True)

    undone = await told(core, stored(HOUR), OpKind.CAPTURE, hold)
    core.row(AT, **booked)
    found = await told(core, stored(HOUR), OpKind.CAPTURE, hold)

    assert undone == NEVER_SEEN
    assert isinstance(found, Ok)
    assert isinstance(found.value, Posting)


async def test_a_capture_of_an_earlier_attempt_is_the_capture(core: BareCore) -> None:
    hold, first = stored(2 * HOUR).id, stored(HOUR)
    core.row(
        AT,
        note=f"6p:{first.id} Capture",
        paymentDetailData={"receiptNumber": str(hold)},
    )

    found = await told(core, stored(), OpKind.CAPTURE, hold)

    assert isinstance(found, Ok)
    assert isinstance(found.value, Posting)
    assert found.value.journal == first.id


@pytest.mark.parametrize("kind", [OpKind.TRANSFER, OpKind.HOLD, OpKind.CAPTURE])
async def test_too_many_rows_to_look_through_prove_nothing(
    core: BareCore, monkeypatch: pytest.MonkeyPatch, kind: OpKind
) -> None:
    monkeypatch.setattr(looking, "PAGE", 2)
    monkeypatch.setattr(looking, "_PAGES_MAX", 2)
    for _ in range(5):
        core.row(AT)

    found = await told(core, stored(HOUR), kind, SOMEBODY)

    assert found == Unknown("there are too many rows to look through")
    assert core.times(questions.SEARCH) == 2


async def test_the_rows_after_a_match_are_not_read(
    core: BareCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "PAGE", 2)
    monkeypatch.setattr(looking, "_PAGES_MAX", 2)
    capture = stored(40 * DAY)
    core.row(AT - 40 * DAY, note=f"6p:{capture.id} Capture")
    for _ in range(50):
        core.row(AT)

    found = await told(core, capture, OpKind.CAPTURE, stored(41 * DAY).id)
    undone = await told(core, stored(), OpKind.REVERSE, capture.id)

    assert isinstance(found, Ok)
    assert undone == NEVER_SEEN
    assert core.times(questions.SEARCH) == 2
    core.rows[0]["reversed"] = True
    assert isinstance(await told(core, stored(), OpKind.REVERSE, capture.id), Ok)


# ------------------------------------------------------------------ releases


async def test_a_release_is_found_in_the_record_however_many_rows_there_are(
    core: BareCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "PAGE", 2)
    monkeypatch.setattr(looking, "_PAGES_MAX", 2)
    hold, op = stored(20 * DAY).id, stored(HOUR)
    for _ in range(50):
        core.row(AT - DAY)

    unseen = await told(core, op, OpKind.RELEASE, hold)
    core.command(hold, "RELEASE", ago=10 * DAY)
    found = await told(core, op, OpKind.RELEASE, hold)

    assert unseen == NEVER_SEEN  # to send it again under its key is safe
    assert found == Ok(None)
    assert core.times(questions.SEARCH) == 2


async def test_holds_of_others_do_not_prove_a_release(core: BareCore) -> None:
    hold = stored(40 * DAY).id
    core.row(AT - 40 * DAY, transactionType=HELD)
    core.row(AT - 10 * DAY, transactionType=HELD, releaseTransactionId=3)

    found = await told(core, stored(), OpKind.RELEASE, hold)
    core.rows[0]["releaseTransactionId"] = 4
    freed = await told(core, stored(), OpKind.RELEASE, hold)
    nobody = await told(core, stored(), OpKind.RELEASE, uuid5(hold, "no time in it"))

    assert found == nobody == NEVER_SEEN
    assert freed == Ok(None)


@pytest.mark.parametrize(
    ("more", "is_proof"),
    [
        ({}, False),
        ({"paymentDetailData": {"receiptNumber": str(SOMEBODY)}}, True),
        ({"note": f"6p:{SOMEBODY} Rent"}, True),
        ({"amount": 2}, True),
        ({"entryType": "CREDIT"}, True),
    ],
)
async def test_a_debit_that_may_have_booked_the_hold_leaves_its_release_open(
    core: BareCore, more: dict[str, object], *, is_proof: bool
) -> None:
    hold = stored(HOUR).id
    core.row(AT, transactionType=HELD, releaseTransactionId=3)
    core.row(AT, **more)

    found = await told(core, stored(), OpKind.RELEASE, hold)

    assert found == (Ok(None) if is_proof else NEVER_SEEN)


async def test_a_hold_that_is_free_is_released_by_whichever_op(town: Town) -> None:
    asha = await town.account(1000)
    freed, booked = await town.held(asha, 300), await town.held(asha, 400)
    value_of(await town.core.release(an_op(), freed))
    value_of(await town.core.capture(an_op(), booked, None))

    async with town.again() as bank:
        again = await bank.core.release(an_op(), freed)
        never = await bank.core.release(an_op(), booked)

    assert again == Ok(None)
    assert isinstance(never, Rejected)
    assert await town.figures(asha) == (600, 0)


async def test_two_holds_of_an_amount_are_told_apart(town: Town) -> None:
    asha = await town.account(1000)
    one, other = await town.held(asha, 300), await town.held(asha, 300)
    value_of(await town.core.release(an_op(), other))
    context = town.context(asha, 300)

    async with town.again() as bank:
        found, freed = [
            await bank.core.lookup(
                an_op(), OpKind.RELEASE, replace(context, earlier=hold.id)
            )
            for hold in (one, other)
        ]

    assert found == NEVER_SEEN
    assert freed == Ok(None)
    assert await town.figures(asha) == (1000, 300)


async def test_a_capture_on_a_busy_account_is_found_and_undone(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "PAGE", 5)
    monkeypatch.setattr(looking, "_PAGES_MAX", 2)
    asha, ben = await town.account(1000), await town.account()
    capture = an_op()
    hold = await town.held(asha, 300)
    value_of(await town.core.capture(capture, hold, None))
    for _ in range(20):
        await town.core.transfer(an_op(), asha, ben, inr(1), RENT)
    context = OpContext(asha, None, inr(300), town.clock.now(), hold.id)

    async with town.again() as bank:
        booked = value_of(await bank.core.lookup(capture, OpKind.CAPTURE, context))
        assert isinstance(booked, Posting)
        op = an_op()
        undone = await bank.core.reverse(op, booked, "returned")
        context = replace(context, earlier=capture.id)
        found = await bank.core.lookup(op, OpKind.REVERSE, context)

    assert found == undone
    assert isinstance(undone, Ok)
    assert await town.figures(asha) == (980, 0)
