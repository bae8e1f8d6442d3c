"""What must hold in the notifications room: each push belongs to an item, and is tried.

Source: realtime.md section 11; the numbers C1-C12 have none for this room.
"""

from app.database import Proof

_STRAYS = (
    "SELECT d.id FROM push_dispatch d LEFT JOIN inbox_item i "
    "ON i.id = d.notification_id AND i.customer_id = d.customer_id AND i.seq = d.seq "
    "AND i.category = d.category WHERE i.id IS NULL{late}"
)
# Due before the watermark, which is at least a minute old, and nobody holds it.
_LATE = (
    " OR (d.state = 'QUEUED' AND d.due_at < $1 "
    "AND (d.lease_until IS NULL OR d.lease_until < $1))"
)


def proofs() -> list[Proof]:
    """Give the one proof: no stray dispatch, none that every worker forgot."""
    return [
        Proof(
            "notifications.owed",
            since=_STRAYS.format(late=_LATE),
            full=_STRAYS.format(late=""),
        )
    ]
