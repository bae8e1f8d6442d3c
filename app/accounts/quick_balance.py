"""Balances that a phone may show before anybody signs in on it: chosen per phone.

A choice belongs to one customer on one device and ends with the sign-out, suspension or
removal of that device, so a phone that changes hands shows nothing (banking.md 3).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from app import database
from app.accounts.account import Account
from app.accounts.accounts import Accounts
from app.accounts.balances import Balance, Balances
from app.auth import gate
from app.auth.actor import Actor
from app.clock import Clock
from app.database import Tx
from app.ids import AccountId, DeviceId

_CHOSEN = (
    "SELECT account_id FROM quick_balance_optin "
    "WHERE device_id = $1 AND customer_id = $2"
)


@dataclass(frozen=True, slots=True)
class QuickBalance:
    """One account with its figures, as a phone may show it before sign-in."""

    account: Account
    balance: Balance


class QuickBalances:
    """Reads what phones may show before sign-in.

    Args:
        clock: tells whether a block of the customer is over.
        accounts: decides once more whose accounts they are.
        balances: the figures.
    """

    def __init__(self, *, clock: Clock, accounts: Accounts, balances: Balances) -> None:
        self._clock = clock
        self._accounts = accounts
        self._balances = balances

    async def of(self, actor: Actor) -> list[QuickBalance]:
        """Give the balances chosen for this very device, in the customer's order.

        Nothing on a phone, or for a customer, that may not sign in now.
        """
        device, customer = actor.known_device, actor.known_customer
        found = await self.chosen(actor)
        if not found or not await gate.lets_in(device, customer, self._clock.now()):
            return []
        figures = await self._balances.of(found)
        return [
            QuickBalance(account, figures[account.id])
            for account in found
            if account.id in figures
        ]

    async def chosen(self, actor: Actor) -> list[Account]:
        """Give the accounts chosen for this very device, in the customer's order."""
        rows = await database.read(_CHOSEN, actor.known_device, actor.known_customer)
        wanted = {row.get("account_id", AccountId) for row in rows}
        if not wanted:
            return []
        listed = await self._accounts.of_customer(actor.known_customer)
        return [account for account in listed if account.id in wanted]


async def choose(tx: Tx, actor: Actor, accounts: Iterable[AccountId]) -> bool:
    """Replace what this device may show; tells whether that changed anything.

    Args:
        tx: the transaction; the session was looked at in it.
        actor: the device that may show them.
        accounts: of the caller, as `Accounts.owned` decided.
    """
    device, customer = actor.known_device, actor.known_customer
    wanted = set(accounts)
    rows = await tx.rows(_CHOSEN, device, customer)
    if {row.get("account_id", AccountId) for row in rows} == wanted:
        return False
    await forget(tx, device)
    for account in sorted(wanted):
        await tx.rows(
            "INSERT INTO quick_balance_optin (device_id, account_id, customer_id) "
            "VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING account_id",
            device,
            account,
            customer,
        )
    return True


async def forget(tx: Tx, device: DeviceId) -> None:
    """End every choice of a device, in the transaction that signs it out."""
    await tx.rows(
        "DELETE FROM quick_balance_optin WHERE device_id = $1 RETURNING account_id",
        device,
    )
