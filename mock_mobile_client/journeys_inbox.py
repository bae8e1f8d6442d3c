"""Steps of the scenario about the inbox: the lasting copy of what was pushed."""

import asyncio

from mock_mobile_client.enums import PaymentStatus
from mock_mobile_client.errors import NotSeen, expect
from mock_mobile_client.inbox import LOOKS, PAUSE_S, ItemValue
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone
from mock_mobile_client.stage import Stage, everyday, moved

LENT = money("1.25 INR")
MONEY_IN = "MONEY_IN"


async def read_the_inbox(stage: Stage) -> str:
    """A push goes out, comes, is opened; the item says all, and the badge falls."""
    ben, drawer = stage.ben, stage.ben.drawer
    before = await everyday(ben)
    known = await ben.inbox.page(first=1)
    await ben.sleep()
    await drawer.close()  # the phone is off: the provider keeps the push for it
    paid = await stage.asha.pay(ben.owner.name, LENT)
    expect("status of the payment", PaymentStatus.SETTLED, paid.status)
    item = await _newer(ben, known.items[0].id if known.items else None)
    sent = await ben.inbox.until_push(item.id, "SENT")
    drawer.listen()
    came = await ben.inbox.until_push(item.id, "DELIVERED")
    badge = (await ben.inbox.page(first=1)).unread
    left = await ben.inbox.mark_read([item.id])
    opened = await ben.inbox.until_push(item.id, "OPENED")
    again = await ben.inbox.mark_read([item.id])
    expect("badge after reading", (badge - 1, badge - 1), (left, again))
    if str(LENT).split()[0] not in item.body:
        raise NotSeen(f"the item says no figure: {item.body}")
    await ben.wake()
    back = await ben.pay(stage.asha.owner.name, LENT)
    expect("status of what goes back", PaymentStatus.SETTLED, back.status)
    await moved(ben, before, LENT.times(0))
    states = f"{sent.state} → {came.state} → {opened.state}"
    return f'"{item.body}" {states}, {left} unread'


async def _newer(phone: Phone, known: str | None) -> ItemValue:
    """Wait for money that came in after a known item."""
    for _ in range(LOOKS):
        for one in (await phone.inbox.page()).items:
            if one.id == known:
                break
            if one.category == MONEY_IN:
                return one
        await asyncio.sleep(PAUSE_S)
    raise NotSeen("nothing came into the inbox")
