"""One payment followed: as it is, then after each of its changes.

Registered before it is read, so no change falls between; each change has the number of
its line in the timeline, so none that the reading already held comes again.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.ids import CustomerId
from app.realtime.facts import PaymentChanged
from app.realtime.hub import Hub
from app.realtime.logged import LoggedEvent
from app.realtime.stream import Lost, TooSlow

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """A payment as it was read, and the number of the last line it may hold."""

    payment: T
    step: int


Read = Callable[[], Awaitable[Reading[T] | None]]


async def payment_changes(
    hub: Hub, customer: CustomerId, payment: str, read: Read[T]
) -> AsyncGenerator[T | PaymentChanged, None]:
    """Yield a payment as it is now, then each change of it, for ever.

    Ends at once, without a value, when the reading finds none.

    Args:
        hub: of this process.
        customer: whose payment; decided by `read`.
        payment: its outside id.
        read: reads it; called after the reader registered, and again after a loss.
    """
    shown = -1
    async with hub.join(customer) as reader:
        await hub.begin(reader, None)
        reading = await read()
        while reading is not None:
            if reading.step > shown:
                shown = reading.step
                yield reading.payment
            try:
                while True:
                    event = await hub.take(reader)
                    if event is None:
                        await reader.wait()
                    elif (change := _change(event, payment, shown)) is not None:
                        shown = max(shown, change.step.no)
                        yield change
            except (Lost, TooSlow):
                await hub.begin(reader, None)
                reading = await read()


def _change(event: LoggedEvent, payment: str, shown: int) -> PaymentChanged | None:
    fact = event.fact
    if not isinstance(fact, PaymentChanged) or fact.payment.id != payment:
        return None
    # 0: written by a process of the build before, in a rolling restart.
    return fact if fact.step.no > shown or not fact.step.no else None
