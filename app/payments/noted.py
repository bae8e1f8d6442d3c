"""Finding payments by what their customer noted on them for herself."""

from app import database
from app.ids import CustomerId, PaymentId

FOUND_MAX = 200  # newest payments whose note fits; a statement binds them all


async def noted(customer: CustomerId, text: str) -> tuple[PaymentId, ...]:
    """Give a customer's newest payments whose note holds a text, in any case.

    Notes are compared here: SQLite folds only the letters of ASCII.
    """
    wanted = text.strip().lower()
    rows = await database.read(
        "SELECT id, note FROM payment WHERE customer_id = $1 AND note IS NOT NULL "
        "ORDER BY created_at DESC, id DESC LIMIT 10000",
        customer,
    )
    found = (row for row in rows if wanted in row.get("note", str).lower())
    return tuple(row.get("id", PaymentId) for row in found)[:FOUND_MAX]
