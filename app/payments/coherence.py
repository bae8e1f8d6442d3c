"""What must hold between payments, their operations and their steps: C5, C6, C9.

`limit_use` joins C6 when limits are kept. Source: banking.md section 2.5.
"""

from app.database import Proof

_ENDED = "'SETTLED', 'DECLINED', 'FAILED', 'REVERSED', 'CANCELLED', 'EXPIRED'"
_NOTHING_MOVED = "'DECLINED', 'FAILED', 'CANCELLED', 'EXPIRED'"

# Open holds of a payment: HOLD made, neither captured nor released.
_HOLDS = (
    "SELECT p.id, count(h.id) AS holds FROM payment p "  # noqa: S608  -- our own columns
    "JOIN payment_op h ON h.payment_id = p.id AND h.kind = 'HOLD' "
    "AND h.outcome = 'OK' "
    "WHERE NOT EXISTS (SELECT 1 FROM payment_op e WHERE e.payment_id = p.id "
    "AND e.kind IN ('CAPTURE', 'RELEASE') AND e.outcome = 'OK'){since} "
    "GROUP BY p.id, p.state HAVING count(h.id) > 1 "
    f"OR p.state IN ({_ENDED})"
)

# Booked operations of a payment: one when it settled, none when it ended without.
_BOOKED = (
    "SELECT p.id, p.state, count(o.id) AS booked FROM payment p "  # noqa: S608  -- our own columns
    "LEFT JOIN payment_op o ON o.payment_id = p.id AND o.outcome = 'OK' "
    "AND o.kind IN ('CAPTURE', 'TRANSFER') "
    "WHERE 1 = 1{since} GROUP BY p.id, p.state "
    "HAVING (p.state IN ('SETTLED', 'REVERSED') AND count(o.id) <> 1) "
    f"OR (p.state IN ({_NOTHING_MOVED}) AND count(o.id) > 0)"
)

# Operations nobody carries on: of a payment that ended, without a lease, or PENDING
# although the lease ran out before the watermark, which is at least a minute old.
_LOOSE = (
    "SELECT p.id, o.id AS op FROM payment p JOIN payment_op o ON o.payment_id = p.id "  # noqa: S608  -- our own columns
    "WHERE o.outcome IN ('PENDING', 'UNKNOWN') "
    f"AND (p.state IN ({_ENDED}) OR p.lease_until IS NULL{{late}})"
)
_LATE = " OR (o.outcome = 'PENDING' AND p.lease_until < $1)"

_SINCE = (
    " AND (p.created_at >= $1 OR EXISTS (SELECT 1 FROM payment_op t "
    "WHERE t.payment_id = p.id AND t.resolved_at >= $1))"
)


def proofs() -> list[Proof]:
    """Give the proofs of this room: C5 holds, C6 booked once, C9 carried on."""
    return [
        _proof("payments.holds", _HOLDS),
        _proof("payments.booked_once", _BOOKED, freezes=True),
        Proof(
            "payments.carried_on",
            since=_LOOSE.format(late=_LATE),
            full=_LOOSE.format(late=""),
        ),
    ]


def _proof(name: str, query: str, *, freezes: bool = False) -> Proof:
    return Proof(
        name,
        since=query.format(since=_SINCE),
        full=query.format(since=""),
        freezes=freezes,
    )
