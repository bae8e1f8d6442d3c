"""A "no" leaves nothing behind but its audit entry, in a transaction of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app import audit
from app.auth.actor import Actor
from app.auth.errors import StepUpRequired
from app.clock import Clock
from app.errors import Refusal


@asynccontextmanager
async def kept(
    actor: Actor,
    action: str,
    clock: Clock,
    subject: str | None = None,
) -> AsyncIterator[None]:
    """Write an audit entry when what runs inside is refused, then go on refusing.

    A step-up that is asked for is not a "no": it leaves no entry.

    Args:
        actor: who asked.
        action: name of the act, for example `payment.created`.
        clock: tells when.
        subject: outside id of what it was about.

    Raises:
        Outage: the entry could not be kept, so the answer is "not now".
    """
    try:
        yield
    except StepUpRequired:
        raise
    except Refusal as refusal:
        entry = actor.entry(
            action,
            clock.now(),
            object=subject,
            outcome=audit.Outcome.DENIED,
            code=refusal.code,
        )
        await audit.denied(entry)
        raise
