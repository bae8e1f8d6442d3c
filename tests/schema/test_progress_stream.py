"""A payment on an open confirm screen, as a phone sees it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import pytest

from app.accounts.account import Account, shot
from app.auth.actor import Level
from app.ids import AccountId, CustomerId, DeviceId, PaymentId
from app.money import Money
from app.payments.lifecycle import State
from app.payments.payment import (
    Destination,
    DestinationKind,
    Party,
    Payment,
    PaymentStep,
    StepSource,
)
from app.realtime.facts import PaymentChanged
from app.schema.masking import Answer
from tests.realtime.patience import within
from tests.realtime.world import NOW, record
from tests.schema.follower import ANN, Phone, account_of, code_of

PROGRESS = """
subscription Progress($id: ID!) {
  paymentProgress(paymentId: $id) {
    id status amount { minorUnits } payee { name } cancellableUntil timeline { at }
  }
}
"""


def a_payment(account: Account) -> Payment:
    return Payment(
        id=PaymentId.new(),
        customer=account.customer,
        device=DeviceId.new(),
        idempotency_key="k",
        state=State.AWAITING_AUTHORISATION,
        from_account=account.id,
        destination=Destination(
            kind=DestinationKind.BENEFICIARY,
            account=AccountId.new(),
            beneficiary=None,
            payee=Party(name="Ben", masked="••99"),
            payer=Party(name="Ann", masked="••11"),
            src="a",
            dst="b",
        ),
        amount=Money(1050, "INR"),
        fee=Money(0, "INR"),
        rail="INTERNAL",
        reference=None,
        note=None,
        authorise_by=NOW,
        created_at=NOW,
    )


def moved(payment: Payment, account: Account, state: State, no: int) -> PaymentChanged:
    now = replace(payment, state=state)
    step = PaymentStep(
        no=no, at=NOW, status=now.status, source=StepSource.CORE, detail=None
    )
    return PaymentChanged(
        customer=payment.customer,
        occurred_at=NOW,
        payment=now.shot(shot(account)),
        step=step.shot(),
    )


async def shown(stream: AsyncIterator[Answer]) -> dict[str, Any]:
    answer = await within(anext(stream))
    assert "errors" not in answer.body, answer.body
    found: dict[str, Any] = cast("dict[str, Any]", answer.body)["data"]
    return cast("dict[str, Any]", found["paymentProgress"])


async def test_the_payment_its_changes_and_after_the_last_the_end(phone: Phone) -> None:
    account = account_of(ANN)
    payment = a_payment(account)
    phone.bank.transfers.all = [payment]

    async with phone.follow(PROGRESS, id=str(payment.id)) as stream:
        seen = [await shown(stream)]
        for no, state in enumerate((State.APPROVED, State.SETTLED), start=2):
            phone.bank.transfers.all = [replace(payment, state=state)]
            phone.bank.transfers.lines = no
            await record(moved(payment, account, state, no))
            seen.append(await shown(stream))
        with pytest.raises(StopAsyncIteration):
            await within(anext(stream))

    assert [one["status"] for one in seen] == [
        "AWAITING_AUTHORISATION",
        "SUBMITTED",
        "SETTLED",
    ]
    assert seen[0] == {
        "id": str(payment.id),
        "status": "AWAITING_AUTHORISATION",
        "amount": {"minorUnits": "1050"},
        "payee": {"name": "Ben"},
        "cancellableUntil": "2026-11-21T09:30:00.000Z",
        "timeline": [{"at": "2026-11-21T09:30:00.000Z"}],
    }
    assert [len(one["timeline"]) for one in seen] == [1, 2, 3]
    assert [one["cancellableUntil"] for one in seen[1:]] == [None, None]
    assert phone.bank.hub.readers == 0


async def test_a_payment_that_ended_is_shown_once(phone: Phone) -> None:
    payment = replace(a_payment(account_of(ANN)), state=State.DECLINED)
    phone.bank.transfers.all = [payment]

    async with phone.follow(PROGRESS, id=str(payment.id)) as stream:
        answers = [answer async for answer in stream]

    assert len(answers) == 1
    assert phone.bank.hub.readers == 0


async def test_any_other_id_ends_without_a_value_whatever_it_is(phone: Phone) -> None:
    theirs = a_payment(account_of(CustomerId.new()))
    phone.bank.transfers.all = [theirs]

    for name in (str(theirs.id), str(PaymentId.new()), "pay_x", str(theirs.customer)):
        async with phone.follow(PROGRESS, id=name) as stream:
            assert [answer async for answer in stream] == []

    assert phone.bank.hub.readers == 0


@pytest.mark.parametrize(
    ("level", "code"),
    [(Level.ANONYMOUS, "UNAUTHENTICATED"), (Level.DEVICE, "FORBIDDEN")],
)
async def test_below_login_no_payment_is_followed(
    phone: Phone, level: Level, code: str
) -> None:
    async with phone.follow(PROGRESS, phone.actor(level), id="pay_x") as stream:
        assert await code_of(stream) == code
