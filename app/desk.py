"""The staff's desk on the command line: plain functions over an opened bank.

Every change asks who and why, goes through the services' own doors and is an audit
entry with the person's name.
"""

import csv
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol
from zoneinfo import available_timezones

from app import audit, database
from app.accounts.account import Account
from app.accounts.accounts import Accounts, Opening
from app.accounts.linking import Linked, Links
from app.auth import roll
from app.auth.standing import Added, Customers, NewCustomer, Staff, require_staff
from app.clock import Clock
from app.database import Tx
from app.errors import NotFound, NotSupported, ValidationFailed
from app.ids import CustomerId
from app.integrations.core_banking import AccountKind
from app.notifications import preferences
from app.realtime import epochs

_HEADER = ["number", "name", "phone", "locale"]
_FILE_BYTES_MAX = 4 * 1024 * 1024


class FrontDesk(Protocol):
    """What the desk needs of a bank for people."""

    @property
    def customers(self) -> Customers:
        """The staff's side of the auth room."""
        ...


class Desk(FrontDesk, Protocol):
    """What it needs besides for their accounts."""

    @property
    def accounts(self) -> Accounts:
        """Opens accounts."""
        ...

    @property
    def clock(self) -> Clock:
        """The bank's clock."""
        ...


class LinkingDesk(Desk, Protocol):
    """What it needs where the core opens accounts itself."""

    @property
    def links(self) -> Links | None:
        """Takes accounts from a core that opens them itself."""
        ...


@dataclass(frozen=True, slots=True)
class Imported:
    """How many customers a file brought."""

    count: int


async def customers_add(bank: FrontDesk, staff: Staff, new: NewCustomer) -> Added:
    """Add one customer; prints nothing, gives the number on the letter.

    Raises:
        ValidationFailed, Conflict: as `Customers.add`.
    """
    return await bank.customers.add(staff, new)


async def account_open(
    bank: Desk, staff: Staff, customer: CustomerId, wish: str
) -> Account:
    """Open an account that is described as `KIND:NAME:CURRENCY`; its number is made.

    Raises:
        ValidationFailed: the description has another form, or a part is unknown.
        NotSupported: this core opens its accounts itself.
    """
    kind, _, rest = wish.partition(":")
    name, _, currency = rest.rpartition(":")
    if kind not in {AccountKind.CURRENT, AccountKind.SAVINGS} or not name:
        raise ValidationFailed("An account is CURRENT or SAVINGS:NAME:CURRENCY.")
    account = await bank.accounts.open_account(
        Opening(
            customer=customer,
            kind=AccountKind(kind),
            name=name,
            currency=currency,
            number=f"{secrets.randbelow(9 * 10**13) + 10**13}",
        )
    )
    entry = staff.entry(
        "staff.account_opened",
        bank.clock.now(),
        customer=customer,
        object=str(account.id),
    )
    await audit.alone(entry)
    return account


async def customers_link(bank: LinkingDesk, staff: Staff, number: str) -> Linked:
    """Take the accounts that the core has for a customer into our list.

    Raises:
        NotFound: no customer has that number.
        NotSupported: this core's accounts are opened here.
        ValidationFailed: who or why is missing.
    """
    require_staff(staff)
    customer = await bank.customers.find(number)
    if customer is None:
        raise NotFound("No customer has that number.")
    if bank.links is None:
        raise NotSupported("Accounts of this core are opened here, not linked.")
    done = await bank.links.link(roll.named(customer, number))
    entry = staff.entry(
        "staff.accounts_linked",
        bank.clock.now(),
        customer=customer,
        object=str(customer),
        detail={"new": done.new, "all": done.all},
    )
    await audit.alone(entry)
    return done


async def customers_import(bank: FrontDesk, staff: Staff, file: Path) -> Imported:
    """Add the customers of a CSV file `number,name,phone,locale`, all or none.

    Raises:
        ValidationFailed: not such a file; the sentence names the line.
        Conflict: a number is taken; nothing was added.
    """
    added = await bank.customers.add_all(staff, read_file(file))
    return Imported(len(added))


async def customers_code(bank: FrontDesk, staff: Staff, number: str) -> str:
    """Issue an activation code and give it as it is printed.

    Raises:
        NotFound: no such customer.
        ValidationFailed: who or why is missing.
    """
    return await bank.customers.code(staff, number)


async def customers_reset_factors(bank: FrontDesk, staff: Staff, number: str) -> str:
    """Issue a reset code and give it as it is printed.

    Raises:
        NotFound: no such customer.
        ValidationFailed: who or why is missing.
    """
    return await bank.customers.reset_factors(staff, number)


async def customers_unlock(bank: FrontDesk, staff: Staff, number: str) -> int:
    """End blocks and locks of a customer; gives how many phones were unlocked.

    Raises:
        NotFound: no such customer.
        ValidationFailed: who or why is missing.
    """
    return await bank.customers.unlock(staff, number)


async def customers_zone(bank: Desk, staff: Staff, number: str, zone: str) -> None:
    """Say in which time zone a customer lives: there quiet hours begin and end.

    Raises:
        NotFound: no customer has that number.
        ValidationFailed: there is no such zone, or who or why is missing.
    """
    require_staff(staff)
    if zone not in available_timezones():
        raise ValidationFailed(f"{zone} is no IANA time zone, as Europe/Berlin is.")
    customer = await bank.customers.find(number)
    if customer is None:
        raise NotFound("No customer has that number.")
    entry = staff.entry(
        "staff.zone_set",
        bank.clock.now(),
        customer=customer,
        object=str(customer),
        detail={"zone": zone},
    )

    async def work(tx: Tx) -> None:
        await preferences.move(tx, customer, zone)
        audit.append(tx, entry)

    await database.transaction(work, name="desk.zone")


async def streams_new_epoch(bank: Desk, staff: Staff, number: str | None) -> int:
    """Give all streams, or that of one customer, another epoch; gives how many.

    Every phone that held a cursor loads its picture again, once. It has to be done
    after each restore from a backup, before the bank serves again.

    Raises:
        NotFound: no customer has that number.
        ValidationFailed: who or why is missing.
    """
    require_staff(staff)
    entry = staff.entry("staff.streams_renewed", bank.clock.now())
    if number is None:
        there = {"streams": await epochs.count(), **entry.detail}
        await audit.alone(replace(entry, detail=there))
        return await epochs.renew_all()
    customer = await bank.customers.find(number)
    if customer is None:
        raise NotFound("No customer has that number.")
    named = replace(entry, customer=customer, object=str(customer))

    async def work(tx: Tx) -> None:
        audit.append(tx, named)
        epochs.renew(tx, customer)

    await database.transaction(work, name="desk.new_epoch")
    return 1


def read_file(file: Path) -> list[NewCustomer]:
    """Read a CSV file of customers; the first line is the header.

    Raises:
        ValidationFailed: unreadable, too large, another header, or a short line.
    """
    try:
        if file.stat().st_size > _FILE_BYTES_MAX:
            raise ValidationFailed(f"{file.name} is larger than 4 MiB.")
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.reader(lines, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise ValidationFailed(f"{file.name} is not a readable CSV file.") from None
    if not rows or [name.strip() for name in rows[0]] != _HEADER:
        raise ValidationFailed(f"The first line is {','.join(_HEADER)}.")
    return [_read(row, line) for line, row in enumerate(rows[1:], start=1) if row]


def _read(row: list[str], line: int) -> NewCustomer:
    if len(row) != len(_HEADER):
        raise ValidationFailed(f"Line {line}: give {len(_HEADER)} values.")
    number, name, phone, locale = (value.strip() for value in row)
    return NewCustomer(
        number=number or None, name=name, phone=phone, locale=locale or "en-IN"
    )
