"""What each process says of components that are not well: rows that end by themselves.

A process that is well has none. One that died says nothing after `LEASE`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app import database
from app.database import Tx
from app.rows import Row, Scalar
from app.status.health import Component, ComponentHealth, State

LEASE = timedelta(seconds=30)
CONSTRAINTS = ("service_report_share",)
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Report:
    """One process's word on one component, and until when it counts."""

    health: ComponentHealth
    until: datetime


async def write(process: str, unwell: Sequence[ComponentHealth], now: datetime) -> None:
    """Say which components are not well here; replaces what the process said before.

    Raises:
        Outage: the database is lost.
    """

    async def work(tx: Tx) -> None:
        await tx.rows(
            "DELETE FROM service_report WHERE process = $1 OR until <= $2 "
            "RETURNING process",
            process,
            now,
        )
        if unwell:
            await tx.rows(
                "INSERT INTO service_report (process, component, state, since, "  # noqa: S608  -- placeholders only
                "share_ppm, p95_ms, until) VALUES "
                + database.placeholders(len(unwell), 7),
                *(value for one in unwell for value in _values(process, one, now)),
            )

    await database.transaction(work, name="status.report")


async def of_others(process: str, now: datetime) -> list[Report]:
    """Read what the other processes say now.

    Raises:
        Outage: the database is lost.
    """
    rows = await database.read(
        "SELECT component, state, since, share_ppm, p95_ms, until "
        "FROM service_report WHERE process <> $1 AND until > $2",
        process,
        now,
    )
    return [_report(row) for row in rows]


def _values(process: str, one: ComponentHealth, now: datetime) -> list[Scalar]:
    share = one.success_rate_1m
    ppm = None if share is None else round(share * _MILLION)
    spoken: list[Scalar] = [process, one.component, one.state, one.since]
    return [*spoken, ppm, one.p95_ms, now + LEASE]


def _report(row: Row) -> Report:
    ppm = row.find("share_ppm", int)
    health = ComponentHealth(
        component=row.get("component", Component),
        state=row.get("state", State),
        since=row.get("since", datetime),
        success_rate_1m=None if ppm is None else ppm / _MILLION,
        p95_ms=row.find("p95_ms", int),
    )
    return Report(health, row.get("until", datetime))
