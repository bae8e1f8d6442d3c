"""A phone that just came in tries to make itself the only one.

The customer has an authenticator app, recovery codes, a passkey and three old phones.
The newcomer has the SIM and one recovery code, and took the place of one of the phones.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio

from mock_mobile_client import devices, limits, totp
from mock_mobile_client.errors import Refused
from mock_mobile_client.handset import Level
from mock_mobile_client.phone import Phone
from mock_mobile_client.values import JsonObject
from tests.attacks.aged import Aged
from tests.attacks.conftest import figures
from tests.attacks.untouched import at_rest

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

HIS_PIN = "864209"
NO_INPUT = "mutation {{ {} {{ userErrors {{ code }} }} }}"
BY_ID = "mutation($id: ID!) {{ {}(input: {{ id: $id }}) {{ userErrors {{ code }} }} }}"
# What a phone in its waiting time may not do (auth.md 6.3), and of what.
FORBIDDEN = {
    "deviceRevoke": "old phone",
    "deviceUnlock": "replaced phone",
    "passkeyRemove": "passkey",
    "devicesRevokeOthers": None,
    "passkeyRegisterStart": None,
    "totpEnrolStart": None,
    "totpRemove": None,
    "recoveryCodesRegenerate": None,
    "mpinRemove": None,
    "biometricKeyRemove": None,
}


@dataclass
class House:
    """Asha's phones, and the one that came in."""

    bank: Aged
    old: Phone
    other: Phone
    replaced: Phone
    newcomer: Phone
    names: dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(aged: Aged) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        names = ("asha", "asha-3", "asha-2", "asha-9")
        phones = [await stack.enter_async_context(aged.phone(one)) for one in names]
        old, other, replaced, newcomer = phones
        for phone in (old, other, replaced):
            await phone.start()
        await aged.grow_up(old, other, replaced)
        passkey = await old.register_passkey()
        codes = await totp.enrol(old.session)
        await newcomer.bind_anew({"recoveryCode": codes[0]}, frozenset({"Asha-2"}))
        await newcomer.set_mpin(HIS_PIN)
        await newcomer.login()
        await newcomer.set_biometric()
        await newcomer.register_passkey()
        named = {
            "old phone": old.handset.device_id,
            "replaced phone": replaced.handset.device_id,
            "passkey": passkey.id,
        }
        yield House(aged, old, other, replaced, newcomer, named)
        await totp.remove(old.session)
        await devices.revoke_others(old.session)


async def tried(house: House, field: str) -> str:
    """Ask for one change from the newcomer; says how it was refused."""
    of = FORBIDDEN[field]
    text = (NO_INPUT if of is None else BY_ID).format(field)
    given: JsonObject = {} if of is None else {"id": house.names[of]}
    answer = await house.newcomer.ask(text, given, Level.LOGIN)
    assert answer.data is not None, answer
    (error,) = answer.data[field]["userErrors"]
    return str(error["code"])


# ------------------------------------------------------------------ purging


@pytest.mark.attack("newcomer purges the owner")
async def test_a_phone_that_cools_changes_nothing_of_the_owners(house: House) -> None:
    await house.old.home()
    before = at_rest(house.bank.bank.books)

    codes = {field: await tried(house, field) for field in FORBIDDEN}

    assert codes == dict.fromkeys(FORBIDDEN, "COOLING_PERIOD")
    assert at_rest(house.bank.bank.books) == before


@pytest.mark.attack("newcomer purges the owner")
async def test_a_phone_that_cools_raises_no_limit(house: House) -> None:
    allowed = await limits.listed(house.old.session)
    before = at_rest(house.bank.bank.books)

    codes = []
    for one in allowed.limits:
        with pytest.raises(Refused) as no:
            await limits.choose(house.newcomer.session, one.window, one.ceiling)
        codes.append(no.value.code)

    assert codes == ["COOLING_PERIOD"] * 2
    assert at_rest(house.bank.bank.books) == before


@pytest.mark.attack("newcomer purges the owner")
async def test_what_it_locked_and_replaced_comes_back_when_it_is_removed(
    house: House,
) -> None:
    """Locking is all it may; any old phone that is left takes everything back."""
    bank, old, newcomer = house.bank, house.old, house.newcomer
    money = await figures(old)
    await devices.lock(newcomer.session, old.handset.device_id)
    with pytest.raises(Refused) as shut:
        await old.login()
    locked = [bank.standing(one) for one in (old, house.replaced)]

    await devices.revoke(house.other.session, newcomer.handset.device_id)
    with pytest.raises(Refused) as gone:
        await newcomer.handset.call("home", {})

    assert shut.value.code == "DEVICE_LOCKED"
    assert locked == [("LOCKED", "SUSPENDED", True), ("LOCKED", "REPLACED", True)]
    assert gone.value.code == "UNAUTHENTICATED"
    assert bank.standing(newcomer) == ("REVOKED", None, False)
    for phone in (old, house.replaced):
        assert bank.standing(phone) == ("ACTIVE", None, True)
        await phone.login()
    assert await figures(old) == money
