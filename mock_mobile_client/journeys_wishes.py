"""Steps of the scenario about what is told, and shown before anybody signs in."""

import asyncio

from mock_mobile_client import wishes
from mock_mobile_client.errors import NotSeen, ProofFailed, Refused, expect
from mock_mobile_client.inbox import LOOKS, PAUSE_S, ItemValue
from mock_mobile_client.money import money
from mock_mobile_client.phone import EVERYDAY, Phone
from mock_mobile_client.stage import SAVINGS, Stage, everyday, moved

SPENT, NONE = money("2.00 INR"), money("0.00 INR")
LOW = "LOW_BALANCE"


async def show_before_sign_in(stage: Stage) -> str:
    """The balance without a sign-in: on the phone that was allowed to, no other."""
    asha, ben = stage.asha, stage.ben
    account = await asha.account(EVERYDAY)
    before = await wishes.quick(asha.handset)
    await wishes.show_quickly(asha.session, [account.id])
    shown = await wishes.quick(asha.handset)
    expect("other phones show", (), await wishes.quick(ben.handset))
    await wishes.show_quickly(asha.session, [])
    after = await wishes.quick(asha.handset)
    expect("shown before and after", ((), ()), (before, after))
    expect("accounts shown", [account.id], [one.account_id for one in shown])
    expect("figure", (await everyday(asha)).available, shown[0].available)
    return f"{shown[0].name} {shown[0].available.formatted}, then nothing again"


async def choose_what_is_told(stage: Stage) -> str:
    """Security cannot be switched off; the account that runs low is told of, once."""
    asha = stage.asha
    try:
        await wishes.choose(asha.session, {"category": "SECURITY", "channels": []})
    except Refused as no:
        expect("code of a mandatory category", "NOT_ALLOWED", no.code)
    else:
        raise ProofFailed("switching security off", "a refusal", "a change")
    before = await everyday(asha)
    account = await asha.account(EVERYDAY)
    low = await _low(asha)
    await wishes.warn_below(asha.session, account.id, before.available)
    item = await _fall(asha, low)
    await wishes.warn_below(asha.session, account.id, None)
    await moved(asha, before, NONE)
    return f'SECURITY stays; "{item.body}"'


async def _fall(asha: Phone, known: tuple[str, ...]) -> ItemValue:
    """Spend a little, bring it back, be told once."""
    for source, target in ((EVERYDAY, SAVINGS), (SAVINGS, EVERYDAY)):
        await asha.pay(target, SPENT, source=source)
    for _ in range(LOOKS):
        fresh = [one for one in await _items(asha) if one.id not in known]
        if fresh:
            expect("notices of a low balance", 1, len(fresh))
            return fresh[0]
        await asyncio.sleep(PAUSE_S)
    raise NotSeen("nobody told of the low balance")


async def _low(phone: Phone) -> tuple[str, ...]:
    return tuple(one.id for one in await _items(phone))


async def _items(phone: Phone) -> list[ItemValue]:
    page = await phone.inbox.page(first=100)
    return [one for one in page.items if one.category == LOW]
