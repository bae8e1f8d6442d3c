"""The small queue of what facts still owe: claim, finish, postpone, park.

A work row is written with its fact (`log.append`) and deleted by the consumer in the
transaction that does the work. A claim is a lease: a worker that dies gives its rows
back after a minute. Claimed rows come in no promised order (realtime.md section 2.3).
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app import database, telemetry
from app.clock import Clock
from app.database import Tx
from app.realtime import log
from app.realtime.logged import LoggedEvent
from app.rows import Row

BATCH = 64
_LEASE_S = 60
_FIRST_S = 2
_PAUSE_MAX_S = 600
_TRIED_FOR = timedelta(hours=24)
_NEVER = datetime(9999, 12, 31, tzinfo=UTC)
_ERROR_MAX = 200


@dataclass(frozen=True, slots=True)
class Owed:
    """One event that a consumer still has to do something about."""

    id: UUID
    attempts: int
    event: LoggedEvent


class Dispatch:
    """The work of one consumer.

    Args:
        clock: leases and due times.
        consumer: whose rows these are, as facts name it.
    """

    def __init__(self, *, clock: Clock, consumer: str) -> None:
        self._clock = clock
        self._consumer = consumer

    async def claim(self, limit: int = BATCH) -> list[Owed]:
        """Take due rows for a minute; any number of workers may claim at once.

        A row whose event cannot be read, as one of a newer version, is postponed.
        """
        now = self._clock.now()
        if not await self._is_due(now):
            return []
        # No worker waits for the rows of another; SQLite writes one at a time anyway.
        skip = " FOR UPDATE SKIP LOCKED" if database.dialect() == "postgres" else ""

        async def work(tx: Tx) -> list[Row]:
            taken = await tx.rows(
                "WITH due AS (SELECT id FROM event_work WHERE consumer = $1 "  # noqa: S608  -- our own words
                "AND due_at <= $2 AND (lease_until IS NULL OR lease_until <= $2) "
                f"ORDER BY due_at, id LIMIT $4{skip}) "
                "UPDATE event_work SET lease_until = $3, attempts = attempts + 1 "
                "WHERE id IN (SELECT id FROM due) RETURNING id",
                self._consumer,
                now,
                now + timedelta(seconds=_LEASE_S),
                limit,
            )
            return await _joined(tx, [row.get("id", UUID) for row in taken])

        rows = await database.transaction(work, name="dispatch.claim")
        found = [one for row in rows if (one := await self._read(row)) is not None]
        return sorted(found, key=lambda one: (one.event.occurred_at, one.event.seq))

    async def postpone(self, owed: UUID, attempts: int, error: str) -> None:
        """Put a row back: 2 s, 4 s, ... 10 min apart; after 24 h it is parked.

        Args:
            owed: the row.
            attempts: how often it was claimed.
            error: name of what went wrong; no value of the event.
        """
        now = self._clock.now()
        pause = timedelta(seconds=backoff_s(attempts))

        async def work(tx: Tx) -> bool:
            row = await tx.one(
                "SELECT e.occurred_at FROM event_work w JOIN customer_event e "
                "ON e.customer_id = w.customer_id AND e.seq = w.seq WHERE w.id = $1",
                owed,
            )
            parked = row is None or now - row.get("occurred_at", datetime) >= _TRIED_FOR
            await tx.rows(
                "UPDATE event_work SET due_at = $2, lease_until = NULL, error = $3 "
                "WHERE id = $1 RETURNING id",
                owed,
                _NEVER if parked else now + pause,
                error[:_ERROR_MAX],
            )
            return parked

        if await database.transaction(work, name="dispatch.postpone"):
            telemetry.event_work_parked.labels(self._consumer).inc()
            telemetry.log.error("event_work_parked", op_id=str(owed), cause=error)

    async def measure(self) -> float:
        """Give the age of the oldest due row in seconds, 0 without one; shows it."""
        now = self._clock.now()
        row = await database.read_one(
            "SELECT due_at FROM event_work WHERE consumer = $1 AND due_at <= $2 "
            "ORDER BY due_at LIMIT 1",
            self._consumer,
            now,
        )
        age_s = (now - row.get("due_at", datetime)).total_seconds() if row else 0.0
        telemetry.event_work_oldest.labels(self._consumer).set(age_s)
        return age_s

    async def _is_due(self, now: datetime) -> bool:
        """Look before taking: an idle worker writes nothing."""
        row = await database.read_one(
            "SELECT 1 AS there FROM event_work WHERE consumer = $1 AND due_at <= $2 "
            "AND (lease_until IS NULL OR lease_until <= $2) LIMIT 1",
            self._consumer,
            now,
        )
        return row is not None

    async def _read(self, row: Row) -> Owed | None:
        name, attempts = row.get("work_id", UUID), row.get("attempts", int)
        try:
            return Owed(name, attempts, log.logged(row))
        except Exception as unreadable:  # noqa: BLE001  -- one row must not stop all
            telemetry.log.exception("event_unreadable", op_id=str(name))
            await self.postpone(name, attempts, type(unreadable).__name__)
            return None


async def finish(tx: Tx, owed: Sequence[UUID]) -> set[UUID]:
    """Delete rows inside the transaction that does their work.

    Returns:
        Those that were there; the work of the others is done by another worker.
    """
    rows = await tx.rows(
        "DELETE FROM event_work "  # noqa: S608  -- placeholders only
        f"WHERE id IN {database.placeholders(1, len(owed))} RETURNING id",
        *owed,
    )
    return {row.get("id", UUID) for row in rows}


def backoff_s(attempts: int) -> float:
    """Give the pause after so many tries: doubles from 2 s to 10 min, up to 1/4 more.

    Failures of one moment come back spread out.
    """
    pause: int = min(_PAUSE_MAX_S, _FIRST_S << min(max(attempts, 1) - 1, 30))
    return min(float(_PAUSE_MAX_S), pause * (1 + secrets.randbelow(251) / 1000))


async def _joined(tx: Tx, taken: list[UUID]) -> list[Row]:
    if not taken:
        return []
    return await tx.rows(
        "SELECT w.id AS work_id, w.attempts, e.customer_id, e.seq, e.day, e.type, "  # noqa: S608  -- placeholders only
        "e.occurred_at, e.payload, h.epoch FROM event_work w JOIN customer_event e "
        "ON e.customer_id = w.customer_id AND e.seq = w.seq "
        "JOIN stream_head h ON h.customer_id = e.customer_id "
        f"WHERE w.id IN {database.placeholders(1, len(taken))}",
        *taken,
    )
