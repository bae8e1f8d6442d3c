"""In which language a customer is spoken to who does not ask for one."""

from datetime import datetime, timedelta

from app import database
from app.clock import Clock
from app.ids import CustomerId
from app.shelf import Shelf

OURS = "en"
_KEPT = 10_000
_KEPT_S = 300


class Locales:
    """Customers' own locales, kept in this process for five minutes.

    Read only for requests without a usable `Accept-Language` (graphql.md section 2.4).

    Args:
        clock: the bank's clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept = Shelf[CustomerId, tuple[str, datetime]](_KEPT)

    async def of(self, customer: CustomerId) -> str:
        """Give the BCP 47 tag that stands in the customer's row."""
        now = self._clock.now()
        locale, until = self._kept.of(customer) or (OURS, now)
        if until > now:
            return locale
        row = await database.read_one(
            "SELECT locale FROM customer WHERE id = $1", customer
        )
        locale = OURS if row is None else row.get("locale", str)
        self._kept.keep(customer, (locale, now + timedelta(seconds=_KEPT_S)))
        return locale
