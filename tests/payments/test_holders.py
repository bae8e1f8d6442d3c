"""Who holds an account of this bank is known in full to the check, and shown masked."""

import pytest

from app.holders import Holders, masked
from app.integrations.rails import PayeeAddress
from tests.payments.rooms import BANK_CODE
from tests.payments.town import Town
from tests.payments.world import a_staff_view


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ben Okafor", "B•• Ok••••"),
        ("Asha  Rao", "As•• R••"),
        ("X", "X"),
        ("Łukasz Ó", "Łu•••• Ó"),
    ],
)
def test_a_name_keeps_the_first_letters_of_its_words(name: str, shown: str) -> None:
    assert masked(name) == shown


async def test_only_an_account_of_this_bank_has_a_holder(town: Town) -> None:
    bank = town.bank
    holders = Holders(accounts=bank.accounts, customers=bank.customers)
    view = a_staff_view(town.bens.customer)
    number = (await bank.accounts.numbers(view, [town.bens.id]))[town.bens.id]

    def at(number: str, code: str | None) -> PayeeAddress:
        return PayeeAddress(scheme="INTERNAL", number=number, bank_code=code)

    found = await holders(at(number, BANK_CODE))
    elsewhere = await holders(at(number, "SAND0000001"))
    nobody = await holders(at("50109999999999", None))

    assert found is not None
    assert (found.name, found.masked) == ("Ben Okafor", "B•• Ok••••")
    assert (elsewhere, nobody) == (None, None)
