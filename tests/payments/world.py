"""A bank with customers, phones and money, in plain words, for the payments' tests.

Everything is the real thing but the rail's line to the core, which tests may cut.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from app import database
from app.accounts.account import Account
from app.accounts.accounts import Accounts, Opening
from app.accounts.balances import Balances
from app.auth import signing
from app.auth.actor import Actor, Level, Origin
from app.auth.challenge import Challenge, FactorResponse
from app.auth.challenges import Challenges
from app.auth.directory import Directory
from app.auth.errors import StepUpRequired
from app.auth.keys import jwk_of
from app.auth.lockout import Lockout
from app.auth.outcomes import Outcomes
from app.auth.revocations import Revocations
from app.auth.sessions import Sessions
from app.auth.signing_ring import SigningRing
from app.auth.standing import Customers, NewCustomer, Staff
from app.auth.step_up import StepUps
from app.auth.throttle import Throttle
from app.auth.tokens import AccessTokens
from app.clock import StoppedClock
from app.ids import CustomerId, DeviceId, PaymentId, SessionId, uuid7
from app.integrations.core_banking import AccountKind, AccountState
from app.integrations.core_banking.embedded import EmbeddedCore
from app.integrations.counters.memory import MemoryCounters
from app.integrations.identity.embedded import EmbeddedIdentity
from app.integrations.outcome import Ok, OpRef
from app.integrations.rails.on_us import OnUs
from app.money import Money
from app.payments.address_book import AddressBook
from app.payments.beneficiary import Beneficiary, BeneficiaryRequest
from app.payments.intake import Intake
from app.payments.jobs import Jobs
from app.payments.limits import Limits
from app.payments.passage import LEASE_S, Passage
from app.payments.payee_changes import PayeeChanges
from app.payments.payees import Payees
from app.payments.payment import Payment, PaymentRequest
from app.payments.transfers import Transfers
from app.realtime import log
from app.realtime.facts import Fact
from app.settings import Settings
from app.vault import Vault
from tests.payments.binding import Standing, bind, payees_of
from tests.payments.line import Line

BANK_CODE = "SIXP0000001"
_DESK = Staff(name="Test desk", reason="a test needs people")


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A bound phone whose customer is signed in."""

    actor: Actor
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    secret: bytes = field(repr=False)

    def answer(self, challenge: Challenge) -> tuple[str, FactorResponse]:
        """Sign what the bank stores, and prove the person."""
        return self.answer_to(challenge.message)

    def answer_to(self, message: bytes) -> tuple[str, FactorResponse]:
        """Sign any bytes, as a phone that was shown something else would."""
        signature = signing.b64u(signing.sign(self.key, message))
        digest = signing.sha256(message)
        proof = signing.mpin_proof(self.secret, str(self.actor.device), digest)
        return signature, FactorResponse(mpin_proof=signing.b64u(proof))

    def with_wrong_pin(self, challenge: Challenge) -> tuple[str, FactorResponse]:
        """Sign rightly, and type another PIN."""
        stranger = replace(self, secret=secrets.token_bytes(32))
        proof = stranger.answer(challenge)[1]
        return self.answer(challenge)[0], proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """Every service the payments room meets."""

    clock: StoppedClock
    settings: Settings
    vault: Vault
    core: EmbeddedCore
    line: Line
    accounts: Accounts
    balances: Balances
    customers: Customers
    challenges: Challenges
    step_ups: StepUps
    payees: Payees
    limits: Limits
    payee_changes: PayeeChanges
    passage: Passage
    transfers: Transfers
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
        found = await self.transfers.of_bank(payment)
        assert found is not None
        return found

    async def carried_on(self) -> None:
        """Let the lease run out and the worker take its turn."""
        self.clock.move(seconds=LEASE_S + 1)
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


def _auth(
    settings: Settings, clock: StoppedClock, vault: Vault
) -> tuple[Sessions, Challenges, StepUps, Throttle]:
    """Wire the room that knows who holds which phone."""
    ring = SigningRing(clock, vault)
    tokens = AccessTokens(clock=clock, settings=settings, ring=ring)
    revocations = Revocations(clock=clock, settings=settings)
    sessions = Sessions(
        clock=clock,
        settings=settings,
        vault=vault,
        tokens=tokens,
        revocations=revocations,
    )
    lockout = Lockout(sessions=sessions, device_tries=settings.device_tries)
    challenges = Challenges(
        clock=clock, settings=settings, vault=vault, lockout=lockout
    )
    throttle = Throttle(settings=settings, counters=MemoryCounters(clock))
    step_ups = StepUps(
        clock=clock,
        settings=settings,
        challenges=challenges,
        sessions=sessions,
        throttle=throttle,
    )
    return sessions, challenges, step_ups, throttle


@asynccontextmanager
async def open_bank(
    settings: Settings, clock: StoppedClock, vault: Vault
) -> AsyncIterator[Bank]:
    """Wire a bank as `bank.py` does, over the test's own database."""
    core = EmbeddedCore(clock)
    line = Line(OnUs(core))
    sessions, challenges, step_ups, throttle = _auth(settings, clock, vault)
    accounts = Accounts(
        core=core, core_name="embedded", vault=vault, bank_code=BANK_CODE
    )
    balances = Balances(core=core)
    customers = Customers(
        clock=clock,
        vault=vault,
        directory=Directory(vault),
        identity=EmbeddedIdentity(settings=settings, vault=vault),
    )
    book = AddressBook(vault)
    payees, payee_changes = payees_of(
        settings, clock, book, accounts, (sessions, step_ups)
    )
    limits = Limits(
        settings=settings,
        clock=clock,
        accounts=accounts,
        step_ups=step_ups,
        outcomes=Outcomes(clock=clock, vault=vault, kept_s=settings.outcome_s),
    )
    passage = Passage(clock=clock, accounts=accounts, book=book, rail=line)
    intake = Intake(
        accounts=accounts, balances=balances, customers=customers, payees=payees
    )
    transfers = Transfers(
        settings=settings,
        clock=clock,
        intake=intake,
        limits=limits,
        passage=passage,
        challenges=challenges,
        sessions=sessions,
        throttle=throttle,
    )
    async with transfers:
        yield Bank(
            clock=clock,
            settings=settings,
            vault=vault,
            core=core,
            line=line,
            accounts=accounts,
            balances=balances,
            customers=customers,
            challenges=challenges,
            step_ups=step_ups,
            payees=payees,
            limits=limits,
            payee_changes=payee_changes,
            passage=passage,
            transfers=transfers,
            jobs=Jobs(clock=clock, transfers=transfers, passage=passage),
        )
