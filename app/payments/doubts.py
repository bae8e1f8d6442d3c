"""Payments whose outcome nobody knows, for the people who run the bank.

The worker asks for 48 hours; then a payment is staff's, with its hold. Staff may have
it asked about at once, or write what the rail's own records say (docs/payments.md).
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app import audit, database
from app.auth.standing import Staff, require_staff
from app.clock import Clock
from app.errors import NotAllowed, NotFound
from app.ids import MalformedId, PaymentId
from app.integrations.rails import RailAnswer, RailEvent, RailStatus
from app.payments import ops, records
from app.payments.lifecycle import FINAL, State, listed
from app.payments.ops import Kind
from app.payments.passage import Passage
from app.payments.payment import Payment, StepSource

LISTED_MAX = 200
_OPEN = f"p.state NOT IN ({listed(FINAL)})"
_ASKED = frozenset({State.SUBMITTING, State.IN_FLIGHT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One payment that somebody may have to look at.

    Args:
        payment: as it stands.
        kind, op: the operation that carries it on, and the id the partner knows.
        provider_ref: the partner's own reference, if it told one.
        first_sent_at, tries: since when and how often it was asked about.
    """

    payment: Payment
    kind: str | None
    op: str | None
    provider_ref: str | None
    first_sent_at: datetime | None
    tries: int


def _text(op: UUID | None) -> str | None:
    return None if op is None else str(op)


@dataclass(frozen=True, slots=True)
class Figures:
    """How many payments wait for staff, and since when the oldest one is unsure."""

    with_staff: int
    oldest: datetime | None


async def figures() -> Figures:
    """Measure what nobody knows, for the metrics of the worker."""
    row = await database.read_one(
        "SELECT count(p.manual_since) AS staff, min(p.unsure_since) AS oldest "  # noqa: S608  -- our own words
        f"FROM payment p WHERE {_OPEN}"
    )
    if row is None:
        return Figures(0, None)
    return Figures(row.get("staff", int), row.find("oldest", datetime))


class Doubts:
    """What staff does about payments nobody is sure of.

    Args:
        clock: the bank's clock.
        passage: asks, and writes what was found out.
    """

    def __init__(self, *, clock: Clock, passage: Passage) -> None:
        self._clock = clock
        self._passage = passage

    async def unsure(self, staff: Staff) -> list[Doubt]:
        """List unsure payments and those with two answers, the oldest first.

        At most `LISTED_MAX`; whoever looks is written down too.

        Raises:
            ValidationFailed: who or why is missing.
        """
        require_staff(staff)
        found = await _unsure()
        now, detail = self._clock.now(), {"count": len(found)}
        await audit.alone(staff.entry("staff.doubts_listed", now, detail=detail))
        return found

    async def ask(self, staff: Staff, payment: str) -> Payment:
        """Have a payment asked about now, whatever the timetable says.

        Raises:
            NotFound: no such payment.
            ValidationFailed: who or why is missing.
            Outage: the database is away.
        """
        found = await self._found(staff, payment)
        await self._written(staff, found, "payment.asked_by_staff")
        await self._passage.advance(found.id, by_staff=True)
        return await self._now(found.id)

    async def decide(self, staff: Staff, payment: str, *, settled: bool) -> Payment:
        """Write what the rail's records say of an order it never gave a last word on.

        Raises:
            NotFound: no such payment.
            NotAllowed: it is not with staff, or no order of it is open.
            ValidationFailed: who or why is missing.
            Outage: nothing was written.
        """
        found = await self._found(staff, payment)
        op = await ops.last(found.id, Kind.SUBMIT)
        if found.state not in _ASKED or found.manual_since is None or op is None:
            raise NotAllowed("Staff decides only what 48 hours of asking did not.")
        status = RailStatus.SETTLED if settled else RailStatus.REJECTED
        action = "payment.settled_by_staff" if settled else "payment.failed_by_staff"
        await self._written(staff, found, action)
        event = RailEvent(
            op=op.ref.id,
            event_id=f"staff-{op.ref.id}",
            answer=RailAnswer(status, self._clock.now()),
            provider_ref=None,
        )
        await self._passage.heard(event, StepSource.STAFF)
        return await self._now(found.id)

    async def _found(self, staff: Staff, text: str) -> Payment:
        require_staff(staff)
        try:
            found = await records.find(PaymentId.parse(text))
        except MalformedId:
            found = None
        if found is None:
            raise NotFound("There is no such payment.")
        return found

    async def _now(self, payment: PaymentId) -> Payment:
        found = await records.find(payment)
        assert found is not None, "payments are never deleted"  # noqa: S101  -- our bug
        return found

    async def _written(self, staff: Staff, payment: Payment, action: str) -> None:
        entry = staff.entry(
            action,
            self._clock.now(),
            customer=payment.customer,
            object=str(payment.id),
        )
        await audit.alone(entry)


async def _unsure() -> list[Doubt]:
    rows = await database.read(
        "SELECT p.id, o.kind, o.id AS op, o.provider_ref, o.first_sent_at, o.tries "
        "FROM payment p LEFT JOIN payment_op o ON o.payment_id = p.id "
        "AND (o.outcome IN ('PENDING', 'UNKNOWN') "
        "OR p.state = 'IN_FLIGHT' AND o.kind = 'SUBMIT' AND o.outcome = 'OK') "
        "WHERE p.conflict = $1 OR p.unsure_since IS NOT NULL "
        "OR p.manual_since IS NOT NULL ORDER BY p.created_at, p.id LIMIT $2",
        True,  # noqa: FBT003  -- a column's value
        LISTED_MAX,
    )
    found = await records.several([row.get("id", PaymentId) for row in rows])
    return [
        Doubt(
            payment=found[row.get("id", PaymentId)],
            kind=row.find("kind", str),
            op=_text(row.find("op", UUID)),
            provider_ref=row.find("provider_ref", str),
            first_sent_at=row.find("first_sent_at", datetime),
            tries=row.find("tries", int) or 0,
        )
        for row in rows
    ]
