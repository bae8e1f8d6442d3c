"""What must hold in the event log: numbers without a hole up to the head."""

from app.database import Proof

# Work for an event that never was.
_STRAYS = (
    "SELECT w.id FROM event_work w LEFT JOIN stream_head h "
    "ON h.customer_id = w.customer_id AND h.seq >= w.seq WHERE h.seq IS NULL"
)
# Or due before the watermark, which is at least a minute old, and nobody holds it.
_FORGOTTEN = (
    f"{_STRAYS} OR (w.due_at < $1 AND (w.lease_until IS NULL OR w.lease_until < $1))"
)


def proofs() -> list[Proof]:
    """Give C8: numbers without a gap up to the head, and no work left lying.

    Days rise with the numbers of a customer, so the numbers from the floor's day on are
    the last ones: their count equals the distance between the first of them and the
    head. What is below the floor is gone, also while retention is at it.
    """
    full = (
        "SELECT h.customer_id, h.seq AS head, min(e.seq) AS first, "
        "max(e.seq) AS last, count(e.seq) AS events "
        "FROM stream_head h LEFT JOIN customer_event e "
        "ON e.customer_id = h.customer_id AND e.day >= "
        "coalesce((SELECT day FROM event_floor), '0001-01-01') "
        "{since}"
        "GROUP BY h.customer_id, h.seq "
        "HAVING (count(e.seq) > 0 AND "
        "(max(e.seq) <> h.seq OR count(e.seq) <> h.seq - min(e.seq) + 1)) "
        "OR (count(e.seq) = 0 AND h.seq > 0 AND NOT EXISTS "
        "(SELECT 1 FROM event_floor))"
    )
    changed = (
        "WHERE h.customer_id IN "
        "(SELECT customer_id FROM customer_event WHERE occurred_at >= $1) "
    )
    return [
        Proof(
            name="realtime.numbers",
            since=full.format(since=changed),
            full=full.format(since=""),
        ),
        Proof(name="realtime.work", since=_FORGOTTEN, full=_STRAYS),
    ]
