"""Who holds an account of this bank, for payers who ask before they pay.

The name goes to the name check in full and to a payer only masked: what stands behind a
number must not be readable by trying numbers.
"""

from app.accounts.accounts import Accounts
from app.auth.standing import Customers
from app.integrations.rails import PayeeAddress, PayeeName

_SHORT = 3


class Holders:
    """Fits `Names` of the rail of the house.

    Args:
        accounts: finds the account behind a number.
        customers: knows the names.
    """

    def __init__(self, *, accounts: Accounts, customers: Customers) -> None:
        self._accounts = accounts
        self._customers = customers

    async def __call__(self, address: PayeeAddress) -> PayeeName | None:
        """Name the holder; None when no account of this bank has this address."""
        account = await self._accounts.by_number(address.number, address.bank_code)
        if account is None:
            return None
        name = (await self._customers.profile(account.customer)).name
        return PayeeName(name=name, masked=masked(name), holder=account.customer)


def masked(name: str) -> str:
    """Keep the first letters of each word: one of a short word, else two."""
    return " ".join(_masked(word) for word in name.split())


def _masked(word: str) -> str:
    kept = 1 if len(word) <= _SHORT else 2
    return word[:kept] + "•" * (len(word) - kept)
