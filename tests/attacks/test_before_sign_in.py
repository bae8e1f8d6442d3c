"""A balance before sign-in: on the phone that chose it, while it may sign in."""

from pathlib import Path

import pytest

from mock_mobile_client import devices, wishes
from mock_mobile_client.api import encode
from mock_mobile_client.errors import Refused
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.people import Person
from mock_mobile_client.phone import EVERYDAY, Phone
from tests.attacks.conftest import setting
from tests.attacks.thief import post, proof_for
from tests.journeys.bank_process import BankProcess

pytestmark = [
    pytest.mark.slow,
    pytest.mark.attack("reading below LOGIN"),
    pytest.mark.asyncio(loop_scope="module"),
]

QUICK = "{ quickBalance { accountId available { minorUnits } } }"


async def test_a_stranger_another_phone_and_a_stopped_one_see_nothing(
    attacked: BankProcess, asha: Phone, newcomer: Person, phones_folder: Path
) -> None:
    world = (attacked.url, attacked.sandbox, setting(phones_folder))
    async with Phone("dana-quick", *world, owner=newcomer) as dana:
        await dana.start()
        account = await dana.account(EVERYDAY)
        await wishes.show_quickly(dana.session, [account.id])
        shown = [len(await wishes.quick(dana.handset))]
        with pytest.raises(Refused) as foreign:
            await wishes.show_quickly(asha.session, [account.id])
        others = await wishes.quick(asha.handset)

        body = encode(QUICK, {})
        stranger = proof_for(dana, body, key=DeviceKey.generate())
        answers = [
            (await post(attacked.url, body, proof=proof)).json()
            for proof in (None, stranger)
        ]
        await dana.logout()
        shown.append(len(await wishes.quick(dana.handset)))
        await dana.login()
        shown.append(len(await wishes.quick(dana.handset)))
        await wishes.show_quickly(dana.session, [account.id])
        shown.append(len(await wishes.quick(dana.handset)))
        await devices.panic(dana.handset)
        shown.append(len(await wishes.quick(dana.handset)))

    assert foreign.value.code == "NOT_FOUND"
    assert others == ()
    assert [one.get("data") for one in answers] == [None, None]
    codes = [one["errors"][0]["extensions"]["code"] for one in answers]
    assert codes == ["DPOP_REQUIRED", "UNAUTHENTICATED"]
    assert shown == [1, 0, 0, 1, 0]
    assert attacked.books.one("SELECT count(*) FROM quick_balance_optin") == 0
