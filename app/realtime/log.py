"""The event log: every fact gets `(epoch, seq)` in the transaction that made it true.

`append` only collects. The step before the commit, the last of all, takes the heads in
customer order and writes events and work rows; a rolled-back fact leaves neither row
nor number. Sequence order is commit order, without gaps (realtime.md section 2.2).
"""

import base64
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import groupby

from app import database, retention, telemetry
from app.clock import Clock
from app.database import Tx
from app.ids import CustomerId, uuid7
from app.realtime import coding
from app.realtime.announce import Announcement, Hint
from app.realtime.cursor import EventCursor
from app.realtime.facts import Fact
from app.realtime.logged import LoggedEvent
from app.rows import Row, Scalar

_STEP = "log"
_RANK = 2
_PAYLOAD_MAX = 8192
_COLUMNS = (
    "customer_id, seq, day, type, category, subject_id, occurred_at, payload, "
    "dedupe_key"
)

CONSTRAINTS = (
    "stream_head_seq",
    "event_size",
    "event_floor_one",
    "event_dedupe",
    "event_day",
    "event_work_due",
    "event_work_once",
    "event_append_only",
    "event_append_only_delete",
    "event_floor_rises",
    "event_floor_stays",
    "stream_head_forward",
)


Complete = Callable[[Tx, Sequence[Fact]], Awaitable[list[Fact]]]

_announce: list[Callable[[Announcement], None]] = []
_complete: list[Complete] = []
_clock: list[Clock] = []


def open_log(
    clock: Clock,
    announce: Callable[[Announcement], None],
    *,
    complete: Complete | None = None,
) -> None:
    """Say whose days count and who hears of commits; called once by the bank.

    Args:
        clock: the bank's clock.
        announce: hears of every commit; never waits.
        complete: adds to the facts of a transaction, inside it, what their sources do
            not know; it appends none and takes none away.
    """
    _clock[:] = [clock]
    _announce[:] = [announce]
    _complete[:] = [] if complete is None else [complete]


def append(tx: Tx, fact: Fact) -> None:
    """Record a fact with the transaction.

    Raises:
        ValueError: the payload passes 8 KiB, which is our mistake.
    """
    if len(coding.encode(fact).encode()) > _PAYLOAD_MAX:
        raise ValueError(f"{type(fact).__name__} is too large for the log")
    tx.gather(_STEP, fact, _write, rank=_RANK)


async def _write(tx: Tx) -> None:
    found: list[Fact] = await _without_doubles(tx, tx.gathered(_STEP))
    for complete in _complete:
        found = await complete(tx, found)
    found.sort(key=lambda fact: fact.customer)  # stable: order of appending stays
    groups = {
        customer: list(group)
        for customer, group in groupby(found, key=lambda fact: fact.customer)
    }
    if not groups:
        return
    heads = await _raised(tx, groups)
    events = [
        LoggedEvent(customer, head.epoch, seq, head.day, fact.occurred_at, fact)
        for customer, group in groups.items()
        for head in (heads[customer],)
        for seq, fact in enumerate(group, start=head.seq - len(group) + 1)
    ]
    await _insert(tx, events)
    await _owe(tx, events)
    tx.after_commit(lambda: tell(heads, events))


async def _without_doubles(tx: Tx, found: list[Fact]) -> list[Fact]:
    fresh: list[Fact] = []
    seen: set[tuple[CustomerId, str]] = set()
    for fact in found:
        if fact.dedupe_key is not None:
            key = (fact.customer, fact.dedupe_key)
            if key in seen or await tx.one(
                "SELECT 1 AS there FROM customer_event "
                "WHERE customer_id = $1 AND dedupe_key = $2",
                *key,
            ):
                continue
            seen.add(key)
        fresh.append(fact)
    return fresh


async def _raised(
    tx: Tx, groups: dict[CustomerId, list[Fact]]
) -> dict[CustomerId, EventCursor]:
    """Raise all heads by their number of facts, in one statement, sorted."""
    today = _clock[0].today()
    values: list[Scalar] = []
    for customer, group in groups.items():
        values += [customer, new_epoch(), len(group), today]
    later = "max" if database.dialect() == "sqlite" else "greatest"
    rows = await tx.rows(
        "INSERT INTO stream_head (customer_id, epoch, seq, day) VALUES "  # noqa: S608  -- placeholders only
        f"{database.placeholders(len(groups), 4)} "
        "ON CONFLICT (customer_id) DO UPDATE SET "
        "seq = stream_head.seq + excluded.seq, "
        f"day = {later}(stream_head.day, excluded.day) "
        "RETURNING customer_id, epoch, seq, day",
        *values,
    )
    return heads_of(rows)


def heads_of(rows: Iterable[Row]) -> dict[CustomerId, EventCursor]:
    """Read rows of the heads: customer_id, epoch, seq, day."""
    return {row.get("customer_id", CustomerId): _cursor(row) for row in rows}


def _cursor(row: Row) -> EventCursor:
    return EventCursor(row.get("epoch", str), row.get("seq", int), row.get("day", date))


def new_epoch() -> str:
    """Draw the name of an epoch: eight characters nobody had before."""
    return base64.b32encode(secrets.token_bytes(5)).decode().lower()


async def _insert(tx: Tx, events: Sequence[LoggedEvent]) -> None:
    values: list[Scalar] = []
    for event in events:
        fact = event.fact
        values += [event.customer, event.seq, event.day, type(fact).__name__]
        values += [fact.category, fact.subject, fact.occurred_at]
        values += [coding.encode(fact), fact.dedupe_key]
    await tx.rows(
        f"INSERT INTO customer_event ({_COLUMNS}) VALUES "  # noqa: S608  -- placeholders only
        + database.placeholders(len(events), 9),
        *values,
    )


async def _owe(tx: Tx, events: Sequence[LoggedEvent]) -> None:
    """Write one work row per consumer that a fact names."""
    values: list[Scalar] = []
    rows = 0
    for event in events:
        for consumer in event.fact.consumers:
            values += [uuid7(), consumer, event.customer, event.seq, event.occurred_at]
            rows += 1
    if rows:
        await tx.rows(
            "INSERT INTO event_work (id, consumer, customer_id, seq, due_at) VALUES "  # noqa: S608  -- placeholders only
            + database.placeholders(rows, 5),
            *values,
        )


def tell(
    heads: Mapping[CustomerId, EventCursor], events: Sequence[LoggedEvent] = ()
) -> None:
    """Announce where streams stand after a commit, with the events that led there."""
    own: dict[CustomerId, list[LoggedEvent]] = {customer: [] for customer in heads}
    for event in events:
        telemetry.events_recorded.labels(type(event.fact).__name__).inc()
        own[event.customer].append(event)
    for customer, head in heads.items():
        for announce in _announce:
            announce(Hint(customer, head.epoch, head.seq, tuple(own[customer])))


async def heads(customers: Iterable[CustomerId]) -> dict[CustomerId, EventCursor]:
    """Give the present end of each stream; customers without one are left out."""
    wanted = list(customers)
    if not wanted:
        return {}
    marks = ",".join(f"${number}" for number in range(1, len(wanted) + 1))
    rows = await database.read(
        "SELECT customer_id, epoch, seq, day FROM stream_head "  # noqa: S608  -- placeholders only
        f"WHERE customer_id IN ({marks})",
        *wanted,
    )
    return heads_of(rows)


async def epochs(tx: Tx, customers: Iterable[CustomerId]) -> dict[CustomerId, str]:
    """Name the epochs of streams that exist, inside a transaction."""
    wanted = sorted(customers)
    if not wanted:
        return {}
    rows = await tx.rows(
        "SELECT customer_id, epoch FROM stream_head "  # noqa: S608  -- placeholders only
        f"WHERE customer_id IN {database.placeholders(1, len(wanted))}",
        *wanted,
    )
    return {row.get("customer_id", CustomerId): row.get("epoch", str) for row in rows}


async def head(customer: CustomerId) -> EventCursor:
    """Give the end of one stream; makes the stream when there is none yet."""
    found = await heads([customer])
    if customer in found:
        return found[customer]

    async def work(tx: Tx) -> EventCursor:
        await tx.rows(
            "INSERT INTO stream_head (customer_id, epoch, seq, day) "
            "VALUES ($1, $2, 0, $3) ON CONFLICT (customer_id) DO NOTHING "
            "RETURNING seq",
            customer,
            new_epoch(),
            _clock[0].today(),
        )
        row = await tx.one(
            "SELECT epoch, seq, day FROM stream_head WHERE customer_id = $1", customer
        )
        assert row is not None  # noqa: S101  -- made by the statement before
        return _cursor(row)

    return await database.transaction(work, name="log.head")


async def read_after(customer: CustomerId, seq: int, limit: int) -> list[LoggedEvent]:
    """Read the events of one customer after a number, oldest first.

    Args:
        customer: whose stream.
        seq: number of the last event the reader has.
        limit: most rows, at most 1,000.
    """
    rows = await database.read(
        "SELECT e.customer_id, e.seq, e.day, e.type, e.occurred_at, e.payload, "
        "h.epoch FROM customer_event e JOIN stream_head h "
        "ON h.customer_id = e.customer_id "
        "WHERE e.customer_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3",
        customer,
        seq,
        min(limit, 1000),
    )
    return [logged(row) for row in rows]


async def read_several(
    since: Mapping[CustomerId, int], limit: int
) -> dict[CustomerId, list[Row]]:
    """Read what follows in several streams, in one statement; rows for `logged`.

    Numbers have no gap, so the next so many numbers are the next so many events.

    Args:
        since: number of the last event that is known, by customer.
        limit: most rows of each.
    """
    # Few different statements: the list is filled up to a power of two.
    size = 1 << (len(since) - 1).bit_length()
    values: list[Scalar] = [one for pair in since.items() for one in pair]
    values += [None] * (2 * size - len(values))
    pairs = database.placeholders(size, 2)
    events = (
        "JOIN customer_event e ON e.customer_id = w.customer_id "
        f"AND e.seq > w.since AND e.seq <= w.since + ${2 * size + 1} "
    )
    if database.dialect() == "postgres":
        pairs = pairs.replace("($1,$2)", "($1::uuid,$2::bigint)", 1)
        # Its planner would read each stream from its beginning, and filter.
        events = (
            "CROSS JOIN LATERAL (SELECT * FROM customer_event WHERE "  # noqa: S608  -- same
            "customer_id = w.customer_id AND seq > w.since "
            f"ORDER BY seq LIMIT ${2 * size + 1}) AS e "
        )
    rows = await database.read(
        f"WITH w (customer_id, since) AS (VALUES {pairs}) "  # noqa: S608  -- placeholders only
        "SELECT e.customer_id, e.seq, e.day, e.type, e.occurred_at, e.payload, "
        "h.epoch FROM w JOIN stream_head h ON h.customer_id = w.customer_id "
        f"{events}ORDER BY e.customer_id, e.seq",
        *values,
        limit,
    )
    found: dict[CustomerId, list[Row]] = {customer: [] for customer in since}
    for row in rows:
        found[row.get("customer_id", CustomerId)].append(row)
    return found


def logged(row: Row) -> LoggedEvent:
    """Read an event row that was joined with its stream's epoch."""
    customer = row.get("customer_id", CustomerId)
    occurred_at = row.get("occurred_at", datetime)
    return LoggedEvent(
        customer=customer,
        epoch=row.get("epoch", str),
        seq=row.get("seq", int),
        day=row.get("day", date),
        occurred_at=occurred_at,
        fact=coding.decode(
            row.get("type", str), row.get("payload", str), customer, occurred_at
        ),
    )


async def prune(before: date, *, batch: int = retention.BATCH) -> int:
    """Delete events of days before `before`, `batch` at a time; gives how many went.

    The floor rises first, and for good: what is below it may go, and no longer counts.
    """

    async def floor(tx: Tx) -> None:
        await tx.rows(
            "INSERT INTO event_floor (id, day) VALUES (1, $1) "
            "ON CONFLICT (id) DO UPDATE SET day = excluded.day "
            "WHERE event_floor.day < excluded.day RETURNING id",
            before,
        )

    await database.transaction(floor, name="log.floor")
    return await retention.forget(
        "DELETE FROM customer_event WHERE (customer_id, seq) IN ("
        "SELECT customer_id, seq FROM customer_event WHERE day < $1 "
        "ORDER BY day LIMIT $2) RETURNING seq",
        before,
        name="log.prune",
        batch=batch,
    )
