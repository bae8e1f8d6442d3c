"""Writes to a remote core: our words are kept before, the accounts looked at after.

So a row that the core tags with our op shows who paid whom, and the phones of both
sides hear of it without waiting for a poll. Marking and looking never fail a write.
"""

from collections.abc import Awaitable, Sequence
from typing import TypeVar
from uuid import UUID

from app import telemetry
from app.accounts import words
from app.accounts.feed import Feed
from app.accounts.looks import RemoteCore
from app.accounts.words import Words
from app.clock import Clock
from app.errors import Outage
from app.integrations.core_banking import (
    AccountState,
    CoreAccount,
    CoreBalance,
    CoreCaps,
    CoreCustomer,
    Health,
    Hold,
    Narrative,
    OpContext,
    OpKind,
    Posting,
)
from app.integrations.outcome import NotSent, Ok, OpRef, Outcome, Rejected
from app.money import Money

T = TypeVar("T")


class Teller:
    """Fits `CoreBank` before a remote core.

    Args:
        core: the remote core.
        feed: looks at accounts that were written to.
        clock: when words were said.
    """

    def __init__(self, core: RemoteCore, feed: Feed, clock: Clock) -> None:
        self._core = core
        self._feed = feed
        self._clock = clock
        self.caps: CoreCaps = core.caps
        self.partner: object = getattr(core, "partner", None)  # its breaker is ours

    # -------------------------------------------------------------- reads

    async def accounts(self, customer: CoreCustomer) -> list[CoreAccount]:
        """List the accounts of a customer."""
        return await self._core.accounts(customer)

    async def balances(self, refs: Sequence[str]) -> list[CoreBalance]:
        """Give balances as the core says now."""
        return await self._core.balances(refs)

    async def health(self) -> Health:
        """Ask whether the core answers."""
        return await self._core.health()

    # -------------------------------------------------------------- writes

    async def transfer(
        self, op: OpRef, src: str, dst: str, amount: Money, text: Narrative
    ) -> Outcome[Posting]:
        """Move money at once between two accounts of this core."""
        await self._keep(Words(op=op.id, root=op.id, src=src, dst=dst, text=text))
        writing = self._core.transfer(op, src, dst, amount, text)
        return await self._booked(op, await self._sent(writing, src, dst), src, dst)

    async def hold(
        self, op: OpRef, src: str, amount: Money, text: Narrative
    ) -> Outcome[Hold]:
        """Set money aside."""
        said = Words(
            op=op.id, root=op.id, src=src, dst=None, text=text, held=amount.minor
        )
        is_new = await self._keep(said)
        outcome = await self._sent(self._core.hold(op, src, amount, text), src)
        # A no that asked nobody tells nothing of a hold that was sent before.
        if isinstance(outcome, Rejected) and (is_new or not outcome.unasked):
            await self._end(op.id)
        return await self._seen(outcome, src)

    async def capture(
        self, op: OpRef, hold: Hold, amount: Money | None
    ) -> Outcome[Posting]:
        """Book held money; its row goes on."""
        held = await self._found(hold)
        if held is not None:
            await self._keep(
                Words(op=op.id, root=held.root, src=held.src, dst=None, text=held.text)
            )
        outcome = await self._sent(self._core.capture(op, hold, amount), hold.ref)
        if isinstance(outcome, Ok):
            await self._end(hold.id)
        return await self._booked(op, outcome, hold.ref)

    async def release(self, op: OpRef, hold: Hold) -> Outcome[None]:
        """Free held money."""
        outcome = await self._sent(self._core.release(op, hold), hold.ref)
        if isinstance(outcome, Ok):
            await self._end(hold.id)
        return await self._seen(outcome, hold.ref)

    async def reverse(
        self, op: OpRef, posting: Posting, reason: str
    ) -> Outcome[Posting]:
        """Book the opposite of an earlier movement; its row says why."""
        undone = await _asked(words.of_movement(posting.journal))
        if undone is not None:
            await self._keep(undone.undone_by(op.id, reason))
        sides = () if undone is None else (undone.src, undone.dst)
        outcome = await self._sent(self._core.reverse(op, posting, reason), *sides)
        return await self._booked(op, outcome, *sides)

    async def lookup(
        self, op: OpRef, kind: OpKind, context: OpContext
    ) -> Outcome[Posting | Hold | None]:
        """Tell what became of an op; where it happened, its accounts are looked at."""
        outcome = await self._core.lookup(op, kind, context)
        is_over = isinstance(outcome, Ok) and kind in {OpKind.CAPTURE, OpKind.RELEASE}
        if is_over and context.earlier is not None:
            await self._end(context.earlier)
        match outcome:
            case Ok(Posting() as posting):
                await self._note(op, posting)
                await self._feed.touched(_sides(context.src, context.dst))
            case Ok():
                await self._feed.touched(_sides(context.src, context.dst))
            case Rejected() if kind is OpKind.HOLD:
                await self._end(op.id)
            case _:
                pass
        return outcome

    async def set_state(
        self, op: OpRef, ref: str, state: AccountState
    ) -> Outcome[None]:
        """Block, unblock or close an account."""
        writing = self._core.set_state(op, ref, state)
        return await self._seen(await self._sent(writing, ref), ref)

    # -------------------------------------------------------------- beside the write

    async def _keep(self, said: Words) -> bool:
        """Keep words before the write; gives whether nothing like it was kept before.

        Raises:
            NotSent: they could not be kept; nothing left.
        """
        return await _asked(words.keep(said, self._clock.now()))

    async def _sent(
        self, writing: Awaitable[Outcome[T]], *refs: str | None
    ) -> Outcome[T]:
        """Let a write go; what is cut off may have happened, so it is looked at."""
        try:
            return await writing
        except NotSent:
            raise
        except BaseException:  # a cut is no Exception
            await self._feed.touched(_sides(*refs))
            raise

    async def _found(self, hold: Hold) -> Words | None:
        return await _asked(words.of(hold.id))

    async def _booked(
        self, op: OpRef, outcome: Outcome[Posting], *refs: str | None
    ) -> Outcome[Posting]:
        if isinstance(outcome, Ok):
            await self._note(op, outcome.value)
        return await self._seen(outcome, *refs)

    async def _note(self, op: OpRef, posting: Posting) -> None:
        """Note which movement an op became; a lost note only costs a reversal words."""
        try:
            await words.became(op.id, posting.journal)
        except Outage as outage:
            telemetry.log.warning("movement_not_noted", cause=outage.cause)

    async def _end(self, hold: UUID) -> None:
        """Note that a hold is not open; a lost note may cost a later one its words."""
        try:
            await words.ended(hold)
        except Outage as outage:
            telemetry.log.warning("hold_not_noted", cause=outage.cause)

    async def _seen(self, outcome: Outcome[T], *refs: str | None) -> Outcome[T]:
        await self._feed.touched(_sides(*refs))
        return outcome


def _sides(*refs: str | None) -> list[str]:
    return [ref for ref in refs if ref is not None]


async def _asked(asking: Awaitable[T]) -> T:
    """Ask our database before a write; without an answer nothing leaves."""
    try:
        return await asking
    except Outage as outage:
        raise NotSent(
            outage.cause,
            component=outage.component,
            retry_after_s=outage.retry_after_s,
        ) from outage
