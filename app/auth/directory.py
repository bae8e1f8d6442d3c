"""Finding customers by phone and customer number, which are kept peppered and sealed.

A look-up asks for the value under every key of the ring, so a rotation hides nobody.
"""

import hmac
import re
from dataclasses import dataclass
from datetime import datetime

from app import database
from app.auth.actor import CustomerStatus
from app.database import Tx
from app.ids import CustomerId
from app.rows import Row
from app.vault import Unsealable, Vault

PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
NUMBER = re.compile(r"[0-9A-Z]{4,20}")
_COLUMNS = "id, phone_lookup, phone_key_id, phone_sealed, status, blocked_until, locale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A customer as the directory knows her; no name, no number in clear."""

    id: CustomerId
    phone: tuple[int, bytes]
    phone_sealed: bytes
    status: CustomerStatus
    blocked_until: datetime | None
    locale: str


class Directory:
    """Finds customers.

    Args:
        vault: makes the look-up values and opens phone numbers.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def phone_value(self, phone: str) -> tuple[int, bytes]:
        """Give key id and look-up value under which a phone is stored now."""
        return next(self._vault.macs("lookup/phone", phone.encode()))

    def number_value(self, number: str) -> tuple[int, bytes]:
        """Give key id and look-up value under which a number is stored now."""
        return next(self._vault.macs("lookup/number", tidy(number).encode()))

    async def by_phone(self, phone: str) -> Listed | None:
        """Find the eldest customer of a phone; families share one."""
        for key_id, value in self._vault.macs("lookup/phone", phone.encode()):
            row = await database.read_one(
                f"SELECT {_COLUMNS} FROM customer WHERE phone_lookup = $1 "  # noqa: S608  -- our own column list
                "AND phone_key_id = $2 ORDER BY id LIMIT 1",
                value,
                key_id,
            )
            if row is not None:
                return _read(row)
        return None

    async def by_phone_value(self, value: tuple[int, bytes]) -> Listed | None:
        """Find the eldest customer of a stored look-up value."""
        row = await database.read_one(
            f"SELECT {_COLUMNS} FROM customer WHERE phone_lookup = $1 "  # noqa: S608  -- our own column list
            "AND phone_key_id = $2 ORDER BY id LIMIT 1",
            value[1],
            value[0],
        )
        return None if row is None else _read(row)

    async def by_number(self, number: str) -> Listed | None:
        """Find the customer of a customer number."""
        for key_id, value in self._vault.macs("lookup/number", tidy(number).encode()):
            row = await database.read_one(
                f"SELECT {_COLUMNS} FROM customer "  # noqa: S608  -- our own column list
                "WHERE number_lookup = $1 AND number_key_id = $2",
                value,
                key_id,
            )
            if row is not None:
                return _read(row)
        return None

    def has_phone(self, customer: Listed, value: tuple[int, bytes]) -> bool:
        """Tell whether a stored look-up value is of this customer's phone.

        It may be of another key than the customer's row by now, or not yet.
        """
        key_id, mac = value
        if customer.phone[0] == key_id:
            return hmac.compare_digest(customer.phone[1], mac)
        phone = self.phone_of(customer).encode()
        try:
            return hmac.compare_digest(
                self._vault.mac("lookup/phone", phone, key_id), mac
            )
        except Unsealable:  # the ring lost the key
            return False

    async def phone_inside(self, tx: Tx, customer: CustomerId) -> str:
        """Open the phone number of a customer inside a transaction."""
        row = await tx.one(
            f"SELECT {_COLUMNS} FROM customer WHERE id = $1",  # noqa: S608  -- our own column list
            customer,
        )
        assert row is not None  # noqa: S101  -- customers are never deleted
        return self.phone_of(_read(row))

    def phone_of(self, customer: Listed) -> str:
        """Open the phone number of a customer."""
        name = f"{customer.id}|phone"
        return self._vault.open("customer", name, customer.phone_sealed).decode()


def tidy(number: str) -> str:
    """Bring a typed customer number into its one form."""
    return number.replace(" ", "").replace("-", "").upper()


def _read(row: Row) -> Listed:
    return Listed(
        id=row.get("id", CustomerId),
        phone=(row.get("phone_key_id", int), row.get("phone_lookup", bytes)),
        phone_sealed=row.get("phone_sealed", bytes),
        status=row.get("status", CustomerStatus),
        blocked_until=row.find("blocked_until", datetime),
        locale=row.get("locale", str),
    )
