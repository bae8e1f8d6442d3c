"""What a sleeping phone was told: its push waits, goes out, comes, and is opened."""

import httpx
import pytest

from mock_mobile_client.handset import Setting
from mock_mobile_client.inbox import ItemValue
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.stage import asha_and_ben
from tests.journeys.bank_process import BankProcess
from tests.journeys.planted import Pocket

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("all_is_well")]
PAID = money("3.21 INR")


async def newest(phone: Phone) -> ItemValue:
    return (await phone.inbox.page(first=1)).items[0]


async def test_a_push_is_seen_waiting_sent_delivered_and_opened_through_the_wire(
    demo_bank: BankProcess, pocket: Pocket
) -> None:
    setting = Setting(store=pocket, iterations=ITERATIONS_MIN)
    where = (demo_bank.url, demo_bank.sandbox, setting)
    async with asha_and_ben(*where) as (asha, ben), httpx.AsyncClient() as partner:
        await ben.drawer.register()
        async with ben.live() as live:
            before = (await ben.home()).unread
            await ben.sleep()
            fault = {"route": "*", "kind": "http-status", "reply": 503}
            fault |= {"address": ben.drawer.installation}
            broken = await partner.put(f"{demo_bank.sandbox}/_faults", json=fault)
            broken.raise_for_status()

            await asha.pay("ben", PAID)
            await ben.inbox.until_unread(before + 1)
            item = await newest(ben)
            waiting = await ben.inbox.until_push(item.id, "QUEUED")
            await partner.delete(f"{demo_bank.sandbox}/_faults")
            sent = await ben.inbox.until_push(item.id, "SENT")
            ben.drawer.listen()
            came = await ben.inbox.until_push(item.id, "DELIVERED")
            await ben.drawer.tap(item.id)
            opened = await ben.inbox.until_push(item.id, "OPENED")
            left = await ben.inbox.mark_read([item.id])
            await ben.wake()
            await live.until(lambda: live.picture.unread == left, "the badge")

            seen = [one.state for one in (waiting, sent, came, opened)]
            assert seen == ["QUEUED", "SENT", "DELIVERED", "OPENED"]
            assert item.category == "MONEY_IN"
            assert "3.21" in item.body
            assert (left, (await ben.home()).unread) == (before, before)
            assert (await newest(ben)).read_at is not None
            await ben.pay("asha", PAID)
