"""One write to Fineract: sent under the key of its operation, and judged.

A write that nobody answered is Unknown; one that the core refuses in its own words is
Rejected, and its key is burnt. A 409 had no effect either, and asks for a new key.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar, assert_never
from uuid import UUID

from app.clock import Clock
from app.errors import Outage
from app.integrations.core_banking.fineract import refusals, wire
from app.integrations.core_banking.fineract.questions import admitted
from app.integrations.core_banking.fineract.stuck import ASK_AFTER_S, EARLY, Stuck
from app.integrations.exchange import Answer, Ask
from app.integrations.http import Partner
from app.integrations.outcome import (
    NotSent,
    Ok,
    OpRef,
    Outcome,
    PortCode,
    Rejected,
    Unknown,
)
from app.telemetry import log

T = TypeVar("T")

KEY = "idempotency-key"
REPLAYED = "x-served-from-cache"
ODD = Unknown("an answer out of contract")


@dataclass(frozen=True, slots=True)
class Write(Generic[T]):
    """What is to be sent.

    Args:
        op: whose id is the key.
        ask: the call.
        read: puts a 2xx into our words.
        look: finds the operation in the books, as one that was sent at an instant.
        key: another key than the id of the op.
    """

    op: OpRef
    ask: Ask
    read: Callable[[Answer], Outcome[T]]
    look: Callable[[datetime], Awaitable[Outcome[T]]]
    key: UUID | None = None


class Sending:
    """Sends writes.

    Args:
        partner: the opened core.
        clock: the bank's clock.
        read_s: longest silence of the core, seconds.
    """

    def __init__(self, partner: Partner, clock: Clock, read_s: float) -> None:
        self._partner = partner
        self._clock = clock
        self._read_s = read_s
        self._stuck = Stuck(clock)

    async def send(self, write: Write[T]) -> Outcome[T]:
        """Send, or send again: under one key the core does it once.

        Raises:
            NotSent: surely nothing was done; also Busy, BreakerOpen and AuthFailed.
        """
        op = write.op.id
        headers = {KEY: str(write.key or op)}
        ask = replace(write.ask, headers=headers, op_id=op, read_s=self._read_s)
        found = await self._partner.write(ask)
        match found:
            case Unknown():
                is_early = found.cause == EARLY
                return await self._early(write, found) if is_early else found
            case Answer():
                outcome = await self._judged(write, ask, found)
            case _:
                assert_never(found)
        if not isinstance(outcome, Unknown):
            self._stuck.ended(op)
        return outcome

    async def _judged(self, write: Write[T], ask: Ask, answer: Answer) -> Outcome[T]:
        admitted(answer)
        if answer.is_success:
            return write.read(answer)
        code = refusals.meaning_of(answer)
        if code is None:
            return self._partner.unlisted(ask, answer)
        if refusals.says(answer, refusals.ALREADY):
            # Under this name it is there, under this key it is not: the books decide.
            found = await write.look(self._clock.now())
            if isinstance(found, Ok | Unknown):
                return found
        if refusals.is_ours(code):
            log.error(
                "core_refused_our_request",
                partner=wire.NAME,
                route=ask.route,
                status=answer.status,
                code=code,
                op_id=str(write.op.id),
            )
        return Rejected(code, detail=f"status {answer.status}")

    async def _early(self, write: Write[T], found: Unknown) -> Outcome[T]:
        """Wait for a key under way; in the end the books decide."""
        op = write.op.id
        since = self._stuck.is_early(op)
        waits = replace(found, ask_after_s=ASK_AFTER_S)
        if since is None:
            return waits
        seen = await write.look(since)
        match seen:
            case Rejected(code=PortCode.NEVER_SEEN):
                if not self._stuck.is_dead(op):
                    return waits
                log.error("core_key_died_under_way", partner=wire.NAME, op_id=str(op))
            case _:
                pass
        self._stuck.ended(op)
        return seen


def is_replayed(answer: Answer) -> bool:
    """Tell whether the core repeats what it answered to the same key before."""
    return answer.headers.get(REPLAYED, "").lower() == "true"


async def before_sending(reads: Awaitable[T]) -> T:
    """Read what a write needs to know; as long as that fails, nothing is sent.

    Raises:
        NotSent: the core did not tell.
    """
    try:
        return await reads
    except NotSent:
        raise
    except Outage as lost:
        raise not_sent(lost.cause) from None


def not_sent(why: str) -> NotSent:
    """Say that surely nothing left for the core."""
    return NotSent(f"{wire.NAME}: {why}", component=wire.COMPONENT)
