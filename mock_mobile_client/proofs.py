"""The proofs of acceptance.md, through the wire, against any server; here 1 and 2.

Each raises ProofFailed with what was expected and seen. They use the phones Asha-1 and
Ben-1 of the given store and leave the balances as they were.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace

from mock_mobile_client import limits
from mock_mobile_client.enums import PaymentStatus
from mock_mobile_client.errors import ProofFailed, Refused, expect
from mock_mobile_client.handset import Setting
from mock_mobile_client.money import money
from mock_mobile_client.own_servers import own_bank
from mock_mobile_client.payments import Order, new_key
from mock_mobile_client.phone import EVERYDAY, Phone
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.proofs_approval import proof_07
from mock_mobile_client.proofs_away import proof_08
from mock_mobile_client.proofs_kill import Size, proof_09
from mock_mobile_client.proofs_live import proof_03
from mock_mobile_client.proofs_lost_phone import NO_SECOND, proof_06
from mock_mobile_client.proofs_resume import proof_04
from mock_mobile_client.proofs_sign_in import proof_05
from mock_mobile_client.proofs_two_people import proof_10
from mock_mobile_client.stage import (
    SAVINGS,
    Tell,
    asha_and_ben,
    everyday,
    grow_up,
    present,
    silent,
)
from mock_mobile_client.store import MemoryStore
from mock_mobile_client.values import BalanceValue, PaymentValue
from mock_mobile_client.world_clock import SKIPPED, WorldClock

SMALL, SHARE = money("5.00 INR"), money("10.00 INR")
LEAST = money("0.01 INR")
TAPS, SHARES = 50, 10
NO_MONEY = "INSUFFICIENT_FUNDS"


async def proof_01(
    url: str, sandbox: str, setting: Setting | None = None, tell: Tell = silent
) -> None:
    """Lost reply: nothing happens twice, also when the program starts anew.

    paymentCreate and challengeRespond are sent, and the line is closed right after
    the last byte. A second connection sees that the bank has acted; then the same
    variables go out again under a new proof.
    """
    async with asha_and_ben(url, sandbox, setting) as (asha, ben):
        for restarts in (False, True):
            asha_before, ben_before = await everyday(asha), await everyday(ben)
            order = await asha.order("Ben", SMALL)
            await asha.payments.create_losing_reply(order)
            seen = present(await asha.payments.by_key(order.key))
            created = await _sent_again(asha, restarts=restarts)
            expect("replayed, id", (True, seen.id), (created.replayed, created.id))

            challenge = present(created.challenge)
            answer = await asha.payments.approval(order, created)
            await asha.payments.respond_losing_reply(order.key, answer)
            repeated = await _sent_again(asha, restarts=restarts)
            paid = await asha.payments.final(repeated)
            expect("payment", (seen.id, PaymentStatus.SETTLED), (paid.id, paid.status))
            used = await asha.payments.challenge(challenge.id)
            expect("tries left", challenge.attempts_left, used.attempts_left)

            asha_now, ben_now = await everyday(asha), await everyday(ben)
            debit = asha_before.available.minus(SMALL)
            expect("Asha's balance, moved once", debit, asha_now.available)
            credit = ben_before.available.plus(SMALL)
            expect("Ben's balance, moved once", credit, ben_now.available)
            how = "after a new start" if restarts else "by the same program"
            tell(f"paymentCreate and challengeRespond sent again {how}: one debit")
        await ben.pay("Asha", SMALL.times(2))
        if not await grow_up((asha,), WorldClock(sandbox)):
            tell(f"limitSet: {SKIPPED}")
            return
        for restarts in (False, True):
            await _limit_once(asha, restarts=restarts)
        tell("limitSet sent again: its first outcome, no second approval")


async def proof_02(
    url: str, sandbox: str, setting: Setting | None = None, tell: Tell = silent
) -> None:
    """Double tap and stampede: one key pays once, nobody spends what is not there.

    (a) fifty taps with one key, (b) fifty payments of a tenth each, approved at the
    same time, from an account drained to a known balance, (c) one key with another
    amount.
    """
    async with asha_and_ben(url, sandbox, setting) as (asha, ben):
        first = await everyday(asha)
        order = await asha.order("Ben", SHARE)
        await _double_tap(asha, order)
        debited = await everyday(asha)
        expect("one debit", first.available.minus(SHARE), debited.available)
        tell(f"(a) {TAPS} taps, one key: one payment, {TAPS - 1} replays, one debit")

        stampede = await grow_up((asha, ben), WorldClock(sandbox))
        if stampede:
            await _spent_once(asha, debited)
            tell(f"(b) {TAPS} payments of a tenth: {SHARES} settled, 0.00 left, held")
        else:
            tell(f"(b) a cooling phone cannot move {debited.available}: {SKIPPED}")

        before = await everyday(asha)
        await _other_amount(asha, order)
        expect("nothing moved", before, await everyday(asha))
        tell("(c) the same key with another amount: IDEMPOTENCY_KEY_REUSED")
        await ben.pay("Asha", SHARE.times(SHARES + 1 if stampede else 1))
        expect("as at first", first.available, (await everyday(asha)).available)


async def proof_09_alone(
    _url: str, _sandbox: str, setting: Setting | None = None, tell: Tell = silent
) -> None:
    """End a bank that is started for it by kill -9: nobody else's is touched.

    The phones are new, whatever the setting's store: so is the bank.
    """
    used = replace(setting or Setting(iterations=ITERATIONS_MIN), store=MemoryStore())
    async with own_bank() as bank:
        await proof_09(bank, used, tell, Size(kills=1))
    tell(f"the worker apart from the web: {NO_SECOND}")


Proof = Callable[[str, str, Setting | None, Tell], Coroutine[None, None, None]]
PROOFS: dict[int, Proof] = {
    1: proof_01,
    2: proof_02,
    3: proof_03,
    4: proof_04,
    5: proof_05,
    6: proof_06,
    7: proof_07,
    8: proof_08,
    9: proof_09_alone,
    10: proof_10,
}


async def _sent_again(phone: Phone, *, restarts: bool) -> PaymentValue:
    """Send the one unanswered call again, perhaps by a program started anew."""
    if restarts:
        await phone.restart()
    (call,) = phone.handset.state.unanswered
    return await phone.payments.send_again(call)


async def _limit_once(asha: Phone, *, restarts: bool) -> None:
    """Lower the day's limit by the least amount; the lost answer comes again."""
    before = await limits.of(asha.session, "DAY", LEAST.currency)
    lower = before.max.minus(LEAST)
    await limits.choose_losing_reply(asha.session, before, lower)
    if restarts:
        await asha.restart()
    (call,) = asha.handset.state.unanswered
    answer = await asha.session.call(call.operation, call.variables)
    asha.handset.answered(call)
    expect("limit set", lower, limits.LimitRow.read(answer["limit"]).max)
    now = await limits.of(asha.session, "DAY", LEAST.currency)
    expect("limit", lower, now.max)


async def _double_tap(asha: Phone, order: Order) -> None:
    """Fifty parallel paymentCreate with one key, then one approval."""
    taps = await asyncio.gather(*(asha.payments.create(order) for _ in range(TAPS)))
    expect("payments of one key", 1, len({tap.id for tap in taps}))
    expect("replays", TAPS - 1, sum(tap.replayed for tap in taps))
    paid = await asha.payments.settle(order)
    expect("status", PaymentStatus.SETTLED, paid.status)


async def _spent_once(asha: Phone, debited: BalanceValue) -> None:
    """Leave ten shares on the account, let fifty be paid at once, take the rest back.

    Moving the rest away is more than a phone in its waiting time may pay.
    """
    spare = debited.available.minus(SHARE.times(SHARES))
    await asha.pay(SAVINGS, spare, source=EVERYDAY)
    try:
        fates = await _stampede(asha)
        drained = await everyday(asha)
    finally:
        await asha.pay(EVERYDAY, spare, source=SAVINGS)
    settled = fates.count(PaymentStatus.SETTLED), fates.count(NO_MONEY)
    expect("settled, refused", (SHARES, TAPS - SHARES), settled)
    nothing = SHARE.times(0)
    expect("left", (nothing, nothing), (drained.available, drained.held))


async def _stampede(asha: Phone) -> list[str]:
    """Fifty payments of a tenth each, all that were created approved at once."""
    one = await asha.order("Ben", SHARE)
    orders = [replace(one, key=new_key()) for _ in range(TAPS)]
    created = await asyncio.gather(*(_create(asha, order) for order in orders))
    waiting = [
        (order, payment)
        for order, payment in zip(orders, created, strict=True)
        if payment is not None
    ]
    ends = await asyncio.gather(*(_approve(asha, *pair) for pair in waiting))
    return [NO_MONEY] * (TAPS - len(waiting)) + [*ends]


async def _create(asha: Phone, order: Order) -> PaymentValue | None:
    """One payment, or None where the bank saw at once that the money is short."""
    try:
        return await asha.payments.create(order)
    except Refused as refused:
        expect("refusal at creation", NO_MONEY, refused.code)
        return None


async def _approve(asha: Phone, order: Order, payment: PaymentValue) -> str:
    """How an approved payment ends: its status, or the reason it was declined for."""
    approved = await asha.payments.approve(order, payment)
    end = await asha.payments.final(approved)
    return str(end.reason) if end.status is PaymentStatus.DECLINED else end.status


async def _other_amount(asha: Phone, order: Order) -> None:
    """The key of a settled payment, with another amount."""
    try:
        await asha.payments.create(replace(order, amount=SMALL))
    except Refused as refused:
        expect("code", "IDEMPOTENCY_KEY_REUSED", refused.code)
    else:
        raise ProofFailed("one key, another amount", "a refusal", "a payment")
