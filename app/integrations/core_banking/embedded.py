"""Our own ledger behind the CoreBank port: for banks without a core, and for laptops.

It answers Ok or Rejected and never Unknown: what happened is one transaction of our own
database. After a crash `lookup` reads what the book stored of the operation.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from pydantic_settings import BaseSettings, SettingsConfigDict

from app.clock import Clock
from app.database import Proof
from app.integrations.core_banking import (
    AccountKind,
    AccountState,
    Chosen,
    CoreAccount,
    CoreBalance,
    CoreCaps,
    CoreCustomer,
    CoreTxn,
    Health,
    Hold,
    Narrative,
    NewAccount,
    OpContext,
    OpKind,
    Posting,
    TxnQuery,
)
from app.integrations.kept import KeptTxn, KeptTxns
from app.integrations.outcome import Ok, OpRef, Outcome, PortCode, Rejected
from app.ledger import coherence, ops, reading
from app.ledger.book import Book, Opening
from app.ledger.errors import Refused
from app.ledger.holds import Holds
from app.ledger.journal import Figures
from app.ledger.lines import Words
from app.ledger.ops import Answer, Op
from app.ledger.posting import JournalKind, No, State
from app.ledger.reading import LineQuery, Reading
from app.money import Money
from app.rows import Row

T = TypeVar("T")

_FIRST_MAX = 101  # one row more than the largest page, to know whether there is more


class Settings(BaseSettings):
    """The embedded core has none of its own."""

    model_config = SettingsConfigDict(env_prefix="SIXPENCE_CORE_BANKING_EMBEDDED_")


class EmbeddedCore:
    """The CoreBank port over the embedded book. `ref` is the ledger account's UUID.

    Args:
        clock: gives instants and bank days.
    """

    caps = CoreCaps(
        local=True,
        joins_transaction=False,
        holds=True,
        partial_capture=True,
        native_idempotency=True,
        reverse=True,
    )

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._book = Book(clock)
        self._holds = Holds(self._book)

    # -------------------------------------------------------------- reads

    async def accounts(self, customer: CoreCustomer) -> list[CoreAccount]:
        """List the accounts of a customer, oldest first."""
        return [_account(found) for found in await reading.of_owner(customer.id)]

    async def balances(self, refs: Sequence[str]) -> list[CoreBalance]:
        """Give the balances of accounts in one statement; unknown ones left out."""
        found = await reading.balances(_uuids(refs))
        at = self._clock.now()
        return [_balance(one, at) for one in found]

    async def transactions(
        self, refs: Sequence[str], query: TxnQuery
    ) -> dict[str, list[CoreTxn]]:
        """Give one page of rows per account, all accounts in one statement."""
        accounts = _uuids(refs)
        pages: dict[str, list[CoreTxn]] = {str(account): [] for account in accounts}
        for row in _txns(await reading.page(accounts, _query(query))):
            pages[row.ref].append(row)
        return pages

    async def joined(
        self, chosen: Chosen, rows: int
    ) -> list[tuple[Row, CoreBalance | None, Sequence[CoreTxn]]]:
        """Give accounts, balances and rows in one statement."""
        found = await reading.joined(chosen.sql, rows, *chosen.values)
        at = self._clock.now()
        return [(row, _joined_balance(row, at), _joined_rows(row)) for row in found]

    async def transactions_by_id(self, ids: Sequence[UUID]) -> list[CoreTxn]:
        """Give rows by their ids, unknown ones left out."""
        return [*_txns(await reading.by_ids(ids))]

    async def transactions_of(self, payments: Sequence[UUID]) -> list[CoreTxn]:
        """Give all rows that payments of ours made, oldest first."""
        return [*_txns(await reading.of_payments(payments))]

    # -------------------------------------------------------------- writes

    async def transfer(
        self, op: OpRef, src: str, dst: str, amount: Money, text: Narrative
    ) -> Outcome[Posting]:
        """Move money at once between two accounts."""
        sides = _known(src), _known(dst)
        if sides[0] is None or sides[1] is None:
            return Rejected(PortCode.ACCOUNT_NOT_FOUND)
        return await _outcome(
            self._book.transfer(_op(op), sides[0], sides[1], amount, _words(text)),
            _posting,
        )

    async def hold(
        self, op: OpRef, src: str, amount: Money, text: Narrative
    ) -> Outcome[Hold]:
        """Set money aside."""
        payer = _known(src)
        if payer is None:
            return Rejected(PortCode.ACCOUNT_NOT_FOUND)
        work = self._holds.hold(_op(op), payer, amount, _words(text))
        return await _outcome(work, lambda answer: _hold(op, answer))

    async def capture(
        self, op: OpRef, hold: Hold, amount: Money | None
    ) -> Outcome[Posting]:
        """Book held money, wholly or in part; the rest is free again."""
        work = self._holds.capture(_op(op), hold.id, hold.amount.currency, amount)
        return await _outcome(work, _posting)

    async def release(self, op: OpRef, hold: Hold) -> Outcome[None]:
        """Free held money."""
        work = self._holds.release(_op(op), hold.id, hold.amount.currency)
        return await _outcome(work, _nothing)

    async def reverse(
        self, op: OpRef, posting: Posting, reason: str
    ) -> Outcome[Posting]:
        """Book the opposite of an earlier movement, once."""
        work = self._book.reverse(_op(op), posting.journal, reason)
        return await _outcome(work, _posting)

    async def lookup(
        self, op: OpRef, kind: OpKind, context: OpContext
    ) -> Outcome[Posting | Hold | None]:
        """Tell what the book stored of an operation; `context` is not needed here."""
        del kind, context
        return await _outcome(ops.lookup(_op(op)), lambda answer: _happened(op, answer))

    async def set_state(
        self, op: OpRef, ref: str, state: AccountState
    ) -> Outcome[None]:
        """Block, unblock or close an account."""
        account = _known(ref)
        if account is None:
            return Rejected(PortCode.ACCOUNT_NOT_FOUND)
        work = self._book.set_state(_op(op), account, State(state))
        return await _outcome(work, _nothing)

    async def health(self) -> Health:
        """Answer; the book is as well as our own database, which is looked at apart.

        Raises:
            Outage: our own database is lost.
        """
        reason = await self._book.frozen()
        return Health(reachable=True, detail=reason or "", posts=reason is None)

    # -------------------------------------------------------------- CanProve

    def proofs(self) -> list[Proof]:
        """Give C1-C4 and C7."""
        return coherence.proofs()

    async def freeze(self, reason: str) -> bool:
        """Stop all postings; reads go on. Gives whether they went on until now."""
        return await self._book.freeze(reason)

    async def unfreeze(self, reason: str) -> None:
        """Allow postings again."""
        await self._book.unfreeze(reason)

    # -------------------------------------------------------------- CanSeed

    async def open_account(self, account: NewAccount) -> str:
        """Open an account; the same id again changes nothing. Gives its `ref`."""
        await self._book.open_account(
            Opening(
                id=account.id,
                owner=account.owner,
                kind=account.kind,
                name=account.name,
                masked_number=account.masked_number,
                currency=account.currency,
                floor=account.floor_minor,
            )
        )
        return str(account.id)

    async def deposit(self, op: OpRef, ref: str, amount: Money, memo: str) -> None:
        """Put money in from the bank's own cash, once per op.

        Raises:
            Refused: unknown or blocked account, other currency: a mistake of the seed.
        """
        await self._book.deposit(_op(op), UUID(ref), amount, memo)


async def connect(_settings: Settings, *, clock: Clock) -> EmbeddedCore:
    """Open the embedded core: the database is the bank's own."""
    return EmbeddedCore(clock)


# ------------------------------------------------------------------ translation


async def _outcome(work: Awaitable[Answer], value: Callable[[Answer], T]) -> Outcome[T]:
    try:
        return Ok(value(await work))
    except Refused as refused:
        return Rejected(_CODES[refused.no])


_CODES = {no: PortCode(no) for no in No}


def _op(op: OpRef) -> Op:
    return Op(op.id, op.fingerprint)


def _known(ref: str) -> UUID | None:
    try:
        return UUID(ref)
    except ValueError:
        return None


def _uuids(refs: Sequence[str]) -> list[UUID]:
    return [found for ref in refs if (found := _known(ref)) is not None]


def _words(text: Narrative) -> Words:
    return Words(
        narration=text.memo,
        payment=text.payment,
        rail=text.rail,
        reference=text.reference,
        payer=(text.payer_name, text.payer_masked),
        payee=(text.payee_name, text.payee_masked),
    )


def _query(query: TxnQuery) -> LineQuery:
    return LineQuery(
        first=min(query.first, _FIRST_MAX),
        after=query.after,
        before=query.before,
        since=query.since,
        until=query.until,
        direction=query.direction,
        statuses=query.statuses,
        min_minor=query.min_minor,
        max_minor=query.max_minor,
        text=query.text,
        noted=query.noted,
    )


def _posting(answer: Answer) -> Posting:
    assert answer.journal is not None  # noqa: S101  -- every movement has its journal
    return Posting(journal=answer.journal, booked_at=answer.at)


def _hold(op: OpRef, answer: Answer) -> Hold:
    amount = Money(answer.amount or 0, answer.currency or "")
    return Hold(id=op.id, ref=str(answer.account), amount=amount)


def _nothing(_answer: Answer) -> None:
    return None


def _happened(op: OpRef, answer: Answer) -> Posting | Hold | None:
    if answer.kind == JournalKind.HOLD:
        return _hold(op, answer)
    if answer.journal is None or answer.kind == JournalKind.RELEASE:
        return None
    return _posting(answer)


def _account(found: Reading) -> CoreAccount:
    account = found.account
    return CoreAccount(
        ref=str(account.id),
        kind=AccountKind(account.kind),
        name=account.name,
        masked_number=account.masked_number or "",
        currency=account.currency,
        state=AccountState(account.state),
    )


def _balance(found: Reading, at: datetime) -> CoreBalance:
    account = found.account
    return _told(str(account.id), account.currency, found.figures, at)


def _told(ref: str, currency: str, figures: Figures, at: datetime) -> CoreBalance:
    return CoreBalance(
        ref=ref,
        committed=Money(figures.committed, currency),
        held=Money(-figures.pending_out, currency),
        available=Money(figures.available, currency),
        as_of=at,
        version=figures.version,
    )


def _txns(rows: Sequence[Row]) -> list[KeptTxn]:
    refs: dict[object, str] = {}
    found = []
    for row in rows:
        own = row.raw("account_id")
        ref = refs.get(own)
        if ref is None:
            ref = refs[own] = str(row.get("account_id", UUID))
        found.append(KeptTxn(row, ref, row.get("currency", str)))
    return found


def _joined_balance(row: Row, at: datetime) -> CoreBalance | None:
    if row.raw("account_id") is None:
        return None
    return _told(
        row.get("core_ref", str), row.get("currency", str), reading.figures(row), at
    )


def _joined_rows(row: Row) -> KeptTxns:
    ref, currency = row.get("core_ref", str), row.get("currency", str)
    return KeptTxns(row.find("lines", list) or [], reading.PLACES, ref, currency)
