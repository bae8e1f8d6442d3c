"""Which dispatches are sent now: claimed by lease, then looked at once more.

Between the fact and this moment the phone may have shown it, been signed out, or lost
its address. What is not sent is settled in the claim's own transaction.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from app import database, telemetry
from app.clock import Clock
from app.database import Tx
from app.ids import CustomerId, DeviceId, NotificationId
from app.integrations.push import PushKind
from app.notifications import preferences
from app.notifications.addresses import AddressState
from app.notifications.channels import MANDATORY
from app.notifications.wording import Template
from app.realtime import log, receipts
from app.realtime.facts import Category
from app.realtime.receipts import Standing
from app.rows import Row

BATCH = 200
ATTEMPTS_MAX = 8
_LEASE_S = 60
_FIRST = ", ".join(f"'{one}'" for one in sorted(MANDATORY))
_RANK = (
    f"CASE WHEN category IN ({_FIRST}) THEN 0 WHEN priority = 'HIGH' THEN 1 ELSE 2 END"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a dispatch goes, as it was when it was claimed."""

    id: UUID
    kind: PushKind
    sealed: bytes = field(repr=False)
    value_hash: bytes = field(repr=False)
    environment: str
    app_id: str
    set_at: datetime
    state: AddressState
    proven: bool  # a provider took a message for it before


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One dispatch that this worker holds for a minute."""

    id: UUID
    customer: CustomerId
    device: DeviceId
    notification: NotificationId
    seq: int
    epoch: str
    category: Category
    template: Template
    thread: str
    high: bool
    told_at: datetime
    expires_at: datetime
    attempts: int
    reason: str | None
    address: Address | None


@dataclass(frozen=True, slots=True)
class Lane:
    """Whose dispatches are taken: those of phones with addresses of these kinds.

    `others` turns it round: phones with any other address, or with none.
    """

    kinds: frozenset[PushKind]
    others: bool = False


EVERYBODY = Lane(frozenset(), others=True)


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a dispatch is not sent."""

    state: str
    reason: str


async def claim(clock: Clock, lane: Lane = EVERYBODY) -> list[Due]:
    """Take due dispatches for a minute, settle those nobody needs, give the others.

    Any number of workers may claim at once; none gets what another holds. A claim whose
    worker died before an outcome was recorded counts for no try, else a worker killed
    again and again would give up pushes that no provider ever refused. Behind a backlog
    security waits for nobody, and news for everybody.
    """
    now = clock.now()
    if not await _is_due(now, lane):
        return []
    kinds = sorted(lane.kinds)
    skip = " FOR UPDATE SKIP LOCKED" if database.dialect() == "postgres" else ""

    async def work(tx: Tx) -> list[Due]:
        rows = await tx.rows(
            "WITH due AS (SELECT id FROM push_dispatch WHERE state = 'QUEUED' "  # noqa: S608  -- our own words
            "AND due_at <= $1 AND (lease_until IS NULL OR lease_until <= $1) "
            f"{_of(lane, start=4)} ORDER BY {_RANK}, due_at, id LIMIT $3{skip}) "
            "UPDATE push_dispatch SET lease_until = $2, attempts = attempts + "
            "CASE WHEN lease_until IS NULL THEN 1 ELSE 0 END "
            "WHERE id IN (SELECT id FROM due) RETURNING id",
            now,
            now + timedelta(seconds=_LEASE_S),
            BATCH,
            *kinds,
        )
        claimed = await _read(tx, [row.get("id", UUID) for row in rows])
        where = await receipts.standings(tx, sorted({one.device for one in claimed}))
        needed = await _settled(tx, claimed, where, now)
        return await _awake(tx, needed, clock)

    return await database.transaction(work, name="notifications.claim")


async def oldest_s(clock: Clock) -> float:
    """Give the age of the oldest due dispatch in seconds, 0 without one."""
    now = clock.now()
    row = await database.read_one(
        "SELECT due_at FROM push_dispatch WHERE state = 'QUEUED' AND due_at <= $1 "
        "ORDER BY due_at LIMIT 1",
        now,
    )
    return (now - row.get("due_at", datetime)).total_seconds() if row else 0.0


def ending_of(due: Due, where: Standing, now: datetime) -> Ending | None:
    """Judge a claimed dispatch; None sends it.

    Security is sent whatever the phone has shown, and to a muted phone too.
    """
    if due.expires_at <= now or due.attempts > ATTEMPTS_MAX:
        if due.attempts > 1:
            return Ending("FAILED", due.reason or "UNKNOWN")
        return Ending("SUPPRESSED", "EXPIRED")
    if due.address is None:
        return Ending("FAILED", "NO_ADDRESS")
    if due.category in MANDATORY:
        return None
    muted = due.address.state is AddressState.MUTED
    seen = where.has_shown(due.epoch, due.seq)
    return (
        Ending("SUPPRESSED", "MUTED" if muted else "SEEN_LIVE")
        if muted or seen
        else None
    )


async def _settled(
    tx: Tx, claimed: Sequence[Due], where: dict[DeviceId, Standing], now: datetime
) -> list[Due]:
    kept: list[Due] = []
    over: defaultdict[Ending, list[UUID]] = defaultdict(list)
    for due in claimed:
        ending = ending_of(due, where[due.device], now)
        if ending is None:
            kept.append(due)
        else:
            over[ending].append(due.id)
    for ending, ids in over.items():
        await tx.rows(
            "UPDATE push_dispatch SET state = $1, reason = $2, lease_until = NULL "  # noqa: S608  -- placeholders only
            "WHERE state = 'QUEUED' "
            f"AND id IN {database.placeholders(1, len(ids), start=3)} RETURNING id",
            ending.state,
            ending.reason,
            *ids,
        )
    return kept


async def _awake(tx: Tx, claimed: Sequence[Due], clock: Clock) -> list[Due]:
    """Leave out those whose customer wants no ring now, as it is chosen by now.

    Quiet hours begin while a push waits or is tried again, and what waits for their
    end may be switched off in the meantime.
    """
    now = clock.now()
    chosen = await preferences.of_customers(tx.rows, {one.customer for one in claimed})
    kept: list[Due] = []
    asleep: defaultdict[tuple[str | None, datetime | None], list[UUID]]
    asleep = defaultdict(list)
    for one in claimed:
        wishes = chosen[one.customer]
        rule = wishes.rule(one.category, now, one.expires_at, clock.zone)
        if rule.refused is None and rule.not_before is None:
            kept.append(one)
        else:
            asleep[rule.refused, rule.not_before].append(one.id)
    for (refused, not_before), ids in asleep.items():
        await tx.rows(
            "UPDATE push_dispatch SET state = $1, reason = COALESCE($2, reason), "  # noqa: S608  -- placeholders only
            "due_at = COALESCE($3, due_at), lease_until = NULL, "
            "attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END "
            "WHERE state = 'QUEUED' "
            f"AND id IN {database.placeholders(1, len(ids), start=4)} RETURNING id",
            "SUPPRESSED" if refused else "QUEUED",
            refused,
            not_before,
            *ids,
        )
    return kept


async def _is_due(now: datetime, lane: Lane) -> bool:
    """Look before taking: an idle worker writes nothing."""
    row = await database.read_one(
        "SELECT 1 AS there FROM push_dispatch WHERE state = 'QUEUED' "  # noqa: S608  -- our own words
        "AND due_at <= $1 AND (lease_until IS NULL OR lease_until <= $1) "
        f"{_of(lane, start=2)} LIMIT 1",
        now,
        *sorted(lane.kinds),
    )
    return row is not None


def _of(lane: Lane, start: int) -> str:
    """Write the condition of a lane; its kinds are the arguments from `start` on."""
    if not lane.kinds:
        return ""
    return (
        f"AND {'NOT ' if lane.others else ''}EXISTS (SELECT 1 FROM push_address a "  # noqa: S608  -- placeholders only
        "WHERE a.device_id = push_dispatch.device_id AND a.state <> 'DEAD' "
        "AND a.customer_id = push_dispatch.customer_id AND a.kind IN "
        f"{database.placeholders(1, len(lane.kinds), start=start)})"
    )


async def _read(tx: Tx, ids: Sequence[UUID]) -> list[Due]:
    if not ids:
        return []
    rows = await tx.rows(
        "SELECT d.id, d.customer_id, d.device_id, d.notification_id, d.seq, "  # noqa: S608  -- placeholders only
        "d.category, d.thread, d.priority, d.expires_at, d.attempts, d.reason, "
        "i.template, i.created_at, a.id AS address_id, a.kind, a.value, a.value_hash, "
        "a.environment, a.app_id, a.set_at, a.last_ok_at, a.state AS address_state "
        "FROM push_dispatch d JOIN inbox_item i ON i.id = d.notification_id "
        "LEFT JOIN push_address a ON a.device_id = d.device_id "
        "AND a.customer_id = d.customer_id AND a.state <> 'DEAD' "
        f"WHERE d.id IN {database.placeholders(1, len(ids))} ORDER BY d.id",
        *ids,
    )
    epochs = await log.epochs(tx, {row.get("customer_id", CustomerId) for row in rows})
    return [one for row in rows if (one := _readable(row, epochs)) is not None]


def _readable(row: Row, epochs: dict[CustomerId, str]) -> Due | None:
    """Read a row; one of a newer version is left to its lease, for a newer worker."""
    try:
        return _due(row, epochs)
    except (KeyError, ValueError):
        telemetry.log.exception("push_unreadable", op_id=str(row.get("id", UUID)))
        return None


def _due(row: Row, epochs: dict[CustomerId, str]) -> Due:
    customer = row.get("customer_id", CustomerId)
    return Due(
        id=row.get("id", UUID),
        customer=customer,
        device=row.get("device_id", DeviceId),
        notification=row.get("notification_id", NotificationId),
        seq=row.get("seq", int),
        epoch=epochs[customer],
        category=row.get("category", Category),
        template=row.get("template", Template),
        thread=row.get("thread", str),
        high=row.get("priority", str) == "HIGH",
        told_at=row.get("created_at", datetime),
        expires_at=row.get("expires_at", datetime),
        attempts=row.get("attempts", int),
        reason=row.find("reason", str),
        address=_address(row),
    )


def _address(row: Row) -> Address | None:
    if row.find("address_id", UUID) is None:
        return None
    return Address(
        id=row.get("address_id", UUID),
        kind=row.get("kind", PushKind),
        sealed=row.get("value", bytes),
        value_hash=row.get("value_hash", bytes),
        environment=row.get("environment", str),
        app_id=row.get("app_id", str),
        set_at=row.get("set_at", datetime),
        state=row.get("address_state", AddressState),
        proven=row.find("last_ok_at", datetime) is not None,
    )
