"""A core that answers as it is told, and what it tells: for answers no core gives."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import stamina

from app.clock import StoppedClock
from app.integrations.core_banking import (
    Hold,
)
from app.integrations.core_banking.fineract import Fineract
from app.integrations.core_banking.fineract.rows import (
    Book,
)
from app.integrations.exchange import to_json
from app.integrations.http import Partner
from tests.integrations.fineract_world import an_op, inr
from tests.integrations.wire import a_partner_that, says

AT = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
INDIA = ZoneInfo("Asia/Kolkata")
INR = {"code": "INR", "decimalPlaces": 2}
ACCOUNT = {
    "id": 7,
    "clientId": 3,
    "externalId": "ext-7",
    "currency": INR,
    "status": {"active": True},
    "summary": {"accountBalance": 10, "availableBalance": 10},
}
HOLD = Hold(an_op().id, "7", inr(100))


def a_row(**more: object) -> dict[str, object]:
    """Give a row as the core lists it."""
    return {
        "id": 12,
        "transactionType": {"id": 2, "withdrawal": True},
        "entryType": "DEBIT",
        "amount": Decimal("2.50"),
        "currency": INR,
        "date": [2026, 11, 20],
        "submittedOnDate": "2026-11-22",
        **more,
    }


def answering(routes: dict[str, object]) -> Any:
    """Answer by the first text that the request holds; a batch part by part."""

    async def reply(asked: bytes, writer: Any) -> None:
        found = next(body for text, body in routes.items() if text.encode() in asked)
        status, body = found if isinstance(found, tuple) else (200, found)
        await says(status, body if isinstance(body, str) else written(body))(writer)

    return reply


def written(body: object) -> str:
    """Write JSON as the core does."""
    return to_json(body).decode()


def batch(*parts: object) -> list[object]:
    """Answer a batch."""
    return [
        {"requestId": at, "statusCode": 200, "body": written(part)}
        for at, part in enumerate(parts, start=1)
    ]


async def asked(routes: dict[str, object], what: Any) -> Any:
    """Do something with an adapter whose core answers so."""
    clock = StoppedClock(AT)
    async with a_partner_that(says(200)) as raw:
        replies = answering(routes)

        async def reply(writer: Any) -> None:
            await replies(raw.requests[-1], writer)

        raw.reply = reply
        partner = Partner("fineract", raw.url, clock=clock)
        book = Book("default", INDIA)
        core = Fineract(partner, clock, book, office=1, silence_s=5)
        try:
            with stamina.set_testing(True, attempts=1):
                return await what(core)
        finally:
            await core.close()
