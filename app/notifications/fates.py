"""What became of each push of an item, phone by phone, as the customer may see it.

A live phone that acknowledged first was told in the app: its push is SUPPRESSED and the
telling on the screen stands beside it (realtime.md section 11.6).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app import database
from app.clock import Clock
from app.ids import CustomerId, DeviceId, NotificationId
from app.notifications.channels import Channel
from app.rows import Row

_SEEN_LIVE = "SEEN_LIVE"


class DeliveryState(StrEnum):
    """How far a push came; only forward."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    OPENED = "OPENED"
    FAILED = "FAILED"
    SUPPRESSED = "SUPPRESSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """One item on one phone by one way; `reason` where it is not sent."""

    channel: Channel
    device: DeviceId
    state: DeliveryState
    at: datetime
    reason: str | None


class Fates:
    """Reads what became of pushes.

    Args:
        clock: nothing is shown as done in the future.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def of(
        self, customer: CustomerId, items: Sequence[NotificationId]
    ) -> Mapping[NotificationId, list[Fate]]:
        """Give the fates of items, in one statement; none for what is not hers."""
        rows = await database.read(
            "SELECT d.notification_id, d.device_id, d.state, d.reason, d.due_at, "  # noqa: S608  -- placeholders only
            "d.sent_at, d.delivered_at, d.opened_at, i.created_at "
            "FROM push_dispatch d JOIN inbox_item i ON i.id = d.notification_id "
            "WHERE d.customer_id = $1 AND d.notification_id IN "
            f"{database.placeholders(1, len(items), start=2)} "
            "ORDER BY d.notification_id, d.id",
            customer,
            *items,
        )
        now = self._clock.now()
        found: defaultdict[NotificationId, list[Fate]] = defaultdict(list)
        for row in rows:
            found[row.get("notification_id", NotificationId)] += _fates(row, now)
        return {item: found[item] for item in items}


def _fates(row: Row, now: datetime) -> list[Fate]:
    state, device = row.get("state", DeliveryState), row.get("device_id", DeviceId)
    reason = row.find("reason", str) if state in _ENDED else None
    at = min(_at(row, state), now)
    push = Fate(channel=Channel.PUSH, device=device, state=state, at=at, reason=reason)
    if reason != _SEEN_LIVE:
        return [push]
    shown = Fate(
        channel=Channel.IN_APP,
        device=device,
        state=DeliveryState.DELIVERED,
        at=at,
        reason=None,
    )
    return [push, shown]


_ENDED = frozenset({DeliveryState.FAILED, DeliveryState.SUPPRESSED})
_STAMPS = {
    DeliveryState.QUEUED: "created_at",
    DeliveryState.SENT: "sent_at",
    DeliveryState.DELIVERED: "delivered_at",
    DeliveryState.OPENED: "opened_at",
}


def _at(row: Row, state: DeliveryState) -> datetime:
    """Give when it came there; what is not sent was settled when it was due."""
    return row.get(_STAMPS.get(state, "due_at"), datetime)
