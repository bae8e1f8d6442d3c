"""One write to Fineract: sent under the key of its operation, and judged.

A write that nobody answered is Unknown; one that the core refuses in its own words is
Rejected, and its key is burnt. A 409 had no effect either, and asks for a new key. Once
something left, no outage turns into "not sent".
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar, assert_never

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
_TOUCHED = ("resourceId", "savingsId")


@dataclass(frozen=True, slots=True)
class Write(Generic[T]):
    """What is to be sent.

    Args:
        op: whose id is the key.
        ask: the call.
        read: puts a 2xx into our words.
        look: finds the operation in the books, as one that was sent at an instant.
        done: what it gives if the core has it under its name already, where that name
            is the operation's own.
    """

    op: OpRef
    ask: Ask
    read: Callable[[Answer], Outcome[T]]
    look: Callable[[datetime], Awaitable[Outcome[T]]]
    done: Ok[T] | None = None


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
        headers = {KEY: str(op)}
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
            return write.done or await self._there(write)
        if refusals.says(answer, refusals.MISSING):
            # What was to be ended is no more: it may be what is asked for.
            found = await self._looked(write, self._clock.now())
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

    async def _there(self, write: Write[T]) -> Outcome[T]:
        """Find what the core has under the same name, if not under this key."""
        found = await self._looked(write, self._clock.now())
        if isinstance(found, Rejected):
            return Unknown("the core has it under this name, its books show it not")
        return found

    async def _looked(self, write: Write[T], since: datetime) -> Outcome[T]:
        """Look for what may have left something: an outage now is no "not sent"."""
        try:
            return await write.look(since)
        except Outage as lost:
            return Unknown(lost.cause)

    async def _early(self, write: Write[T], found: Unknown) -> Outcome[T]:
        """Wait for a key under way; in the end the books decide."""
        op = write.op.id
        since = self._stuck.is_early(op)
        waits = replace(found, ask_after_s=ASK_AFTER_S)
        if since is None:
            return waits
        seen = await self._looked(write, since)
        match seen:
            case Unknown(cause):
                return replace(waits, cause=cause)
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


def is_carried_out(answer: Answer) -> bool:
    """Tell whether a 2xx says what it touched.

    Where somebody else must approve a command, the core answers 200 and no more than
    the command's number: nothing was done yet. Source: commandOnlyResult of
    CommandProcessingResult of Apache Fineract.
    """
    told = answer.body if isinstance(answer.body, Mapping) else {}
    return any(isinstance(told.get(name), int) for name in _TOUCHED)


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


def refused(code: PortCode, detail: str = "") -> Rejected:
    """Refuse what the core was not asked for."""
    return Rejected(code, detail=detail, unasked=True)


def not_sent(why: str) -> NotSent:
    """Say that surely nothing left for the core."""
    return NotSent(f"{wire.NAME}: {why}", component=wire.COMPONENT)
