"""Everything that has an effect at Fineract: what is sent, and what is refused before.

The core compares neither currencies nor the bodies of two sends under one key, so that
is done here. What is wrong before anything left is Rejected or NotSent.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID, uuid5

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
from app.integrations.core_banking.fineract.recent import Recent
from app.integrations.core_banking.fineract.sending import (
    ODD,
    Sending,
    Write,
    before_sending,
    is_replayed,
    not_sent,
)
from app.integrations.core_banking.fineract.wire import Place
from app.integrations.exchange import Answer, Ask
from app.integrations.outcome import (
    Ok,
    OpRef,
    Outcome,
    PortCode,
    Rejected,
    Unknown,
)
from app.money import Money

T = TypeVar("T")

TRANSFERS = "/v1/accounttransfers"
TRANSFER = "/v1/accounttransfers/{id}"
INTEROP = "/v1/interoperation/transfers"
REPLAY = Unknown("the core repeats an answer")
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
        self._bodies: Recent[UUID, bytes] = Recent(_KEPT)
        self._payers: Recent[UUID, str] = Recent(_KEPT)
        self._freed: Recent[UUID, str] = Recent(_KEPT)

    async def lookup(
        self, op: OpRef, kind: OpKind, context: OpContext
    ) -> Outcome[Happened]:
        """Tell what the core shows of an operation; see `Evidence`."""
        found = await self._evidence.lookup(op, kind, context)
        if isinstance(found, Ok) and isinstance(found.value, Posting):
            self._payers.put(op.id, context.src)
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
        if isinstance(outcome, Ok):
            self._payers.put(op.id, src)
        return outcome

    async def hold(
        self, op: OpRef, src: str, amount: Money, text: Narrative
    ) -> Outcome[Hold]:
        """Set money aside; see `CoreBank.hold`."""
        hold, note = Hold(op.id, src, amount), wire.memo_of(op, text)
        accounts = await before_sending(self._looking.accounts([src]))
        refused = (
            _STOPPED.get(wire.state_of(accounts[src])) if src in accounts else None
        )
        if refused is not None:  # the core would hold, and refuse to book it later
            return Rejected(refused)
        return await self._interop(Step(op, OpKind.HOLD, hold, note, Hold), hold)

    async def capture(
        self, op: OpRef, hold: Hold, amount: Money | None
    ) -> Outcome[Posting]:
        """Book the whole of a hold; see `CoreBank.capture`."""
        if amount is not None and amount != hold.amount:
            return Rejected(PortCode.NOT_SUPPORTED, detail="a part of a hold")
        booked = Posting(op.id, wire.midnight(self._today(), self._place.zone))
        note = wire.tag(op.id, "Capture")
        if not await self._is_open(hold):  # the core would book it all the same
            at = self._clock.now()
            context = OpContext(hold.ref, None, hold.amount, at, hold.id)
            look = self._evidence.lookup(op, OpKind.CAPTURE, context)
            found = only(Posting, await before_sending(look))
            is_new = isinstance(found, Rejected)
            return Rejected(PortCode.VALIDATION, detail="no hold") if is_new else found
        step = Step(op, OpKind.CAPTURE, hold, note, Posting)
        outcome = await self._interop(step, booked)
        if isinstance(outcome, Ok):
            self._payers.put(op.id, hold.ref)
        return outcome

    async def release(self, op: OpRef, hold: Hold) -> Outcome[None]:
        """Free held money; see `CoreBank.release`."""
        note = wire.tag(op.id, "Release")
        step = Step(op, OpKind.RELEASE, hold, note, type(None))
        outcome = await self._interop(step, None)
        if isinstance(outcome, Ok):
            self._freed.put(hold.id, hold.ref)
        return outcome

    async def reverse(self, op: OpRef, posting: Posting) -> Outcome[Posting]:
        """Undo a capture; see `CoreBank.reverse`."""
        if self._is_other_body(op):
            return Rejected(PortCode.DUPLICATE_MISMATCH)
        src = self._payers.get(posting.journal)
        if src is None:
            raise not_sent("the posting was not looked up before")
        seen = await before_sending(self._evidence.row_of(src, posting))
        if seen is None:
            return Rejected(PortCode.VALIDATION, detail="no such posting")
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
            if seen.row.is_reversed and not is_replayed(answer):
                return Rejected(PortCode.VALIDATION, detail="undone before")
            return Ok(undone)

        context = OpContext(
            src, None, seen.row.amount, self._clock.now(), posting.journal
        )
        look = self._look(Posting, op, OpKind.REVERSE, context)
        return await self._sending.send(Write(op, ask, read, look))

    async def _sent_back(
        self, op: OpRef, posting: Posting, transfer: int, src: str
    ) -> Outcome[Posting]:
        """Undo a transfer by one back; the core refuses to undo a side of it.

        The key follows from what is undone, so it happens once whoever asks for it.
        """
        ask = Ask("GET", TRANSFER, path={"id": str(transfer)}, op_id=op.id)
        told = await before_sending(self._questions.one(ask))
        sides = wire.sides_of(told, src)
        if sides is None:
            return Rejected(PortCode.VALIDATION, detail="no such transfer")
        payee, amount = sides
        cards = await self._fitting(op, (payee, src), amount)
        if isinstance(cards, Rejected):
            return cards
        on = self._today()
        giver, taker = (wire.Side(int(one.ref), one.client) for one in cards)
        body = wire.transfer_body(
            (giver, taker), self._place.office, amount, on, wire.tag(op.id, "Reversal")
        )
        undone = Posting(op.id, wire.midnight(on, self._place.zone))
        context = OpContext(src, payee, amount, self._clock.now(), posting.journal)
        look = self._look(Posting, op, OpKind.REVERSE, context)
        key = uuid5(posting.journal, "reversal")
        outcome = await self._sending.send(
            Write(
                op,
                Ask("POST", TRANSFERS, body=body),
                lambda answer: REPLAY if is_replayed(answer) else Ok(undone),
                look,
                key,
            )
        )
        if outcome is REPLAY:  # it was done before: by this op, or by another one
            found = await look(self._clock.now())
            is_new = isinstance(found, Rejected)
            return Rejected(PortCode.VALIDATION, detail="undone") if is_new else found
        return outcome

    # ------------------------------------------------------------------ parts

    async def _interop(self, step: Step[T], value: T) -> Outcome[T]:
        """Make a hold or its end; both are named by the op that makes the hold."""
        hold = step.hold
        cards = await self._fitting(step.op, (hold.ref,), hold.amount)
        if isinstance(cards, Rejected):
            return cards
        external = cards[0].external
        if external is None:
            return Rejected(PortCode.NOT_SUPPORTED, detail="no external id")

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
        return await self._sending.send(Write(step.op, ask, read, look))

    async def _is_open(self, hold: Hold) -> bool:
        """Tell whether a hold can still be there; the core names none.

        An account that is not there, or says nothing, is for the core to refuse.
        """
        if self._freed.get(hold.id):
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

        Raises:
            NotSent: the core does not tell about the accounts; nothing was sent.
        """
        if self._is_other_body(op):
            return Rejected(PortCode.DUPLICATE_MISMATCH)
        cards = await before_sending(self._looking.cards(refs))
        if any(ref not in cards for ref in refs):
            return Rejected(PortCode.ACCOUNT_NOT_FOUND)
        if amount.minor <= 0:
            return Rejected(PortCode.VALIDATION)
        if any(cards[ref].currency != amount.currency for ref in refs):
            return Rejected(PortCode.CURRENCY_MISMATCH)
        return [cards[ref] for ref in refs]

    def _is_other_body(self, op: OpRef) -> bool:
        """Tell whether an op comes with another body than before in this process."""
        known = self._bodies.get(op.id)
        if known is None:
            self._bodies.put(op.id, op.fingerprint)
        return known is not None and known != op.fingerprint

    def _today(self) -> date:
        return wire.today(self._clock.now(), self._place.zone)
