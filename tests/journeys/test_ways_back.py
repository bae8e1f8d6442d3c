"""A customer lost a secret: she comes back, and what she lost opens nothing any more.

The stories of lost phones and numbers are in test_ways_back_phones.py; `ways.py` lists
all rows, and test_ways.py sees that none is forgotten.
"""

import asyncio

import orjson
import pytest

from app import database
from app.ids import DeviceId
from mock_mobile_client import biometric, devices, fingers, passkeys, totp, vouching
from mock_mobile_client.api import Credentials, Reply
from mock_mobile_client.enums import DeviceState, FactorKind
from mock_mobile_client.errors import BadEntry
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone
from mock_mobile_client.values import DeviceValue, JsonObject
from tests.journeys.way_back import (
    NEW_PIN,
    PIN,
    WRONG_PIN,
    Story,
    doors,
    let_in,
    refused,
    row_of,
    state_of,
    works,
)

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

MPIN, FINGER, PASSKEY = FactorKind.MPIN, FactorKind.BIOMETRIC, FactorKind.WEBAUTHN
INVALID, YOUNG = "INVALID_CREDENTIAL", "COOLING_PERIOD"
TRIES = 5
ASKED_S = 10


async def sensitive(phone: Phone, factor: FactorKind = MPIN) -> None:
    """Approve something that a passkey, or a young factor, may not approve."""
    await phone.session.step_up(
        "passkey_register_start", "passkeyRegisterStart", None, factor
    )


async def vouched(new: Phone, old: Phone, place: str) -> DeviceValue:
    """Let an older phone answer for a new one, which takes another's place."""
    async with asyncio.TaskGroup() as tasks:
        asks = new.bind_anew({"otherDevice": True}, frozenset({place}))
        asking = tasks.create_task(asks)
        asked = await vouching.waiting(old.handset, ASKED_S)
        await vouching.approve(old.session, asked)
    return asking.result()


def losing_answers(phone: Phone) -> dict[str, tuple[JsonObject, JsonObject]]:
    """Lose the first answer to every call; the same bytes go out again.

    Gives both answers to the last call of each operation. Only the first step of an
    enrolment is not repeated: two texts would come.
    """
    send, seen = phone.handset.api.send, dict[str, tuple[JsonObject, JsonObject]]()

    async def twice(body: bytes, credentials: Credentials) -> Reply:
        name = orjson.loads(body)["operationName"]
        lost = await send(body, credentials)
        if name == "EnrolmentStart":
            return lost
        again = await send(body, credentials)
        (one,), (two,) = (
            list((said.data or {name: {}}).values()) for said in (lost, again)
        )
        seen[name] = one, two
        return again

    phone.handset.api.send = twice  # type: ignore[method-assign]  # a tunnel
    return seen


async def test_signal_or_an_answer(story: Story) -> None:
    phone = story.phone(await story.customer())
    seen = losing_answers(phone)

    await phone.bind_anew()
    await phone.set_mpin()
    await phone.login()
    await phone.session.refresh()
    paid = await phone.pay("Savings", money("1.00 INR"))
    story.a_day_later()
    await phone.login()
    await totp.enrol(phone.session)
    codes = await totp.regenerate(phone.session)

    same = {
        "DeviceBind": ("device", "id"),
        "LoginFinish": ("tokens", "refreshToken"),
        "TokenRefresh": ("tokens", "refreshToken"),
        "PaymentCreate": ("payment", "id"),
        "TotpEnrolFinish": ("recoveryCodes", 9),
        "RecoveryCodesRegenerate": ("codes", 9),
    }
    for name, (part, member) in same.items():
        first, again = (answer[part][member] for answer in seen[name])
        assert first == again, name
    assert len(codes) == 10
    fresh = {answer["bindingNonce"] for answer in seen["EnrolmentProveIdentity"]}
    assert len(fresh) == 2  # the former one died
    device = phone.handset.device_id
    assert [one.id for one in await devices.listed(phone.session)] == [device]
    assert await state_of(phone) is DeviceState.ACTIVE
    figures = {one.name: one.balance for one in (await phone.home()).accounts}
    assert figures["Savings"] is not None
    assert figures["Savings"].booked.minor_units == 100_000 + paid.amount.minor_units
    wrong = await database.read(
        "SELECT count FROM failure_day WHERE device_id = $1", DeviceId.parse(device)
    )
    assert wrong == []


async def test_mpin_forgotten_passkey_or_finger_works(story: Story) -> None:
    (phone,) = await story.grown(await story.customer())
    await phone.register_passkey()

    await phone.login(PASSKEY)
    await phone.change_mpin(NEW_PIN, PASSKEY)
    await works(phone)

    assert await refused(phone.login(pin=PIN)) == INVALID
    assert await refused(sensitive(phone)) == YOUNG
    story.a_day_later()
    await sensitive(phone)
    await phone.set_biometric()
    await phone.login(FINGER)
    await phone.change_mpin(PIN, FINGER)
    await works(phone)
    await sensitive(phone)
    assert await refused(phone.login(pin=NEW_PIN)) == INVALID
    assert await state_of(phone) is DeviceState.ACTIVE


async def test_mpin_forgotten_or_locked_nothing_else_works(story: Story) -> None:
    owner = await story.customer()
    (phone,) = await story.grown(owner)
    for _ in range(TRIES):
        await refused(phone.login(pin=WRONG_PIN))
    assert await refused(phone.login()) == "CREDENTIAL_LOCKED"
    former = story.copy_of(phone)

    device = await phone.bind_anew(await story.code(owner))
    await phone.set_mpin(NEW_PIN)

    assert story.cooling_h(device) == 24
    await works(phone)
    assert await doors(former) == []
    story.a_day_later()
    await story.settled()
    assert await state_of(phone) is DeviceState.ACTIVE
    assert await state_of(phone, former) is DeviceState.REVOKED


async def test_fingers_changed_on_the_phone(story: Story) -> None:
    (phone,) = await story.grown(await story.customer())
    await phone.set_biometric()
    former = story.copy_of(phone)

    assert fingers.add(phone.handset, "her left thumb")
    with pytest.raises(BadEntry, match="no BIOMETRIC"):
        await phone.login(FINGER)
    await phone.set_biometric()

    await works(phone, FINGER)
    await sensitive(phone, FINGER)
    assert await refused(former.login(FINGER)) == INVALID
    await phone.register_passkey()
    assert fingers.add(phone.handset, "her left index")
    await phone.login(PASSKEY)
    await biometric.register(phone.session, PASSKEY)
    await works(phone, FINGER)
    with pytest.raises(BadEntry, match="may not answer"):
        await sensitive(phone, FINGER)
    story.a_day_later()
    await phone.login(FINGER)
    await sensitive(phone, FINGER)


async def test_activation_code(story: Story) -> None:
    owner = await story.customer()
    phone = story.phone(owner)
    again = await story.code(owner)

    assert await refused(phone.bind_anew()) == INVALID
    device = await phone.bind_anew(again)

    assert story.cooling_h(device) == 24  # as every new phone, and no more
    await phone.set_mpin()
    await works(phone)
    second, third = story.phone(owner, 2), story.phone(owner, 3)
    assert await refused(second.bind_anew(again)) == INVALID
    story.a_day_later()
    paper = await totp.enrol(phone.session)
    by_paper = await second.bind_anew({"recoveryCode": paper[0]})
    story.town.later(seconds=30)
    by_app = await third.bind_anew({"totp": totp.show(phone.handset)})
    by_phone = await vouched(story.phone(owner, 4), phone, third.name)
    waits = [story.cooling_h(one) for one in (by_paper, by_app, by_phone)]
    assert waits == [24, 24, 24]


async def test_authenticator_app(story: Story) -> None:
    owner = await story.customer()
    (phone,) = await story.grown(owner)
    paper = await totp.enrol(phone.session)
    former = phone.handset.state.totp_secret
    new, other = story.phone(owner, 2), story.phone(owner, 3)

    assert await refused(new.bind_anew(await story.code(owner))) == INVALID
    device = await new.bind_anew({"recoveryCode": paper[0]})
    await new.set_mpin()
    await works(new)
    assert await refused(totp.remove(new.session)) == YOUNG
    assert story.cooling_h(await let_in(phone, other)) == 24
    await totp.remove(phone.session)
    story.town.later(seconds=30)
    fresh = await totp.enrol(phone.session)

    assert story.cooling_h(device) == 24
    assert await state_of(phone) is DeviceState.ACTIVE
    story.town.later(seconds=30)
    assert former is not None
    old_code = totp.code_at(former, int(story.town.now()) // totp.STEP_S)
    for dead in ({"totp": old_code}, {"recoveryCode": paper[0]}):
        assert await refused(other.bind_anew(dead)) == INVALID
    await other.bind_anew({"totp": totp.show(phone.handset)})
    by_phone = await vouched(story.phone(owner, 4), phone, other.name)
    assert story.cooling_h(by_phone) == 24
    assert len(set(fresh) | set(paper)) == 20


async def test_recovery_codes(story: Story) -> None:
    owner = await story.customer()
    (phone,) = await story.grown(owner)
    paper = await totp.enrol(phone.session)

    fresh = await totp.regenerate(phone.session)

    assert await state_of(phone) is DeviceState.ACTIVE
    second = story.phone(owner, 2)
    assert await refused(second.bind_anew({"recoveryCode": paper[0]})) == INVALID
    await second.bind_anew({"recoveryCode": fresh[0]})
    await second.set_mpin()
    await works(second)


async def test_authenticator_app_recovery_codes_and_phone(story: Story) -> None:
    owner = await story.customer()
    (stolen,) = await story.grown(owner)
    await stolen.register_passkey()
    paper = await totp.enrol(stolen.session)
    new, other = story.phone(owner, 2), story.phone(owner, 3)
    assert await refused(new.bind_anew(await story.code(owner))) == INVALID

    reset = await story.reset_code(owner)
    device = await new.bind_anew(reset, frozenset({stolen.name}))
    await new.set_mpin(NEW_PIN)

    assert story.cooling_h(device) == 72
    await works(new)
    assert await doors(stolen) == []
    assert await passkeys.listed(new.session) == []
    story.town.later(seconds=30)
    dead = ({"totp": totp.show(stolen.handset)}, {"recoveryCode": paper[0]}, reset)
    for proof in dead:
        assert await refused(other.bind_anew(proof)) == INVALID
    story.a_day_later()
    assert story.cooling_h(await row_of(new)) == 48
    story.town.later(hours=48)
    await story.settled()
    assert await state_of(new) is DeviceState.ACTIVE
    assert await state_of(new, stolen) is DeviceState.REVOKED


async def test_passkey(story: Story) -> None:
    first, second = await story.grown(await story.customer(), 2)
    lost = await first.register_passkey()
    passkeys.sync(first.handset, second.handset)
    await works(second, PASSKEY)

    await works(first)
    await passkeys.remove(first.session, lost.id)

    assert await state_of(first) is DeviceState.ACTIVE
    for phone in (first, second):
        with pytest.raises(BadEntry, match="WEBAUTHN may not answer"):
            await phone.login(PASSKEY)
        await works(phone)
    await passkeys.register(first.session)
    await works(first, PASSKEY)


async def test_everything_but_a_passkey(story: Story) -> None:
    owner = await story.customer()
    (first,) = await story.grown(owner)
    await first.register_passkey()
    phone = story.phone(owner, 2)
    await phone.bind_anew(await story.code(owner))
    passkeys.sync(first.handset, phone.handset)
    await works(phone, PASSKEY)
    story.a_day_later()
    await story.settled()
    await works(phone, PASSKEY)
    assert await state_of(phone) is DeviceState.ACTIVE
    assert await refused(sensitive(phone, PASSKEY)) == "NOT_ALLOWED"

    await phone.change_mpin(NEW_PIN, PASSKEY)

    await works(phone)
    assert await refused(sensitive(phone)) == YOUNG
    story.a_day_later()
    await sensitive(phone)
