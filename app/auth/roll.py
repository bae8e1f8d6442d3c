"""Every customer with her number, for what asks the bank's other systems about each."""

from collections.abc import AsyncIterator
from uuid import UUID

from app import database
from app.auth.directory import tidy
from app.ids import CustomerId
from app.integrations.core_banking import CoreCustomer
from app.rows import Row
from app.vault import Vault

_BATCH = 200


class Roll:
    """Calls the roll of customers.

    Args:
        vault: opens their numbers.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def all(self) -> AsyncIterator[CoreCustomer]:
        """Give every customer, eldest first.

        Raises:
            Outage: our database does not answer.
        """
        last = CustomerId(UUID(int=0))
        while True:
            rows = await database.read(
                "SELECT id, number_sealed FROM customer "
                "WHERE id > $1 ORDER BY id LIMIT $2",
                last,
                _BATCH,
            )
            for row in rows:
                last = row.get("id", CustomerId)
                yield self._opened(last, row)
            if len(rows) < _BATCH:
                return

    async def one(self, customer: CustomerId) -> CoreCustomer | None:
        """Give one customer; None: there is no such one.

        Raises:
            Outage: our database does not answer.
        """
        row = await database.read_one(
            "SELECT number_sealed FROM customer WHERE id = $1", customer
        )
        return None if row is None else self._opened(customer, row)

    def _opened(self, customer: CustomerId, row: Row) -> CoreCustomer:
        sealed = row.get("number_sealed", bytes)
        number = self._vault.open("customer", f"{customer}|number", sealed)
        return CoreCustomer(id=customer, number=number.decode())


def named(customer: CustomerId, number: str) -> CoreCustomer:
    """Name a customer whose number was typed."""
    return CoreCustomer(id=customer, number=tidy(number))
