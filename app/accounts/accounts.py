"""What a customer has: the list, whose it is, and the number to receive money on.

Ownership is decided here and nowhere else; a foreign account looks like none at all.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from app import database
from app.accounts.account import MOVED, Account, AccountRef, masked, normal
from app.auth.actor import Actor
from app.database import Tx
from app.errors import NotFound, NotSupported, ValidationFailed
from app.ids import AccountId, CustomerId
from app.integrations.core_banking import (
    AccountKind,
    AccountState,
    CanSeed,
    Chosen,
    CoreBank,
    NewAccount,
)
from app.integrations.outcome import Ok, OpRef, Outcome
from app.money import Money, exponent_of, is_currency
from app.rows import Row
from app.vault import Vault

LISTED_MAX = 50  # graphql.md section 2.5
NUMBER_LOOKUP = "lookup/account"
NUMBER_SEAL = "account.number"
NUMBER = re.compile(r"[0-9A-Z]{6,34}")  # 34 is the longest IBAN, ISO 13616
COLUMNS = (
    "id, customer_id, core_ref, kind, name, nickname, masked_number, bank_code, "
    "currency, state, low_balance_minor"
)
_ONE = f"SELECT {COLUMNS} FROM account WHERE id = $1 AND customer_id = $2"  # noqa: S608  -- our own columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """An account to be opened for a customer.

    Args:
        customer: whose it will be.
        kind, name, currency: what it is.
        number: full account number, 6 to 34 letters and digits, spaces ignored.
        id: chosen by a caller that may come twice; else a new one.
        floor_minor: 0, or minus the arranged overdraft in minor units.
    """

    customer: CustomerId
    kind: AccountKind
    name: str
    currency: str
    number: str
    id: AccountId | None = None
    floor_minor: int = 0


class Accounts:
    """The accounts of all customers, in our table; their money is in the core.

    Args:
        core: where the money is.
        core_name: name of its adapter, kept with every account.
        vault: seals numbers and finds them by MAC.
        bank_code: what payers need besides a number of ours.
    """

    def __init__(
        self, *, core: CoreBank, core_name: str, vault: Vault, bank_code: str
    ) -> None:
        self._core = core
        self._core_name = core_name
        self._vault = vault
        self._bank_code = bank_code

    async def other_core(self) -> str | None:
        """Name another core than ours that accounts here lie in, if one does.

        A core's names of accounts mean nothing to another: 9 may be somebody else. One
        that our core gave to another client lies in none.
        """
        row = await database.read_one(
            "SELECT core FROM account WHERE (core < $1 OR core > $1) AND core <> $2 "
            "LIMIT 1",
            self._core_name,
            MOVED,
        )
        return None if row is None else row.get("core", str)

    # -------------------------------------------------------------- reads

    async def of_customer(self, customer: CustomerId) -> list[Account]:
        """List a customer's accounts in their order, pots left out, at most 50."""
        chosen = self.chosen(customer)
        rows = await database.read(chosen.sql, *chosen.values)
        return [account_of(row) for row in rows]

    def chosen(self, customer: CustomerId) -> Chosen:
        """Write what reads a customer's accounts, as `of_customer` lists them."""
        return Chosen(
            f"SELECT {COLUMNS}, position AS place FROM account "  # noqa: S608  -- constant
            "WHERE customer_id = $1 AND core = $3 AND kind <> 'POT' "
            "ORDER BY position, id LIMIT $2",
            (customer, LISTED_MAX, self._core_name),
        )

    async def currencies(self, customer: CustomerId) -> list[str]:
        """Give the currencies of all a customer's accounts, that of the first first."""
        rows = await database.read(
            "SELECT currency FROM account WHERE customer_id = $1 AND core = $2 "
            "AND kind <> 'POT' GROUP BY currency ORDER BY min(position), currency",
            customer,
            self._core_name,
        )
        return [row.get("currency", str) for row in rows]

    async def one(self, customer: CustomerId, account: AccountId) -> Account | None:
        """Give one account of a customer, of any kind; None: she has no such one.

        One that moved to another client is given too: what the core was asked before
        goes on.
        """
        row = await database.read_one(_ONE, account, customer)
        return None if row is None else account_of(row)

    async def owned(
        self, actor: Actor, ids: Iterable[AccountId]
    ) -> dict[AccountId, Account]:
        """Give accounts of the caller: the one place that decides ownership.

        Raises:
            NotFound: one of them does not exist or is somebody else's.
        """
        wanted = list(dict.fromkeys(ids))
        found = await self.found(actor, wanted)
        if len(found) != len(wanted):
            raise NotFound
        return found

    async def found(
        self, actor: Actor, ids: Sequence[AccountId]
    ) -> dict[AccountId, Account]:
        """Give those of some accounts that are the caller's; others are left out."""
        if not ids:
            return {}
        marks = ", ".join(f"${number}" for number in range(3, len(ids) + 3))
        rows = await database.read(
            f"SELECT {COLUMNS} FROM account "  # noqa: S608  -- placeholders only
            f"WHERE customer_id = $1 AND core = $2 AND id IN ({marks})",
            actor.known_customer,
            self._core_name,
            *ids,
        )
        return {account.id: account for account in map(account_of, rows)}

    async def ever(
        self, actor: Actor, ids: Sequence[AccountId]
    ) -> dict[AccountId, Account]:
        """Give accounts that are or were the caller's, for her payments from them.

        One that the core gave to another client is as it was then, but closed.
        """
        if not ids:
            return {}
        rows = await database.read(
            f"SELECT {COLUMNS}, core FROM account WHERE customer_id = $1 "  # noqa: S608  -- placeholders only
            f"AND id IN {database.placeholders(1, len(ids), 2)}",
            actor.known_customer,
            *ids,
        )
        found: dict[AccountId, Account] = {}
        for row in rows:
            account, is_gone = account_of(row), row.get("core", str) == MOVED
            state = AccountState.CLOSED if is_gone else account.state
            found[account.id] = replace(account, state=state)
        return found

    async def by_refs(self, actor: Actor, refs: Iterable[str]) -> dict[str, Account]:
        """Give the caller's accounts by the core's names; others are left out."""
        wanted = list(dict.fromkeys(refs))
        if not wanted:
            return {}
        marks = ", ".join(f"${number}" for number in range(3, len(wanted) + 3))
        rows = await database.read(
            f"SELECT {COLUMNS} FROM account "  # noqa: S608  -- placeholders only
            f"WHERE customer_id = $1 AND core = $2 AND core_ref IN ({marks})",
            actor.known_customer,
            self._core_name,
            *wanted,
        )
        return {account.ref: account for account in map(account_of, rows)}

    async def numbers(
        self, actor: Actor, ids: Sequence[AccountId]
    ) -> dict[AccountId, str]:
        """Open the full numbers of accounts of the caller; others are left out."""
        if not ids:
            return {}
        marks = ", ".join(f"${number}" for number in range(3, len(ids) + 3))
        rows = await database.read(
            "SELECT id, number_sealed FROM account "  # noqa: S608  -- placeholders only
            f"WHERE customer_id = $1 AND core = $2 AND id IN ({marks})",
            actor.known_customer,
            self._core_name,
            *ids,
        )
        return {row.get("id", AccountId): self._opened(row) for row in rows}

    async def by_number(
        self, number: str, bank_code: str | None = None
    ) -> AccountRef | None:
        """Find anybody's account at this bank by its full number, for a payer.

        Args:
            number: as typed; spaces and hyphens do not count.
            bank_code: left out for this bank; another bank's finds nothing.
        """
        if bank_code is not None and bank_code.strip().upper() != self._bank_code:
            return None
        message = normal(number).encode()
        for key_id, mac in self._vault.macs(NUMBER_LOOKUP, message):
            row = await database.read_one(
                f"SELECT {COLUMNS} FROM account "  # noqa: S608  -- constant
                "WHERE key_id = $1 AND number_lookup = $2 AND core = $3",
                key_id,
                mac,
                self._core_name,
            )
            if row is not None:
                return _reference(account_of(row))
        return None

    def _opened(self, row: Row) -> str:
        account = row.get("id", AccountId)
        sealed = row.get("number_sealed", bytes)
        return self._vault.open(NUMBER_SEAL, str(account), sealed).decode()

    # -------------------------------------------------------------- the staff's side

    async def open_account(self, opening: Opening) -> Account:
        """Open an account in the core and put it last in the customer's list.

        The same `id` again changes nothing, so a seed that was interrupted goes on.

        Raises:
            ValidationFailed: number, currency or name do not have their form.
            NotSupported: this core opens its accounts itself.
        """
        number = normal(opening.number)
        _check(opening, number)
        if not isinstance(self._core, CanSeed):
            raise NotSupported
        account = opening.id or AccountId.new()
        taken = await self.by_number(number)
        if taken is not None and taken.id != account:
            raise ValidationFailed("This account number is in use.", field=["number"])
        ref = await self._core.open_account(
            NewAccount(
                id=account.value,
                owner=opening.customer,
                kind=opening.kind,
                name=opening.name,
                currency=opening.currency,
                masked_number=masked(number),
                floor_minor=opening.floor_minor,
            )
        )

        async def work(tx: Tx) -> Account:
            await self._insert(tx, opening, account, ref, number)
            row = await tx.one(
                f"SELECT {COLUMNS} FROM account WHERE id = $1",  # noqa: S608  -- constant
                account,
            )
            if row is None:
                raise ValidationFailed(
                    "This account number is in use.", field=["number"]
                )
            return account_of(row)

        return await database.transaction(work, name="accounts.open")

    async def _insert(
        self, tx: Tx, opening: Opening, account: AccountId, ref: str, number: str
    ) -> None:
        await tx.rows(
            "INSERT INTO account (id, customer_id, core, core_ref, kind, name, "
            "masked_number, number_lookup, key_id, number_sealed, bank_code, currency, "
            "exponent, state, position) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, "
            "(SELECT COALESCE(MAX(position), 0) + 1 FROM account "
            "WHERE customer_id = $2)) ON CONFLICT DO NOTHING",
            account,
            opening.customer,
            self._core_name,
            ref,
            opening.kind,
            opening.name,
            masked(number),
            self._vault.mac(NUMBER_LOOKUP, number.encode()),
            self._vault.pepper.current,
            self._vault.seal(NUMBER_SEAL, str(account), number.encode()),
            self._bank_code,
            opening.currency,
            exponent_of(opening.currency),
            AccountState.OPEN,
        )

    async def set_state(
        self, op: OpRef, account: Account, state: AccountState
    ) -> Outcome[None]:
        """Block, unblock or close an account, first in the core, then in our list."""
        outcome = await self._core.set_state(op, account.ref, state)
        if isinstance(outcome, Ok):

            async def work(tx: Tx) -> None:
                await tx.rows(
                    "UPDATE account SET state = $2 WHERE id = $1", account.id, state
                )

            await database.transaction(work, name="accounts.set_state")
        return outcome


async def held(tx: Tx, customer: CustomerId, account: AccountId) -> Account | None:
    """Give an account of a customer as it is inside this transaction."""
    row = await tx.one(_ONE, account, customer)
    return None if row is None else account_of(row)


async def withdrawn(tx: Tx, accounts: Sequence[AccountId]) -> set[AccountId]:
    """Give those of some accounts that the core gave to another client."""
    rows = await tx.rows(
        "SELECT id FROM account WHERE core = $1 "  # noqa: S608  -- placeholders only
        f"AND id IN {database.placeholders(1, len(accounts), 2)}",
        MOVED,
        *accounts,
    )
    return {row.get("id", AccountId) for row in rows}


def _check(opening: Opening, number: str) -> None:
    if not NUMBER.fullmatch(number):
        raise ValidationFailed("The account number has another form.", field=["number"])
    if not is_currency(opening.currency):
        raise ValidationFailed("This is no currency.", field=["currency"])
    if not 1 <= len(opening.name.strip()) <= 80:  # noqa: PLR2004  -- the column's width
        raise ValidationFailed("The name has 1 to 80 characters.", field=["name"])


def account_of(row: Row) -> Account:
    """Read a row of `COLUMNS`."""
    low = row.find("low_balance_minor", int)
    currency = row.get("currency", str)
    return Account(
        id=row.get("id", AccountId),
        customer=row.get("customer_id", CustomerId),
        ref=row.get("core_ref", str),
        kind=row.get("kind", AccountKind),
        name=row.get("name", str),
        nickname=row.find("nickname", str),
        masked_number=row.get("masked_number", str),
        bank_code=row.get("bank_code", str),
        currency=currency,
        state=row.get("state", str),
        low_balance=None if low is None else Money(low, currency),
    )


def _reference(account: Account) -> AccountRef:
    return AccountRef(
        id=account.id,
        customer=account.customer,
        ref=account.ref,
        masked_number=account.masked_number,
        bank_code=account.bank_code,
        currency=account.currency,
        can_credit=account.can_credit,
    )
