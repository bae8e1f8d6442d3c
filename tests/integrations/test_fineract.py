"""The Fineract adapter on its double: what it sends, and what each answer means."""

import asyncio
from pathlib import Path

import orjson
import pytest

from app.clock import Clock, StoppedClock
from app.errors import Outage
from app.integrations.core_banking import (
    AccountKind,
    AccountState,
    CoreCustomer,
    fineract,
)
from app.integrations.outcome import (
    AuthFailed,
    ContractBroken,
    NotSent,
    Ok,
    PortCode,
    Rejected,
    Unknown,
)
from app.money import Money
from tests.fineract_contract import BASE
from tests.integrations.fineract_rig import HASTY_S
from tests.integrations.fineract_world import RENT, Town, an_op, inr, value_of

TRANSFERS = f"{BASE}/v1/accounttransfers"


# ------------------------------------------------------------------ what it sends


async def test_a_transfer_is_sent_as_text_under_the_key_of_its_op(town: Town) -> None:
    asha, ben = await town.account(100_000), await town.account()
    op = an_op()

    outcome = await town.core.transfer(op, asha, ben, inr(250_10), RENT)

    (sent,) = [one for one in town.rig.tap.requests if one.target == TRANSFERS][-1:]
    body = orjson.loads(sent.body)
    assert sent.headers["idempotency-key"] == str(op.id)
    assert sent.headers["fineract-platform-tenantid"] == "default"
    assert {type(value) for value in body.values()} == {str}
    assert (body["transferAmount"], body["fromAccountId"]) == ("250.10", asha)
    assert body["transferDescription"] == f"6p:{op.id} Rent"
    assert isinstance(outcome, Ok)
    assert outcome.value.journal == op.id
    assert outcome.provider_ref is not None
    assert await town.figures(asha) == (749_90, 0)
    assert await town.figures(ben) == (250_10, 0)


async def test_a_hold_carries_digits_and_is_ended_under_its_own_name(
    town: Town,
) -> None:
    asha = await town.account(1000)
    hold = await town.held(asha, 205)
    op = an_op()

    value_of(await town.core.capture(op, hold, None))

    prepared, created = (
        one
        for one in town.rig.tap.requests
        if "interoperation/transfers?" in one.target
        and str(hold.id).encode() in one.body
    )
    assert prepared.target.endswith("?action=PREPARE")
    assert created.target.endswith("?action=CREATE")
    assert b'"amount":2.05' in prepared.body
    assert created.headers["idempotency-key"] == str(op.id)
    assert prepared.headers["idempotency-key"] == str(hold.id)
    assert await town.figures(asha) == (795, 0)


async def test_the_accounts_of_a_customer_are_listed_with_their_other_names(
    town: Town,
) -> None:
    asha = await town.customer()
    town.rig.open(asha.number, inr(5), product="Premium Savings")
    town.rig.open(asha.number, inr(5), externalId=None)
    before = await town.rig.calls()

    found = await town.core.accounts(asha)

    assert await town.rig.calls() - before == 2
    assert [(one.kind, one.can_hold) for one in found] == [
        (AccountKind.SAVINGS, True),
        (AccountKind.CURRENT, False),
    ]
    assert found[0].number is not None
    assert found[0].masked_number == "••••" + found[0].number[-4:]
    assert (found[0].external_ref, found[1].external_ref) == (
        f"ext-{found[0].number}",
        None,
    )
    stranger = CoreCustomer(asha.id, "no such number")
    assert await town.core.accounts(stranger) == []


# ------------------------------------------------------------------ a definite no


@pytest.mark.parametrize(
    ("payer", "payee", "code"),
    [
        (AccountState.BLOCKED, AccountState.OPEN, PortCode.ACCOUNT_BLOCKED),
        (AccountState.BLOCK_DEBIT, AccountState.OPEN, PortCode.ACCOUNT_BLOCKED),
        (AccountState.OPEN, AccountState.BLOCK_CREDIT, PortCode.ACCOUNT_BLOCKED),
        (AccountState.CLOSED, AccountState.OPEN, PortCode.ACCOUNT_CLOSED),
        (AccountState.OPEN, AccountState.CLOSED, PortCode.ACCOUNT_CLOSED),
    ],
)
async def test_a_blocked_or_closed_account_refuses_a_transfer(
    town: Town, payer: AccountState, payee: AccountState, code: PortCode
) -> None:
    asha, ben = await town.account(1000), await town.account()
    await town.rig.set_state(asha, payer)
    await town.rig.set_state(ben, payee)

    outcome = await town.core.transfer(an_op(), asha, ben, inr(1), RENT)

    assert isinstance(outcome, Rejected)
    assert outcome.code is code
    assert await town.figures(asha) == (1000, 0)


async def test_a_blocked_account_is_not_held_although_the_core_would(
    town: Town,
) -> None:
    asha = await town.account(1000)
    await town.rig.set_state(asha, AccountState.BLOCKED)

    outcome = await town.core.hold(an_op(), asha, inr(1), RENT)

    assert outcome == Rejected(PortCode.ACCOUNT_BLOCKED, unasked=True)
    assert await town.figures(asha) == (1000, 0)


async def test_a_burnt_key_stays_refused_and_a_new_one_is_judged_anew(
    town: Town,
) -> None:
    asha, ben = await town.account(1000), await town.account(5000)
    op = an_op()
    poor = await town.core.transfer(op, asha, ben, inr(1001), RENT)
    value_of(await town.core.transfer(an_op(), ben, asha, inr(1000), RENT))

    async with town.again() as restarted:
        burnt = await restarted.core.transfer(op, asha, ben, inr(1001), RENT)
    fresh = await town.core.transfer(an_op(), asha, ben, inr(1001), RENT)

    assert isinstance(poor, Rejected)
    assert poor.code is PortCode.INSUFFICIENT_FUNDS
    assert burnt == poor
    assert isinstance(fresh, Ok)
    assert await town.figures(asha) == (999, 0)


async def test_a_lost_race_in_the_core_asks_for_a_new_op(town: Town) -> None:
    asha, ben = await town.account(1000), await town.account()
    town.rig.turn(conflicts=1)
    op = an_op()

    lost = await town.core.transfer(op, asha, ben, inr(1), RENT)
    again = await town.core.transfer(op, asha, ben, inr(1), RENT)
    fresh = await town.core.transfer(an_op(), asha, ben, inr(1), RENT)

    assert isinstance(lost, Rejected)
    assert lost.code is PortCode.CONFLICT_RETRY
    assert again == lost
    assert isinstance(fresh, Ok)
    assert await town.figures(asha) == (999, 0)


async def test_an_account_without_external_id_is_not_held(town: Town) -> None:
    asha = await town.account(1000, externalId=None)

    outcome = await town.core.hold(an_op(), asha, inr(1), RENT)

    assert isinstance(outcome, Rejected)
    assert outcome.code is PortCode.NOT_SUPPORTED


async def test_the_core_is_not_asked_to_mix_currencies(town: Town) -> None:
    asha = await town.account(1000)
    yen = town.rig.open((await town.customer()).number, Money(0, "JPY"))

    outcome = await town.core.transfer(an_op(), asha, yen, inr(1), RENT)

    assert outcome == Rejected(PortCode.CURRENCY_MISMATCH, unasked=True)
    assert await town.figures(asha) == (1000, 0)


# ------------------------------------------------------------------ nobody knows


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "http-status", "reply": 503},
        {"kind": "http-status", "reply": 425},
        {"kind": "http-status", "reply": 408},
        {"kind": "http-status", "reply": 403},
        {"kind": "http-status", "reply": 404},
        {"kind": "drop-before-work"},
    ],
    ids=lambda rule: f"{rule['kind']} {rule.get('reply', '')}",
)
async def test_an_answer_that_proves_nothing_is_unknown(
    town: Town, rule: dict[str, object]
) -> None:
    asha, ben = await town.account(1000), await town.account()
    town.rig.rule("/v1/accounttransfers", **rule, count=1)

    outcome = await town.core.transfer(an_op(), asha, ben, inr(1), RENT)

    assert isinstance(outcome, Unknown), outcome
    assert await town.figures(asha) == (1000, 0)


@pytest.mark.parametrize("kind", ["malformed-json", "drop-after-work"])
async def test_work_without_a_proper_answer_is_unknown_and_done_once(
    town: Town, kind: str
) -> None:
    asha, ben = await town.account(1000), await town.account()
    town.rig.rule("/v1/accounttransfers", kind=kind, count=1)
    op = an_op()

    lost = await town.core.transfer(op, asha, ben, inr(1), RENT)
    again = await town.core.transfer(op, asha, ben, inr(1), RENT)

    assert isinstance(lost, Unknown)
    assert isinstance(again, Ok)
    assert await town.figures(asha) == (999, 0)


async def test_a_silent_core_is_unknown_on_a_write_and_an_outage_on_a_read(
    town: Town,
) -> None:
    asha, ben = await town.account(1000), await town.account()
    hasty = await fineract.connect(town.rig.settings(hasty=True), clock=town.clock)
    slow = {"kind": "latency", "latency_ms": int(HASTY_S * 2000)}
    town.rig.rule("/v1/accounttransfers", **slow, count=1)

    outcome = await hasty.transfer(an_op(), asha, ben, inr(1), RENT)
    town.rig.rule("/v1/batches", **slow, count=1)
    with pytest.raises(Outage) as silent:
        await hasty.balances([asha])

    assert isinstance(outcome, Unknown)
    assert not isinstance(silent.value, NotSent)
    await hasty.close()


async def test_two_sends_at_once_are_one_and_the_later_asks_again(town: Town) -> None:
    asha, ben = await town.account(1000), await town.account()
    await town.core.transfer(an_op(), asha, ben, inr(1), RENT)
    town.rig.turn(workMs=150)
    op = an_op()

    first, second = await asyncio.gather(
        *(town.core.transfer(op, asha, ben, inr(10), RENT) for _ in range(2))
    )
    third = await town.core.transfer(op, asha, ben, inr(10), RENT)

    assert {type(first), type(second)} == {Ok, Unknown}
    assert isinstance(third, Ok)
    early = first if isinstance(first, Unknown) else second
    assert isinstance(early, Unknown)
    assert early.ask_after_s == 30
    assert await town.figures(asha) == (989, 0)


async def test_a_key_that_died_under_way_is_believed_after_a_quarter_of_an_hour(
    town: Town,
) -> None:
    asha, ben = await town.account(1000), await town.account()
    clock = StoppedClock(Clock().now())
    op = an_op()
    async with town.again(clock) as bank:
        town.rig.turn(stuck=1)
        died = await bank.core.transfer(op, asha, ben, inr(1), RENT)
        said: list[object] = []
        for wait in (0, 4, 6, 10):
            clock.move(minutes=wait)
            said.append(await bank.core.transfer(op, asha, ben, inr(1), RENT))

    assert isinstance(died, Unknown)
    assert [type(one) for one in said] == [Unknown, Unknown, Unknown, Rejected]
    assert said[-1] == Rejected(PortCode.NEVER_SEEN)
    assert await town.figures(asha) == (1000, 0)
    fresh = await town.core.transfer(an_op(), asha, ben, inr(1), RENT)
    assert isinstance(fresh, Ok)


# ------------------------------------------------------------------ surely not sent


async def test_refused_credentials_are_a_matter_for_operations(
    town: Town, tmp_path: Path
) -> None:
    asha, ben = await town.account(1000), await town.account()
    wrong = tmp_path / "password"
    wrong.write_text("not this one")
    settings = town.rig.settings()
    for change in ({"password_file": wrong}, {"tenant": "another"}):
        core = await fineract.connect(settings.model_copy(update=change), clock=Clock())

        with pytest.raises(NotSent):
            await core.transfer(an_op(), asha, ben, inr(1), RENT)
        with pytest.raises(AuthFailed):
            await core.balances([asha])
        assert not (await core.health()).reachable
        await core.close()

    assert await town.figures(asha) == (1000, 0)


async def test_a_core_that_only_reads_was_not_reached(town: Town) -> None:
    asha, ben = await town.account(1000), await town.account()
    await town.core.transfer(an_op(), asha, ben, inr(1), RENT)
    town.rig.turn(readOnly=True)

    with pytest.raises(NotSent):
        await town.core.transfer(an_op(), asha, ben, inr(1), RENT)

    town.rig.turn(readOnly=False)
    assert await town.figures(asha) == (999, 0)


async def test_what_cannot_be_read_first_is_not_sent(town: Town) -> None:
    asha, ben = await town.account(1000), await town.account()
    town.rig.rule("/v1/batches", kind="http-status", reply=503, count=9)

    with pytest.raises(NotSent):
        await town.core.transfer(an_op(), asha, ben, inr(1), RENT)
    with pytest.raises(NotSent):
        await town.core.hold(an_op(), asha, inr(1), RENT)

    assert await town.figures(asha) == (1000, 0)


async def test_a_broken_read_is_an_outage(town: Town) -> None:
    asha = await town.account(1000)
    town.rig.rule("/v1/batches", kind="malformed-json", count=1)

    with pytest.raises(ContractBroken):
        await town.core.balances([asha])
