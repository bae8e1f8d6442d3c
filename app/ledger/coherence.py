"""What must hold in the ledger's tables, whoever wrote them (banking.md 2.5)."""

from app.database import Proof

_SUMS = """
    SELECT j.id AS broken FROM ledger_journal j
    LEFT JOIN ledger_posting p ON p.journal_id = j.id
    WHERE {changed}
    GROUP BY j.id
    HAVING count(p.no) < 2 OR sum(p.amount) <> 0
        OR sum(CASE WHEN p.phase = 'COMMITTED' THEN p.amount ELSE 0 END) <> 0
"""
_BALANCES = """
    SELECT b.account_id AS broken FROM ledger_balance b
    LEFT JOIN ledger_posting p ON p.account_id = b.account_id
    WHERE {changed}
    GROUP BY b.account_id, b.committed, b.pending_out, b.pending_in
    HAVING b.committed <> COALESCE(
            sum(CASE WHEN p.phase = 'COMMITTED' THEN p.amount ELSE 0 END), 0)
        OR b.pending_out <> COALESCE(
            sum(CASE WHEN p.phase = 'PENDING_OUT' THEN p.amount ELSE 0 END), 0)
        OR b.pending_in <> COALESCE(
            sum(CASE WHEN p.phase = 'PENDING_IN' THEN p.amount ELSE 0 END), 0)
"""
_VERSIONS = """
    SELECT b.account_id AS broken FROM ledger_balance b
    LEFT JOIN ledger_posting p ON p.account_id = b.account_id
    WHERE {changed}
    GROUP BY b.account_id, b.version
    HAVING count(DISTINCT p.version) <> b.version
        OR COALESCE(max(p.version), 0) <> b.version
        OR COALESCE(min(p.version), 1) <> 1
"""
_PENDING = """
    SELECT b.account_id AS broken FROM ledger_balance b
    WHERE {changed} AND (
        b.pending_out <> -(SELECT COALESCE(sum(h.amount), 0) FROM ledger_hold h
            WHERE h.account_id = b.account_id AND h.state = 'OPEN')
        OR b.pending_in <> (SELECT COALESCE(sum(h.amount), 0) FROM ledger_hold h
            WHERE h.contra_id = b.account_id AND h.state = 'OPEN'))
"""
_RESOLVED = """
    SELECT h.id AS broken FROM ledger_hold h
    LEFT JOIN ledger_journal j
        ON j.hold_id = h.id AND j.kind IN ('CAPTURE', 'RELEASE')
    WHERE {changed}
    GROUP BY h.id, h.state
    HAVING count(j.id) <> CASE WHEN h.state = 'OPEN' THEN 0 ELSE 1 END
        OR sum(CASE WHEN (j.kind = 'CAPTURE') <> (h.state = 'CAPTURED')
               THEN 1 ELSE 0 END) > 0
"""
_TOUCHED = (
    "h.id IN (SELECT t.hold_id FROM ledger_journal t "
    "WHERE t.at >= $1 AND t.hold_id IS NOT NULL)"
)


def _proof(name: str, text: str, since: str) -> Proof:
    return Proof(
        name=name,
        since=text.replace("{changed}", since),
        full=text.replace("{changed}", "1 = 1"),
        freezes=True,
    )


def proofs() -> list[Proof]:
    """Give C1-C4 and C7; a row that one of them returns stops all postings."""
    return [
        _proof("C1 journals sum to 0", _SUMS, "j.at >= $1"),
        _proof("C2 balances are their postings", _BALANCES, "b.changed_at >= $1"),
        _proof("C3 versions have no hole", _VERSIONS, "b.changed_at >= $1"),
        _proof("C4 pending is the open holds", _PENDING, "b.changed_at >= $1"),
        _proof("C7 holds end once", _RESOLVED, _TOUCHED),
    ]
