"""A remote core written by hand: books in memory; its line is cut, slow, counted."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from uuid import UUID, uuid5

from app.clock import Clock
from app.errors import Outage
from app.integrations.core_banking import (
    AccountKind,
    AccountState,
    CoreAccount,
    CoreBalance,
    CoreCaps,
    CoreCustomer,
    CoreTxn,
    Health,
    Hold,
    Look,
    Narrative,
    OlderRows,
    OpContext,
    OpKind,
    Posting,
)
from app.integrations.outcome import (
    ContractBroken,
    Ok,
    OpRef,
    Outcome,
    PortCode,
    Rejected,
)
from app.money import Money

_NAMES = UUID(int=0xFA12)


@dataclass
class Kept:
    """One account of the core; its newest row first."""

    account: CoreAccount
    owner: str
    booked: int = 0
    held: int = 0
    rows: list[CoreTxn] = field(default_factory=list)


class FarCore:
    """A core that knows days, not instants, and shows our op ids and little else.

    Args:
        clock: of the bank: both live on the same day.
    """

    caps = CoreCaps(
        local=False,
        joins_transaction=False,
        holds=True,
        partial_capture=False,
        native_idempotency=True,
        reverse=True,
    )

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._number = 0
        self._done: dict[UUID, Posting | Hold | None] = {}
        self._open: dict[UUID, CoreTxn] = {}
        self.kept: dict[str, Kept] = {}
        self.looks: list[tuple[str, ...]] = []
        self.pages: list[tuple[str, str]] = []
        self.away = False
        self.unreadable: set[str] = set()
        self.slow: dict[str, asyncio.Event] = {}
        self.shows_older = True
        self.names_holds = False  # Fineract's rows of holds carry no text
        self.hidden: set[UUID] = set()  # rows that count and are not shown
        self.for_two: set[str] = set()  # accounts that it lists for everybody

    # -------------------------------------------------------------- for tests

    def open(  # noqa: PLR0913  -- one argument a fact
        self,
        owner: str,
        minor: int = 0,
        *,
        name: str = "Everyday",
        kind: AccountKind = AccountKind.CURRENT,
        currency: str = "INR",
        number: str | None = None,
        external: bool = True,
    ) -> str:
        ref = str(len(self.kept) + 1)
        account = CoreAccount(
            ref=ref,
            kind=kind,
            name=name,
            masked_number="",
            currency=currency,
            state=AccountState.OPEN,
            number=number or f"77{len(self.kept):08d}",
            external_ref=f"ext-{ref}" if external else None,
            can_hold=external,
        )
        self.kept[ref] = Kept(account, owner)
        if minor:
            self.deposit(ref, minor)
        return ref

    def deposit(self, ref: str, minor: int, memo: str = "Cash") -> CoreTxn:
        """Put money in at the branch: nobody here hears of it."""
        self.kept[ref].booked += minor
        return self._enter(ref, "IN", minor, "CASH", memo, None)

    def change(self, ref: str, **parts: object) -> None:
        """Change the newest row."""
        kept = self.kept[ref]
        kept.rows[0] = replace(kept.rows[0], **parts)  # type: ignore[arg-type]  # a test's words

    def state(self, ref: str, state: AccountState) -> None:
        """Block or close at the branch."""
        kept = self.kept[ref]
        kept.account = replace(kept.account, state=state)

    # -------------------------------------------------------------- the port: reads

    async def accounts(self, customer: CoreCustomer) -> list[CoreAccount]:
        self._line()
        return [
            kept.account
            for ref, kept in self.kept.items()
            if kept.owner == customer.number or ref in self.for_two
        ]

    async def balances(self, refs: Sequence[str]) -> list[CoreBalance]:
        self._line()
        return [self._balance(ref) for ref in refs if ref in self.kept]

    async def look(self, refs: Sequence[str], rows: int) -> list[Look]:
        self.looks.append(tuple(refs))
        for ref in refs:
            if ref in self.slow:
                await self.slow[ref].wait()
        self._line()
        self._readable(*refs)
        return [self._look(ref, rows) for ref in refs if ref in self.kept]

    async def older(self, ref: str, after: str) -> OlderRows:
        self.pages.append((ref, after))
        self._line()
        self._readable(ref)
        kept, begin = self.kept[ref].rows, int(after)
        rows = self._shown(kept[begin : begin + 5])
        more = begin + 5 < len(kept)
        return OlderRows(rows, str(begin + 5) if more else None)

    async def health(self) -> Health:
        return Health(reachable=not self.away)

    def _look(self, ref: str, rows: int) -> Look:
        kept = self.kept[ref]
        more = self.shows_older and len(kept.rows) > rows
        return Look(
            ref=ref,
            state=kept.account.state,
            balance=self._balance(ref),
            rows=self._shown(kept.rows[:rows]),
            older=str(rows) if more else None,
        )

    def _shown(self, rows: Sequence[CoreTxn]) -> tuple[CoreTxn, ...]:
        return tuple(row for row in rows if row.id not in self.hidden)

    def _balance(self, ref: str) -> CoreBalance:
        kept = self.kept[ref]
        currency = kept.account.currency
        return CoreBalance(
            ref=ref,
            committed=Money(kept.booked, currency),
            held=Money(kept.held, currency),
            available=Money(kept.booked - kept.held, currency),
            as_of=self._clock.now(),
            version=0,
        )

    # -------------------------------------------------------------- the port: writes

    async def transfer(
        self, op: OpRef, src: str, dst: str, amount: Money, text: Narrative
    ) -> Outcome[Posting]:
        self._line()
        if self._free(src) < amount.minor:
            return Rejected(PortCode.INSUFFICIENT_FUNDS)
        self.kept[src].booked -= amount.minor
        self.kept[dst].booked += amount.minor
        tag = f"6p:{op.id} {text.memo}"
        out = self._enter(src, "OUT", amount.minor, "TRANSFER", tag, op.id)
        self._enter(dst, "IN", amount.minor, "TRANSFER", tag, op.id)
        return self._posted(op, out)

    async def hold(
        self, op: OpRef, src: str, amount: Money, text: Narrative
    ) -> Outcome[Hold]:
        self._line()
        if self._free(src) < amount.minor:
            return Rejected(PortCode.INSUFFICIENT_FUNDS)
        self.kept[src].held += amount.minor
        tag = f"6p:{op.id} {text.memo}"
        named = op.id if self.names_holds else None
        row = self._enter(src, "OUT", amount.minor, "TRANSFER", tag, named)
        self.change(src, status="PENDING", booked_at=None, running_balance=None)
        self._open[op.id] = row
        hold = Hold(op.id, src, amount)
        self._done[op.id] = hold
        return Ok(hold)

    async def capture(
        self, op: OpRef, hold: Hold, amount: Money | None
    ) -> Outcome[Posting]:
        del amount
        self._line()
        if not self._let_go(hold):
            return Rejected(PortCode.VALIDATION)
        self.kept[hold.ref].booked -= hold.amount.minor
        tag = f"6p:{op.id} paid"
        minor = hold.amount.minor
        row = self._enter(hold.ref, "OUT", minor, "TRANSFER", tag, op.id)
        return self._posted(op, row)

    async def release(self, op: OpRef, hold: Hold) -> Outcome[None]:
        self._line()
        if not self._let_go(hold):
            return Rejected(PortCode.VALIDATION)
        self._done[op.id] = None
        return Ok(None)

    async def reverse(
        self, op: OpRef, posting: Posting, reason: str
    ) -> Outcome[Posting]:
        del reason
        self._line()
        for kept in self.kept.values():
            for place, row in enumerate(kept.rows):
                if row.id == posting.journal:
                    kept.rows[place] = replace(row, status="REVERSED")
                    kept.booked += row.amount.minor
        return self._posted(op, None)

    async def lookup(
        self, op: OpRef, kind: OpKind, context: OpContext
    ) -> Outcome[Posting | Hold | None]:
        del kind, context
        self._line()
        if op.id not in self._done:
            return Rejected(PortCode.NEVER_SEEN)
        return Ok(self._done[op.id])

    async def set_state(
        self, op: OpRef, ref: str, state: AccountState
    ) -> Outcome[None]:
        del op
        self._line()
        self.state(ref, state)
        return Ok(None)

    # -------------------------------------------------------------- inside

    def _line(self) -> None:
        if self.away:
            raise Outage("refused", component="ACCOUNTS")

    def _readable(self, *refs: str) -> None:
        if self.unreadable.intersection(refs):
            raise ContractBroken("an account without a sum", component="ACCOUNTS")

    def _free(self, ref: str) -> int:
        return self.kept[ref].booked - self.kept[ref].held

    def _let_go(self, hold: Hold) -> bool:
        row = self._open.pop(hold.id, None)
        if row is None:
            return False
        kept = self.kept[hold.ref]
        kept.held -= hold.amount.minor
        kept.rows = [one for one in kept.rows if one.id != row.id]
        return True

    def _posted(self, op: OpRef, row: CoreTxn | None) -> Outcome[Posting]:
        journal = row.id if row else op.id
        posting = Posting(journal, self._clock.now())
        self._done[op.id] = posting
        return Ok(posting)

    def _enter(
        self,
        ref: str,
        direction: str,
        minor: int,
        kind: str,
        memo: str,
        op: UUID | None,
    ) -> CoreTxn:
        kept = self.kept[ref]
        self._number += 1
        at = self._midnight() + timedelta(microseconds=self._number)
        row = CoreTxn(
            id=uuid5(_NAMES, f"{ref}:{self._number}"),
            ref=ref,
            status="BOOKED",
            kind=kind,
            direction=direction,
            amount=Money(minor, kept.account.currency),
            running_balance=Money(kept.booked, kept.account.currency),
            created_at=at,
            booked_at=at,
            value_on=self._clock.today(),
            counterparty_name=None,
            counterparty_masked=None,
            narration=memo,
            rail="INTERNAL",
            reference=None,
            payment=None,
            op=op,
        )
        kept.rows.insert(0, row)
        return row

    def _midnight(self) -> datetime:
        return datetime.combine(self._clock.today(), time(), self._clock.zone)
