"""A core that tells little, for evidence: its record of commands, and bare rows."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from app.clock import StoppedClock
from app.ids import uuid7
from app.integrations.core_banking import Hold, OpContext, OpKind, Posting
from app.integrations.core_banking.fineract import audits, questions
from app.integrations.core_banking.fineract.evidence import Evidence
from app.integrations.core_banking.fineract.looking import Looking
from app.integrations.core_banking.fineract.questions import Questions
from app.integrations.core_banking.fineract.rows import Book
from app.integrations.exchange import Ask
from app.integrations.outcome import OpRef, Outcome
from tests.integrations.fineract_answers import AT, INDIA, INR
from tests.integrations.fineract_world import inr


def stored(before: timedelta = timedelta()) -> OpRef:
    """Name an op that was stored so long before now."""
    at = AT - before
    return OpRef(uuid7(int(at.timestamp() * 1000)), b"body".ljust(32, b"."))


class BareCore:
    """Answers as the sparest do: holds have no names, lists do not tell bodies.

    Args:
        page_max: so many commands are on a page at most, whatever is asked for.
        zone_h: the core takes instants without a zone for that many hours east.
        answer_s: so long each answer takes; of single questions eight are under way.
    """

    def __init__(
        self, *, page_max: int = 10_000, zone_h: float = 0, answer_s: float = 0
    ) -> None:
        self.commands: list[dict[str, object]] = []
        self.bodies: dict[str, str | None] = {}
        self.rows: list[dict[str, object]] = []
        self.asked: list[Ask] = []
        self._page_max = page_max
        self._answer_s = answer_s
        self._zone = timedelta(hours=zone_h)
        self.clock = StoppedClock(AT)
        asks = cast("Questions", self)  # it has what evidence asks with
        looking = Looking(asks, Book("default", INDIA), self.clock)
        self.evidence = Evidence(asks, looking, INDIA, self.clock)

    def command(
        self,
        op: UUID | None,
        action: str = "PREPARE",
        *,
        ago: timedelta = timedelta(),
        **more: object,
    ) -> None:
        """Put a command on record, made so long before now, that names an op."""
        entity = more.pop("entityName", "INTERTRANSFER")
        number = len(self.commands) + 1
        entry = {
            "id": number,
            "actionName": action,
            "entityName": entity,
            "madeOnDate": (AT - ago).isoformat(),
            "processingResult": "processed",
            **more,
        }
        self.commands.append(entry)
        self.bodies[str(number)] = json.dumps({"transferCode": str(op)})

    def row(self, on: datetime, **more: object) -> None:
        """Write a row on a day."""
        self.rows.append(
            {
                "id": len(self.rows) + 1,
                "transactionType": {"id": 2, "withdrawal": True},
                "entryType": "DEBIT",
                "amount": Decimal(1),
                "currency": INR,
                "date": on.date().isoformat(),
                "submittedOnDate": on.date().isoformat(),
                **more,
            }
        )

    def times(self, route: str) -> int:
        """Count the questions of a route."""
        return sum(one.route == route for one in self.asked)

    async def one(self, ask: Ask) -> object | None:
        """Answer a question."""
        self.clock.move(seconds=self._answer_s)
        return self._told(ask)

    async def several(self, asks: Sequence[Ask]) -> list[object | None]:
        """Answer each of many questions, which no batch takes."""
        rounds = -(-len(asks) // questions.AT_ONCE)
        self.clock.move(seconds=self._answer_s * rounds)
        return [self._told(ask) for ask in asks]

    async def together(self, asks: Sequence[Ask]) -> list[object | None]:
        """Answer many questions at once."""
        self.clock.move(seconds=self._answer_s if asks else 0)
        return [self._told(ask) for ask in asks]

    def _told(self, ask: Ask) -> object | None:
        self.asked.append(ask)
        found: object | None
        match ask.route:
            case audits.AUDITS:
                found = self._page(ask)
            case audits.AUDIT:
                body = self.bodies[ask.path["id"]]
                found = None if body is None else {"commandAsJson": body}
            case questions.SEARCH:
                found = self._found(ask)
            case questions.ROW:
                found = self.rows[int(ask.path["row"]) - 1]
            case "/v1/accounttransfers":
                found = {"pageItems": []}
            case _:
                found = None
        return found

    def _page(self, ask: Ask) -> object:
        said = datetime.fromisoformat(ask.params["makerDateTimeFrom"])
        low = said.replace(tzinfo=UTC) - self._zone
        found = [
            one
            for one in reversed(self.commands)
            if one["actionName"] == ask.params["actionName"]
            and one["entityName"] == ask.params["entityName"]
            and (_made(one) is None or _made(one) >= low)
        ]
        start = int(ask.params["offset"])
        size = min(int(ask.params["limit"]), self._page_max)
        return {
            "totalFilteredRecords": len(found),
            "pageItems": found[start : start + size],
        }

    def _found(self, ask: Ask) -> object:
        since = ask.params["fromSubmittedDate"]
        found = [one for one in self.rows if str(one["submittedOnDate"]) >= since]
        if ask.params["sortOrder"] == "DESC":
            found.reverse()
        size = int(ask.params["limit"])
        start = int(ask.params["offset"]) * size
        return {"total": len(found), "content": found[start : start + size]}


async def told(
    core: BareCore, op: OpRef, kind: OpKind, earlier: UUID | None = None
) -> Outcome[Posting | Hold | None]:
    """Look an op up of which nobody says when it was sent."""
    return await core.evidence.lookup(
        op, kind, OpContext("7", None, inr(100), AT, earlier)
    )


def _made(one: dict[str, object]) -> Any:
    told = one["madeOnDate"]
    found = datetime.fromisoformat(told) if isinstance(told, str) else None
    return found if found and found.tzinfo else None
