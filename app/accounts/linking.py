"""Takes the accounts that a remote core has for a customer into our list.

The core decides what there is: name, kind, number and state follow it; nickname, order
and alert are the customer's. An account the core no longer lists stays as it is: a list
that came short must not close anything.
"""

from dataclasses import dataclass

from app import database, telemetry
from app.accounts import due
from app.accounts.account import masked, normal
from app.accounts.accounts import NUMBER, NUMBER_LOOKUP, NUMBER_SEAL
from app.accounts.feed import Feed
from app.auth.roll import Roll
from app.database import Tx
from app.ids import AccountId, CustomerId
from app.integrations.core_banking import CoreAccount, CoreBank, CoreCustomer
from app.money import exponent_of, is_currency
from app.rows import Row
from app.vault import Vault

_NAME_MAX = 80


@dataclass(frozen=True, slots=True)
class Linked:
    """How many accounts of a customer are new here, and how many there are."""

    new: int
    all: int


class Links:
    """Links accounts of a remote core to our customers.

    Args:
        core: lists the accounts of a customer.
        core_name: of its adapter, kept with every account.
        vault: seals numbers and finds them by MAC.
        bank_code: what payers need besides a number of ours.
        feed: looks at what is new here.
    """

    def __init__(
        self,
        *,
        core: CoreBank,
        core_name: str,
        vault: Vault,
        bank_code: str,
        feed: Feed,
    ) -> None:
        self._core = core
        self._core_name = core_name
        self._vault = vault
        self._bank_code = bank_code
        self._feed = feed
        self._roll = Roll(vault)

    async def link(self, customer: CoreCustomer) -> Linked:
        """Take a customer's accounts into our list, once each.

        Raises:
            Outage: the core, or our database, does not answer.
        """
        listed = await self._core.accounts(customer)
        found = [account for account in listed if _is_whole(account)]

        async def work(tx: Tx) -> list[str]:
            return [
                account.ref
                for account in found
                if await self._taken(tx, customer.id, account)
            ]

        new = await database.transaction(work, name="accounts.link")
        self._feed.soon(await due.unseen(self._core_name, customer.id))
        return Linked(len(new), len(found))

    async def link_all(self) -> int:
        """Link every customer's accounts; gives how many were new.

        Raises:
            Outage: the core, or our database, does not answer; the next turn begins
                anew.
        """
        return sum([(await self.link(one)).new async for one in self._roll.all()])

    async def without_holds(self) -> list[str]:
        """Name accounts on which no money can be held, masked: they only receive."""
        rows = await database.read(
            "SELECT masked_number, name FROM account WHERE core = $1 "
            "AND core_external_ref IS NULL ORDER BY id",
            self._core_name,
        )
        return [
            f"{row.get('masked_number', str)} {row.get('name', str)}" for row in rows
        ]

    # -------------------------------------------------------------- rows

    async def _taken(self, tx: Tx, customer: CustomerId, account: CoreAccount) -> bool:
        """Take one account; gives whether it is new here."""
        row = await tx.one(
            "SELECT id, customer_id, kind, name, core_external_ref, number_sealed, "
            "state FROM account WHERE core = $1 AND core_ref = $2",
            self._core_name,
            account.ref,
        )
        if row is None:
            return await self._insert(tx, customer, account)
        if row.get("customer_id", CustomerId) != customer:
            telemetry.log.error("account_of_another", account=str(_id(row)))
            return False
        await self._follow(tx, row, account)
        return False

    async def _insert(self, tx: Tx, customer: CustomerId, account: CoreAccount) -> bool:
        id_, number = AccountId.new(), normal(account.number or "")
        row = await tx.one(
            "INSERT INTO account (id, customer_id, core, core_ref, core_external_ref, "
            "kind, name, masked_number, number_lookup, key_id, number_sealed, "
            "bank_code, currency, exponent, state, position) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
            "(SELECT COALESCE(MAX(position), 0) + 1 FROM account "
            "WHERE customer_id = $2)) ON CONFLICT DO NOTHING RETURNING id",
            id_,
            customer,
            self._core_name,
            account.ref,
            account.external_ref,
            account.kind,
            account.name[:_NAME_MAX],
            masked(number),
            self._vault.mac(NUMBER_LOOKUP, number.encode()),
            self._vault.pepper.current,
            self._vault.seal(NUMBER_SEAL, str(id_), number.encode()),
            self._bank_code,
            account.currency,
            exponent_of(account.currency),
            account.state,
        )
        if row is None:  # the number is another account's
            telemetry.log.error("account_not_linked", account=str(id_))
        return row is not None

    async def _follow(self, tx: Tx, row: Row, account: CoreAccount) -> None:
        """Write what the core has changed since."""
        now = (account.kind, account.name[:_NAME_MAX], account.external_ref)
        was = (
            row.get("kind", str),
            row.get("name", str),
            row.find("core_external_ref", str),
        )
        if now != was or row.get("state", str) != account.state:
            await tx.rows(
                "UPDATE account SET kind = $2, name = $3, core_external_ref = $4, "
                "state = $5 WHERE id = $1 RETURNING id",
                _id(row),
                *now,
                account.state,
            )
        number = normal(account.number or "")
        sealed = row.get("number_sealed", bytes)
        if self._vault.open(NUMBER_SEAL, str(_id(row)), sealed).decode() != number:
            await tx.rows(
                "UPDATE account SET masked_number = $2, number_lookup = $3, "
                "key_id = $4, number_sealed = $5 WHERE id = $1 AND NOT EXISTS "
                "(SELECT 1 FROM account WHERE key_id = $4 AND number_lookup = $3) "
                "RETURNING id",
                _id(row),
                masked(number),
                self._vault.mac(NUMBER_LOOKUP, number.encode()),
                self._vault.pepper.current,
                self._vault.seal(NUMBER_SEAL, str(_id(row)), number.encode()),
            )


def _id(row: Row) -> AccountId:
    return row.get("id", AccountId)


def _is_whole(account: CoreAccount) -> bool:
    """Tell whether an account can be shown: it has a number and a currency."""
    number = normal(account.number or "")
    whole = NUMBER.fullmatch(number) is not None and is_currency(account.currency)
    if not whole:
        telemetry.log.error("account_without_form")
    return whole
