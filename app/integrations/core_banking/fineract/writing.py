"""Everything that has an effect at Fineract: what is sent, and what is refused before.

The core compares neither currencies nor the bodies of two sends under one key, so that
is done here. What is wrong before anything left is Rejected, as a no of ours that the
core was not asked for, or NotSent.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from app.clock import Clock
from app.integrations.core_banking import (
    AccountState,
    Hold,
    Narrative,
    OpContext,
    OpKind,
    Posting,
)
from app.integrations.core_banking.fineract import questions, wire
from app.integrations.core_banking.fineract.evidence import Evidence, Happened, only
from app.integrations.core_banking.fineract.looking import Card, Looking
from app.integrations.core_banking.fineract.questions import Questions
from app.integrations.core_banking.fineract.sending import (
    ODD,
    Sending,
    Write,
    before_sending,
    is_carried_out,
    is_replayed,
    not_sent,
    refused,
)
from app.integrations.core_banking.fineract.stretches import Seen
from app.integrations.core_banking.fineract.wire import Place
from app.integrations.exchange import Answer, Ask
from app.integrations.outcome import (
    Ok,
    OpRef,
    Outcome,
    PortCode,
    Rejected,
)
from app.money import Money
from app.shelf import Shelf

T = TypeVar("T")

TRANSFERS = "/v1/accounttransfers"
TRANSFER = "/v1/accounttransfers/{id}"
INTEROP = "/v1/interoperation/transfers"
_KEPT = 10_000
_ACTIONS = {OpKind.HOLD: "PREPARE", OpKind.CAPTURE: "CREATE", OpKind.RELEASE: "RELEASE"}


# A hold on an account in such a state could never be booked.
_STOPPED = {
    AccountState.BLOCKED: PortCode.ACCOUNT_BLOCKED,
    AccountState.BLOCK_DEBIT: PortCode.ACCOUNT_BLOCKED,
    AccountState.CLOSED: PortCode.ACCOUNT_CLOSED,
}


@dataclass(frozen=True, slots=True)
class Step(Generic[T]):
    """A hold or its end, and what the books show of it when it happened."""

    op: OpRef
    kind: OpKind
    hold: Hold
    note: str
    shape: type[T]


class Paid(NamedTuple):
    """Who paid a posting, and the hold that it booked, if it is a capture."""

    src: str
    hold: UUID | None


class Reading(NamedTuple):
    """What reads the core."""

    questions: Questions
    looking: Looking
    evidence: Evidence


class Writing:
    """Sends what moves money.

    Args:
        sending: sends one write.
        clock: the bank's clock.
        place: in whose name money is moved, and the core's days.
        reading: what reads the core.
    """

    def __init__(
        self, sending: Sending, clock: Clock, place: Place, reading: Reading
    ) -> None:
        self._sending = sending
        self._clock = clock
        self._place = place
        self._questions = reading.questions
        self._looking = reading.looking
        self._evidence = reading.evidence
        self._bodies = Shelf[UUID, bytes](_KEPT)
        self._payers = Shelf[UUID, Paid](_KEPT)
        self._freed = Shelf[UUID, str](_KEPT)

    async def lookup(
        self, op: OpRef, kind: OpKind, context: OpContext
    ) -> Outcome[Happened]:
        """Tell what the core shows of an operation; see `Evidence`."""
        found = await self._evidence.lookup(op, kind, context)
        hold = context.earlier if kind is OpKind.CAPTURE else None
        self._paid(found, context.src, hold)
        return found

    async def transfer(
        self, op: OpRef, src: str, dst: str, amount: Money, text: Narrative
    ) -> Outcome[Posting]:
        """Move money between two accounts; see `CoreBank.transfer`."""
        cards = await self._fitting(op, (src, dst), amount)
        if isinstance(cards, Rejected):
            return cards
        on = self._today()
        payer, payee = (wire.Side(int(one.ref), one.client) for one in cards)
        body = wire.transfer_body(
            (payer, payee), self._place.office, amount, on, wire.memo_of(op, text)
        )
        booked = Posting(op.id, wire.midnight(on, self._place.zone))

        def read(answer: Answer) -> Outcome[Posting]:
            told = answer.body if isinstance(answer.body, dict) else {}
            number = told.get("resourceId")
            return Ok(booked, str(number)) if isinstance(number, int) else ODD

        context = OpContext(src, dst, amount, self._clock.now())
        look = self._look(Posting, op, OpKind.TRANSFER, context)
        ask = Ask("POST", TRANSFERS, body=body)
        outcome = await self._sending.send(Write(op, ask, read, look))
        self._paid(outcome, src)
        return outcome

    async def hold(
        self, op: OpRef, src: str, amount: Money, text: Narrative
    ) -> Outcome[Hold]:
        """Set money aside; see `CoreBank.hold`."""
        hold, note = Hold(op.id, src, amount), wire.memo_of(op, text)
        accounts = await before_sending(self._looking.accounts([src]))
        state = wire.state_of(accounts[src]) if src in accounts else None
        if state in _STOPPED:  # the core would hold, and refuse to book it later
            return refused(_STOPPED[state])
        return await self._interop(Step(op, OpKind.HOLD, hold, note, Hold), hold)

    async def capture(
        self, op: OpRef, hold: Hold, amount: Money | None
    ) -> Outcome[Posting]:
        """Book the whole of a hold; see `CoreBank.capture`."""
        if amount is not None and amount != hold.amount:
            return refused(PortCode.NOT_SUPPORTED, "a part of a hold")
        booked = Posting(op.id, wire.midnight(self._today(), self._place.zone))
        note = wire.tag(op.id, "Capture")
        if not await self._is_open(hold):  # the core would book it all the same
            at = self._clock.now()
            context = OpContext(hold.ref, None, hold.amount, at, hold.id)
            look = self._look(Posting, op, OpKind.CAPTURE, context)
            found = await before_sending(look(at))
            self._paid(found, hold.ref, hold.id)
            is_new = isinstance(found, Rejected)
            return refused(PortCode.VALIDATION, "no hold") if is_new else found
        step = Step(op, OpKind.CAPTURE, hold, note, Posting)
        outcome = await self._interop(step, booked)
        self._paid(outcome, hold.ref, hold.id)
        return outcome

    async def release(self, op: OpRef, hold: Hold) -> Outcome[None]:
        """Free held money; see `CoreBank.release`."""
        note = wire.tag(op.id, "Release")
        step = Step(op, OpKind.RELEASE, hold, note, type(None))
        outcome = await self._interop(step, None)
        if isinstance(outcome, Ok):
            self._freed.keep(hold.id, hold.ref)
        return outcome

    async def reverse(self, op: OpRef, posting: Posting) -> Outcome[Posting]:
        """Undo a capture; see `CoreBank.reverse`."""
        if self._is_other_body(op):
            return Rejected(PortCode.DUPLICATE_MISMATCH)
        paid = self._payers.of(posting.journal)
        if paid is None:
            raise not_sent("the posting was not looked up before")
        src, hold = paid
        seen = await before_sending(self._evidence.row_of(src, posting, hold))
        if seen is None:
            return refused(PortCode.VALIDATION, "no such posting")
        if seen.detail.transfer is not None:
            return await self._sent_back(op, posting, seen.detail.transfer, src)
        undone = Posting(op.id, wire.midnight(seen.row.value_on, self._place.zone))
        ask = Ask(
            "POST",
            questions.ROW,
            path={"ref": src, "row": str(seen.row.id)},
            params={"command": "undo"},
            body={},
        )

        def read(answer: Answer) -> Outcome[Posting]:
            if not is_carried_out(answer):
                return ODD
            if seen.row.is_reversed and not is_replayed(answer):
                return Rejected(PortCode.VALIDATION, detail="undone before")
            return Ok(undone)

        context = OpContext(
            src, None, seen.row.amount, self._clock.now(), posting.journal, hold
        )
        look = self._look(Posting, op, OpKind.REVERSE, context)
        return await self._sending.send(Write(op, ask, read, look))

    async def _sent_back(
        self, op: OpRef, posting: Posting, transfer: int, src: str
    ) -> Outcome[Posting]:
        """Undo a transfer by one back; the core refuses to undo a side of it.

        The core does not know that it undoes anything, so the books are searched: it
        says what it undoes, and is sent once whoever asks. Of one payment never two are
        under way (banking.md section 4.3).
        """
        memo = f"Reversal of {posting.journal}"
        before = await self._back(op, posting, src, memo)
        if before is not None:
            return before
        ask = Ask("GET", TRANSFER, path={"id": str(transfer)}, op_id=op.id)
        told = await before_sending(self._questions.one(ask))
        sides = wire.sides_of(told, src)
        if sides is None:
            return refused(PortCode.VALIDATION, "no such transfer")
        payee, amount = sides
        cards = await self._fitting(op, (payee, src), amount)
        if isinstance(cards, Rejected):
            return cards
        on = self._today()
        giver, taker = (wire.Side(int(one.ref), one.client) for one in cards)
        body = wire.transfer_body(
            (giver, taker), self._place.office, amount, on, wire.tag(op.id, memo)
        )
        undone = Posting(op.id, wire.midnight(on, self._place.zone))
        context = OpContext(src, payee, amount, self._clock.now(), posting.journal)
        look = self._look(Posting, op, OpKind.REVERSE, context)
        ask = Ask("POST", TRANSFERS, body=body)

        def read(answer: Answer) -> Outcome[Posting]:
            return Ok(undone) if is_carried_out(answer) else ODD

        return await self._sending.send(Write(op, ask, read, look))

    async def _back(
        self, op: OpRef, posting: Posting, src: str, memo: str
    ) -> Ok[Posting] | Rejected | None:
        """Find the transfer back that was made before; None: there surely is none.

        Raises:
            NotSent: the core does not tell, or there are too many rows to know.
        """

        def is_it(one: Seen) -> bool:
            tag = one.detail.tag
            return tag is not None and (tag.op == op.id or tag.memo == memo)

        zone = self._place.zone
        day = wire.today(posting.booked_at - timedelta(days=1), zone)
        search = self._looking.search(("back", op.id, memo))
        reading = self._looking.since(src, day, is_it, search)
        rows, is_whole = await before_sending(reading)
        for row, detail in filter(is_it, rows):
            if detail.tag is not None and detail.tag.op == op.id:
                return Ok(Posting(op.id, wire.midnight(row.value_on, zone)))
            return refused(PortCode.VALIDATION, "undone before")
        if not is_whole:
            raise not_sent("too many rows to see whether it was undone")
        return None

    # ------------------------------------------------------------------ parts

    def _paid(self, outcome: Outcome[T], src: str, hold: UUID | None = None) -> None:
        """Remember who paid: a reversal starts from his rows."""
        if isinstance(outcome, Ok) and isinstance(outcome.value, Posting):
            self._payers.keep(outcome.value.journal, Paid(src, hold))

    async def _interop(self, step: Step[T], value: T) -> Outcome[T]:
        """Make a hold or its end; both are named by the op that makes the hold."""
        hold = step.hold
        cards = await self._fitting(step.op, (hold.ref,), hold.amount)
        if isinstance(cards, Rejected):
            return cards
        external = cards[0].external
        if external is None:
            return refused(PortCode.NOT_SUPPORTED, "no external id")

        def read(answer: Answer) -> Outcome[T]:
            told = answer.body if isinstance(answer.body, dict) else {}
            if told.get("transferCode") != str(hold.id):
                return ODD
            if told.get("state") == "REJECTED":
                return Rejected(PortCode.NOT_SUPPORTED, detail="state REJECTED")
            return Ok(value) if told.get("state") == "ACCEPTED" else ODD

        ask = Ask(
            "POST",
            INTEROP,
            params={"action": _ACTIONS[step.kind]},
            body=wire.hold_body(hold, external, step.note),
        )
        earlier = None if step.kind is OpKind.HOLD else hold.id
        context = OpContext(hold.ref, None, hold.amount, self._clock.now(), earlier)
        look = self._look(step.shape, step.op, step.kind, context)
        # Nobody else holds under this name, so a hold that is there already is ours.
        done = Ok(value) if step.kind is OpKind.HOLD else None
        return await self._sending.send(Write(step.op, ask, read, look, done))

    async def _is_open(self, hold: Hold) -> bool:
        """Tell whether a hold can still be there; the core names none.

        An account that is not there, or says nothing, is for the core to refuse.
        """
        if self._freed.of(hold.id):
            return False
        found = await before_sending(self._looking.balances([hold.ref]))
        held = [one.held for one in found if one.held.currency == hold.amount.currency]
        return not held or held[0].minor >= hold.amount.minor

    def _look(
        self, shape: type[T], op: OpRef, kind: OpKind, context: OpContext
    ) -> Callable[[datetime], Awaitable[Outcome[T]]]:
        """Make the lookup of a write, for a key that the core does not let go."""

        async def look(sent_at: datetime) -> Outcome[T]:
            told = replace(context, first_sent_at=sent_at)
            return only(shape, await self._evidence.lookup(op, kind, told))

        return look

    async def _fitting(
        self, op: OpRef, refs: Sequence[str], amount: Money
    ) -> list[Card] | Rejected:
        """Refuse what the core would take wrongly: it never asks for a currency.

        An account with other decimal places than its currency has would be rounded.

        Raises:
            NotSent: the core does not tell about the accounts; nothing was sent.
        """
        if self._is_other_body(op):
            return Rejected(PortCode.DUPLICATE_MISMATCH)
        cards = await before_sending(self._looking.cards(refs))
        if any(ref not in cards for ref in refs):
            return refused(PortCode.ACCOUNT_NOT_FOUND)
        if amount.minor <= 0:
            return refused(PortCode.VALIDATION)
        found = [cards[ref] for ref in refs]
        form = amount.currency, amount.exponent
        if any((one.currency, one.places) != form for one in found):
            return refused(PortCode.CURRENCY_MISMATCH)
        return found

    def _is_other_body(self, op: OpRef) -> bool:
        """Tell whether an op comes with another body than before in this process."""
        known = self._bodies.of(op.id)
        if known is None:
            self._bodies.keep(op.id, op.fingerprint)
        return known is not None and known != op.fingerprint

    def _today(self) -> date:
        return wire.today(self._clock.now(), self._place.zone)
