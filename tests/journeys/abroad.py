"""A payee of another bank, and what the instant rail says that it settled."""

import csv
from datetime import UTC, datetime, timedelta

import httpx

from tests.journeys.parts import Parts

# Nickname, name, account: the last two digits of the number choose the holder.
DEV = ("Dev", "Dev Malhotra", ("123456789001", "SAND0000001"))


async def settled_abroad(parts: Parts) -> int:
    """Count the orders the rail settled: those of the books, and each of them once."""
    today = datetime.now(UTC).date()
    found: list[str] = []
    async with httpx.AsyncClient(base_url=parts.sandbox) as rail:
        for days in range(3):  # the clock of the bank runs ahead of ours
            day = (today + timedelta(days=days)).isoformat()
            answer = await rail.get(f"/imps/settlement/{day}")
            rows = csv.DictReader(answer.text.splitlines())
            found += [row["id"] for row in rows if row["status"] == "SETTLED"]
    paid = parts.books.read(
        "SELECT o.id FROM payment_op o JOIN payment p ON p.id = o.payment_id "
        "WHERE o.kind = 'SUBMIT' AND p.rail = 'IMPS' AND p.state = 'SETTLED'"
    )
    assert sorted(found) == sorted(str(op).lower() for (op,) in paid)
    return len(found)
