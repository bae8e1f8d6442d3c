"""A phone that pays on through every outage: the same key, until it is final."""

import asyncio
from collections.abc import Callable
from typing import Final

from mock_mobile_client.api import INTERNAL
from mock_mobile_client.enums import PaymentStatus
from mock_mobile_client.errors import NotSeen, Refused, Unreachable, expect
from mock_mobile_client.payments import Order
from mock_mobile_client.phone import Phone
from mock_mobile_client.values import PaymentValue

AGAIN_S: Final = 0.05
# What a phone that retries as told may hear around a kill; anything else is a fault.
# INTERNAL says that nothing is known of the effect: the same key goes out again.
TRANSIENT: Final = frozenset(
    {"CHALLENGE_EXPIRED", INTERNAL, "SERVICE_UNAVAILABLE", "UNAUTHENTICATED"}
)


async def insist(
    phone: Phone, order: Order, heard: Callable[[str], None] = lambda _: None
) -> PaymentValue:
    """Pay until it is settled, whatever dies meanwhile.

    Args:
        phone: Who pays.
        order: What; its key goes out again after every lost answer.
        heard: Is told each "not now".

    Raises:
        Refused: the bank said a real no.
        ProofFailed: it ended otherwise than settled.
    """
    api = phone.handset.api
    while True:
        before = api.repeated
        try:
            paid = await _as_told(phone, order)
        except (Unreachable, NotSeen) as lost:
            heard(type(lost).__name__)
        except Refused as refused:
            heard(refused.code)
            if refused.code not in TRANSIENT:
                raise
        else:
            expect("how the payment ended", PaymentStatus.SETTLED, paid.status)
            return paid
        finally:
            for _ in range(api.repeated - before):
                heard(INTERNAL)
        await asyncio.sleep(AGAIN_S)


async def _as_told(phone: Phone, order: Order) -> PaymentValue:
    """Create, approve and follow; a challenge that is over is asked for anew.

    A kill may fall between the proof of an answer and the approval: that challenge has
    its answer and takes no other.
    """
    payment = await phone.payments.create(order)
    if payment.status is PaymentStatus.AWAITING_AUTHORISATION:
        try:
            payment = await phone.payments.approve(order, payment)
        except Refused as refused:
            if refused.code != "CHALLENGE_EXPIRED":
                raise
            payment = await phone.payments.renewed(payment)
            payment = await phone.payments.approve(order, payment)
    return await phone.payments.final(payment)
