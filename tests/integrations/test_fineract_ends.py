"""The Fineract adapter on its double: ends of holds, reversals, states, settings."""

from pathlib import Path

import pytest

from app.clock import Clock
from app.errors import NotFound
from app.integrations.core_banking import (
    AccountState,
    OpKind,
    Posting,
    fineract,
)
from app.integrations.core_banking.fineract import Fineract, Settings
from app.integrations.outcome import (
    NotSent,
    Ok,
    PortCode,
    Rejected,
    Unknown,
)
from app.settings import Misconfigured
from tests.fineract_contract import BASE
from tests.integrations.fineract_rig import PASSWORD
from tests.integrations.fineract_world import RENT, Town, an_op, inr, value_of

TRANSFERS = f"{BASE}/v1/accounttransfers"


# ------------------------------------------------------------------ ends of a hold


async def test_a_released_hold_is_not_booked_although_the_core_would(
    town: Town,
) -> None:
    asha = await town.account(1000)
    hold, _other = await town.held(asha, 300), await town.held(asha, 400)
    await town.core.release(an_op(), hold)

    late = await town.core.capture(an_op(), hold, None)
    async with town.again() as bank:
        bare = await bank.account(1000)
        freed = await bank.held(bare, 300)
        await town.core.release(an_op(), freed)
        later = await bank.core.capture(an_op(), freed, None)

    assert isinstance(late, Rejected)
    assert isinstance(later, Rejected)
    assert await town.figures(asha) == (1000, 400)
    assert await town.figures(bare) == (1000, 0)


async def test_a_capture_that_was_lost_is_found_again_by_the_same_op(
    town: Town,
) -> None:
    asha = await town.account(1000)
    hold = await town.held(asha, 300)
    town.rig.rule("/v1/interoperation/transfers", kind="drop-after-work", count=1)
    op = an_op()

    lost = await town.core.capture(op, hold, None)
    async with town.again() as bank:
        again = await bank.core.capture(op, hold, None)

    assert isinstance(lost, Unknown)
    assert isinstance(again, Ok)
    assert await town.figures(asha) == (700, 0)


async def test_a_capture_is_undone_once(town: Town) -> None:
    asha = await town.account(1000)
    posting = await town.captured(asha, 300)
    op = an_op()

    undone = await town.core.reverse(op, posting, "returned")
    repeated = await town.core.reverse(op, posting, "returned")
    again = await town.core.reverse(an_op(), posting, "returned")

    assert undone == repeated == Ok(Posting(op.id, posting.booked_at))
    assert isinstance(again, Rejected)
    assert await town.figures(asha) == (1000, 0)
    (look,) = await town.core.look([asha], 5)
    assert [row.status for row in look.rows] == ["REVERSED", "BOOKED"]


@pytest.mark.parametrize("way", ["capture", "transfer"])
async def test_a_reversal_that_waits_for_a_checker_is_not_done(
    town: Town, way: str
) -> None:
    asha, ben = await town.account(1000), await town.account()
    if way == "capture":
        posting = await town.captured(asha, 300)
    else:
        sent = await town.core.transfer(an_op(), asha, ben, inr(300), RENT)
        posting = value_of(sent)
    op = an_op()
    town.rig.turn(queued=1)

    queued = await town.core.reverse(op, posting, "returned")
    again = await town.core.reverse(op, posting, "returned")

    assert isinstance(queued, Unknown)
    assert isinstance(again, Unknown)
    assert await town.figures(asha) == (700, 0)


async def test_a_block_that_waits_for_a_checker_is_not_there(town: Town) -> None:
    asha = await town.account(1000)
    town.rig.turn(queued=1)

    queued = await town.core.set_state(an_op(), asha, AccountState.BLOCKED)

    assert isinstance(queued, Unknown)
    (look,) = await town.core.look([asha], 5)
    assert look.state is AccountState.OPEN


async def test_a_transfer_is_sent_back_once_whoever_asks(town: Town) -> None:
    asha, ben = await town.account(1000), await town.account()
    posting = value_of(await town.core.transfer(an_op(), asha, ben, inr(300), RENT))
    op = an_op()

    undone = await town.core.reverse(op, posting, "sent twice")
    repeated = await town.core.reverse(op, posting, "sent twice")
    again = await town.core.reverse(an_op(), posting, "sent twice")

    assert isinstance(undone, Ok)
    assert isinstance(repeated, Ok)
    assert undone.value == repeated.value
    assert isinstance(again, Rejected)
    assert await town.figures(asha) == (1000, 0)
    assert await town.figures(ben) == (0, 0)


async def test_a_posting_of_an_earlier_process_is_looked_up_before_it_is_undone(
    town: Town,
) -> None:
    asha = await town.account(1000)
    posting = await town.captured(asha, 300)
    capture = an_op().__class__(posting.journal, b"body".ljust(32, b"."))

    async with town.again() as bank:
        with pytest.raises(NotSent):
            await bank.core.reverse(an_op(), posting, "returned")
        context = town.context(asha, 300)
        found = await bank.core.lookup(capture, OpKind.CAPTURE, context)
        undone = await bank.core.reverse(an_op(), value_of(found), "returned")  # type: ignore[arg-type]  # a capture is a posting

    assert value_of(found) == posting
    assert isinstance(undone, Ok)
    assert await town.figures(asha) == (1000, 0)


# ------------------------------------------------------------------ states, settings


@pytest.mark.parametrize("start", list(AccountState)[:-1])
@pytest.mark.parametrize("end", list(AccountState))
async def test_every_state_leads_to_every_other(
    town: Town, start: AccountState, end: AccountState
) -> None:
    asha = await town.account()
    await town.rig.set_state(asha, start)

    outcome = await town.core.set_state(an_op(), asha, end)

    assert outcome == Ok(None)
    (look,) = await town.core.look([asha], 1)
    assert look.state is end


async def test_a_closed_account_stays_closed(town: Town) -> None:
    asha = await town.account()
    await town.rig.set_state(asha, AccountState.CLOSED)

    outcome = await town.core.set_state(an_op(), asha, AccountState.OPEN)

    assert outcome == Rejected(PortCode.ACCOUNT_CLOSED, unasked=True)


async def test_the_password_is_read_from_a_file_that_must_be_there(
    town: Town, tmp_path: Path
) -> None:
    settings = town.rig.settings().model_copy(update={"password_file": tmp_path / "no"})

    with pytest.raises(Misconfigured, match="PASSWORD_FILE"):
        await fineract.connect(settings, clock=Clock())

    assert PASSWORD not in repr((settings, town.core, vars(town.core)))


@pytest.mark.parametrize(
    ("body", "ref"),
    [
        (b'{"savingsId": 12, "resourceId": 7, "officeId": 1}', "12"),
        (b'{"clientId": 12}', None),
        (b'{"savingsId": "../1"}', None),
        (b"[]", None),
        (b"no JSON", None),
    ],
)
async def test_a_hook_names_an_account_to_look_at_and_nothing_more(
    town: Town, tmp_path: Path, body: bytes, ref: str | None
) -> None:
    file = tmp_path / "hook"
    file.write_text("h" * 32 + "\n")
    update = {"hook_secret_file": file}
    core = await fineract.connect(
        town.rig.settings().model_copy(update=update), clock=Clock()
    )

    assert core.hinted("h" * 32, body) == ref
    for wrong in ("h" * 31, "", "é" * 32):
        with pytest.raises(NotFound):
            core.hinted(wrong, body)
    with pytest.raises(NotFound):
        town.core.hinted("h" * 32, body)
    file.write_text("too short")
    with pytest.raises(Misconfigured, match="HOOK_SECRET_FILE"):
        await fineract.connect(
            town.rig.settings().model_copy(update=update), clock=Clock()
        )
    await core.close()


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ({"base_url": "http://core.example/api"}, "https"),
        ({"base_url": "https://core.example/api"}, "USER, PASSWORD_FILE"),
        ({"timezone": "Mars/Olympus"}, "TIMEZONE"),
        ({"office_id": 0}, "greater than 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    chosen: dict[str, object], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        Settings.model_validate(chosen)


def test_it_says_what_it_can() -> None:
    assert Fineract.caps.native_idempotency
    assert not Fineract.caps.local
    assert not Fineract.caps.partial_capture
