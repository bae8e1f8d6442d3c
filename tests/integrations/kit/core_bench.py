"""A core bank set up to be tried: short words for what the checks say often."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from app.ids import uuid7
from app.integrations.core_banking import (
    CoreBalance,
    CoreBank,
    CoreTxn,
    Hold,
    LocalBook,
    Narrative,
    OpContext,
    OpKind,
    Posting,
    Remote,
    TxnQuery,
)
from app.integrations.outcome import Ok, OpRef, Outcome, Unknown
from app.money import Money
from tests.integrations.kit.promises import Promise, kept
from tests.integrations.kit.rig import NEEDED, CoreRig, Fault

T = TypeVar("T")
PAYER = "Asha Kulkarni-Rao"
RENT = Narrative("Rent", payer_name=PAYER, payee_name="Ben Okafor")
LONG_AGO = timedelta(hours=2)  # an op may be called NEVER_SEEN only after some minutes
ASKS = 4


def an_op() -> OpRef:
    """Name a new op."""
    return OpRef(uuid7(), b"body".ljust(32, b"."))


def other_body(op: OpRef) -> OpRef:
    """Name the same op with the fingerprint of another body."""
    return replace(op, fingerprint=b"x" * 32)


def value_of(promise: Promise, outcome: Outcome[T]) -> T:
    """Take the value out of an Ok, which a promise says it must be."""
    if not isinstance(outcome, Ok):
        kept(promise, holds=False, seen=f"{outcome} in place of Ok")
    assert isinstance(outcome, Ok)
    return outcome.value


async def close(core: object) -> None:
    """Close an adapter that can be closed."""
    if (found := getattr(core, "close", None)) is not None:
        await found()


@dataclass(frozen=True, slots=True)
class CoreBench:
    """One core, its rig, and the module that it is connected anew from."""

    module: Any  # its `Settings` and `connect`
    core: CoreBank
    rig: CoreRig

    # ------------------------------------------------------------ money

    @property
    def currency(self) -> str:
        """The usual currency."""
        return self.rig.currencies[0]

    def money(self, minor: int) -> Money:
        """Give an amount in the usual currency."""
        return Money(minor, self.currency)

    async def account(self, minor: int = 0) -> str:
        """Open an account."""
        return await self.rig.account(self.money(minor))

    async def balance(self, ref: str) -> CoreBalance:
        """Ask the adapter for one balance."""
        found = await self.core.balances([ref])
        kept(Promise.BALANCE, [one.ref for one in found] == [ref], found)
        return found[0]

    async def figures(self, ref: str) -> tuple[int, int, int]:
        """Give booked, held and available, which must be those of the books."""
        found, books = await self.balance(ref), await self.rig.books(ref)
        told = found.committed, found.held
        kept(Promise.BALANCE, told == (books.committed, books.held), (found, books))
        return found.committed.minor, found.held.minor, found.available.minor

    # ------------------------------------------------------------ writes

    async def transfer(
        self, op: OpRef, src: str, dst: str, minor: int
    ) -> Outcome[Posting]:
        """Move money."""
        return await self.core.transfer(op, src, dst, self.money(minor), RENT)

    async def hold(self, ref: str, minor: int) -> Hold:
        """Set money aside, which must work."""
        asked = await self.core.hold(an_op(), ref, self.money(minor), RENT)
        return value_of(Promise.HOLD, asked)

    def must_hold(self) -> None:
        """Leave out the test for a core without holds."""
        if not self.core.caps.holds:
            pytest.skip("this core holds nothing")

    # ------------------------------------------------------------ rows

    async def page(self, ref: str, rows: int) -> tuple[list[CoreTxn], object]:
        """Give the newest rows, and the place where the history goes on."""
        if isinstance(self.core, Remote):
            (look,) = await self.core.look([ref], rows)
            return list(look.rows), look.older
        return await self._local_page(ref, TxnQuery(first=rows))

    async def older(
        self, ref: str, place: Any, rows: int
    ) -> tuple[list[CoreTxn], object]:
        """Give the page that follows a place."""
        if isinstance(self.core, Remote):
            found = await self.core.older(ref, place)
            return list(found.rows), found.older
        return await self._local_page(ref, TxnQuery(first=rows, after=place))

    async def _local_page(
        self, ref: str, query: TxnQuery
    ) -> tuple[list[CoreTxn], object]:
        assert isinstance(self.core, LocalBook), "a core is a LocalBook or Remote"
        rows = (await self.core.transactions([ref], query)).get(ref, [])
        full = len(rows) == query.first
        return rows, (rows[-1].created_at, rows[-1].id) if full else None

    # ------------------------------------------------------------ the line

    def must_have_a_line(self, *faults: Fault) -> None:
        """Leave out the test where no line is; refuse a rig that cannot break one."""
        if self.core.caps.local:
            pytest.skip("no line between us and the books")
        wanted = faults or NEEDED
        cannot = [kind.name for kind in wanted if kind not in self.rig.faults]
        if any(kind in NEEDED for kind in wanted) and cannot:
            pytest.fail(f"the rig must be able to play {', '.join(cannot)}")
        if cannot:
            pytest.skip(f"this partner never does {', '.join(cannot)}")

    @asynccontextmanager
    async def anew(self, **chosen: bool) -> AsyncIterator[CoreBank]:
        """Connect once more, as a process that starts again and remembers nothing."""
        settings = self.rig.settings(**chosen)
        again = await self.module.connect(settings, clock=self.rig.clock)
        try:
            yield again
        finally:
            await close(again)

    async def fate(
        self, op: OpRef, kind: OpKind, context: OpContext
    ) -> Outcome[Posting | Hold | None]:
        """Ask for an op until the answer is sure, from a process that starts again."""
        async with self.anew() as core:
            found = await core.lookup(op, kind, context)
            past = replace(context, first_sent_at=context.first_sent_at - LONG_AGO)
            for _ in range(ASKS):
                if not isinstance(found, Unknown):
                    break
                found = await core.lookup(op, kind, past)
        return found

    def context(self, src: str, dst: str | None, minor: int) -> OpContext:
        """Say what helps to find an op again."""
        return OpContext(src, dst, self.money(minor), self.rig.clock.now())


@asynccontextmanager
async def a_core_bench(module: Any, rig: CoreRig) -> AsyncIterator[CoreBench]:
    """Connect a core as the bank does, and close it."""
    core: CoreBank = await module.connect(rig.settings(), clock=rig.clock)
    await rig.opened(core)
    try:
        yield CoreBench(module, core, rig)
    finally:
        await rig.no_faults()
        await close(core)


Through = Callable[[CoreBank, OpRef], Awaitable[Outcome[Any]]]


@dataclass(frozen=True, slots=True)
class Write:
    """One kind of write, ready to be sent.

    Args:
        kind: which.
        send: sends it, under an op and through a core.
        effects: counts what the partner's books show of it.
        context: what lookup is told.
    """

    kind: OpKind
    through: Through
    effects: Callable[[], Awaitable[int]]
    context: OpContext
    core: CoreBank

    def send(self, op: OpRef) -> Awaitable[Outcome[Any]]:
        """Send it through the core of the bench."""
        return self.through(self.core, op)


async def a_write(bench: CoreBench, kind: OpKind) -> Write:
    """Make the accounts, and the hold, that one write of a kind needs."""
    if kind is OpKind.TRANSFER:
        return await _a_transfer(bench)
    bench.must_hold()
    asha, money = await bench.account(1000), bench.money(250)
    context = bench.context(asha, None, 250)

    async def set_aside() -> int:
        return (await bench.rig.books(asha)).held.minor // 250

    if kind is OpKind.HOLD:
        through: Through = lambda core, op: core.hold(op, asha, money, RENT)  # noqa: E731  -- one of four
        return Write(kind, through, set_aside, context, bench.core)
    hold = await bench.hold(asha, 250)

    async def freed() -> int:
        return 1 - await set_aside()

    async def captured() -> int:
        books = await bench.rig.books(asha)
        times, ended = books.postings.count(-250), books.held.minor == 0
        kept(Promise.CAPTURE, ended == bool(times), f"booked {times} times: {books}")
        return times

    if kind is OpKind.RELEASE:
        through = lambda core, op: core.release(op, hold)  # noqa: E731  -- one of four
        return Write(kind, through, freed, context, bench.core)
    through = lambda core, op: core.capture(op, hold, None)  # noqa: E731  -- one of four
    return Write(kind, through, captured, context, bench.core)


async def _a_transfer(bench: CoreBench) -> Write:
    asha, ben = await bench.account(1000), await bench.account()
    money = bench.money(250)

    def through(core: CoreBank, op: OpRef) -> Awaitable[Outcome[Any]]:
        return core.transfer(op, asha, ben, money, RENT)

    async def moved() -> int:
        out = (await bench.rig.books(asha)).postings.count(-250)
        into = (await bench.rig.books(ben)).postings.count(250)
        kept(Promise.ONCE, out == into, f"{out} out and {into} in")
        return out

    context = bench.context(asha, ben, 250)
    return Write(OpKind.TRANSFER, through, moved, context, bench.core)
