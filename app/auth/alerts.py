"""What the customer must see at once: an audit entry that is also an event."""

from collections.abc import Mapping

from app import audit
from app.audit import Entry
from app.database import Tx
from app.realtime import log
from app.realtime.facts import SecurityEvent
from app.realtime.shots import AuditShot


def tell(
    tx: Tx, entry: Entry, title: str, asked: Mapping[str, str] | None = None
) -> None:
    """Write an entry to the customer's chain and its event to the customer's stream.

    Args:
        tx: the effect's transaction.
        entry: an entry with a customer.
        title: one sentence for the customer; holds no secret.
        asked: the challenge that waits for each phone, by outside ids.
    """
    audit.append(tx, entry)
    assert entry.customer is not None  # noqa: S101  -- alerts go to somebody
    shot = AuditShot(
        id=str(entry.id),
        at=entry.at,
        actor=audit.spoken(entry.actor_kind),
        action=entry.action,
        object=entry.object,
        outcome=audit.ended(entry.outcome, entry.code),
        device=str(entry.device) if entry.device else None,
        address=entry.address,
    )
    fact = SecurityEvent(
        customer=entry.customer,
        occurred_at=entry.at,
        entry=shot,
        title=title,
        action_url="sixpence://approve" if asked else None,
        asked=dict(asked or {}),
    )
    log.append(tx, fact)
