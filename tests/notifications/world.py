"""Phones, facts and a provider by hand, for the tests of the notifications room."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec

from app import database
from app.auth.actor import Actor, Level, Origin
from app.auth.keys import jwk_of
from app.auth.throttle import Throttle
from app.clock import Clock, StoppedClock
from app.database import Tx
from app.ids import CustomerId, DeviceId, NotificationId, SessionId, TransactionId
from app.integrations.push import PushKind, PushMessage, PushOutcome, Sent
from app.notifications.acknowledgements import Acknowledgements
from app.notifications.addresses import Addresses, AddressWish
from app.notifications.delivery import Delivery
from app.notifications.fanout import Fanout
from app.notifications.fates import Fates
from app.notifications.inbox import Inbox
from app.realtime import log, receipts
from app.realtime.cursor import EventCursor
from app.realtime.facts import NOTIFICATIONS, Fact, SecurityEvent, TransactionPosted
from app.realtime.relay import Relay
from app.realtime.shots import AccountShot, AuditShot, CounterpartyShot, TransactionShot
from app.rows import Row
from app.settings import Settings
from app.vault import Vault

ACCOUNT = AccountShot(
    id="acc_00000000000000000000000000000001",
    kind="SAVINGS",
    name="Planted account",
    masked_number="••4711-0815",
    currency="INR",
    status="ACTIVE",
)
PLANTED = ("Planted", "4711-0815", "98765432109", "Zebulon")


class CountedTries:
    """Counters that let so many through."""

    def __init__(self, most: int = 1000) -> None:
        self.most = most
        self.asked: list[str] = []

    async def take(self, name: str, _cost: int, _most: int, _window_s: int) -> int:
        self.asked.append(name)
        return 0 if len(self.asked) <= self.most else 60

    async def first_time(self, _key: str, _keep_s: int) -> bool:
        return True

    async def close(self) -> None:
        return None


Answer = Callable[[PushMessage], PushOutcome]


class FakeProvider:
    """A provider that keeps what it got and answers as it is told."""

    kinds = frozenset({PushKind.FCM_FID, PushKind.FCM_TOKEN})

    def __init__(self) -> None:
        self.got: list[PushMessage] = []
        self.answer: Answer = lambda message: Sent(f"ref-{message.id[-4:]}")

    async def send(self, batch: Sequence[PushMessage]) -> list[PushOutcome]:
        assert not database.inside_transaction()
        self.got += batch
        await asyncio.sleep(0)
        return [self.answer(message) for message in batch]

    async def close(self) -> None:
        return None


@dataclass
class World:
    """The room wired as the bank wires it."""

    settings: Settings
    clock: StoppedClock
    vault: Vault
    provider: FakeProvider = field(default_factory=FakeProvider)
    counters: CountedTries = field(default_factory=CountedTries)

    def __post_init__(self) -> None:
        clock, vault = self.clock, self.vault
        throttle = Throttle(settings=self.settings, counters=self.counters)
        self.addresses = Addresses(clock=clock, vault=vault, throttle=throttle)
        self.acknowledgements = Acknowledgements(clock=clock, settings=self.settings)
        self.inbox = Inbox(clock=clock)
        self.fates = Fates(clock=clock)
        self.delivery = self.another_worker(self.provider)
        self.woken = 0
        self.fanout = Fanout(clock=clock, settings=self.settings, wake=self._wake)
        self.relay = Relay(clock=clock, consumer=NOTIFICATIONS, take=self.fanout.take)

    def _wake(self) -> None:
        self.woken += 1

    def another_worker(self, provider: FakeProvider) -> Delivery:
        """Give the delivery of one more process."""
        return Delivery(clock=self.clock, vault=self.vault, providers=[provider])

    async def phone(self, customer: CustomerId, address: str | None = None) -> Actor:
        """Bind a phone that is signed in; with an address it gets pushes."""
        actor = await bound(customer, self.clock)
        if address is not None:
            await self.addresses.set(actor, fcm(address))
        return actor

    async def tell(self, *facts: Fact) -> None:
        """Commit facts and let the worker fan them out."""
        await record(*facts)
        await self.relay.turn()

    async def send(self) -> None:
        """Let the worker send what is due now."""
        await self.delivery.turn()

    async def live(self, actor: Actor) -> None:
        """Let the database know that the phone listens."""
        presence = receipts.Presence(clock=self.clock)
        with presence.of(actor.known_device, actor.known_customer):
            await presence.flush()

    async def ack(self, actor: Actor, seq: int) -> None:
        """Acknowledge the customer's stream up to a number."""
        head = (await log.heads([actor.known_customer]))[actor.known_customer]
        upto = EventCursor(head.epoch, seq, head.day)
        await self.acknowledgements.take(actor, upto, [])

    def later(self, seconds: float) -> None:
        self.clock.move(seconds=seconds)


def fcm(value: str) -> AddressWish:
    return AddressWish(kind=PushKind.FCM_FID, value=value, app_id="bank.app")


def signed_out(actor: Actor) -> Actor:
    """Give the same phone at level DEVICE."""
    return Actor(
        origin=actor.origin,
        level=Level.DEVICE,
        customer=actor.customer,
        device=actor.device,
    )


async def bound(customer: CustomerId, clock: Clock) -> Actor:
    """Write a bound phone of a customer."""
    device = DeviceId.new()
    jwk = jwk_of(ec.generate_private_key(ec.SECP256R1()).public_key())

    async def work(tx: Tx) -> None:
        await tx.rows(
            "INSERT INTO device (id, customer_id, jkt, jwk, platform, name, "
            "attestation, state, bound_at) VALUES "
            "($1, $2, $3, $4, 'ANDROID', 'Phone', 'NONE', 'ACTIVE', $5) "
            "RETURNING id",
            device,
            customer,
            jwk.thumbprint,
            jwk.text,
            clock.now(),
        )

    await database.transaction(work, name="test.bind")
    return Actor(
        origin=Origin(request_id="0123456789abcdef", address="192.0.2.7"),
        level=Level.LOGIN,
        customer=customer,
        device=device,
        session=SessionId.new(),
    )


async def device_becomes(actor: Actor, state: str) -> None:
    async def work(tx: Tx) -> None:
        await tx.rows(
            "UPDATE device SET state = $2, lock_reason = $3 WHERE id = $1 RETURNING id",
            actor.known_device,
            state,
            "STAFF" if state == "LOCKED" else None,
        )

    await database.transaction(work, name="test.state")


async def record(*facts: Fact) -> None:
    """Commit facts in one transaction, as a room does."""

    async def work(tx: Tx) -> None:
        for fact in facts:
            log.append(tx, fact)

    await database.transaction(work, name="test.record")


def money(
    customer: CustomerId, clock: Clock, direction: str = "OUT"
) -> TransactionPosted:
    """Move 987.65 with a planted name on a planted account."""
    return TransactionPosted(
        customer=customer,
        occurred_at=clock.now(),
        transaction=TransactionShot(
            id=str(TransactionId.new()),
            account=ACCOUNT,
            status="BOOKED",
            kind="TRANSFER",
            direction=direction,
            amount=98765432109,
            currency="INR",
            created_at=clock.now(),
            counterparty=CounterpartyShot(name="Zebulon Planted"),
        ),
    )


def alarm(customer: CustomerId, clock: Clock) -> SecurityEvent:
    """Say something about the safety of a customer."""
    shot = AuditShot(
        id="aud_00000000000000000000000000000001",
        at=clock.now(),
        actor="CUSTOMER",
        action="mpin.set",
        outcome="OK",
    )
    return SecurityEvent(
        customer=customer,
        occurred_at=clock.now(),
        entry=shot,
        title="The PIN of Planted was set.",
    )


async def pushes(actor: Actor) -> list[Row]:
    """Read the dispatches of a phone, oldest first."""
    return await database.read(
        "SELECT * FROM push_dispatch WHERE device_id = $1 ORDER BY seq",
        actor.known_device,
    )


async def fates(actor: Actor) -> list[str]:
    """Tell the state of each push of a phone, with its reason where it has one."""
    return [
        ":".join(filter(None, (row.get("state", str), row.find("reason", str))))
        for row in await pushes(actor)
    ]


async def notifications(customer: CustomerId) -> list[NotificationId]:
    rows = await database.read(
        "SELECT id FROM inbox_item WHERE customer_id = $1 ORDER BY seq", customer
    )
    return [row.get("id", NotificationId) for row in rows]


async def address_of(actor: Actor) -> Row | None:
    """Read the newest address of a phone."""
    return await database.read_one(
        "SELECT * FROM push_address WHERE device_id = $1 ORDER BY set_at DESC, id DESC",
        actor.known_device,
    )


async def work_left() -> list[UUID]:
    rows = await database.read("SELECT id FROM event_work")
    return [row.get("id", UUID) for row in rows]


DAY = timedelta(days=1)
