"""Who sets the push address of another phone takes it over, and hears nothing of it."""

import asyncio

import pytest

from mock_mobile_client.drawer import APP_ID
from mock_mobile_client.handset import Level
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone
from tests.attacks.untouched import as_hex
from tests.journeys.bank_process import BankProcess

pytestmark = [
    pytest.mark.slow,
    pytest.mark.attack("push address takeover"),
    pytest.mark.asyncio(loop_scope="module"),
]

WITHIN_S = 10


async def set_address(phone: Phone, value: str) -> None:
    address = {"kind": "FCM_FID", "value": value, "appId": APP_ID}
    await phone.handset.call(
        "device_push_set", {"input": {"address": address}}, Level.DEVICE
    )


def owners(bank: BankProcess, *phones: Phone) -> list[bool]:
    """Tell for each phone whether the bank would push to it."""
    sql = "SELECT device_id FROM push_address WHERE state = 'ACTIVE'"
    live = {as_hex(device) for (device,) in bank.books.read(sql)}
    return [one.handset.device_id.partition("_")[2] in live for one in phones]


def audited(bank: BankProcess) -> int:
    sql = "SELECT count(*) FROM audit_entry WHERE action LIKE 'device.push%'"
    return int(bank.books.one(sql))


def sent_to(bank: BankProcess, phone: Phone) -> int:
    sql = "SELECT device_id FROM push_dispatch WHERE state <> 'DROPPED'"
    device = phone.handset.device_id.partition("_")[2]
    return [as_hex(one) for (one,) in bank.books.read(sql)].count(device)


async def test_an_address_has_one_owner_and_its_loss_is_written_down(
    attacked: BankProcess, asha: Phone, ben: Phone
) -> None:
    value = asha.drawer.installation
    await set_address(asha, value)
    lines = audited(attacked)
    assert owners(attacked, asha, ben)[0]

    await set_address(ben, value)

    assert owners(attacked, asha, ben) == [False, True]
    assert audited(attacked) > lines
    pushed = sent_to(attacked, asha)
    await asha.pay("Savings", money("1.00 INR"))
    await asyncio.sleep(1)
    assert sent_to(attacked, asha) == pushed
    await set_address(asha, value)
    assert owners(attacked, asha, ben) == [True, False]
