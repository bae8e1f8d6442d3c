"""What a phone has shown: events up to a position, and the fate of its pushes.

An acknowledgement within the window stops the push of that phone; a later one marks
what was sent as delivered. Receipts need no sign-in: a push handler on a locked screen
sends them, and gets texts that may stand there (realtime.md section 11.6).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app import database
from app.auth.actor import Actor, Level
from app.clock import Clock
from app.database import Tx
from app.errors import Forbidden, ValidationFailed
from app.ids import CustomerId, DeviceId, NotificationId
from app.notifications import catalogue
from app.notifications.addresses import AddressState
from app.notifications.catalogue import Show, Words
from app.notifications.wording import Template
from app.realtime import receipts
from app.realtime.cursor import EventCursor
from app.realtime.facts import Category
from app.rows import Row
from app.settings import Settings

RECEIPTS_MAX = 100


class ReceiptState(StrEnum):
    """What a phone can say about a push."""

    DELIVERED = "DELIVERED"
    OPENED = "OPENED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One push, as the phone saw it at an instant of its own clock."""

    id: NotificationId
    state: ReceiptState
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PushText:
    """What the phone may show for a push: generic words and where a tap leads."""

    id: NotificationId
    category: Category
    words: Words
    deep_link: str | None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The position that was noted, and texts for the receipts that exist."""

    position: EventCursor | None
    texts: tuple[PushText, ...]


class Acknowledgements:
    """Takes what phones report.

    Args:
        clock: the bank's clock; no phone reports the future.
        settings: whether a locked phone may ever show an amount.
    """

    def __init__(self, *, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._figures = settings.push_show_amounts

    async def take(
        self, actor: Actor, upto: EventCursor | None, given: Sequence[Receipt]
    ) -> Acknowledged:
        """Note a position and receipts of this device; repeated ones change nothing.

        Raises:
            ValidationFailed: neither of the two, or more than 100 receipts.
            Forbidden: a position without a signed-in session.
        """
        if upto is None and not given:
            raise ValidationFailed(field=["upTo"])
        if len(given) > RECEIPTS_MAX:
            raise ValidationFailed(field=["receipts"])
        if upto is not None and actor.level < Level.LOGIN:
            raise Forbidden(requiredLevel=Level.LOGIN.name)
        customer, device = actor.known_customer, actor.known_device
        now = self._clock.now()

        async def work(tx: Tx) -> Acknowledged:
            position = None
            if upto is not None:
                position = await receipts.acknowledge(tx, customer, device, upto, now)
            if position is not None:
                await _shown(tx, customer, device, position.seq, now)
            for receipt in given:
                await _move(tx, customer, device, receipt, now)
            return Acknowledged(position, await self._texts(tx, actor, given))

        return await database.transaction(work, name="notifications.ack")

    async def _texts(
        self, tx: Tx, actor: Actor, given: Sequence[Receipt]
    ) -> tuple[PushText, ...]:
        """Give the texts of those that were owed to this very device, in their order.

        A figure is in them only where bank and customer let it be, and never on a phone
        that is signed out or suspended: its address is muted then.
        """
        if not given:
            return ()
        rows = await tx.rows(
            "SELECT i.id, i.category, i.template, i.args, i.deep_link, "  # noqa: S608  -- placeholders only
            "s.hide_amounts, a.state AS address FROM inbox_item i "
            "JOIN push_dispatch d ON d.notification_id = i.id "
            "LEFT JOIN push_address a ON a.device_id = d.device_id "
            "AND a.customer_id = d.customer_id AND a.state <> 'DEAD' "
            "LEFT JOIN notification_settings s ON s.customer_id = i.customer_id "
            "WHERE d.device_id = $1 AND i.customer_id = $2 "
            f"AND i.id IN {database.placeholders(1, len(given), start=3)}",
            actor.known_device,
            actor.known_customer,
            *(receipt.id for receipt in given),
        )
        found = {text.id: text for text in (self._text(row, actor) for row in rows)}
        order = dict.fromkeys(receipt.id for receipt in given)
        return tuple(found[one] for one in order if one in found)

    def _text(self, row: Row, actor: Actor) -> PushText:
        reached = row.find("address", AddressState) is AddressState.ACTIVE
        shown = self._figures and reached and row.find("hide_amounts", bool) is False
        return PushText(
            id=row.get("id", NotificationId),
            category=row.get("category", Category),
            words=catalogue.told(
                row.get("template", Template),
                row.get("args", dict),
                actor.locale,
                Show.AMOUNT if shown else Show.HINT,
            ),
            deep_link=row.find("deep_link", str),
        )


async def _shown(
    tx: Tx, customer: CustomerId, device: DeviceId, seq: int, now: datetime
) -> None:
    """Mark what was pushed and is now shown as delivered."""
    await tx.rows(
        "UPDATE push_dispatch SET state = 'DELIVERED', delivered_at = $4 "
        "WHERE device_id = $1 AND customer_id = $2 AND seq <= $3 AND state = 'SENT' "
        "RETURNING id",
        device,
        customer,
        seq,
        now,
    )


async def _move(
    tx: Tx, customer: CustomerId, device: DeviceId, receipt: Receipt, now: datetime
) -> None:
    """Move one push of this device forward; it may be faster than our own record."""
    opened = receipt.state is ReceiptState.OPENED
    before = "'QUEUED', 'SENT', 'DELIVERED'" if opened else "'QUEUED', 'SENT'"
    stamp = "opened_at" if opened else "delivered_at"
    await tx.rows(
        f"UPDATE push_dispatch SET state = $4, {stamp} = $5, lease_until = NULL "  # noqa: S608  -- our own words
        "WHERE notification_id = $1 AND device_id = $2 AND customer_id = $3 "
        f"AND state IN ({before}) RETURNING id",
        receipt.id,
        device,
        customer,
        receipt.state,
        min(receipt.at, now),
    )
