"""One payment followed: read after registering, no change twice, none lost."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from app.clock import StoppedClock
from app.ids import CustomerId
from app.realtime import hub as hub_module
from app.realtime import shots
from app.realtime.facts import PaymentChanged
from app.realtime.progress import Reading, payment_changes
from app.settings import Settings
from tests.realtime.patience import until
from tests.realtime.world import (
    NOW,
    account_shot,
    balance_fact,
    next_of,
    record,
    running_hub,
)

PAY = "pay_1"


def change(customer: CustomerId, no: int, payment: str = PAY) -> PaymentChanged:
    shot = shots.PaymentShot(
        id=payment,
        status="SUBMITTED",
        from_account=account_shot(),
        payee=shots.CounterpartyShot(name="Ben"),
        amount=1050,
        fee=0,
        currency="INR",
        rail="INTERNAL",
        created_at=NOW,
    )
    step = shots.StepShot(at=NOW, status="SUBMITTED", source="CORE", no=no)
    return PaymentChanged(customer=customer, occurred_at=NOW, payment=shot, step=step)


@dataclass
class Book:
    """Answers the payment as of a line of its timeline; may do something first."""

    step: int | None
    before: Callable[[], Awaitable[None]] | None = None
    read: list[int] = field(default_factory=list)

    async def now(self) -> Reading[str] | None:
        if self.before is not None:
            await self.before()
        if self.step is None:
            return None
        self.read.append(self.step)
        return Reading(f"read at {self.step}", self.step)


async def shown(followed: AsyncIterator[str | PaymentChanged]) -> str | int:
    item = await next_of(followed)
    return item.step.no if isinstance(item, PaymentChanged) else item


async def test_the_payment_comes_first_then_each_change_of_it_and_of_no_other(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()

    async with running_hub(ours, clock) as hub:
        followed = payment_changes(hub, customer, PAY, Book(1).now)
        async with aclosing(followed):
            seen = [await shown(followed)]
            await record(
                change(customer, 2, "pay_2"),
                balance_fact(customer),
                change(customer, 2),
            )
            await record(change(customer, 3))
            seen += [await shown(followed), await shown(followed)]
        assert hub.readers == 0

    assert seen == ["read at 1", 2, 3]


async def test_a_change_between_registration_and_reading_comes_once(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()

    async def meanwhile() -> None:
        await record(change(customer, 2), change(customer, 3))

    async with running_hub(ours, clock) as hub:
        book = Book(2, meanwhile)  # it saw line 2, and line 3 came right after
        followed = payment_changes(hub, customer, PAY, book.now)
        async with aclosing(followed):
            seen = [await shown(followed) for _ in range(2)]
            await record(change(customer, 0))  # of a process that counts no lines yet
            seen.append(await shown(followed))
            await record(change(customer, 4))
            seen.append(await shown(followed))

    assert seen == ["read at 2", 3, 0, 4]


async def test_what_the_reading_does_not_find_ends_at_once(
    ours: Settings, clock: StoppedClock
) -> None:
    async with running_hub(ours, clock) as hub:
        followed = payment_changes(hub, CustomerId.new(), PAY, Book(None).now)
        found = [one async for one in followed]
        assert hub.readers == 0

    assert found == []


async def test_after_a_loss_it_is_read_again_and_shown_only_if_it_moved(
    ours: Settings, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "_LAG_MAX", 20)
    customer, book = CustomerId.new(), Book(1)

    async with running_hub(ours, clock) as hub:

        async def fall_behind() -> None:
            watch = hub._watches[customer]  # noqa: SLF001  -- the tail is inside
            behind = watch.last + 70  # more than a tail holds
            await record(*(balance_fact(customer) for _ in range(70)))
            await until(lambda: watch.last == behind, 20)

        followed = payment_changes(hub, customer, PAY, book.now)
        async with aclosing(followed):
            seen = [await shown(followed)]
            await fall_behind()
            book.before = lambda: record(change(customer, 2))  # right before it looks
            seen.append(await shown(followed))
            book.before, book.step = None, 5
            await fall_behind()
            seen.append(await shown(followed))

    assert seen == ["read at 1", 2, "read at 5"]
    assert book.read == [1, 1, 5]
