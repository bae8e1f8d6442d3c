"""A whole bank process for the live benches, with a tap that commits events.

`python -m bench.live_bank` reads one line of JSON (`Order`), serves the phones as
`python -m app serve` does, and answers with one line: its customers and their tokens.
Then each line is a wish:

    publish N FIRST COUNT   one transaction: an event to each of COUNT customers
    hold N FIRST COUNT      the same, but nobody is told yet
    release N               now they are: the hints go to the announcer
    pay N FROM TO           one transaction with the events of a settled transfer
    stamps                  answers when each N was committed, CLOCK_MONOTONIC ns
    nonce                   answers a nonce for proofs

The events go the way of all events: `log.append`, heads, rows, commit, hint. What is
held is committed too; only its hints wait, so that a turn can measure what comes after
a commit without the commit.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self, TypeVar

import uvloop

from app import database, main, upgrade
from app import settings as app_settings
from app.accounts import completing
from app.accounts.accounts import Opening
from app.auth.keys import Jwk, read_jwk
from app.auth.standing import Added, NewCustomer, Staff
from app.auth.tokens import AccessTokens, Claims
from app.bank import Bank, open_bank
from app.database import Tx
from app.ids import CustomerId, DeviceId, SessionId
from app.integrations.core_banking import AccountKind
from app.realtime import log
from app.realtime.announce import Announcement
from bench import live_facts
from bench.live_facts import Owner

STAFF = Staff(name="bench", reason="seed of a measurement")
AT_ONCE = 4  # transfers; what is asked for meanwhile waits its turn
TOKEN_LIFE = timedelta(hours=2)
FIRST_NUMBER = 20_000_001
BoundPhone = tuple[CustomerId, DeviceId, Jwk]
_BURST: ContextVar[int | None] = ContextVar("_BURST", default=None)


@dataclass(frozen=True, slots=True)
class Order:
    """What the bench asks for.

    Args:
        jwks: public keys of the phones of each new customer.
        owners: the customers of before, when the bank starts again.
    """

    jwks: list[list[dict[str, str]]]
    owners: list[Owner]

    @classmethod
    def read(cls, line: str) -> Self:
        """Read the first line."""
        raw = json.loads(line)
        return cls(raw["jwks"], [Owner(*one) for one in raw["owners"]])


Asked = TypeVar("Asked", bound=Order)
Seed = Callable[[Bank, Asked], Awaitable[tuple[list[Owner], list[list[str]]]]]


@dataclass(slots=True)
class Tap:
    """Commits what is asked for."""

    bank: Bank
    owners: list[Owner]
    stamps: dict[int, int] = field(default_factory=dict)
    held: dict[int, list[Announcement]] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def announce(self, item: Announcement) -> None:
        """Stand between log and announcer."""
        number = _BURST.get()
        if number is None:
            self.bank.announcer.announce(item)
        else:
            self.held.setdefault(number, []).append(item)

    async def obey(self, line: str) -> None:
        """Do one wish."""
        word, *rest = line.split()
        numbers = [int(one) for one in rest]
        if word == "publish":
            await self._publish(*numbers)
        elif word == "hold":
            _BURST.set(numbers[0])  # each wish is a task with a context of its own
            await self._publish(*numbers)
        elif word == "release":
            for item in self.held.pop(numbers[0]):
                self.bank.announcer.announce(item)
        elif word == "pay":
            await self._pay(*numbers)
        elif word == "stamps":
            print(json.dumps(self.stamps), flush=True)
            self.stamps = {}
        elif word == "nonce":
            print(json.dumps({"nonce": self.bank.callers.nonce()}), flush=True)

    async def _publish(self, number: int, first: int, count: int) -> None:
        now = self.bank.clock.now()

        async def work(tx: Tx) -> None:
            for place in range(first, first + count):
                owner = self.owners[place % len(self.owners)]
                log.append(tx, live_facts.balance(owner, number, now))
            tx.after_commit(lambda: self._stamp(number))

        async with self.turn:  # in the order in which they are told
            await database.transaction(work, name="bench.publish")

    async def _pay(self, number: int, payer: int, payee: int) -> None:
        now = self.bank.clock.now()
        parties = self.owners[payer], self.owners[payee]

        async def work(tx: Tx) -> None:
            for fact in live_facts.transfer(*parties, number, now):
                log.append(tx, fact)
            tx.after_commit(lambda: self._stamp(number))

        async with self.room:
            await database.transaction(work, name="bench.pay")

    def _stamp(self, number: int) -> None:
        self.stamps[number] = time.monotonic_ns()


async def seeded(bank: Bank, order: Order) -> tuple[list[Owner], list[list[str]]]:
    """Make customers with an account and bound phones; gives them and their tokens."""
    news, tokens = await enrolled(bank, order.jwks)
    owners = []
    for added in news:
        account = await bank.accounts.open_account(
            Opening(
                customer=added.id,
                kind=AccountKind.CURRENT,
                name="Everyday",
                currency="INR",
                number=f"6010{added.number}01",
            )
        )
        owners.append(Owner(str(added.id), str(account.id)))
    return owners, tokens


async def enrolled(
    bank: Bank, jwks: Sequence[Sequence[dict[str, str]]]
) -> tuple[list[Added], list[list[str]]]:
    """Make customers with bound phones, no accounts; gives them and their tokens."""
    tokens = AccessTokens(clock=bank.clock, settings=bank.settings, ring=bank.ring)
    news = [
        NewCustomer(
            name=f"Customer {place}",
            phone=f"+91556{place:07d}",
            number=str(FIRST_NUMBER + place),
            locale="en-IN",
        )
        for place in range(len(jwks))
    ]
    customers = await bank.customers.add_all(STAFF, news)
    phones = [
        [(added.id, DeviceId.new(), read_jwk(dict(jwk))) for jwk in mine]
        for added, mine in zip(customers, jwks, strict=True)
    ]
    await _bind(bank, [phone for row in phones for phone in row])
    return customers, [[_token(bank, tokens, phone) for phone in row] for row in phones]


async def _bind(bank: Bank, phones: Sequence[BoundPhone]) -> None:
    """Bind phones to their keys, as an enrolment would end."""
    now = bank.clock.now()

    async def work(tx: Tx) -> None:
        for customer, device, key in phones:
            await tx.rows(
                "INSERT INTO device (id, customer_id, jkt, jwk, platform, name, "
                "attestation, state, bound_at) VALUES "
                "($1, $2, $3, $4, 'ANDROID', 'Phone', 'NONE', 'ACTIVE', $5) "
                "RETURNING id",
                *(device, customer, key.thumbprint, key.text, now),
            )

    await database.transaction(work, name="bench.bind")


def _token(bank: Bank, tokens: AccessTokens, phone: BoundPhone) -> str:
    """Sign a token for a phone, as a sign-in would end."""
    customer, device, key = phone
    now = bank.clock.now()
    return tokens.sign(
        Claims(
            customer=customer,
            session=SessionId.new(),
            device=device,
            jkt=key.thumbprint,
            signed_in_at=now,
            expires_at=now + TOKEN_LIFE,
            factor="mpin",
        )
    )


async def lines() -> AsyncIterator[str]:
    """Read stdin without a thread."""
    reader = asyncio.StreamReader(limit=1 << 26)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        yield line.decode()


async def run(kind: type[Asked], seed: Seed[Asked]) -> int:
    """Serve until stdin ends; gives the exit code.

    Args:
        kind: how the first line is read.
        seed: makes the customers it asks for, if there are any.
    """
    settings = app_settings.load()
    await upgrade.migrate(settings)
    answer: dict[str, Any] = {}

    @asynccontextmanager
    async def opened() -> AsyncIterator[Bank]:
        wishes = lines()
        order = kind.read(await anext(wishes))
        async with open_bank(settings) as bank, asyncio.TaskGroup() as group:
            owners, tokens = order.owners, list[list[str]]()
            if order.jwks:
                owners, tokens = await seed(bank, order)
            answer.update(owners=[one.pair for one in owners], tokens=tokens)
            tap = Tap(bank, owners)
            log.open_log(bank.clock, tap.announce, complete=completing.complete)
            tapping = group.create_task(_tapped(tap, wishes))
            try:
                yield bank
            finally:
                tapping.cancel()

    return await main.serve(
        settings, opener=opened, ready=lambda: print(json.dumps(answer), flush=True)
    )


async def _tapped(tap: Tap, wishes: AsyncIterator[str]) -> None:
    async with asyncio.TaskGroup() as group:
        async for line in wishes:
            group.create_task(tap.obey(line))


if __name__ == "__main__":
    sys.exit(uvloop.run(run(Order, seeded)))  # as the bank's own commands do
