"""A small contract and a bank that is not there, for tests of the edge alone."""

import asyncio
from collections.abc import AsyncIterator, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import strawberry

from app import ids
from app.auth.actor import Actor, Level, Origin
from app.auth.dpop import Proof
from app.auth.keys import Jwk
from app.clock import StoppedClock
from app.errors import (
    DpopInvalid,
    DpopReplayed,
    Outage,
    RateLimited,
    RequestFault,
    TooManyRequests,
    Unauthenticated,
    UseDpopNonce,
    ValidationFailed,
)
from app.ids import CustomerId, DeviceId, SessionId
from app.schema import guards, paging, refusals, root, scalars
from app.schema.context import Context, Info
from app.schema.execution import Engine
from app.schema.guards import AuthLevel
from app.schema.refusals import UserError
from app.schema.scalars import IdempotencyKey, Int64, Money, MoneyInput
from app.settings import Settings
from tests.conftest import settings_with

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECRET = "the-inside-of-the-bank"  # what no answer may ever show


@strawberry.type
class Row:
    """One row with a way down."""

    number: int

    @scalars.field()
    def below(self) -> "Row":
        """Give a row again, as deep as one likes."""
        return Row(number=self.number + 1)

    @scalars.field()
    def beside(self) -> list["Row"]:
        """Give two rows."""
        return [Row(number=1), Row(number=2)]


@strawberry.type
class Query:
    """Questions at every level."""

    @guards.query(level=AuthLevel.ANONYMOUS, cost=1, description="Answers pong.")
    def ping(self, text: str = "pong", size: int | None = 5) -> str:
        """Answer what was said."""
        return text * (1 if size else 0)

    @guards.query(level=AuthLevel.ANONYMOUS, cost=1, description="Goes deep.")
    def row(self) -> Row:
        """Give a row."""
        return Row(number=1)

    @guards.query(level=AuthLevel.ANONYMOUS, cost=1, description="A page.")
    def rows(self, first: int | None = 25) -> paging.Connection[Row]:
        """Give a page of rows."""
        size = paging.size(first, 25)
        return paging.page(
            [Row(number=one) for one in range(min(size, 3))],
            shape=lambda row: row,
            at=lambda _row: paging.Position(NOON, ids.uuid7()),
            has_next=False,
        )

    @guards.query(level=AuthLevel.DEVICE, cost=1, description="For phones.")
    def phone(self) -> str:
        """Answer a phone."""
        return "phone"

    @guards.query(level=AuthLevel.LOGIN, cost=1, description="For the signed-in.")
    def mine(self) -> str:
        """Answer the customer."""
        return "mine"

    @guards.query(
        level=AuthLevel.LOGIN, cost=1, scope="payments", description="With a scope."
    )
    def scoped(self) -> str:
        """Answer a token with the scope."""
        return "scoped"

    @guards.query(level=AuthLevel.ANONYMOUS, cost=1, description="Breaks.")
    def boom(self) -> str:
        """Fail as a bug does."""
        raise RuntimeError(SECRET)

    @guards.query(level=AuthLevel.ANONYMOUS, cost=1, description="Breaks in part.")
    def crack(self) -> str | None:
        """Fail as a bug does, in a field that may be null."""
        raise RuntimeError(SECRET)

    @guards.query(level=AuthLevel.ANONYMOUS, cost=1, description="A lost refusal.")
    def lost(self) -> str:
        """Let a refusal escape, which is a bug."""
        raise ValidationFailed(SECRET)

    @guards.query(level=AuthLevel.ANONYMOUS, cost=1, description="A bad cursor.")
    def page(self, after: str) -> str:
        """Read a cursor."""
        paging.decode(after)
        return "read"

    @guards.query(level=AuthLevel.ANONYMOUS, cost=1, description="Takes too long.")
    async def slow(self) -> str:
        """Never answer."""
        await asyncio.Event().wait()
        return "late"

    @scalars.field(description="Nobody marked it.")
    def bare(self) -> str:
        """Answer without marks."""
        return "bare"


@strawberry.input
class MoveInput:
    """What a move needs."""

    idempotency_key: IdempotencyKey
    amount: MoneyInput
    outcome: str = "fine"
    count: Int64 | None = None


@strawberry.type
class MovePayload:
    """What a move answers."""

    moved: Money | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class Mutation:
    """Moves at several levels."""

    @guards.mutation(
        level=AuthLevel.LOGIN, cost=1200, scope="payments", description="Moves money."
    )
    async def move(self, info: Info, input: MoveInput) -> MovePayload:  # noqa: A002  -- the contract's name
        """Move, or refuse as the input says."""
        return await refusals.answered(MovePayload, _move(info.context, input))

    @guards.mutation(level=AuthLevel.ANONYMOUS, cost=100, description="Opens.")
    async def start(self) -> str:
        """Start."""
        return "started"

    @guards.mutation(level=AuthLevel.DEVICE, cost=20, description="Allowed anywhere.")
    async def events_ack(self) -> str:
        """Acknowledge."""
        return "acked"


@strawberry.type
class Subscription:
    """Streams."""

    @guards.subscription(level=AuthLevel.ANONYMOUS, cost=20, description="Counts.")
    async def ticks(self, up_to: int) -> AsyncIterator[int]:
        """Count; break at thirteen, refuse at fourteen."""
        for number in range(up_to):
            if number == 13:
                raise RuntimeError(SECRET)
            yield number

    @guards.subscription(level=AuthLevel.LOGIN, cost=20, description="Own stream.")
    async def own(self) -> AsyncIterator[int]:
        """Give one number to the signed-in."""
        yield 1


async def _move(context: Context, wanted: MoveInput) -> MovePayload:
    bank = cast("Any", context.bank)
    if wanted.outcome == "limited":
        raise RateLimited(30)
    if wanted.outcome == "invalid":
        raise ValidationFailed("Too much.", field=["amount"])
    if wanted.outcome == "foreign":
        ids.AccountId.parse("nonsense")
    if wanted.outcome == "outage":
        raise Outage(SECRET, component="TRANSFERS", retry_after_s=7)
    if wanted.outcome == "bug":
        raise RuntimeError(SECRET)
    bank.moves.append(wanted.idempotency_key)
    return MovePayload(moved=Money.of(wanted.amount.amount()))


SCHEMA = root.built(
    (
        SimpleNamespace(
            Query=Query,
            Mutation=Mutation,
            Subscription=Subscription,
            KINDS=refusals.KINDS,
        ),
    )
)

PROOF = Proof("thumb", Jwk("x", "y"), covers_body=True)
LOOSE = Proof("thumb", Jwk("x", "y"), covers_body=False)


def origin(request_id: str = "0123456789abcdef") -> Origin:
    """Give where a test's request comes from."""
    return Origin(request_id=request_id, address="192.0.2.1")


def nobody() -> Actor:
    """Give a caller who proved nothing."""
    return Actor(origin=origin())


def stranger() -> Actor:
    """Give a caller with a good proof of a key nobody bound."""
    return Actor(origin=origin(), proof=PROOF)


def phone(proof: Proof = PROOF) -> Actor:
    """Give a bound phone whose person is unknown."""
    return Actor(
        origin=origin(),
        level=Level.DEVICE,
        customer=CustomerId.new(),
        device=DeviceId.new(),
        proof=proof,
    )


def asha(scopes: Sequence[str] = ("payments",), proof: Proof = PROOF) -> Actor:
    """Give a signed-in customer."""
    return Actor(
        origin=origin(),
        level=Level.LOGIN,
        customer=CustomerId.new(),
        device=DeviceId.new(),
        session=SessionId.new(),
        proof=proof,
        scopes=frozenset(scopes),
    )


_FAULTS: dict[str, RequestFault] = {
    "expired": Unauthenticated("TOKEN_EXPIRED"),
    "replayed": DpopReplayed(),
    "invalid": DpopInvalid(),
    "nonce": UseDpopNonce(),
    "crowded": TooManyRequests(11),
}


@dataclass
class FakeCallers:
    """Knows callers by name: the header is `DPoP <name>`."""

    charged: list[int] = field(default_factory=list)
    empty: bool = False
    bodies: list[bytes] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)

    def nonce(self) -> str:
        """Give the nonce."""
        return "nonce-of-now"

    async def http(
        self, sent: Origin, authorization: str | None, dpop: Sequence[str], body: bytes
    ) -> Actor:
        """Recognise a caller."""
        self.bodies.append(body)
        self.origins.append(sent)
        name = (authorization or "").removeprefix("DPoP ")
        if name in _FAULTS:
            raise _FAULTS[name]
        if name == "down":
            raise Outage(SECRET, retry_after_s=3)
        if name == "bug":
            raise RuntimeError(SECRET)
        proof = PROOF if dpop else LOOSE
        return {"asha": asha(proof=proof), "phone": phone(proof)}.get(name, nobody())

    async def charge(self, _actor: Actor, points: int) -> None:
        """Take the points, or refuse."""
        if self.empty:
            raise TooManyRequests(9)
        self.charged.append(points)


@dataclass
class FakeSessions:
    """Notes who was active."""

    touched: list[Actor] = field(default_factory=list)

    async def touch(self, actor: Actor) -> None:
        """Note an operation."""
        self.touched.append(actor)


@dataclass
class FakeBank:
    """As much of a bank as the edge needs."""

    settings: Settings
    clock: StoppedClock = field(default_factory=lambda: StoppedClock(NOON))
    callers: FakeCallers = field(default_factory=FakeCallers)
    sessions: FakeSessions = field(default_factory=FakeSessions)
    moves: list[str] = field(default_factory=list)


def a_bank(**chosen: Hashable) -> FakeBank:
    """Make a bank with settings for tests."""
    return FakeBank(settings_with(**chosen))


def an_engine(bank: FakeBank, schema: strawberry.Schema = SCHEMA) -> Engine:
    """Make the engine of a bank."""
    return Engine(schema, bank.settings, bank.clock, bank.callers.charge)


def a_context(bank: FakeBank, actor: Actor | None = None) -> Context:
    """Make the context of one operation."""
    caller = actor or nobody()
    return Context(cast("Any", bank), caller, caller.origin.request_id)
