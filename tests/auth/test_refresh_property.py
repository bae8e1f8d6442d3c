"""Random histories of refreshes: the rule of generations, told by a model of its own.

The owner's phone refreshes, loses answers, doubles its calls and reads its backup; a
thief shows copies; somebody moves the clock. Whatever the order: one successor per
generation, and nobody is signed out unless an outdated token came under the right key.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from app.auth.errors import InvalidCredential, SessionEnded
from app.auth.session import TokenPair
from app.errors import Refusal
from tests.auth.moved_clock import MovedClock
from tests.auth.room import Person, Phone, Room
from tests.auth.test_refresh import audited, be_active, session_of, told
from tests.conftest import NOON

STEPS = 25


@pytest.fixture
def clock() -> MovedClock:
    """Give a clock that can be moved both ways."""
    return MovedClock(NOON)


@dataclass
class Told:
    """What the model knows: every token by its generation, and the present one."""

    chance: random.Random
    owner: Phone
    thief: Phone
    clock: MovedClock
    tokens: list[str]
    kept: int = 0
    now: int = 0
    over: bool = False
    copies: int = 0

    async def show(self, phone: Phone, generation: int) -> TokenPair | type[Refusal]:
        actor = await phone.as_device()
        try:
            token = self.tokens[generation]
            return await phone.room.refreshes.refresh(actor, token)
        except Refusal as no:
            return type(no)

    async def judged(self, generation: int) -> bool:
        """Show a token under the right key; the answer must be the model's."""
        return self.fits(generation, await self.show(self.owner, generation))

    def fits(self, generation: int, answer: TokenPair | type[Refusal]) -> bool:
        if self.over or generation < self.now - 1:
            self.over = True
            assert answer is SessionEnded
            return False
        assert isinstance(answer, TokenPair)
        if generation == self.now:
            self.now += 1
            self.tokens.append(answer.refresh_token)
        assert answer.refresh_token == self.tokens[self.now]
        return True

    # -------------------------------------------------------------- what may happen

    async def refresh(self) -> None:
        if await self.judged(self.kept):
            self.kept = self.now

    async def lose_answer(self) -> None:
        await self.judged(self.kept)

    async def double(self) -> None:
        calls = [self.show(self.owner, self.kept) for _ in range(3)]
        for answer in await asyncio.gather(*calls):
            self.fits(self.kept, answer)

    async def read_backup(self) -> None:
        await self.judged(self.chance.randrange(max(0, self.now - 3), self.now + 1))

    async def steal(self) -> None:
        answer = await self.show(self.thief, self.chance.randrange(self.now + 1))
        assert answer is (SessionEnded if self.over else InvalidCredential)
        self.copies += not self.over

    async def move_clock(self) -> None:
        self.clock.shift(minutes=self.chance.uniform(-90, 90))
        await be_active(self.owner.room)


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_the_order_the_rule_of_generations_holds(
    room: Room, phone: Phone, asha: Person, clock: MovedClock, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  -- a history that can be told again
    first = (await phone.login()).tokens.refresh_token
    story = Told(chance, phone, Phone(room), clock, [first])
    before = len(await told(asha))
    happens: list[Callable[[], Awaitable[None]]] = [
        *(story.refresh, story.refresh, story.refresh, story.lose_answer),
        *(story.double, story.steal, story.move_clock),
    ]
    if seed % 2:
        happens.append(story.read_backup)

    for _ in range(STEPS):
        await chance.choice(happens)()

    session = await session_of(room, phone)
    assert session.generation == story.now == await audited("session.refreshed")
    assert len(set(story.tokens)) == story.now + 1
    assert (session.ended_at is not None) == story.over
    assert await audited("session.reuse_detected") == story.over
    assert await audited("session.key_mismatch") == story.copies
    alerts = len(await told(asha)) - before
    assert alerts == story.over + (story.copies > 0)
    if seed % 2 == 0:
        assert not story.over
