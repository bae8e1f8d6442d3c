"""Steps of the scenario about another bank, whose rail does not always know.

The amount is one of the outside world's magic ones: the rail says that it does not know
for twenty seconds, then it settles. The money leaves the savings, and the bank.
"""

import asyncio
from dataclasses import replace

from mock_mobile_client import abroad
from mock_mobile_client.enums import PaymentStatus
from mock_mobile_client.errors import NotSeen, Refused, expect
from mock_mobile_client.money import money
from mock_mobile_client.payments import FINAL_S
from mock_mobile_client.phone import Phone
from mock_mobile_client.stage import SAVINGS, Stage, present
from mock_mobile_client.values import BalanceValue, PaymentValue

NICKNAME, NAME = "Dev", "Dev Malhotra"
NUMBER, BANK_CODE = "409900000001", "SAND0000001"
UNSURE = money("1.13 INR")
PAUSE_S = 0.1
NONE_HERE = frozenset({"NOT_FOUND", "NOT_SUPPORTED"})
SKIPPED = "this bank reaches no other: skipped"


async def pay_abroad(stage: Stage) -> str:
    """Who is it, what does it cost; then the payment holds the money."""
    asha = stage.asha
    try:
        holder = await abroad.resolve(asha.session, NUMBER, BANK_CODE)
    except Refused as refused:
        if refused.code not in NONE_HERE:
            raise
        return SKIPPED
    if await asha.payee(NICKNAME) is None:
        account = (NUMBER, BANK_CODE)
        await abroad.save(asha.session, NICKNAME, NAME, account)
    stage.abroad_before = await _savings(asha)
    order = await asha.order(NICKNAME, UNSURE, source=SAVINGS)
    quoted = await abroad.quote(asha.session, order)
    expect("what stands in the way", (), quoted.blockers)
    order = replace(order, quote=quoted.id)
    payment = await asha.payments.create(order)
    stage.abroad = await asha.payments.approve(order, payment)
    fee = "no fee" if quoted.fee.minor_units == 0 else quoted.fee.formatted
    return f"{holder.name} at {holder.bank_name}: {quoted.match}, {quoted.rail}, {fee}"


async def see_the_hold(stage: Stage) -> str:
    """Nobody knows yet whether the payee has it: never failed, never free."""
    if stage.abroad is None:
        return SKIPPED
    asha = stage.asha
    doubted = PaymentStatus.PENDING_CONFIRMATION
    unsure = await _until(asha, stage.abroad, doubted)
    held = (await _savings(asha)).held.minus(present(stage.abroad_before).held)
    expect("money held meanwhile", UNSURE, held)
    return f"{unsure.status}, {held} held: {unsure.status_message}"


async def see_it_settled(stage: Stage) -> str:
    """The rail's later word settles it: once, and nothing is held any more."""
    if stage.abroad is None:
        return SKIPPED
    asha, before = stage.asha, present(stage.abroad_before)
    paid = await _until(asha, stage.abroad, PaymentStatus.SETTLED)
    after = await _savings(asha)
    expect("money held after", before.held, after.held)
    expect("savings after", before.available.minus(UNSURE), after.available)
    stage.gone = UNSURE
    return f"{paid.status}, {paid.amount.formatted} gone, nothing held"


async def _until(
    phone: Phone, payment: PaymentValue, wished: PaymentStatus
) -> PaymentValue:
    """Ask for a payment until it says what is waited for."""
    loop = asyncio.get_running_loop()
    end = loop.time() + 2 * FINAL_S
    while payment.status is not wished:
        if loop.time() > end or payment.status.final:
            raise NotSeen(f"{payment.id} is {payment.status}, not {wished}")
        await asyncio.sleep(PAUSE_S)
        payment = await phone.payments.by_id(payment.id)
    return payment


async def _savings(phone: Phone) -> BalanceValue:
    return present((await phone.account(SAVINGS)).balance)
