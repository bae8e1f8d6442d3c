"""The lasting copy of everything a customer was told: pages, unread count, reading.

What is added or read is told to the customer's phones as `InboxAdded`, with the count
as it is then; the head of the stream is locked before the count, so that two workers
never tell the same number. Pushes are only hints to it (realtime.md section 11).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from app import database
from app.auth.actor import Actor
from app.clock import Clock
from app.database import Tx
from app.errors import NotFound, ValidationFailed
from app.ids import CustomerId, DeviceId, NotificationId
from app.notifications.catalogue import Args
from app.notifications.wording import Template
from app.realtime import log
from app.realtime.cursor import EventCursor
from app.realtime.facts import Category, InboxAdded
from app.realtime.shots import InboxShot
from app.rows import Row

IDS_MAX = 100
_COLUMNS = "id, customer_id, category, template, args, deep_link, created_at, read_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing a customer was told."""

    id: NotificationId
    customer: CustomerId
    category: Category
    template: Template
    args: Args = field(repr=False)
    deep_link: str | None
    created_at: datetime
    read_at: datetime | None = None

    def shot(self) -> InboxShot:
        """Give what a fact keeps of it."""
        return InboxShot(
            id=str(self.id),
            category=self.category,
            template=self.template,
            args=self.args,
            deep_link=self.deep_link,
            created_at=self.created_at,
            read_at=self.read_at,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended."""

    at: datetime
    id: NotificationId


@dataclass(frozen=True, slots=True)
class Standing:
    """The end of the stream, and how much was unread there."""

    position: EventCursor
    unread: int


@dataclass(frozen=True, slots=True)
class Reading:
    """Items that are read now, in the order they were named, and what is left."""

    items: tuple[Item, ...]
    unread: int


class Inbox:
    """What one customer was told.

    Args:
        clock: the bank's clock.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def page(
        self, customer: CustomerId, *, first: int, after: Place | None = None
    ) -> tuple[list[Item], bool]:
        """Give the newest items behind a place, and whether there are more."""
        behind = "AND (created_at, id) < ($3, $4) " if after else ""
        rows = await database.read(
            f"SELECT {_COLUMNS} FROM inbox_item WHERE customer_id = $1 "  # noqa: S608  -- our own words
            f"{behind}ORDER BY created_at DESC, id DESC LIMIT $2",
            customer,
            first + 1,
            *((after.at, after.id) if after else ()),
        )
        return [_item(row) for row in rows[:first]], len(rows) > first

    async def by_ids(
        self, customer: CustomerId, ids: Sequence[NotificationId]
    ) -> dict[NotificationId, Item]:
        """Give those of the ids that are the customer's."""
        rows = await database.read(
            f"SELECT {_COLUMNS} FROM inbox_item WHERE customer_id = $1 "  # noqa: S608  -- placeholders only
            f"AND id IN {database.placeholders(1, len(ids), start=2)}",
            customer,
            *ids,
        )
        return {one.id: one for one in map(_item, rows)}

    async def unread(self, customer: CustomerId) -> int:
        """Count what the customer has not read."""
        row = await database.read_one(_UNREAD, customer)
        return 0 if row is None else row.get("unread", int)

    async def standing(self, customer: CustomerId) -> Standing:
        """Give the end of the stream and the count of that moment, in one statement."""
        row = await database.read_one(
            "SELECT h.epoch, h.seq, h.day, (SELECT count(*) FROM inbox_item i "
            "WHERE i.customer_id = h.customer_id AND i.read_at IS NULL) AS unread "
            "FROM stream_head h WHERE h.customer_id = $1",
            customer,
        )
        if row is None:  # nothing ever happened, so nothing was told
            return Standing(await log.head(customer), 0)
        at = EventCursor(
            row.get("epoch", str), row.get("seq", int), row.get("day", date)
        )
        return Standing(at, row.get("unread", int))

    async def mark_read(self, actor: Actor, ids: Sequence[NotificationId]) -> Reading:
        """Mark items read and their pushes on the caller's phone opened.

        What was read stays as it was; the other phones are told once a call, with the
        newest item it changed.

        Raises:
            ValidationFailed: more than 100 ids.
            NotFound: one is not the customer's; then none is marked.
        """
        if len(ids) > IDS_MAX:
            raise ValidationFailed(field=["ids"])
        customer, wanted = actor.known_customer, list(dict.fromkeys(ids))
        now = self._clock.now()

        async def work(tx: Tx) -> Reading:
            found = await _held(tx, customer, wanted)
            if len(found) < len(wanted):
                raise NotFound(field=["ids"])
            fresh = [one for one in wanted if found[one].read_at is None]
            for row in await _marked(tx, customer, fresh, now):
                one = _item(row)
                found[one.id] = one
            await _opened(tx, customer, actor.known_device, wanted, now)
            if not fresh:
                left = (await _unread(tx, [customer]))[customer]
                return Reading(tuple(found[one] for one in wanted), left)
            newest = max((found[one] for one in fresh), key=_age)
            left = (await _counted(tx, [customer]))[customer]
            log.append(tx, _fact(newest, left, now))
            return Reading(tuple(found[one] for one in wanted), left)

        return await database.transaction(work, name="notifications.read")


async def announce(tx: Tx, items: Sequence[Item]) -> None:
    """Tell the phones of what was just added; the last thing a transaction does.

    Each item is told with the count as it was right after it.

    Args:
        tx: the caller's transaction, in which the items were written.
        items: oldest first; of any customers.
    """
    if not items:
        return
    behind = Counter(one.customer for one in items)
    unread = await _counted(tx, sorted(behind))
    for one in items:
        behind[one.customer] -= 1
        count = unread[one.customer] - behind[one.customer]
        log.append(tx, _fact(one, count, one.created_at))


_UNREAD = (
    "SELECT count(*) AS unread FROM inbox_item "
    "WHERE customer_id = $1 AND read_at IS NULL"
)


async def _counted(tx: Tx, customers: Sequence[CustomerId]) -> Mapping[CustomerId, int]:
    """Count what is unread once nobody else can add or read until the commit.

    The heads of the streams are locked in the order in which the log takes them.
    """
    if database.dialect() == "postgres":  # the other engine has one writer
        await tx.rows(
            "SELECT seq FROM stream_head "  # noqa: S608  -- placeholders only
            f"WHERE customer_id IN {database.placeholders(1, len(customers))} "
            "ORDER BY customer_id FOR UPDATE",
            *customers,
        )
    return await _unread(tx, customers)


async def _unread(tx: Tx, customers: Sequence[CustomerId]) -> dict[CustomerId, int]:
    rows = await tx.rows(
        "SELECT customer_id, count(*) AS unread FROM inbox_item "  # noqa: S608  -- placeholders only
        f"WHERE customer_id IN {database.placeholders(1, len(customers))} "
        "AND read_at IS NULL GROUP BY customer_id",
        *customers,
    )
    found = {row.get("customer_id", CustomerId): row.get("unread", int) for row in rows}
    return {one: found.get(one, 0) for one in customers}


async def _held(
    tx: Tx, customer: CustomerId, ids: Sequence[NotificationId]
) -> dict[NotificationId, Item]:
    """Read items and hold them, in one order for all phones of the customer."""
    if not ids:
        return {}
    lock = " FOR UPDATE" if database.dialect() == "postgres" else ""
    rows = await tx.rows(
        f"SELECT {_COLUMNS} FROM inbox_item WHERE customer_id = $1 "  # noqa: S608  -- placeholders only
        f"AND id IN {database.placeholders(1, len(ids), start=2)} ORDER BY id{lock}",
        customer,
        *ids,
    )
    return {one.id: one for one in map(_item, rows)}


async def _marked(
    tx: Tx, customer: CustomerId, ids: Sequence[NotificationId], now: datetime
) -> list[Row]:
    if not ids:
        return []
    return await tx.rows(
        "UPDATE inbox_item SET read_at = $1 WHERE customer_id = $2 "  # noqa: S608  -- placeholders only
        f"AND id IN {database.placeholders(1, len(ids), start=3)} "
        f"AND read_at IS NULL RETURNING {_COLUMNS}",
        now,
        customer,
        *ids,
    )


async def _opened(
    tx: Tx,
    customer: CustomerId,
    device: DeviceId,
    ids: Sequence[NotificationId],
    now: datetime,
) -> None:
    """Mark the pushes of one phone opened; one that still waits is not sent."""
    if not ids:
        return
    await tx.rows(
        "UPDATE push_dispatch SET state = 'OPENED', opened_at = $1, "  # noqa: S608  -- placeholders only
        "lease_until = NULL WHERE customer_id = $2 AND device_id = $3 "
        f"AND notification_id IN {database.placeholders(1, len(ids), start=4)} "
        "AND state IN ('QUEUED', 'SENT', 'DELIVERED') RETURNING id",
        now,
        customer,
        device,
        *ids,
    )


def _fact(item: Item, unread: int, at: datetime) -> InboxAdded:
    return InboxAdded(
        customer=item.customer, occurred_at=at, item=item.shot(), unread_count=unread
    )


def _age(item: Item) -> tuple[datetime, NotificationId]:
    return item.created_at, item.id


def _item(row: Row) -> Item:
    return Item(
        id=row.get("id", NotificationId),
        customer=row.get("customer_id", CustomerId),
        category=row.get("category", Category),
        template=row.get("template", Template),
        args=row.get("args", dict),
        deep_link=row.find("deep_link", str),
        created_at=row.get("created_at", datetime),
        read_at=row.find("read_at", datetime),
    )
