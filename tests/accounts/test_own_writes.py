"""What one process wrote no other one shows as it was before."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from app.accounts import words
from app.accounts.account import Account
from app.accounts.transactions import PageQuery
from app.accounts.words import Words
from app.clock import StoppedClock
from app.ids import CustomerId
from app.integrations.core_banking import Look, Narrative
from app.integrations.outcome import Ok
from app.money import Money
from app.settings import Settings
from app.vault import Vault
from tests.accounts.far_world import FarRoom, a_far_room
from tests.accounts.world import an_op

RENT = Narrative("Rent", payer_name="Asha Rao", payee_name="Ben Okafor")


@dataclass(frozen=True)
class Two:
    """Two processes over one core, and an account that both have seen."""

    writes: FarRoom
    reads: FarRoom
    payer: Account
    payee: Account

    async def paid(self) -> None:
        """Pay 400 of 1000."""
        amount = Money(400, "INR")
        done = await self.writes.teller.transfer(
            an_op(), self.payer.ref, self.payee.ref, amount, RENT
        )
        assert isinstance(done, Ok)

    async def shown(self) -> tuple[int, bool]:
        """Give the balance that the other process shows, and whether it is stale."""
        found = (await self.reads.balances.of([self.payer]))[self.payer.id]
        return found.available.minor, found.stale


@pytest.fixture
async def two(
    bank_database: Settings,
    clock: StoppedClock,
    vault: Vault,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Two]:
    """Give two processes, of which the one that writes does not come to look."""
    async with (
        a_far_room(clock, vault) as writes,
        a_far_room(clock, vault, writes.far) as reads,
    ):
        payer = await writes.an_account(1000, owner=CustomerId.new())
        payee = await writes.an_account()
        await reads.balances.of([payer])
        await reads.settled()
        clock.move(seconds=1)
        monkeypatch.setattr(writes.feed, "soon", lambda *_, **__: None)
        yield Two(writes, reads, payer, payee)


async def test_after_a_write_another_process_looks_before_it_answers(two: Two) -> None:
    await two.paid()

    assert await two.shown() == (600, False)


async def test_after_a_write_an_old_figure_is_stale_while_the_core_is_silent(
    two: Two,
) -> None:
    await two.paid()
    two.writes.far.away = True

    first = await two.shown()
    pages = await two.reads.transactions.pages([two.payer], PageQuery(size=5))
    two.writes.far.away = False
    await two.reads.balances.sure(two.payer)
    mended = await two.shown()

    assert first == (1000, True)
    assert pages[two.payer.id].stale
    assert mended == (600, False)


async def test_after_a_write_a_slow_core_holds_a_reader_up_for_a_moment_only(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.accounts.feed._OWN_WAIT_S", 0.05)
    await two.paid()
    two.writes.far.slow[two.payer.ref] = asyncio.Event()

    async with asyncio.timeout(2):
        slow = await two.shown()
    two.writes.far.slow.pop(two.payer.ref).set()
    await two.reads.settled()

    assert slow == (1000, True)
    assert await two.shown() == (600, False)


async def test_a_look_that_began_before_the_write_is_not_believed(
    far_room: FarRoom, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer, payee = await far_room.an_account(1000), await far_room.an_account()
    real, gate = far_room.far.look, asyncio.Event()

    async def late(refs: list[str], rows: int) -> list[Look]:
        said = await real(refs, rows)
        await gate.wait()
        return said

    monkeypatch.setattr(far_room.far, "look", late)
    far_room.feed.soon([payer])
    await asyncio.sleep(0.01)
    clock.move(seconds=1)
    await far_room.teller.transfer(
        an_op(), payer.ref, payee.ref, Money(400, "INR"), RENT
    )

    reading = asyncio.create_task(far_room.balances.of([payer]))
    await asyncio.sleep(0.05)
    gate.set()
    found = (await reading)[payer.id]

    assert (found.available.minor, found.stale) == (600, False)


# ------------------------------------------------------------------ our words


async def test_words_that_became_nothing_are_forgotten_and_others_kept(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    payer, payee = await far_room.an_account(1000), await far_room.an_account()
    paid, refused, held, freed = (an_op() for _ in range(4))
    some = Money(5, "INR")
    await far_room.core.transfer(paid, payer.ref, payee.ref, some, RENT)
    too_much = Money(9_000, "INR")
    await far_room.core.transfer(refused, payer.ref, payee.ref, too_much, RENT)
    await far_room.core.hold(held, payer.ref, some, RENT)
    let_go = await far_room.core.hold(freed, payer.ref, some, RENT)
    assert isinstance(let_go, Ok)
    await far_room.core.release(an_op(), let_go.value)
    clock.move(seconds=1)
    until = clock.now()
    lately = an_op().id
    await words.keep(
        Words(op=lately, root=lately, src=None, dst=None, text=RENT), until
    )

    gone = await words.prune(until, batch=1)

    left = [await words.of(op) for op in (paid.id, held.id, lately)]
    assert (gone, None in left) == (2, False)
    assert [await words.of(op.id) for op in (refused, freed)] == [None, None]
