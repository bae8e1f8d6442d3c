"""A remote core goes away and comes back: what is told, refused, and mended."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from app import database
from app.accounts.account import Account
from app.clock import StoppedClock
from app.errors import Outage
from app.ids import CustomerId
from app.realtime.announce import Announcement, Broadcast
from app.settings import Settings
from app.status.board import Board
from app.status.health import Component, Health, State
from app.vault import Vault
from tests.accounts.far_core import FarCore
from tests.accounts.far_world import FarRoom, a_far_room, forget
from tests.accounts.world import Room

ACCOUNTS, TRANSFERS = Component.ACCOUNTS, Component.TRANSFERS


@dataclass
class Far:
    """A room over a remote core, with the health and the board of its process."""

    room: FarRoom
    health: Health
    board: Board
    said: list[Announcement]

    def states(self) -> list[State]:
        """Tell how accounts and transfers are."""
        seen = {one.component: one.state for one in self.board.now()}
        return [seen[ACCOUNTS], seen[TRANSFERS]]

    async def look(self, clock: StoppedClock) -> list[State]:
        """Let five seconds pass and the board look."""
        clock.move(seconds=6)
        await self.board.look()
        return self.states()

    async def an_unseen_account(self) -> Account:
        """Link an account at which nobody looked yet."""
        account = await self.room.an_account(1000, owner=CustomerId.new())
        await forget()
        return account


@pytest.fixture
async def far(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> AsyncIterator[Far]:
    """Give the room as seen over the line."""
    core, health = FarCore(clock), Health(clock)
    said: list[Announcement] = []
    board = Board(clock=clock, health=health, announce=said.append, core=core.health)
    async with a_far_room(clock, vault, core, health) as room:
        yield Far(room, health, board, said)


async def test_a_silent_core_stops_transfers_is_told_and_mends_by_itself(
    far: Far, clock: StoppedClock
) -> None:
    account = await far.an_unseen_account()
    far.room.far.away = True
    for _ in range(5):
        assert await far.room.balances.of([account]) == {}

    away = await far.look(clock)
    with pytest.raises(Outage) as stopped:
        far.health.require(TRANSFERS)
    far.room.far.away = False
    asked = await far.look(clock)  # answers again; its bad minute still counts
    far.health.require(TRANSFERS)
    clock.move(seconds=60)
    mended = await far.look(clock)

    assert away == [State.MAJOR_OUTAGE, State.MAJOR_OUTAGE]
    assert (stopped.value.component, stopped.value.retry_after_s) == ("TRANSFERS", None)
    assert asked == [State.MAJOR_OUTAGE, State.OPERATIONAL]
    assert mended == [State.OPERATIONAL, State.OPERATIONAL]
    assert far.said == [Broadcast("status")] * 3


async def test_a_local_core_is_never_stale_and_has_no_mirror(
    room: Room, clock: StoppedClock
) -> None:
    account = await room.an_account(7)
    health = Health(clock)
    board = Board(
        clock=clock, health=health, announce=lambda _: None, core=room.core.health
    )

    async with database.watched_statements() as seen:
        await board.look()
        found = await room.balances.of([account])

    assert len(seen) == 3  # whether postings go on, what others report, the figures
    assert not found[account.id].stale
    assert await database.read("SELECT account_id FROM mirror_cursor") == []
    assert {one.state for one in board.now()} == {State.OPERATIONAL}
