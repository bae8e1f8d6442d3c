"""Proof 4 of acceptance.md: the dead zone, and every verdict over a resume."""

import asyncio
import functools
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from mock_mobile_client import documents
from mock_mobile_client.errors import NotSeen, ProofFailed, expect
from mock_mobile_client.handset import Setting
from mock_mobile_client.live import Live
from mock_mobile_client.phone import EVERYDAY, Phone
from mock_mobile_client.proofs_live import SMALL, three_phones
from mock_mobile_client.stage import SAVINGS, Tell, everyday, present, silent
from mock_mobile_client.stream import CONTROL, Picture
from mock_mobile_client.wire import Frame, Wire
from mock_mobile_client.world_clock import SKIPPED, WorldClock

CHANGES = 100
REPLAYED_MAX = 500
FIFTEEN_DAYS_S = 15 * 86_400
STILL_S = 1.0
PRUNED_WITHIN_S, LOOK_EVERY_S = 30.0, 0.5
ANSWER_S = 10.0
BROKEN = "ec1.broken"

Change = Callable[[], Awaitable[None]]


async def proof_04(
    url: str, sandbox: str, setting: Setting | None = None, tell: Tell = silent
) -> None:
    """Dead zone: Asha-1 is cut off, Asha-2 and Ben change a hundred things.

    Then come the resumes that cannot be exact: each is told why, and goes on. Last the
    bank's clock is moved on by fifteen days; it stays there, for time never goes back.
    """
    async with three_phones(url, sandbox, setting) as (asha, second, ben):
        first = await everyday(asha)
        async with second.live() as witness:
            makers = _Makers(second, ben, witness)
            await makers.learn()
            async with asha.live() as live:
                await _dead_zone(asha, live, makers)
                tell(f"cut off for {CHANGES} changes: all came, in order, none twice")
            await _too_far_behind(asha, makers)
            tell(f"{REPLAYED_MAX + 1} behind: TOO_FAR_BEHIND; {REPLAYED_MAX}: all came")
            async with ben.live() as bens:
                foreign = present(bens.picture.cursor)
            await _reset(asha, foreign, "EPOCH_CHANGED", makers.there_and_back)
            tell("Ben's cursor: EPOCH_CHANGED, then live")
            await _broken(asha)
            tell("broken: BAD_REQUEST, the socket stays and resumes")
        await second.pay("Ben", SMALL.times(makers.paid))
        expect("as at first", first.available, (await everyday(asha)).available)
        if await _expired(asha, ben, WorldClock(sandbox)):
            tell("15 days later: EXPIRED, then live; the clock stays 15 days ahead")
        else:
            tell(f"15 days later: {SKIPPED}")


@dataclass(slots=True)
class _Makers:
    """Who changes something of Asha, and who counts it: a phone with a whole line.

    Attributes:
        second: Asha's other phone, which moves money between her own accounts.
        ben: Pays Asha 1.00 where a move would be too many events.
        witness: The other phone's stream.
        paid: How often Ben paid.
        move, credit: Events of one move and of one payment of Ben, as learnt.
    """

    second: Phone
    ben: Phone
    witness: Live
    paid: int = 0
    move: int = 0
    credit: int = 0

    @property
    def head(self) -> int:
        """Number of the newest event of Asha."""
        return present(self.witness.picture.sequence)

    async def learn(self) -> None:
        """Count the events of two moves and of one payment."""
        start = await self._witnessed()
        await self.there_and_back()
        middle = await self._witnessed()
        await self._credit()
        self.move = (middle - start) // 2
        self.credit = await self._witnessed() - middle

    async def there_and_back(self) -> None:
        """Move money between own accounts, and back."""
        for source, target in ((EVERYDAY, SAVINGS), (SAVINGS, EVERYDAY)):
            await self.second.pay(target, SMALL, source=source)

    async def make(self, count: int) -> int:
        """Let so many events happen, or just enough more; gives the head."""
        turns, rest = divmod(count, 2 * self.move)
        for _ in range(turns):
            await self.there_and_back()
        for _ in range(math.ceil(rest / self.credit)):
            await self._credit()
        return await self._witnessed()

    async def _credit(self) -> None:
        await self.ben.pay("Asha", SMALL)
        self.paid += 1

    async def _witnessed(self) -> int:
        """Wait until the witness stands where a fresh query does; gives the head.

        The inbox is told by the worker, a moment after the payment: what stands still
        for that long is all there is.
        """
        while True:
            position = (await self.second.home()).stream_position
            await self.witness.until(
                functools.partial(self._has_seen, position), "the newest event"
            )
            await asyncio.sleep(STILL_S)
            now = (await self.second.home()).stream_position
            if now == position == self.witness.picture.cursor:
                return self.head

    def _has_seen(self, position: str) -> bool:
        """Give whether the witness stands at this place or passed it."""
        picture = self.witness.picture
        return position in {picture.cursor, *(one.cursor for one in picture.applied)}


async def _dead_zone(asha: Phone, live: Live, makers: _Makers) -> None:
    """Cut without a close frame, a hundred changes, back with the stored cursor."""
    start = present(live.picture.sequence)
    await asha.airplane(on=True)
    head = await makers.make(CHANGES)
    changes = head - start
    if changes < CHANGES:
        raise ProofFailed("changes meanwhile", f"at least {CHANGES}", changes)
    expect("what the phone knows of them", start, live.picture.sequence)
    expect("cursor in the store", live.picture.cursor, asha.handset.state.cursor)
    await asha.airplane(on=False)
    resume = live.picture.resume
    opening = resume.opening
    expect("opening", "StreamReady", opening.kind)
    expect("missed", changes, opening.body["missed"])
    numbers = [event.sequence for event in resume.missed]
    expect("what came", list(range(start + 1, head + 1)), numbers)
    expect("what came twice", [], live.picture.repeated)
    caught_up = present(resume.caught_up)
    expect("caught up at", head, caught_up.sequence)
    seen = [(one.sequence, one.kind) for one in resume.missed]
    expect("what the other phone saw", _told(makers.witness.picture, start), seen)
    await _goes_on(live, asha, makers.there_and_back)


def _told(picture: Picture, after: int) -> list[tuple[int, str]]:
    """Numbers and kinds of the events after a place."""
    rows = [one for one in picture.applied if one.kind not in CONTROL]
    return [(one.sequence, one.kind) for one in rows if one.sequence > after]


async def _goes_on(live: Live, phone: Phone, change: Change) -> None:
    """A change is told live, and the figures are those of a fresh query."""
    before = live.connections, len(live.picture.applied)
    await change()
    fresh = await phone.account(EVERYDAY)
    await live.until_shown(fresh.id, present(fresh.balance))
    expect("sockets meanwhile", before[0], live.connections)
    if len(live.picture.applied) == before[1]:
        raise ProofFailed("live events", "some", "none")


async def _too_far_behind(asha: Phone, makers: _Makers) -> None:
    """As many events as are replayed come; one more is a reset."""
    picture = makers.witness.picture
    first = picture.applied[0].sequence
    head = await makers.make(max(0, REPLAYED_MAX + 1 - (makers.head - first)))
    cursors = {one.sequence: one.cursor for one in picture.applied}
    async with asha.live(after=cursors[head - REPLAYED_MAX]) as live:
        await live.until(live.is_caught_up, "the end of the replay")
        missed = [event.sequence for event in live.picture.resume.missed]
        expect("replayed", list(range(head - REPLAYED_MAX + 1, head + 1)), missed)
    too_old = cursors[head - REPLAYED_MAX - 1]
    await _reset(asha, too_old, "TOO_FAR_BEHIND", makers.there_and_back)


async def _reset(phone: Phone, after: str, reason: str, change: Change) -> None:
    """A resume that cannot be exact says why, and goes on after a fresh snapshot."""
    async with phone.live(after=after) as live:
        opening = live.picture.resume.opening
        told = opening.kind, opening.body.get("reason")
        expect("opening", ("StreamReset", reason), told)
        fresh = await phone.account(EVERYDAY)
        expect("snapshot", fresh.balance, live.picture.by_event.get(fresh.id))
        await _goes_on(live, phone, change)
        expect("events of the past", (), live.picture.resume.missed)


async def _broken(phone: Phone) -> None:
    """A text that is no cursor ends the subscription, not the socket."""
    document = documents.load("events")
    init = phone.init_payload()
    wire = await Wire.open(phone.socket_url, init, by_id=phone.by_id)
    try:
        frames = wire.frames()
        await wire.subscribe("broken", document, {"after": BROKEN})
        refused = await _next(frames)
        errors = refused.payload if isinstance(refused.payload, list) else [{}]
        code = errors[0].get("extensions", {}).get("code")
        expect("a broken cursor", ("error", "BAD_REQUEST"), (refused.kind, code))
        await wire.subscribe("whole", document, {"after": None})
        opened = await _next(frames)
        expect("the same socket", ("next", "whole"), (opened.kind, opened.operation))
    finally:
        await wire.close()


async def _next(frames: AsyncIterator[Frame]) -> Frame:
    """The next frame.

    Raises:
        NotSeen: none came in time.
    """
    try:
        async with asyncio.timeout(ANSWER_S):
            return await anext(frames)
    except TimeoutError as error:
        raise NotSeen("no answer on the socket") from error


async def _expired(asha: Phone, ben: Phone, clock: WorldClock) -> bool:
    """A cursor older than what is kept; False where the clock cannot be moved."""
    async with ben.live() as live:
        await asha.pay("Ben", SMALL)
        fresh = await ben.account(EVERYDAY)
        await live.until_shown(fresh.id, present(fresh.balance))
        one_behind = live.picture.applied[-2].cursor
    moved = await clock.forward(FIFTEEN_DAYS_S)
    if moved:
        await asha.login()
        await ben.login()
        await _pruned(ben, one_behind)
        await _reset(ben, one_behind, "EXPIRED", lambda: _pay_back(asha, ben))
    await ben.pay("Asha", SMALL)
    return moved


async def _pay_back(asha: Phone, ben: Phone) -> None:
    """Ben pays 1.00 and gets it back."""
    await ben.pay("Asha", SMALL)
    await asha.pay("Ben", SMALL)


async def _pruned(phone: Phone, after: str) -> None:
    """Wait until the retention job has run; a resume of what is still kept is exact.

    Raises:
        NotSeen: it did not run in time.
    """
    try:
        async with asyncio.timeout(PRUNED_WITHIN_S):
            while True:
                async with phone.live(after=after) as live:
                    if live.picture.resume.opening.kind == "StreamReset":
                        return
                    await live.until(live.is_caught_up, "the end of the replay")
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError as error:
        raise NotSeen("the retention job did not run") from error
