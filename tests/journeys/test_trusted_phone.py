"""A phone that sends only ids of operations, at a bank that runs only listed ones."""

import dataclasses

import pytest

from mock_mobile_client import documents
from mock_mobile_client.handset import Level
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone
from mock_mobile_client.wire import Frame, Wire
from tests.journeys.way_back import Story

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
UNKNOWN = "PERSISTED_QUERY_NOT_FOUND"


async def test_both_doors_know_the_phones_operations_by_id_and_no_others(
    story: Story,
) -> None:
    dana = await story.young(await story.customer())
    assert dana.by_id

    async with dana.live() as live:
        paid = await dana.pay("Savings", money("1.00 INR"))
        account = await dana.account("Everyday")
        assert account.balance is not None
        await live.until_shown(account.id, account.balance)
    answer = await dana.ask("{ me { id } }", {}, Level.LOGIN)
    told = await on_two_sockets(dana)

    assert paid.status == "SETTLED"
    assert answer.errors[0]["extensions"]["code"] == UNKNOWN
    assert [one.kind for one in told] == ["error", "next"] * 2
    for one in told[::2]:
        assert isinstance(one.payload, list)
        assert one.payload[0]["extensions"]["code"] == UNKNOWN


async def on_two_sockets(dana: Phone) -> list[Frame]:
    """Ask for an unlisted operation, then for a listed one: by id, then by text."""
    told: list[Frame] = []
    home = documents.load("home")
    other = dataclasses.replace(home, text=home.text.replace("Home", "Other"))
    for by_id in (True, False):
        wire = await Wire.open(dana.socket_door, dana.init_payload(), by_id=by_id)
        for document in (other, home):
            await wire.subscribe(document.name, document, {})
            told.append(await anext(wire.frames()))
            if told[-1].kind == "next":
                assert (await anext(wire.frames())).kind == "complete"
        await wire.close()
    return told
