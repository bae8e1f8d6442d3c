"""One journal, written in the caller's transaction: balances, postings, seal."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from app import database
from app.database import Tx
from app.errors import Outage
from app.ids import CustomerId
from app.ledger import posting
from app.ledger.errors import Frozen, Refused
from app.ledger.posting import Effect, JournalKind, Leg, No, Side, Standing, State
from app.rows import Row, Scalar
from app.shelf import Shelf

_ACCOUNTS = (
    "SELECT a.id, a.owner_id, a.kind, a.name, a.masked_number, a.currency, "
    "b.state, b.floor_minor, b.committed + b.pending_out AS spendable "
    "FROM ledger_account a JOIN ledger_balance b ON b.account_id = a.id "
    "WHERE a.id IN ({marks})"
)
_GUARDED = (
    "UPDATE ledger_balance SET committed = committed + $2, "
    "pending_out = pending_out + $3, pending_in = pending_in + $4, "
    "version = version + 1, changed_at = $6 "
    "WHERE account_id = $1 AND {allows} "
    "AND (floor_minor IS NULL OR committed + pending_out + $5 >= floor_minor) "
    "AND NOT EXISTS (SELECT 1 FROM ledger_control WHERE frozen_at IS NOT NULL) "
    "RETURNING committed, pending_out, version, state, floor_minor"
)
_UPDATES = {
    Side.DEBIT: _GUARDED.replace("{allows}", "state IN ('OPEN', 'BLOCK_CREDIT')"),
    Side.CREDIT: _GUARDED.replace("{allows}", "state IN ('OPEN', 'BLOCK_DEBIT')"),
    Side.PROMISED: _GUARDED.replace("{allows}", "state <> 'CLOSED'"),
}
_FROZEN = "SELECT id FROM ledger_control WHERE frozen_at IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the book keeps it. House accounts have no owner."""

    id: UUID
    owner: CustomerId | None
    kind: str
    name: str
    masked_number: str | None
    currency: str
    state: State


_REMEMBERED = 50_000
# Accounts that were read before. What changes of them is never taken from here.
_accounts: Shelf[UUID, Account] = Shelf(_REMEMBERED)


@dataclass(frozen=True, slots=True)
class Figures:
    """An account's balance right after a journal, in minor units."""

    committed: int
    pending_out: int
    version: int
    floor: int | None

    @property
    def available(self) -> int:
        """What can be spent: booked, minus held, plus an arranged overdraft."""
        return self.committed + self.pending_out - (self.floor or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A journal to be written.

    Args:
        id: of the journal.
        op: id of the operation that asked for it.
        kind: what it is.
        legs: what it moves; they sum to 0.
        currency: of all its accounts.
        memo: for the bank's own reading.
        at: now.
        value_on: bank day from which it counts.
        hold: the hold it makes or ends.
        reverses: the journal it undoes.
    """

    id: UUID
    op: UUID
    kind: JournalKind
    legs: tuple[Leg, ...]
    currency: str
    memo: str
    at: datetime
    value_on: date
    hold: UUID | None = None
    reverses: UUID | None = None

    @property
    def effects(self) -> list[Effect]:
        """What it does to each account, in id order."""
        ends_hold = self.kind in {JournalKind.CAPTURE, JournalKind.RELEASE}
        return posting.effects(self.legs, promised=ends_hold)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A journal that is written, with its accounts right after it."""

    entry: Entry
    accounts: dict[UUID, Account]
    figures: dict[UUID, Figures]


async def write(tx: Tx, entry: Entry) -> Sealed:
    """Write a journal: guarded balances in id order, postings, and last the seal.

    Raises:
        Refused: a floor, a state, a currency or a missing account stands in the way.
        Frozen: postings are stopped.
        Outage: the account changed while it was read (PostgreSQL); send again.
    """
    effects = entry.effects
    known = await _known(tx, effects, entry.currency)
    figures: dict[UUID, Figures] = {}
    accounts: dict[UUID, Account] = {}
    for effect in effects:
        found = await _move(tx, effect, entry.at)
        if found is None:
            raise await _why(tx, effects, figures, entry.currency)
        figures[effect.account] = _figures(found)
        state = found.get("state", State)
        accounts[effect.account] = replace(known[effect.account], state=state)
    await _insert(tx, entry, figures)
    return Sealed(entry, accounts, figures)


async def _known(
    tx: Tx, effects: Sequence[Effect], currency: str
) -> dict[UUID, Account]:
    """Give the accounts of a journal: all but their state is for ever.

    Raises:
        Refused: one is missing, or of another currency.
    """
    wanted = [effect.account for effect in effects]
    known = {one: account for one in wanted if (account := _accounts.of(one))}
    if len(known) < len(wanted):
        rows = await _read(tx, wanted)
        known = {row.get("id", UUID): _account(row) for row in rows}
        for one, account in known.items():
            _accounts.keep(one, account)
    if len(known) == len(wanted) and all(
        account.currency == currency for account in known.values()
    ):
        return known
    standings = await _standings(tx, wanted)
    raise Refused(posting.refusal(effects, standings, currency) or No.VALIDATION)


async def _read(tx: Tx, accounts: Sequence[UUID]) -> list[Row]:
    marks = ", ".join(f"${number}" for number in range(1, len(accounts) + 1))
    return await tx.rows(_ACCOUNTS.replace("{marks}", marks), *accounts)


def _standing(row: Row) -> Standing:
    return Standing(
        currency=row.get("currency", str),
        state=row.get("state", State),
        spendable=row.get("spendable", int),
        floor=row.find("floor_minor", int),
    )


def _account(row: Row) -> Account:
    return Account(
        id=row.get("id", UUID),
        owner=row.find("owner_id", CustomerId),
        kind=row.get("kind", str),
        name=row.get("name", str),
        masked_number=row.find("masked_number", str),
        currency=row.get("currency", str),
        state=row.get("state", State),
    )


async def _standings(tx: Tx, accounts: Sequence[UUID]) -> dict[UUID, Standing]:
    rows = await _read(tx, accounts)
    return {row.get("id", UUID): _standing(row) for row in rows}


async def _move(tx: Tx, effect: Effect, at: datetime) -> Row | None:
    return await tx.one(
        _UPDATES[effect.side],
        effect.account,
        effect.committed,
        effect.pending_out,
        effect.pending_in,
        effect.spendable,
        at,
    )


def _figures(row: Row) -> Figures:
    return Figures(
        committed=row.get("committed", int),
        pending_out=row.get("pending_out", int),
        version=row.get("version", int),
        floor=row.find("floor_minor", int),
    )


async def _why(
    tx: Tx, effects: Sequence[Effect], moved: Container[UUID], currency: str
) -> Refused | Outage:
    """Find the rule that stopped a guarded update; the caller raises what comes.

    What this journal has moved before is taken back first: the rules are judged by the
    accounts as they were before it.
    """
    if await tx.one(_FROZEN):
        return Frozen()
    standings = await _standings(tx, [effect.account for effect in effects])
    for effect in effects:
        if effect.account in moved:
            now = standings[effect.account]
            spendable = now.spendable - effect.spendable
            standings[effect.account] = replace(now, spendable=spendable)
    said = posting.refusal(effects, standings, currency)
    if said is None:  # it changed since the update: possible on PostgreSQL only
        return Outage("the account changed while it was read", component="TRANSFERS")
    return Refused(said)


async def _insert(tx: Tx, entry: Entry, figures: dict[UUID, Figures]) -> None:
    values: list[Scalar] = []
    for number, leg in enumerate(entry.legs, start=1):
        after = figures[leg.account]
        values += [entry.id, number, leg.account, leg.phase, leg.amount]
        values += [after.committed, after.pending_out, after.version]
    await tx.rows(
        "INSERT INTO ledger_posting (journal_id, no, account_id, phase, amount, "  # noqa: S608  -- placeholders only
        "after_committed, after_pending_out, version) VALUES "
        + database.placeholders(len(entry.legs), 8),
        *values,
    )
    await tx.rows(
        "INSERT INTO ledger_journal (id, op_id, kind, hold_id, reverses_id, memo, "
        "value_on, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        entry.id,
        entry.op,
        entry.kind,
        entry.hold,
        entry.reverses,
        entry.memo,
        entry.value_on,
        entry.at,
    )
