"""A phone that was removed or locked: its token, socket, approvals and grants are over.

The phone talks to another process than the one that ends it.
"""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio

from mock_mobile_client import devices
from mock_mobile_client.enums import DeviceState, FactorKind, PaymentStatus
from mock_mobile_client.errors import Refused
from mock_mobile_client.intents import StepUpIntent
from mock_mobile_client.money import money
from mock_mobile_client.payments import new_key
from mock_mobile_client.phone import Phone
from mock_mobile_client.values import ChallengeValue, JsonObject, PaymentValue
from tests.attacks.aged import Aged
from tests.attacks.conftest import figures
from tests.attacks.foreign_cases import CLARAS
from tests.attacks.ways import SHUT, Kept, keep, new_ways, old_ways, until_closed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.attack("ended session lives on"),
    pytest.mark.asyncio(loop_scope="module"),
]

WITHIN_S = 1.5  # an end in another process, without a hint (auth.md 3.8)
OUT = {
    *("DEVICE_LOCKED", "DEVICE_BLOCKED", "CHALLENGE_EXPIRED", "UNAUTHENTICATED"),
    *("SESSION_ENDED", "NOT_OFFERED", "FORBIDDEN"),
}


@dataclass
class Lost:
    """An old phone that ends another one, and the other one at another door."""

    bank: Aged
    owner: Phone
    phone: Phone


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lost(aged: Aged, aged_door: str) -> AsyncIterator[Lost]:
    async with AsyncExitStack() as stack:
        owner = await stack.enter_async_context(aged.phone("asha"))
        phone = await stack.enter_async_context(aged.phone("asha-4", door=aged_door))
        await owner.start()
        await phone.start()
        await aged.grow_up(owner, phone)
        yield Lost(aged, owner, phone)


@dataclass
class Prepared:
    """What the phone was about to do when it ended."""

    kept: Kept
    payment: PaymentValue
    approval: JsonObject
    grant: JsonObject


async def prepared(lost: Lost) -> Prepared:
    """Let the phone sign in, sign a payment, and have a new payee approved."""
    phone = lost.phone
    await phone.login()
    order = await phone.order("Savings", money("1.00 INR"))
    payment = await phone.payments.create(order)
    approval = await phone.payments.approval(order, payment)
    grant: JsonObject = {
        "idempotencyKey": new_key(),
        "nickname": "Mule",
        "name": "Clara Stein",
        "payee": {"account": {"accountNumber": CLARAS}},
        "riskAcknowledged": True,
    }
    with pytest.raises(Refused) as no:
        await phone.handset.call("beneficiary_create", {"input": grant})
    wanted = no.value.facts["challenge"]
    assert isinstance(wanted, dict)
    signed = await phone.session.answer(
        ChallengeValue.read(wanted), StepUpIntent("beneficiaryCreate", grant)
    )
    await phone.handset.call("challenge_respond", {"input": signed})
    kept = await keep(phone, FactorKind.MPIN, door=phone.socket_door)
    return Prepared(kept, payment, approval, grant)


async def is_over(lost: Lost, was: Prepared, began: float) -> None:
    """Try all of it."""
    phone, owner = lost.phone, lost.owner
    assert await until_closed(was.kept.wire) in SHUT
    assert time.monotonic() - began < WITHIN_S
    ways = await new_ways(phone, was.kept) | await old_ways(phone, was.kept)
    for name, operation, given in (
        ("approval", "challenge_respond", was.approval),
        ("grant", "beneficiary_create", was.grant),
    ):
        with pytest.raises(Refused) as no:
            await phone.handset.call(operation, {"input": given})
        ways[name] = no.value.code

    assert ways.pop("socket") == "shut"
    assert set(ways.values()) <= OUT, ways
    still = await owner.payments.by_id(was.payment.id)
    assert still.status is not PaymentStatus.SETTLED
    assert await owner.payee("Mule") is None


async def test_a_locked_phone_is_out_of_every_process_and_no_token_comes_back(
    lost: Lost,
) -> None:
    was, before = await prepared(lost), await figures(lost.owner)

    locked = await devices.lock(lost.owner.session, lost.phone.handset.device_id)
    await is_over(lost, was, time.monotonic())
    unlocked = await devices.unlock(lost.owner.session, lost.phone.handset.device_id)
    ways = await old_ways(lost.phone, was.kept)
    with pytest.raises(Refused) as no:
        await lost.phone.handset.call("challenge_respond", {"input": was.approval})

    assert locked.state is DeviceState.LOCKED
    assert unlocked.state is DeviceState.ACTIVE
    assert ways == {"access token": "UNAUTHENTICATED", "socket": "shut"}
    assert no.value.code == "UNAUTHENTICATED"
    await lost.phone.login()
    with pytest.raises(Refused) as late:
        await lost.phone.handset.call("challenge_respond", {"input": was.approval})
    assert late.value.code == "CHALLENGE_EXPIRED"
    assert await figures(lost.owner) == before


async def test_a_removed_phone_is_out_of_every_process(lost: Lost) -> None:
    was, before = await prepared(lost), await figures(lost.owner)

    gone = await devices.revoke(lost.owner.session, lost.phone.handset.device_id)
    await is_over(lost, was, time.monotonic())

    assert gone.state is DeviceState.REVOKED
    assert lost.bank.standing(lost.phone) == ("REVOKED", None, False)
    assert await figures(lost.owner) == before
