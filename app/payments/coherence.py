"""What must hold between payments, their operations and their steps: C5, C6, C9.

C6 has two halves: what was booked, and what is counted in limits. Source: banking.md
section 2.5.
"""

from app.database import Proof
from app.payments.lifecycle import BOOKED, FINAL, NOTHING_MOVED, listed

_ENDED = listed(FINAL)

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
    f"HAVING (p.state IN ({listed(BOOKED)}) AND count(o.id) <> 1) "
    f"OR (p.state IN ({listed(NOTHING_MOVED)}) AND count(o.id) > 0)"
)

# Operations nobody carries on: of a payment that ended (but for one whose money came
# back), without lease or staff, or PENDING although the lease ran out before the
# watermark, which is at least a minute old. And orders that nobody asks about.
_LOOSE = (
    "SELECT p.id, o.id AS op FROM payment p JOIN payment_op o ON o.payment_id = p.id "  # noqa: S608  -- our own columns
    "WHERE o.outcome IN ('PENDING', 'UNKNOWN') "
    f"AND ((p.state IN ({_ENDED}) AND NOT (p.state = 'SETTLED' "
    "AND o.kind = 'CREDIT_BACK')) "
    "OR (p.lease_until IS NULL AND p.manual_since IS NULL){late}) "
    "UNION ALL SELECT p.id, p.id AS op FROM payment p WHERE p.state = 'IN_FLIGHT' "
    "AND p.lease_until IS NULL AND p.manual_since IS NULL"
)
_LATE = " OR (o.outcome = 'PENDING' AND p.lease_until < $1)"

# Windows of limits that count anything but their live and their settled payments.
_OF_WINDOW = (
    "(SELECT CAST(coalesce(sum(r.amount), 0) AS BIGINT) FROM limit_reservation r "
    "JOIN payment p ON p.id = r.payment_id WHERE r.customer_id = u.customer_id "
    "AND r.rule_id = u.rule_id AND r.subject_id = u.subject_id "
    "AND r.window_start = u.window_start AND p.state {states})"
)
_COUNTED = (
    "SELECT u.customer_id, u.rule_id, u.window_start FROM limit_use u "  # noqa: S608  -- our own columns
    "WHERE (u.used <> "
    + _OF_WINDOW.format(states=f"IN ({listed(BOOKED)})")
    + " OR u.reserved <> "
    + _OF_WINDOW.format(states=f"NOT IN ({_ENDED})")
    + "){window} UNION ALL "
    "SELECT r.customer_id, r.rule_id, r.window_start FROM limit_reservation r "
    "JOIN payment p ON p.id = r.payment_id "
    "WHERE (r.amount <> p.amount OR NOT EXISTS (SELECT 1 FROM limit_use u "
    "WHERE u.customer_id = r.customer_id AND u.rule_id = r.rule_id "
    "AND u.subject_id = r.subject_id AND u.window_start = r.window_start)){since}"
)
_LATELY = " AND (u.changed_at >= $1 OR u.reserved > 0)"

# Payments that went on although the rules stopped them, or nobody released them.
_UNREVIEWED = (
    "SELECT p.id FROM payment p JOIN risk_decision d ON d.payment_id = p.id "
    "WHERE ((d.action = 'BLOCK' AND p.state <> 'DECLINED') OR (d.action = 'HOLD' "
    "AND p.state NOT IN ('HELD_FOR_REVIEW', 'DECLINED', 'CANCELLED', 'EXPIRED') "
    "AND NOT EXISTS (SELECT 1 FROM payment_step s WHERE s.payment_id = p.id "
    "AND s.source = 'STAFF' AND s.detail = 'released'))){since}"
)

_SINCE = (
    " AND (p.created_at >= $1 OR EXISTS (SELECT 1 FROM payment_op t "
    "WHERE t.payment_id = p.id AND t.resolved_at >= $1))"
)


def proofs() -> list[Proof]:
    """Give the proofs of this room: C5 holds, C6 booked and counted, C9 carried on.

    And that nothing went on past its review.
    """
    return [
        _proof("payments.holds", _HOLDS),
        _proof("payments.booked_once", _BOOKED, freezes=True),
        Proof(
            "payments.limits",
            since=_COUNTED.format(window=_LATELY, since=_SINCE),
            full=_COUNTED.format(window="", since=""),
            freezes=True,
        ),
        _proof("payments.reviewed", _UNREVIEWED),
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
