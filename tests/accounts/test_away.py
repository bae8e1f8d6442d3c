"""A remote core goes away and comes back: what is shown, refused, told and mended."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from app import database
from app.accounts.accounts import Accounts
from app.accounts.balances import Balances
from app.accounts.transactions import PageQuery, Transactions
from app.clock import StoppedClock
from app.errors import Outage
from app.integrations.core_banking import (
    CoreBalance,
    CoreBank,
    CoreTxn,
    TxnQuery,
)
from app.integrations.core_banking import Health as CoreHealth
from app.realtime.announce import Announcement, Broadcast
from app.settings import Settings
from app.status.board import Board
from app.status.health import Component, Health, State
from app.vault import Vault
from tests.accounts.world import BANK_CODE, Room, a_room

ACCOUNTS, TRANSFERS = Component.ACCOUNTS, Component.TRANSFERS


class Remote:
    """The embedded core behind a line that may be cut, as a remote one is."""

    def __init__(self, core: CoreBank) -> None:
        self.caps = replace(core.caps, local=False)
        self.away = False
        self._core = core

    def __getattr__(self, name: str) -> object:
        return getattr(self._core, name)

    async def balances(self, refs: Sequence[str]) -> list[CoreBalance]:
        self._line()
        return await self._core.balances(refs)

    async def transactions(
        self, refs: Sequence[str], query: TxnQuery
    ) -> dict[str, list[CoreTxn]]:
        self._line()
        return await self._core.transactions(refs, query)

    async def health(self) -> CoreHealth:
        return CoreHealth(reachable=not self.away)

    def _line(self) -> None:
        if self.away:
            raise Outage("refused", component="ACCOUNTS")


class Far:
    """A room over a remote core, with the health and the board of its process."""

    def __init__(self, room: Room, clock: StoppedClock, vault: Vault) -> None:
        self.remote = Remote(room.core)
        self.health = Health(clock)
        watched: CoreBank = self.health.watching(self.remote, ACCOUNTS)  # type: ignore[assignment]  # the rest is the core's
        self.said: list[Announcement] = []
        self.board = Board(
            clock=clock,
            health=self.health,
            announce=self.said.append,
            core=self.remote.health,
        )
        accounts = Accounts(
            core=watched, core_name="embedded", vault=vault, bank_code=BANK_CODE
        )
        self.balances = Balances(core=watched)
        self.transactions = Transactions(core=watched, accounts=accounts, clock=clock)

    def states(self) -> list[State]:
        """Tell how accounts and transfers are."""
        seen = {one.component: one.state for one in self.board.now()}
        return [seen[ACCOUNTS], seen[TRANSFERS]]

    async def look(self, clock: StoppedClock) -> list[State]:
        """Let five seconds pass and the board look."""
        clock.move(seconds=6)
        await self.board.look()
        return self.states()


@pytest.fixture
async def far(room: Room, clock: StoppedClock, vault: Vault) -> Far:
    """Give the room as seen over the line."""
    return Far(room, clock, vault)


async def test_a_core_that_is_away_shows_the_last_figures_as_stale(
    far: Far, room: Room, clock: StoppedClock
) -> None:
    known, new = await room.an_account(1000), await room.an_account(5)
    mini = PageQuery(size=5)
    fresh = await far.balances.of([known])
    page = (await far.transactions.pages([known], mini))[known.id]
    far.remote.away = True
    clock.move(minutes=3)

    stale = await far.balances.of([known, new])
    pages = await far.transactions.pages([known, new], mini)
    with pytest.raises(Outage):
        await far.balances.sure(known)
    far.remote.away = False
    back = await far.balances.of([known, new])

    assert stale == {known.id: replace(fresh[known.id], stale=True)}
    assert stale[known.id].as_of < clock.now()
    assert pages[known.id] == replace(page, stale=True)
    assert (pages[new.id].rows, pages[new.id].stale) == ((), True)
    assert [one.stale for one in back.values()] == [False, False]
    assert (await far.balances.sure(new)).available.minor == 5


async def test_a_silent_core_stops_transfers_is_told_and_mends_by_itself(
    far: Far, room: Room, clock: StoppedClock
) -> None:
    account = await room.an_account(1000)
    far.remote.away = True
    for _ in range(5):
        await far.balances.of([account])

    away = await far.look(clock)
    with pytest.raises(Outage) as stopped:
        far.health.require(TRANSFERS)
    far.remote.away = False
    asked = await far.look(clock)  # answers again; its bad minute still counts
    far.health.require(TRANSFERS)
    clock.move(seconds=60)
    mended = await far.look(clock)

    assert away == [State.MAJOR_OUTAGE, State.MAJOR_OUTAGE]
    assert (stopped.value.component, stopped.value.retry_after_s) == ("TRANSFERS", None)
    assert asked == [State.MAJOR_OUTAGE, State.OPERATIONAL]
    assert mended == [State.OPERATIONAL, State.OPERATIONAL]
    assert far.said == [Broadcast("status")] * 3


async def test_a_local_core_is_never_stale_and_is_not_remembered(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    room = await a_room(bank_database, clock, vault)
    account = await room.an_account(7)
    health = Health(clock)
    board = Board(
        clock=clock, health=health, announce=lambda _: None, core=room.core.health
    )

    async with database.watched_statements() as seen:
        await board.look()
        await room.balances.of([account])

    assert len(seen) == 3  # whether postings go on, what others report, the figures
    assert {one.state for one in board.now()} == {State.OPERATIONAL}
