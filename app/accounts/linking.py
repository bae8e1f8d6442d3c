"""Takes the accounts that a remote core has for a customer into our list.

The core decides what there is: name, kind, number and state follow it; nickname, order
and alert are the customer's. An account the core no longer lists stays as it is: a list
that came short must not close anything. Only one that it lists for somebody else
instead is hers no more.
"""

from dataclasses import dataclass

from app import database, telemetry
from app.accounts import due
from app.accounts.account import MOVED, masked, normal
from app.accounts.accounts import NUMBER, NUMBER_LOOKUP, NUMBER_SEAL
from app.accounts.feed import Feed
from app.auth.roll import Roll
from app.database import Tx
from app.errors import Outage
from app.ids import AccountId, CustomerId
from app.integrations.core_banking import CoreAccount, CoreBank, CoreCustomer
from app.integrations.outcome import BreakerOpen, Busy, ContractBroken
from app.money import exponent_of, is_currency
from app.rows import Row
from app.vault import Vault

_NAME_MAX = 80
_NAMED_MAX = 100
_FAILED_MAX = 10  # customers one after the other: by then it is the core that is unwell


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

        One that is another customer's here, whom the core lists it for no more, is
        shown to nobody until the core lists it for that customer again.

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
        await self._withdraw_moved(customer, [account.ref for account in listed])
        self._feed.soon(await due.unseen(self._core_name, customer.id))
        return Linked(len(new), len(found))

    async def link_all(self) -> int:
        """Link every customer's accounts; gives how many were new.

        A list that cannot be read, or that the core fails to give, stops nobody else's.

        Raises:
            Outage: the core, or our database, answers for nobody; the next turn begins
                anew.
        """
        new, failed = 0, 0
        async for customer in self._roll.all():
            try:
                new += (await self.link(customer)).new
            except (BreakerOpen, Busy):
                raise
            except Outage as outage:
                telemetry.log.error(
                    "customer_not_linked", customer=str(customer.id), cause=outage.cause
                )
                failed = 0 if isinstance(outage, ContractBroken) else failed + 1
                if failed == _FAILED_MAX:
                    raise
            else:
                failed = 0
        return new

    async def without_holds(self) -> list[str]:
        """Name accounts on which no money can be held, masked: they only receive.

        At most 100.
        """
        rows = await database.read(
            "SELECT masked_number, name FROM account WHERE core = $1 "
            "AND core_external_ref IS NULL ORDER BY id LIMIT $2",
            self._core_name,
            _NAMED_MAX,
        )
        return [
            f"{row.get('masked_number', str)} {row.get('name', str)}" for row in rows
        ]

    async def moved(self) -> list[str]:
        """Name accounts that the core gave to another client, masked, at most 100."""
        rows = await database.read(
            "SELECT masked_number, name FROM account WHERE core = $1 "
            "ORDER BY id LIMIT $2",
            MOVED,
            _NAMED_MAX,
        )
        return [
            f"{row.get('masked_number', str)} {row.get('name', str)}" for row in rows
        ]

    # -------------------------------------------------------------- moved ones

    async def _withdraw_moved(self, customer: CoreCustomer, refs: list[str]) -> None:
        """Withdraw accounts of others that the core lists for this customer instead.

        One list alone proves nothing: an account may be listed for two.
        """
        if not refs:
            return
        rows = await database.read(
            "SELECT id, customer_id, core_ref FROM account "  # noqa: S608  -- placeholders only
            "WHERE core = $1 AND customer_id <> $2 "
            f"AND core_ref IN {database.placeholders(1, len(refs), 3)}",
            self._core_name,
            customer.id,
            *refs,
        )
        for row in rows:
            holder = await self._roll.one(row.get("customer_id", CustomerId))
            listed = await self._listed(holder)
            if listed is not None and row.get("core_ref", str) not in listed:
                await self._withdraw(_id(row))

    async def _listed(self, holder: CoreCustomer | None) -> set[str] | None:
        """Name the accounts of who had one that is listed for another, too.

        A list that cannot be read has none: better nobody sees an account than a
        stranger. None: the core did not answer, so nothing is proven.

        Raises:
            BreakerOpen, Busy: it answers nobody.
        """
        if holder is None:
            return set()
        try:
            return {one.ref for one in await self._core.accounts(holder)}
        except (BreakerOpen, Busy):
            raise
        except Outage as outage:
            telemetry.log.error(
                "old_owner_not_asked", customer=str(holder.id), cause=outage.cause
            )
            return set() if isinstance(outage, ContractBroken) else None

    async def _withdraw(self, account: AccountId) -> None:
        async def work(tx: Tx) -> None:
            await tx.rows(
                "UPDATE account SET core = $2 WHERE id = $1 RETURNING id",
                account,
                MOVED,
            )

        await database.transaction(work, name="accounts.moved")
        telemetry.log.error("account_moved", account=str(account))

    # -------------------------------------------------------------- rows

    async def _taken(self, tx: Tx, customer: CustomerId, account: CoreAccount) -> bool:
        """Take one account; gives whether it is new here."""
        row = await tx.one(
            "SELECT id, customer_id, core, kind, name, core_external_ref, "
            "number_sealed, state FROM account "
            "WHERE core IN ($1, $2) AND core_ref = $3",
            self._core_name,
            MOVED,
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
        now = (
            self._core_name,  # again, if the core had given it away meanwhile
            account.kind,
            account.name[:_NAME_MAX],
            account.external_ref,
        )
        was = (
            row.get("core", str),
            row.get("kind", str),
            row.get("name", str),
            row.find("core_external_ref", str),
        )
        if now != was or row.get("state", str) != account.state:
            await tx.rows(
                "UPDATE account SET core = $2, kind = $3, name = $4, "
                "core_external_ref = $5, state = $6 WHERE id = $1 RETURNING id",
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
