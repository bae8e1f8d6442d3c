"""What became of an operation, by what the core shows of it. Nothing here has effects.

The order is that of banking.md section 6.2. Its first step, sending the same key again,
is the caller's: he alone knows whether the operation is still wanted. "Never seen" is
said only when every place was looked at to its end and was empty. A release is the
exception: of a place too long to read its record says "not shown" with the same word,
since sending it again under its key frees money once, whatever the books hide.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from app.clock import Clock
from app.integrations.core_banking import Hold, OpContext, OpKind, Posting
from app.integrations.core_banking.fineract import audits, wire
from app.integrations.core_banking.fineract.audits import Audits, Span
from app.integrations.core_banking.fineract.looking import Looking
from app.integrations.core_banking.fineract.questions import Questions
from app.integrations.core_banking.fineract.rows import op_of
from app.integrations.core_banking.fineract.stretches import SEARCH_S, Search, Seen
from app.integrations.core_banking.fineract.stuck import PATIENCE
from app.integrations.exchange import Ask
from app.integrations.outcome import Ok, OpRef, Outcome, PortCode, Rejected, Unknown

T = TypeVar("T")

Happened = Posting | Hold | None
Shown = Ok[Happened] | Unknown | None
Judge = Callable[[Seen], Ok[Happened] | None]
Place = Callable[[OpRef, OpKind, OpContext, float], Awaitable[Shown]]

TRANSFERS = "/v1/accounttransfers"
INTEROP = "/v1/interoperation/transactions/{transaction}/transfers/{transfer}"
_NEWEST = 100  # transfers of the whole core; the rows of the account tell the rest
_DAY = timedelta(days=1)
_TOO_MANY = "there are too many rows to look through"
_ENDS = frozenset({OpKind.CAPTURE, OpKind.RELEASE})  # of a hold
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMED = 7  # the version of ids that begin with the time


class Evidence:
    """Looks operations up.

    Args:
        questions: asks the core.
        looking: reads rows.
        zone: of the core's days.
        clock: the bank's clock.
    """

    def __init__(
        self, questions: Questions, looking: Looking, zone: ZoneInfo, clock: Clock
    ) -> None:
        self._ask = questions
        self._audits = Audits(questions, clock)
        self._looking = looking
        self._zone = zone
        self._clock = clock

    async def lookup(
        self, op: OpRef, kind: OpKind, context: OpContext
    ) -> Outcome[Happened]:
        """Tell what became of an operation.

        Raises:
            Outage: the core does not tell at the moment.
        """
        if wire.named(context.src) is None:
            return Rejected(PortCode.NEVER_SEEN)
        places: list[Place] = [self._named, self._shown, self._audited]
        if kind is OpKind.RELEASE:  # few commands, but maybe many rows since the hold
            places = [self._audited, self._shown]
        doubt: Unknown | None = None
        ends_at = self._clock.monotonic() + SEARCH_S
        for place in places:
            found = await place(op, kind, context, ends_at)
            if isinstance(found, Ok):
                return found
            doubt = doubt or found
        return doubt or Rejected(PortCode.NEVER_SEEN)

    async def row_of(
        self, ref: str, op: Posting, hold: UUID | None = None
    ) -> Seen | None:
        """Find the row that a posting of ours put on an account.

        Args:
            ref: the account.
            op: the posting.
            hold: what it booked, if it is a capture: some versions name no more.

        Raises:
            Outage: as above, or the rows are too many to look through.
        """

        def is_it(one: Seen) -> bool:
            made = op_of(one.row, one.detail)
            is_nameless = made is None and _books(one, hold)
            return not one.row.is_hold and (made == op.journal or is_nameless)

        day = wire.today(op.booked_at - _DAY, self._zone)
        search = self._looking.search(("row", op.journal, hold))
        stretch = await self._looking.since(ref, day, is_it, search)
        found = next(filter(is_it, stretch.rows), None)
        if found is None and not stretch.is_whole:
            raise wire.silent(_TOO_MANY)
        return found

    # ------------------------------------------------------------------ places

    async def _named(
        self, op: OpRef, kind: OpKind, context: OpContext, _ends_at: float
    ) -> Ok[Happened] | None:
        """Ask by the name of the operation, where the core has one."""
        if kind is OpKind.TRANSFER:
            return await self._listed(op)
        if kind is not OpKind.HOLD:  # the answer is the same before and after the end
            return None
        code = {"transaction": str(op.id), "transfer": str(op.id)}
        told = await self._ask.one(Ask("GET", INTEROP, path=code, op_id=op.id))
        if not isinstance(told, Mapping) or told.get("state") != "ACCEPTED":
            return None  # some versions answer nothing at all
        return Ok(Hold(op.id, context.src, context.amount))

    async def _listed(self, op: OpRef) -> Ok[Happened] | None:
        """Look among the newest transfers of the core."""
        newest = {"orderBy": "id", "sortOrder": "DESC", "limit": str(_NEWEST)}
        told = await self._ask.one(
            Ask("GET", TRANSFERS, params={"offset": "0", **newest}, op_id=op.id)
        )
        page = wire.record(told, "a page of transfers").get("pageItems")
        for value in page if isinstance(page, list) else ():
            one = wire.record(value, "a transfer")
            mark = wire.tagged(one.get("transferDescription"))
            if mark is not None and mark.op == op.id:
                on = wire.day(one.get("transferDate"), "a transfer's day")
                number = wire.number(one.get("id"), "a transfer's id")
                posting = Posting(op.id, wire.midnight(on, self._zone))
                return Ok(posting, str(number))
        return None

    async def _shown(
        self, op: OpRef, kind: OpKind, context: OpContext, ends_at: float
    ) -> Shown:
        """Look among the rows of the payer's account.

        A release is proven by all rows at once, so these are read anew each time, and
        not at all where the record took all the time.
        """
        if kind is OpKind.RELEASE and self._clock.monotonic() >= ends_at:
            return None
        judges: Mapping[OpKind, Judge] = {
            OpKind.TRANSFER: partial(self._booked, op, None),
            OpKind.HOLD: partial(_held, op, context),
            OpKind.CAPTURE: partial(self._booked, op, context.earlier),
            OpKind.RELEASE: partial(_freed, op),
            OpKind.REVERSE: partial(self._undone, op, context),
        }
        judge = judges[kind]

        def is_enough(one: Seen) -> bool:
            return judge(one) is not None or _stands(kind, context, one)

        began = _began(context, op.id, context.earlier, context.hold)
        day = wire.today(began - _DAY, self._zone)
        name = (kind, op.id, context.earlier, context.hold)
        search = Search(ends_at, None if kind is OpKind.RELEASE else name)
        rows, is_whole = await self._looking.since(context.src, day, is_enough, search)
        found = next(filter(None, map(judge, rows)), None)
        if found or any(_stands(kind, context, one) for one in rows):
            return found
        if kind is OpKind.RELEASE:
            return _surely_freed(context, rows) if is_whole else None
        return None if is_whole else Unknown(_TOO_MANY)

    def _booked(self, op: OpRef, hold: UUID | None, one: Seen) -> Ok[Happened] | None:
        """Judge the row of a transfer or capture, which bears our mark or its hold's.

        A hold is booked once, so what books it is the capture, whichever attempt it
        was. What was booked by others and undone is not.
        """
        row, detail = one
        if row.is_hold or row.is_release:
            return None
        made = op_of(row, detail)
        is_end = _books(one, hold) and not row.is_reversed
        if made != op.id and not is_end:
            return None
        at = wire.midnight(row.value_on, self._zone)
        number = None if detail.transfer is None else str(detail.transfer)
        return Ok(Posting(made or op.id, at), number)

    def _undone(self, op: OpRef, context: OpContext, one: Seen) -> Ok[Happened] | None:
        """Judge the row that a reversal undid: it says so; or the transfer back."""
        is_undone = one.row.is_reversed and _is_capture(context, one)
        if op_of(*one) == op.id or is_undone:
            return Ok(Posting(op.id, wire.midnight(one.row.value_on, self._zone)))
        return None

    async def _audited(
        self, op: OpRef, kind: OpKind, context: OpContext, ends_at: float
    ) -> Shown:
        """Look for a command of ours that the core carried out.

        The rows of holds and releases have no names, so the audit's word is enough for
        these; a booked movement must be in the books.
        """
        if kind not in audits.COMMANDS:
            return None
        hold = context.earlier if kind in _ENDS else None
        is_release = kind is OpKind.RELEASE
        # An earlier attempt may have freed the hold: from its making on.
        began = _began(context, op.id, hold if is_release else None)
        found = await self._audits.naming(kind, op.id, hold, Span(began, ends_at))
        if found.is_done:
            return _carried_out(op, kind, context)
        if not all(self._is_dead(one) for one in found.left):
            return Unknown("the core may still work on it")
        if not found.is_whole and not is_release:
            return Unknown("the audit is too long to be read to its end")
        return None

    def _is_dead(self, command: wire.Json) -> bool:
        """Tell whether a command is under way for longer than any takes."""
        made = audits.made_at(command)
        is_old = made is not None and self._clock.now() - made >= PATIENCE
        return is_old and audits.is_under_way(command)


def _carried_out(op: OpRef, kind: OpKind, context: OpContext) -> Shown:
    """Tell what a command that was carried out proves."""
    match kind:
        case OpKind.HOLD:
            return Ok(Hold(op.id, context.src, context.amount))
        case OpKind.RELEASE:
            return Ok(None)
        case _:
            return Unknown("the audit names it, the books do not show it")


def _began(context: OpContext, *ids: UUID | None) -> datetime:
    """Tell from when on something of operations can be there.

    An id of ours is made before its operation is sent for the first time. Whoever asks
    right after sending does not know when that was; a new attempt comes with the
    instant of the first one, of which its own id tells nothing.
    """
    made = [at for one in ids if (at := _made_at(one)) is not None]
    return min(made, default=context.first_sent_at)


def _made_at(op: UUID | None) -> datetime | None:
    """Tell when an id of ours was made; one of others does not say."""
    if op is None or op.version != _TIMED:
        return None
    return _EPOCH + (op.int >> 80) * _MILLISECOND


def _held(op: OpRef, context: OpContext, one: Seen) -> Ok[Happened] | None:
    """Judge the row of a hold, or of what became of it: that bears its name."""
    row, detail = one
    if row.code == str(op.id) or (row.is_hold and op_of(row, detail) == op.id):
        return Ok(Hold(op.id, context.src, row.amount))
    return None


def _freed(op: OpRef, one: Seen) -> Ok[Happened] | None:
    """Judge the row of a release, where the core gives it a name."""
    is_it = one.row.is_release and op_of(one.row, one.detail) == op.id
    return Ok(None) if is_it else None


def _surely_freed(context: OpContext, rows: Sequence[Seen]) -> Ok[Happened] | None:
    """Find a hold that can only have been released, among all rows since it was made.

    Most versions give the rows of a hold and of its release no name. Where holds of the
    amount were freed, none is left, and the hold was not booked, it was freed. A hold
    that may be older than the rows, or a debit that may have booked it, leaves it open.
    """
    hold = context.earlier
    if hold is None or _made_at(hold) is None:
        return None
    debits = [
        one
        for one in rows
        if not (one.row.is_hold or one.row.is_release) and one.row.direction == "OUT"
    ]
    if any(one.row.code == str(hold) or _may_book(context, one) for one in debits):
        return None
    held = [one.row for one in rows if one.row.is_hold]
    holds = [row for row in held if row.code == str(hold)] or [
        row for row in held if row.amount == context.amount
    ]
    return Ok(None) if holds and all(row.released_by for row in holds) else None


def _may_book(context: OpContext, one: Seen) -> bool:
    """Tell whether a debit may book a hold of this amount: nothing names another."""
    is_named = one.row.code or one.detail.tag or one.detail.transfer is not None
    return one.row.amount == context.amount and not is_named


def _stands(kind: OpKind, context: OpContext, one: Seen) -> bool:
    """Tell whether a row is the capture that a reversal undoes, and not undone."""
    if kind is not OpKind.REVERSE or one.row.is_reversed or one.row.is_hold:
        return False
    return _is_capture(context, one) and one.detail.transfer is None


def _is_capture(context: OpContext, one: Seen) -> bool:
    """Tell whether a row is what a reversal undoes, whichever attempt made it."""
    made = op_of(*one)
    is_it = made is not None and made == context.earlier
    return is_it or _books(one, context.hold)


def _books(one: Seen, hold: UUID | None) -> bool:
    """Tell whether a row books a hold: that is done once, and bears its name."""
    row = one.row
    is_end = not row.is_hold and not row.is_release
    return is_end and hold is not None and row.code == str(hold)


def only(shape: type[T], outcome: Outcome[Happened]) -> Outcome[T]:
    """Give an outcome whose value has a shape; another one proves nothing."""
    if not isinstance(outcome, Ok):
        return outcome
    if isinstance(outcome.value, shape):
        return Ok(outcome.value, outcome.provider_ref)
    return Unknown(f"evidence of a {type(outcome.value).__name__}")
