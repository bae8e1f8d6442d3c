"""A bank with customers, phones and money, in plain words, for the payments' tests.

Everything is the real thing but the rail's line to the core, which tests may cut.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from app import database
from app.accounts.account import Account
from app.accounts.accounts import Opening
from app.auth.actor import Actor, Level, Origin
from app.auth.challenge import Challenge
from app.auth.errors import StepUpRequired
from app.auth.keys import jwk_of
from app.auth.standing import NewCustomer, Staff
from app.clock import StoppedClock
from app.ids import CustomerId, DeviceId, PaymentId, SessionId, uuid7
from app.integrations.core_banking import AccountKind, AccountState
from app.integrations.fraud.rules import OURS, Rules
from app.integrations.outcome import Ok, OpRef
from app.money import Money
from app.payments import records
from app.payments.beneficiary import Beneficiary, BeneficiaryRequest
from app.payments.callbacks import Callbacks
from app.payments.jobs import Jobs
from app.payments.passage import LEASE_S, Passage
from app.payments.payment import Payment, PaymentRequest
from app.payments.quotes import Quotes
from app.payments.reviews import Reviews
from app.payments.screening import Screening
from app.payments.transfers import Transfers
from app.realtime import log
from app.realtime.facts import Fact
from app.settings import Settings
from app.vault import Vault
from tests.payments.binding import Standing, bind
from tests.payments.faults import Outside
from tests.payments.handset import Phone
from tests.payments.judge import Judge
from tests.payments.rooms import Rooms, rooms_of

_DESK = Staff(name="Test desk", reason="a test needs people")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank(Rooms):
    """Every service the payments room meets."""

    passage: Passage
    transfers: Transfers
    quotes: Quotes
    callbacks: Callbacks
    judge: Judge
    reviews: Reviews
    jobs: Jobs

    # -------------------------------------------------------------- people and money

    async def a_customer(self, name: str) -> CustomerId:
        """Add a customer."""
        phone = f"+9198{secrets.randbelow(10**8):08d}"
        added = await self.customers.add(_DESK, NewCustomer(name=name, phone=phone))
        return added.id

    async def an_account(
        self,
        customer: CustomerId,
        minor: int = 0,
        *,
        name: str = "Current",
        currency: str = "INR",
    ) -> Account:
        """Open an account with money on it."""
        account = await self.accounts.open_account(
            Opening(
                customer=customer,
                kind=AccountKind.CURRENT,
                name=name,
                currency=currency,
                number=a_number(),
            )
        )
        if minor:
            amount = Money(minor, currency)
            op = OpRef(uuid7(), secrets.token_bytes(32))
            await self.core.deposit(op, account.ref, amount, "Opening")
        return account

    async def a_phone(
        self,
        customer: CustomerId,
        *,
        cools_for: timedelta | None = None,
        grade: str = "NONE",
        good_for: timedelta | None = None,
    ) -> Phone:
        """Bind a phone with an mPIN and sign in on it.

        Args:
            customer: whose.
            cools_for: what is left of its waiting time; None: it is over.
            grade: what it proved about itself.
            good_for: how long that counts; None: for ever.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        secret = secrets.token_bytes(32)
        actor = Actor(
            origin=Origin(request_id="0" * 16, address="127.0.0.1"),
            level=Level.LOGIN,
            customer=customer,
            device=DeviceId.new(),
            session=SessionId.new(),
            scopes=frozenset({"payments"}),
            locale="en-IN",
        )
        now = self.clock.now()
        standing = Standing(
            cooling_until=None if cools_for is None else now + cools_for,
            grade=grade,
            good_until=None if good_for is None else now + good_for,
        )
        jwk = jwk_of(key.public_key())
        sealed = self.vault.seal("mpin_secret", str(actor.device), secret)
        await database.transaction(
            lambda tx: bind(tx, actor, now, jwk, sealed, standing),
            name="tests.bind",
        )
        return Phone(actor=actor, key=key, secret=secret)

    async def a_payee(
        self, phone: Phone, account: Account, name: str = "Ben Okafor"
    ) -> Beneficiary:
        """Save somebody's account as a payee, with the step-up it needs."""
        request = await self.payee_request(account, name=name)
        await self.approve_payee(phone, request)
        return (await self.payees.create(phone.actor, request)).beneficiary

    async def approve_payee(self, phone: Phone, request: BeneficiaryRequest) -> None:
        """Answer the step-up that saving a payee asks for."""
        try:
            await self.payees.create(phone.actor, request)
        except StepUpRequired as needed:
            await self.step_ups.answer(
                phone.actor, needed.challenge.id, *phone.answer(needed.challenge)
            )

    async def payee_request(
        self, account: Account, *, name: str = "Ben Okafor", nickname: str = "Ben"
    ) -> BeneficiaryRequest:
        """Ask for a payee with the full number of somebody's account."""
        owner = a_staff_view(account.customer)
        numbers = await self.accounts.numbers(owner, [account.id])
        return BeneficiaryRequest(
            key=a_key(),
            nickname=nickname,
            name=name,
            account_number=numbers[account.id],
        )

    async def block(self, account: Account, state: AccountState) -> None:
        """Block an account, as staff does."""
        op = OpRef(uuid7(), secrets.token_bytes(32))
        outcome = await self.accounts.set_state(op, account, state)
        assert isinstance(outcome, Ok)

    # -------------------------------------------------------------- looking

    async def available(self, account: Account) -> int:
        """Give the available minor units of an account."""
        return (await self.balances.of([account]))[account.id].available.minor

    async def challenge(self, phone: Phone, payment: Payment) -> Challenge:
        """Give the open challenge of a payment, as the phone reads it."""
        found = await self.transfers.challenge_of(phone.actor, payment)
        assert found is not None
        return found

    async def pay(self, phone: Phone, request: PaymentRequest) -> Payment:
        """Create a payment and approve it."""
        created = await self.transfers.create(phone.actor, request)
        challenge = await self.challenge(phone, created.payment)
        return await self.transfers.approve(
            phone.actor, challenge.id, *phone.answer(challenge)
        )

    async def now(self, payment: PaymentId) -> Payment:
        """Give a payment as it stands."""
        found = await records.find(payment)
        assert found is not None
        return found

    async def carried_on(self) -> None:
        """Let leases and waiting times run out and the worker take its turn."""
        now = self.clock.now()
        row = await database.read_one("SELECT max(lease_until) AS last FROM payment")
        last = (row and row.find("last", datetime)) or now
        self.clock.move(seconds=max((last - now).total_seconds(), LEASE_S) + 1)
        await self.jobs.turn()

    async def everything_of(self, *tables: str) -> dict[str, int]:
        """Count the rows of tables, to see that nothing moved."""
        counts = {}
        for table in tables:
            row = await database.read_one(f"SELECT count(*) AS n FROM {table}")  # noqa: S608  -- our own names
            counts[table] = 0 if row is None else row.get("n", int)
        return counts


def a_key() -> str:
    """Make an idempotency key, as a phone does."""
    return str(uuid7())


def a_number() -> str:
    """Make an account number."""
    return f"5010{secrets.randbelow(10**10):010d}"


def a_staff_view(customer: CustomerId) -> Actor:
    """Give somebody who may read a customer's accounts."""
    origin = Origin(request_id="0" * 16, address="127.0.0.1")
    return Actor(origin=origin, level=Level.LOGIN, customer=customer)


def inr(minor: int) -> Money:
    """Give paise as money."""
    return Money(minor, "INR")


async def facts_of(customer: CustomerId) -> list[Fact]:
    """Give everything the customer's phones were told, oldest first."""
    return [event.fact for event in await log.read_after(customer, 0, 500)]


NOTHING_MOVED = (
    "payment",
    "payment_op",
    "payment_step",
    "beneficiary",
    "challenge",
    "idempotency",
    "customer_event",
    "ledger_journal",
)


@asynccontextmanager
async def open_bank(
    settings: Settings,
    clock: StoppedClock,
    vault: Vault,
    outside: Outside | None = None,
) -> AsyncIterator[Bank]:
    """Wire a bank as `bank.py` does, over the test's own database."""
    rooms = rooms_of(settings, clock, vault, outside)
    passage = Passage(
        clock=clock,
        accounts=rooms.accounts,
        book=rooms.book,
        core=outside.core(rooms.core) if outside else rooms.core,
        rails=rooms.rails,
    )
    judge = Judge(Rules(OURS.read_text(), settings.limit_factor))
    screening = Screening(settings=settings, clock=clock, engine=judge)
    transfers = Transfers(
        settings=settings,
        clock=clock,
        intake=rooms.intake,
        screening=screening,
        limits=rooms.limits,
        passage=passage,
        challenges=rooms.challenges,
        sessions=rooms.sessions,
        throttle=rooms.throttle,
    )
    quotes = Quotes(
        clock=clock,
        intake=rooms.intake,
        screening=screening,
        limits=rooms.limits,
        checks=rooms.name_checks,
        challenges=rooms.challenges,
        offers=rooms.offers,
    )
    async with transfers:
        yield Bank(
            **{one.name: getattr(rooms, one.name) for one in fields(rooms)},
            passage=passage,
            transfers=transfers,
            quotes=quotes,
            callbacks=Callbacks(
                clock=clock, vault=vault, rails=rooms.rails, hears=passage
            ),
            judge=judge,
            reviews=Reviews(
                settings=settings, clock=clock, passage=passage, engine=judge
            ),
            jobs=Jobs(clock=clock, transfers=transfers, passage=passage),
        )
