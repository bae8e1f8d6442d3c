"""What the customer must see at once: an audit entry that is also an event."""

from app import audit
from app.audit import Entry
from app.database import Tx
from app.realtime import log
from app.realtime.facts import AuditShot, SecurityEvent


def tell(tx: Tx, entry: Entry, title: str) -> None:
    """Write an entry to the customer's chain and its event to the customer's stream.

    Args:
        tx: the effect's transaction.
        entry: an entry with a customer.
        title: one sentence for the customer; holds no secret.
    """
    audit.append(tx, entry)
    assert entry.customer is not None  # noqa: S101  -- alerts go to somebody
    shot = AuditShot(
        id=str(entry.id),
        at=entry.at,
        actor=entry.actor_kind.value,
        action=entry.action,
        object=entry.object,
        outcome=entry.outcome.value,
    )
    fact = SecurityEvent(
        customer=entry.customer, occurred_at=entry.at, entry=shot, title=title
    )
    log.append(tx, fact)
