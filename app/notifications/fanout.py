"""From a fact to what is owed: an inbox item and one dispatch per phone, exactly once.

One transaction deletes the work rows and writes both; the unique keys of item and
dispatch refuse a second time. Who is told when: a phone whose stream is open gets a
moment to acknowledge, security never waits and knows no mute (realtime.md section
11.2 of the design).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

import orjson

from app import database
from app.auth.actor import DeviceState
from app.auth.device import states_inside
from app.clock import Clock
from app.database import Tx
from app.ids import CustomerId, NotificationId, uuid7
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
    """One notification that is made now."""

    item: Item
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

        Where one connection writes, payments wait for a transaction to end.
        """
        for start in range(0, len(batch), _AT_ONCE):
            await self._take(batch[start : start + _AT_ONCE])

    async def _take(self, batch: Sequence[Owed]) -> None:
        """Tell a batch by as many statements as one fact needs."""

        async def work(tx: Tx) -> None:
            wishes = await preferences.of_customers(
                tx.rows, [owed.event.customer for owed in batch]
            )
            ours = await dispatch.finish(tx, [owed.id for owed in batch])
            told = [
                one
                for owed in batch
                if owed.id in ours
                and (one := _worth_telling(owed, wishes[owed.event.customer]))
            ]
            fresh = await _kept(tx, told)
            await self._queue(tx, fresh)
            await inbox.announce(tx, [one.item for one in fresh])
            tx.after_commit(self._wake)

        await database.transaction(work, name="notifications.fanout")

    async def _queue(self, tx: Tx, told: Sequence[_Told]) -> None:
        phones = await _reachable(tx, {one.item.customer for one in told})
        devices = [one.device for found in phones.values() for one in found]
        where = await receipts.standings(tx, devices)
        rows = [
            self._row(one, phone, where[phone.device])
            for one in told
            for phone in phones.get(one.item.customer, [])
        ]
        if not rows:
            return
        await tx.rows(
            f"INSERT INTO push_dispatch ({_COLUMNS}) VALUES "  # noqa: S608  -- our own column list
            f"{database.placeholders(len(rows), 13)} "
            "ON CONFLICT (notification_id, device_id) DO NOTHING RETURNING id",
            *chain.from_iterable(rows),
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
            told.item.id,
            event.seq,
            note.category,
            note.thread_of(told.item.id, phone.device),
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


def _worth_telling(owed: Owed, wishes: Wishes) -> _Told | None:
    """Make the notification of a fact; None where nobody wants one."""
    note = note_of(owed.event.fact)
    if note is None or not wishes.of(note.category).wants(note):
        return None
    item = Item(
        id=NotificationId.new(),
        customer=owed.event.customer,
        category=note.category,
        template=note.template,
        args=note.args,
        deep_link=note.deep_link,
        created_at=owed.event.occurred_at,
    )
    return _Told(item, owed, note, wishes)


async def _kept(tx: Tx, told: Sequence[_Told]) -> list[_Told]:
    """Keep notifications; gives those that were not kept before."""
    if not told:
        return []
    values: list[Scalar] = []
    for one in told:
        item = one.item
        values += [item.id, item.customer, one.owed.event.seq, item.category]
        values += [item.template, orjson.dumps(dict(item.args)).decode()]
        values += [item.deep_link, item.created_at]
    rows = await tx.rows(
        "INSERT INTO inbox_item (id, customer_id, seq, category, template, args, "  # noqa: S608  -- placeholders only
        f"deep_link, created_at) VALUES {database.placeholders(len(told), 8)} "
        "ON CONFLICT (customer_id, seq) DO NOTHING RETURNING id",
        *values,
    )
    fresh = {row.get("id", NotificationId) for row in rows}
    return [one for one in told if one.item.id in fresh]


async def _reachable(
    tx: Tx, customers: Collection[CustomerId]
) -> dict[CustomerId, list[Phone]]:
    """Give the customers' phones; a suspended one hears of security only."""
    listed = await addresses.of_customers(tx, customers)
    if not listed:
        return {}
    states = await states_inside(
        tx, [one.device for phones in listed.values() for one in phones]
    )
    gone = [name for name, state in states.items() if state is DeviceState.REVOKED]
    await addresses.give_up_of(tx, gone)
    return {
        customer: [
            Phone(phone.device, phone.address, AddressState.MUTED)
            if states[phone.device] is DeviceState.LOCKED
            else phone
            for phone in phones
            if states[phone.device] is not DeviceState.REVOKED
        ]
        for customer, phones in listed.items()
    }
