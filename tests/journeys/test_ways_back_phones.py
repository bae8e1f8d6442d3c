"""A customer lost a phone, a number, or a right: she comes back, and nobody else does.

The stories of lost secrets are in test_ways_back.py; `ways.py` lists all rows.
"""

from datetime import datetime

import httpx
import pytest

from app import desk
from mock_mobile_client import devices
from mock_mobile_client.enrolment import APP_VERSION
from mock_mobile_client.enums import DeviceState, FactorKind
from mock_mobile_client.errors import Refused
from mock_mobile_client.handset import Level
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.notifications import Inbox
from mock_mobile_client.phone import Phone
from tests.journeys.way_back import (
    FACTOR,
    NEW_PIN,
    STAFF,
    WRONG_PIN,
    Story,
    doors,
    refused,
    row_of,
    state_of,
    works,
)

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

FINGER = FactorKind.BIOMETRIC
LOCKED, CREDENTIAL_LOCKED = "DEVICE_LOCKED", "CREDENTIAL_LOCKED"
TRIES = 5
RETRIES = 'sixpence_errors_total{code="USE_DPOP_NONCE"}'


async def wrong_fingers(phone: Phone, count: int) -> None:
    """Answer with another key than the one behind the owner's finger."""
    own = phone.handset.state.bio_pem
    phone.handset.keep(bio_pem=DeviceKey.generate().pem)
    for _ in range(count):
        await refused(phone.login(FINGER))
    phone.handset.keep(bio_pem=own)


async def wrong_pins(phone: Phone, count: int) -> None:
    for _ in range(count):
        await refused(phone.login(pin=WRONG_PIN))


async def unlocked_by_staff(story: Story, phone: Phone) -> int:
    """Let the desk end blocks and locks; gives how many phones it unlocked."""
    return await desk.customers_unlock(story.town.bank, STAFF, phone.owner.number)


async def test_app_deleted_or_key_store_wiped(story: Story) -> None:
    owner = await story.customer()
    (former,) = await story.grown(owner)
    phone = story.phone(owner)  # of the same name, and with nothing on it

    device = await phone.bind_anew(await story.code(owner))
    await phone.set_mpin()

    assert story.cooling_h(device) == 24
    await works(phone)
    assert await state_of(phone, former) is DeviceState.LOCKED
    assert await doors(former) == []
    story.a_day_later()
    await story.settled()
    await works(phone)
    assert await state_of(phone) is DeviceState.ACTIVE
    assert await state_of(phone, former) is DeviceState.REVOKED


async def test_phone_lost_or_stolen(story: Story) -> None:
    owner = await story.customer()
    first, second = await story.grown(owner, 2)
    young = await story.young(owner, 3)

    name = first.handset.device_id
    assert await refused(devices.revoke(young.session, name)) == "COOLING_PERIOD"
    await devices.lock(young.session, name)
    assert await doors(first) == []
    await devices.revoke(second.session, name)

    assert await doors(first) == []
    assert await state_of(second, first) is DeviceState.REVOKED
    assert await state_of(second) is DeviceState.ACTIVE
    await works(second)
    await devices.forget(young.handset)
    last = story.phone(owner, 4)  # the second one is stolen, too
    device = await last.bind_anew(await story.code(owner), frozenset({second.name}))
    await last.set_mpin(NEW_PIN)
    assert story.cooling_h(device) == 24
    assert await doors(second) == []
    await works(last)


async def test_all_three_places_taken_by_dead_phones(story: Story) -> None:
    owner = await story.customer()
    dead = await story.grown(owner, 3)
    phone, code = story.phone(owner, 4), await story.code(owner)
    assert await refused(phone.bind_anew(code)) == "TOO_MANY_DEVICES"

    device = await phone.bind_anew(code, frozenset(one.name for one in dead))
    await phone.set_mpin()

    assert story.cooling_h(device) == 24
    await works(phone)
    assert [await doors(one) for one in dead] == [[], [], []]
    story.a_day_later()
    await story.settled()
    await phone.login()
    states = {one.state for one in await devices.listed(phone.session)}
    assert states == {DeviceState.ACTIVE, DeviceState.REVOKED}


async def test_phone_locked(story: Story) -> None:
    owner = await story.customer()
    first, second = await story.grown(owner, 2)
    await devices.lock(second.session, first.handset.device_id)
    assert await doors(first) == []

    back = await devices.unlock(second.session, first.handset.device_id)

    assert back.state is DeviceState.ACTIVE
    await works(first)
    await devices.lock(first.session, second.handset.device_id)
    assert await unlocked_by_staff(story, second) == 1
    await works(second)
    assert await state_of(second) is DeviceState.ACTIVE
    await first.set_biometric()
    await wrong_pins(first, TRIES)
    await wrong_fingers(first, TRIES)
    assert await refused(first.login()) == LOCKED
    former = story.copy_of(first)
    device = await first.bind_anew(await story.code(owner))
    await first.set_mpin(NEW_PIN)
    assert story.cooling_h(device) == 24
    await works(first)
    assert await doors(former) == []


async def test_emergency_stop_pressed(story: Story) -> None:
    owner = await story.customer()
    first, second = await story.grown(owner, 2)
    seen = await devices.panic(second.handset)
    assert (seen.devices, seen.sessions) == (2, 2)
    assert [await doors(one) for one in (first, second)] == [[], []]
    former = story.copy_of(first)

    device = await first.bind_anew(await story.code(owner))
    await first.set_mpin()

    assert story.cooling_h(device) == 24
    await works(first)
    assert [await doors(one) for one in (former, second)] == [[], []]
    refusal = await refused(devices.unlock(first.session, second.handset.device_id))
    assert refusal == "NOT_ALLOWED"
    further = await second.bind_anew(await story.code(owner))
    await second.set_mpin()
    assert story.cooling_h(further) == 24
    await works(second)


async def test_sim_or_number_phone_works(story: Story) -> None:
    owner = await story.customer()
    (phone,) = await story.grown(owner)
    finder = story.phone(owner, 9)  # has the SIM, and gets the texts

    used = {"activationCode": owner.code}
    assert await refused(finder.bind_anew(used)) == "INVALID_CREDENTIAL"

    await works(phone)
    assert await state_of(phone) is DeviceState.ACTIVE


async def test_sim_and_phone(story: Story) -> None:
    owner = await story.customer()
    (stolen,) = await story.grown(owner)
    phone = story.phone(owner, 2)  # with a new SIM of the same number

    gone = frozenset({stolen.name})
    device = await phone.bind_anew(await story.code(owner), gone)
    await phone.set_mpin(NEW_PIN)

    assert story.cooling_h(device) == 24
    await works(phone)
    assert await doors(stolen) == []


async def test_text_messages_used_up_by_a_stranger(story: Story) -> None:
    owner = await story.customer()
    phone, stranger = story.phone(owner), story.phone(owner, 9)
    assert await asked_for_codes(stranger, 2 * FACTOR) == "RATE_LIMITED"
    assert await refused(phone.bind_anew()) == "RATE_LIMITED"

    device = await phone.bind_anew(code_first=True)
    await phone.set_mpin()

    assert story.cooling_h(device) == 24  # as every new phone, and no more
    await works(phone)


async def asked_for_codes(phone: Phone, times: int) -> str:
    """Begin enrolments for a number, and wait for each text message.

    Gives the code of the first refusal. One that came late would be taken for the
    owner's own.
    """
    inbox = Inbox(phone.sandbox, phone.owner.phone)
    await inbox.skip()
    asked = {"phone": phone.owner.phone, "platform": "IOS", "appVersion": APP_VERSION}
    given = {"input": {**asked, "model": "iPhone 17"}}
    for _ in range(times):
        try:
            await phone.handset.call("enrolment_start", given, Level.ANONYMOUS)
        except Refused as no:
            return no.code
        await inbox.otp()
    return "never"


@pytest.mark.parametrize("wrong_s", [-3_600, 3_600])
async def test_the_phones_clock_is_wrong(story: Story, wrong_s: int) -> None:
    phone = story.phone(await story.customer(), wrong_s=wrong_s)
    await phone.bind_anew()
    await phone.set_mpin()
    await phone.restart()  # and knows no nonce of the bank any more
    before = await retries(story)

    await works(phone)

    assert await retries(story) == before + 1


async def retries(story: Story) -> int:
    """Count how often the bank asked for a proof with its own nonce."""
    async with httpx.AsyncClient() as client:
        told = (await client.get(f"{story.town.url}/metrics")).text
    found = [line for line in told.splitlines() if line.startswith(RETRIES)]
    return int(float(found[0].rpartition(" ")[2])) if found else 0


async def test_blocked_by_wrong_tries_on_several_phones(story: Story) -> None:
    owner = await story.customer()
    phones = await story.grown(owner, 2)
    for phone in phones:
        await phone.set_biometric()
    await fifteen_wrong(*phones)
    assert await unlocked_by_staff(story, phones[0]) == 0
    for phone in phones:
        await works(phone, FINGER)
        await phone.login()

    await fifteen_wrong(*phones)
    with pytest.raises(Refused) as blocked:
        await phones[0].login()

    until = datetime.fromisoformat(str(blocked.value.facts["lockedUntil"]))
    assert round((until.timestamp() - story.town.now()) / 60) == 15
    story.town.later(minutes=16)
    for phone in phones:
        await works(phone)
        assert await state_of(phone) is DeviceState.ACTIVE
    assert (await row_of(phones[0])).is_current


async def fifteen_wrong(first: Phone, second: Phone) -> None:
    """Answer wrongly on two phones, too rarely to lock one or to end its mPIN."""
    await wrong_fingers(first, 4)
    await wrong_pins(first, 4)
    await wrong_fingers(second, 4)
    await wrong_pins(second, 3)
    for phone in (first, second):
        assert await refused(phone.login()) == CREDENTIAL_LOCKED
