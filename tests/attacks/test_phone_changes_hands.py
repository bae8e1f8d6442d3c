"""Another customer on the same phone: nothing of the first is ever told there."""

import asyncio
from collections.abc import Mapping

import orjson
import pytest

from mock_mobile_client.documents import Document
from mock_mobile_client.drawer import APP_ID
from mock_mobile_client.errors import SocketClosed
from mock_mobile_client.handset import Level
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone, introduce
from mock_mobile_client.values import JsonObject
from mock_mobile_client.wire import Wire
from tests.attacks.untouched import as_hex
from tests.journeys.bank_process import BankProcess

pytestmark = [
    pytest.mark.slow,
    pytest.mark.attack("ids of another customer"),
    pytest.mark.asyncio(loop_scope="module"),
]

WITHIN_S = 20
ENDED = 4401
KEPT = "subscription { events { sequence } }"
# Every subscription there is, as one who holds what the first customer left behind.
LEFT_BEHIND: Mapping[str, str] = {
    "events": "subscription($cursor: EventCursor) { events(after: $cursor) { sequence "
    "cursor event { __typename ... on StreamReset { resetReason: reason } "
    "... on PaymentChanged { payment { id status from { id } } } "
    "... on BalanceChanged { account { id } } "
    "... on TransactionPosted { transaction { id account { id } } } } } }",
    "balances": "subscription($account: ID!) { balanceChanged(accountIds: [$account]) "
    "{ account { id } balance { version } } }",
    "payment": "subscription($payment: ID!) { paymentProgress(paymentId: $payment) "
    "{ id status } }",
    "approvals": "subscription { loginApproval { deviceName } }",
    "status": "subscription { serviceStatusChanged { component state } }",
}


async def subscribe(wire: Wire, name: str, text: str, given: Mapping[str, str]) -> None:
    used = {key: value for key, value in given.items() if f"${key}:" in text}
    unnamed: str = None  # type: ignore[assignment]  # an operation without a name
    await wire.subscribe(name, Document(unnamed, "subscription", "", text), used)


def pushed_to(bank: BankProcess, device: str) -> int:
    sent = bank.books.read("SELECT device_id FROM push_dispatch")
    return [as_hex(one) for (one,) in sent].count(device.partition("_")[2])


async def test_the_next_customer_of_a_phone_hears_nothing_of_the_first(
    attacked: BankProcess, asha: Phone, ben: Phone
) -> None:
    await introduce(ben, asha)
    paid = await asha.pay("Savings", money("1.00 INR"))
    home, own = await asha.home(), await ben.home()
    left = {
        "cursor": home.stream_position,
        "account": home.accounts[0].id,
        "payment": paid.id,
    }
    first_device = asha.handset.device_id
    hers = [one.id for one in home.accounts] + [paid.id, left["cursor"].split(".")[1]]
    line = await Wire.open(asha.socket_url, asha.init_payload())
    await subscribe(line, "kept", KEPT, {})

    await asha.logout()
    before = pushed_to(attacked, first_device)
    taken = {"kind": "FCM_FID", "value": asha.drawer.installation, "appId": APP_ID}
    await ben.handset.call(
        "device_push_set", {"input": {"address": taken}}, Level.DEVICE
    )
    wire = await Wire.open(ben.socket_url, ben.init_payload())
    for name, text in LEFT_BEHIND.items():
        await subscribe(wire, name, text, left)
    back = await ben.pay("asha", money("1.00 INR"))  # moves her money, too
    told = await heard(wire, until=back.id)
    await wire.close()

    with pytest.raises(SocketClosed) as closed:
        await everything(line)
    assert closed.value.code == ENDED
    opening = told["events"][0]["events"]
    assert opening["event"]["resetReason"] == "EPOCH_CHANGED"
    assert opening["cursor"].split(".")[1] == own.stream_position.split(".")[1]
    assert [told[name] for name in ("balances", "payment", "approvals")] == [[], [], []]
    assert len(told["status"]) >= 4  # the bank's own components, which are everybody's
    text = orjson.dumps(told).decode()
    assert [one for one in hers if one in text] == []
    assert pushed_to(attacked, first_device) == before


async def heard(wire: Wire, until: str) -> dict[str, list[JsonObject]]:
    """Take what comes until a payment of the listener's own has settled."""
    told: dict[str, list[JsonObject]] = {name: [] for name in LEFT_BEHIND}
    async with asyncio.timeout(WITHIN_S):
        async for frame in wire.frames():
            if frame.kind == "complete":
                assert frame.operation == "payment"
                continue
            assert frame.kind == "next", frame
            assert isinstance(frame.payload, dict)
            told[frame.operation].append(frame.payload["data"])
            event = frame.payload["data"].get("events", {}).get("event", {})
            payment = event.get("payment", {"id": None, "status": None})
            if (payment["id"], payment["status"]) == (until, "SETTLED"):
                return told
    raise AssertionError(told)


async def everything(line: Wire) -> None:
    async with asyncio.timeout(WITHIN_S):
        async for _frame in line.frames():
            pass
