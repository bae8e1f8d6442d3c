"""From a fact to what is owed: an inbox item and one dispatch per phone, exactly once.

One transaction deletes the work row and writes both; the unique keys of item and
dispatch refuse a second time. Who is told when: a phone whose stream is open gets a
moment to acknowledge, security never waits and knows no mute (realtime.md section
11.2 of the design).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from app import database
from app.auth.actor import DeviceState
from app.auth.device import states_inside
from app.clock import Clock
from app.database import Tx
from app.ids import NotificationId, uuid7
from app.notifications import addresses, inbox, preferences
from app.notifications.addresses import AddressState, Phone
from app.notifications.inbox import Item
from app.notifications.preferences import Wishes
from app.notifications.wording import Note, note_of, urgency
from app.realtime import dispatch, receipts
from app.realtime.dispatch import Owed
from app.realtime.receipts import Standing
from app.rows import Scalar
from app.settings import Settings

_AT_ONCE = 16
_COLUMNS = (
    "id, customer_id, device_id, address_id, notification_id, seq, category, thread, "
    "priority, due_at, expires_at, state, reason"
)


@dataclass(frozen=True, slots=True)
class _Told:
    """One notification that was just made."""

    id: NotificationId
    owed: Owed
    note: Note
    wishes: Wishes


class Fanout:
    """The consumer `notifications` of the relay.

    Args:
        clock: the bank's clock.
        settings: how long a live phone may take to acknowledge.
        wake: called once dispatches are committed; never waits.
    """

    def __init__(
        self, *, clock: Clock, settings: Settings, wake: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._window = timedelta(seconds=settings.push_ack_window_s)
        self._wake = wake

    async def take(self, batch: Sequence[Owed]) -> None:
        """Tell what a batch of facts owes, a few in each transaction.

        Where there is one connection, phones wait for a transaction to end.
        """
        for start in range(0, len(batch), _AT_ONCE):
            await self._take(batch[start : start + _AT_ONCE])

    async def _take(self, batch: Sequence[Owed]) -> None:
        async def work(tx: Tx) -> None:
            wishes = await preferences.of_customers(
                tx.rows, [owed.event.customer for owed in batch]
            )
            told = [
                await self._tell(tx, owed, wishes[owed.event.customer])
                for owed in batch
            ]
            await inbox.announce(tx, [item for item in told if item is not None])
            tx.after_commit(self._wake)

        await database.transaction(work, name="notifications.fanout")

    async def _tell(self, tx: Tx, owed: Owed, wishes: Wishes) -> Item | None:
        if not await dispatch.finish(tx, owed.id):
            return None
        note = note_of(owed.event.fact)
        if note is None or not wishes.of(note.category).wants(note):
            return None
        item = await _kept(tx, owed, note)
        if item is not None:
            await self._queue(tx, _Told(item.id, owed, note, wishes))
        return item

    async def _queue(self, tx: Tx, told: _Told) -> None:
        phones = await _reachable(tx, told)
        if not phones:
            return
        where = await receipts.standings(tx, [phone.device for phone in phones])
        values: list[Scalar] = []
        for phone in phones:
            values += self._row(told, phone, where[phone.device])
        await tx.rows(
            f"INSERT INTO push_dispatch ({_COLUMNS}) VALUES "  # noqa: S608  -- our own column list
            f"{database.placeholders(len(phones), 13)} "
            "ON CONFLICT (notification_id, device_id) DO NOTHING RETURNING id",
            *values,
        )

    def _row(self, told: _Told, phone: Phone, where: Standing) -> list[Scalar]:
        note, event = told.note, told.owed.event
        travels = urgency(note.category)
        now, expires_at = self._clock.now(), event.occurred_at + travels.life
        rule = told.wishes.rule(note.category, now, expires_at, self._clock.zone)
        muted = phone.state is AddressState.MUTED and not note.is_security
        refused = "MUTED" if muted else rule.refused
        due_at = max(self._due_at(note, where), rule.not_before or now)
        return [
            uuid7(),
            event.customer,
            phone.device,
            phone.address,
            told.id,
            event.seq,
            note.category,
            note.thread_of(told.id, phone.device),
            "HIGH" if travels.high else "NORMAL",
            due_at,
            expires_at,
            "SUPPRESSED" if refused else "QUEUED",
            refused,
        ]

    def _due_at(self, note: Note, where: Standing) -> datetime:
        now = self._clock.now()
        waits = where.is_live(now) and not note.is_security
        return now + self._window if waits else now


async def _kept(tx: Tx, owed: Owed, note: Note) -> Item | None:
    """Keep the notification; None when it was kept before."""
    item = Item(
        id=NotificationId.new(),
        customer=owed.event.customer,
        category=note.category,
        template=note.template,
        args=note.args,
        deep_link=note.deep_link,
        created_at=owed.event.occurred_at,
    )
    row = await tx.one(
        "INSERT INTO inbox_item (id, customer_id, seq, category, template, args, "
        "deep_link, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
        "ON CONFLICT (customer_id, seq) DO NOTHING RETURNING id",
        item.id,
        item.customer,
        owed.event.seq,
        item.category,
        item.template,
        orjson.dumps(dict(item.args)).decode(),
        item.deep_link,
        item.created_at,
    )
    return None if row is None else item


async def _reachable(tx: Tx, told: _Told) -> list[Phone]:
    """Give the customer's phones; a suspended one hears of security only."""
    phones = await addresses.of_customer(tx, told.owed.event.customer)
    if not phones:
        return []
    states = await states_inside(tx, [phone.device for phone in phones])
    gone = [one.device for one in phones if states[one.device] is DeviceState.REVOKED]
    await addresses.give_up_of(tx, gone)
    return [
        Phone(phone.device, phone.address, AddressState.MUTED)
        if states[phone.device] is DeviceState.LOCKED
        else phone
        for phone in phones
        if phone.device not in gone
    ]
