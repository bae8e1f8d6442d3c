"""The rows of one account in the mirror: new ones, changed ones, holds that went.

A row that the core tags with an op of ours shows our words, and a booked row continues
the row of its hold: same id, same place.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from app import database
from app.accounts import mirror, words
from app.accounts.account import Account
from app.accounts.words import Words
from app.clock import Clock
from app.database import Tx
from app.integrations.core_banking import CoreTxn, Look
from app.money import Money
from app.rows import Row, Scalar

_TICK = timedelta(microseconds=1)
_NARRATION_MAX = 200
_NAME_MAX = 140
_MASK_MAX = 40
_OF_HOLDS = frozenset({"PENDING", "DECLINED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A row as the mirror has it; `core_id` and `core_at` are the core's."""

    core_id: UUID
    core_at: datetime
    row: CoreTxn


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From when to when rows are known, by the core's order and by ours."""

    oldest: datetime | None = None
    newest: datetime | None = None
    last: datetime | None = None


class MirroredRows:
    """Writes rows of one account, in one transaction.

    Args:
        tx: the transaction.
        account: whose.
        clock: gives new rows of today their instant.
    """

    def __init__(self, tx: Tx, account: Account, clock: Clock) -> None:
        self._tx = tx
        self._account = account
        self._clock = clock
        self.posted: list[CoreTxn] = []
        self.updated: list[CoreTxn] = []

    async def known(self, rows: Sequence[CoreTxn]) -> dict[UUID, Kept]:
        """Give the rows of the mirror that a look shows, by the core's id."""
        if not rows:
            return {}
        found = await self._kept(
            f"core_id IN {database.placeholders(1, len(rows), 2)}",
            *(row.id for row in rows),
        )
        return {kept.core_id: kept for kept in found}

    async def _kept(self, test: str, *values: Scalar) -> list[Kept]:
        found = await self._tx.rows(
            f"SELECT {mirror.COLUMNS} FROM mirror_transaction "  # noqa: S608  -- own names and placeholders
            f"WHERE account_id = $1 AND {test}",
            self._account.id,
            *values,
        )
        return [self._as_kept(row) for row in found]

    def _as_kept(self, row: Row) -> Kept:
        shown = mirror.row_of(row, self._account.ref, self._account.currency)
        return Kept(
            core_id=row.get("core_id", UUID),
            core_at=row.get("core_at", datetime),
            row=shown,
        )

    async def span(self) -> Span:
        """Give from when to when rows of the account are known."""
        row = await self._tx.one(
            "SELECT min(core_at) AS oldest, max(core_at) AS newest, "
            "max(created_at) AS last FROM mirror_transaction WHERE account_id = $1",
            self._account.id,
        )
        if row is None:
            return Span()
        return Span(
            oldest=row.find("oldest", datetime),
            newest=row.find("newest", datetime),
            last=row.find("last", datetime),
        )

    async def add(
        self,
        fresh: Sequence[CoreTxn],
        known: dict[UUID, Kept],
        span: Span,
        told: set[UUID],
    ) -> None:
        """Add rows that the mirror has not, oldest first, and tell those of `told`.

        A booked row whose hold is there continues the hold's row.
        """
        if not fresh:
            return
        said = await self._said(fresh)
        names = self._names(fresh, said)
        same = await self._named(names.values())
        made: list[tuple[UUID, datetime, CoreTxn]] = []
        last = span.last
        for row in reversed(fresh):
            own = said.get(row.id)
            there = same.pop(names[row.id], None)
            if there is not None and there.row.status in _OF_HOLDS:
                known[row.id] = await self._continued(there, row)
                continue
            name = names[row.id] if there is None else row.id
            shown = _with_words(replace(row, id=name), own)
            if row.id in told and (span.newest is None or row.created_at > span.newest):
                shown = self._placed(shown, last)
                last = shown.created_at
            made.append((row.id, row.created_at, shown))
            if row.id in told:
                self.posted.append(shown)
        await self._insert(made)

    async def _said(self, fresh: Sequence[CoreTxn]) -> dict[UUID, Words]:
        """Find our words for rows: by our op, and for holds without one by the amount.

        Of several equal holds the newest row is the newest hold's.
        """
        by_op = await words.of_ops(self._tx, [row.op for row in fresh if row.op])
        # Whoever writes at the branch may write any text: an op of ours on an account
        # that it does not touch says nothing.
        ours = {
            op: own
            for op, own in by_op.items()
            if self._account.ref in {own.src, own.dst}
        }
        said = {row.id: ours[row.op] for row in fresh if row.op in ours}
        for row in fresh:
            if row.op is None and row.status == "PENDING" and row.direction == "OUT":
                held = row.amount.minor
                open_ = await words.of_holds(self._tx, self._account.ref, held)
                names = {one.row_on(self._account.id): one for one in open_}
                shown = {one.row_on(self._account.id) for one in said.values()}
                shown |= (await self._named(names)).keys()
                free = [own for name, own in names.items() if name not in shown]
                if free:
                    said[row.id] = free[0]
        return said

    def _names(
        self, fresh: Sequence[CoreTxn], said: Mapping[UUID, Words]
    ) -> dict[UUID, UUID]:
        """Give each row its id: by the words of our write, once, else the core's."""
        names: dict[UUID, UUID] = {}
        for row in reversed(fresh):
            own = said.get(row.id)
            name = row.id if own is None else own.row_on(self._account.id)
            names[row.id] = row.id if name in names.values() else name
        return names

    async def _named(self, names: Iterable[UUID]) -> dict[UUID, Kept]:
        """Give the rows that are there under these names."""
        wanted = list(names)
        if not wanted:
            return {}
        found = await self._kept(
            f"id IN {database.placeholders(1, len(wanted), 2)}", *wanted
        )
        return {kept.row.id: kept for kept in found}

    async def _continued(self, hold: Kept, row: CoreTxn) -> Kept:
        """Let a hold's row go on as the row that its capture booked."""
        await self._tx.rows(
            "UPDATE mirror_transaction SET core_id = $3 "
            "WHERE account_id = $1 AND core_id = $2 RETURNING id",
            self._account.id,
            hold.core_id,
            row.id,
        )
        return replace(hold, core_id=row.id)

    def _placed(self, row: CoreTxn, last: datetime | None) -> CoreTxn:
        """Give a new row its place above the others; one of today the present instant.

        A core may know only the day of a row: its midnight says nothing of the order.
        """
        now = self._clock.now()
        of_today = row.value_on in {None, self._clock.today()}
        at = now if of_today and row.created_at <= now else row.created_at
        if last is not None and at <= last:
            at = last + _TICK
        booked = at if row.booked_at is not None and of_today else row.booked_at
        return replace(row, created_at=at, booked_at=booked)

    async def _insert(self, made: Sequence[tuple[UUID, datetime, CoreTxn]]) -> None:
        if not made:
            return
        values: list[Scalar] = []
        for core_id, core_at, row in made:
            running, abroad = row.running_balance, row.original
            values += [self._account.id, core_id, row.id, row.status, row.kind]
            values += [row.direction, row.amount.minor, _minor(running)]
            values += [row.counterparty_name, row.counterparty_masked, row.narration]
            values += [row.rail, row.reference, row.payment and str(row.payment)]
            values += [row.decline_code, _minor(abroad)]
            values += [
                abroad.currency if abroad else None,
                row.value_on,
                _search(row),
                core_at,
            ]
            values += [row.created_at, row.booked_at]
        columns = mirror.COLUMNS.count(",") + 1
        await self._tx.rows(
            f"INSERT INTO mirror_transaction ({mirror.COLUMNS}) VALUES "  # noqa: S608  -- placeholders only
            f"{database.placeholders(len(made), columns)} "
            "ON CONFLICT DO NOTHING RETURNING id",
            *values,
        )

    async def follow(self, rows: Sequence[CoreTxn], known: Mapping[UUID, Kept]) -> None:
        """Write what changed of rows that are there."""
        for row in reversed(rows):
            kept = known.get(row.id)
            if kept is not None:
                await self._update(kept, row)

    async def _update(self, kept: Kept, now: CoreTxn) -> None:
        old = kept.row
        after = replace(
            old,
            status=now.status,
            amount=now.amount,
            running_balance=now.running_balance,
            value_on=now.value_on,
            decline_code=now.decline_code,
            booked_at=self._booked(old, now),
        )
        if after == old:
            return
        running = after.running_balance
        await self._tx.rows(
            "UPDATE mirror_transaction SET status = $3, amount = $4, "
            "running_balance = $5, value_on = $6, decline_code = $7, booked_at = $8 "
            "WHERE account_id = $1 AND core_id = $2 RETURNING id",
            self._account.id,
            kept.core_id,
            after.status,
            after.amount.minor,
            _minor(running),
            after.value_on,
            after.decline_code,
            after.booked_at,
        )
        if after.status != old.status or after.amount != old.amount:
            self.updated.append(after)

    def _booked(self, old: CoreTxn, now: CoreTxn) -> datetime | None:
        """Keep the instant at which we saw a row booked, as far as it was today."""
        if now.booked_at is None or old.booked_at is not None:
            return old.booked_at if now.booked_at is not None else None
        seen = self._clock.now()
        return seen if now.value_on in {None, self._clock.today()} else now.booked_at

    async def close_holds(
        self, look: Look, known: Mapping[UUID, Kept], *, whole: bool
    ) -> None:
        """Turn holds declined that the core has no more: they never moved a balance.

        A hold may only lie deeper than the look went; where the open ones of the look
        are all that is held, there is no deeper one. While history is to be fetched,
        what the hold was booked as may be in it, so a deep one waits.

        Args:
            look: what the core said.
            known: the rows of it that were there.
            whole: whether no history is to be fetched.
        """
        shown = {kept.core_id for kept in known.values()} | {r.id for r in look.rows}
        gone = [
            kept
            for kept in await self._kept("status = 'PENDING'")
            if kept.core_id not in shown
        ]
        if not gone:
            return
        pending = [row for row in look.rows if row.status == "PENDING"]
        all_shown = sum(row.amount.minor for row in pending) == look.balance.held.minor
        oldest = min((row.created_at for row in look.rows), default=None)
        for kept in gone:
            deep = oldest is None or kept.core_at < oldest
            if deep and look.older is not None and not (whole and all_shown):
                continue
            await self._decline(kept)

    async def close_all(self, shown: Sequence[CoreTxn]) -> None:
        """Turn all holds declined but those shown: history is whole, nothing is held.

        The next looks may say what the last one said, and would not come to it.
        """
        there = {row.id for row in shown}
        for kept in await self._kept("status = 'PENDING'"):
            if kept.core_id not in there:
                await self._decline(kept)

    async def _decline(self, hold: Kept) -> None:
        await self._update(hold, replace(hold.row, status="DECLINED"))


def _with_words(row: CoreTxn, own: Words | None) -> CoreTxn:
    """Give a row as it is shown: by our words where we wrote it, within the columns."""
    if own is None:
        return replace(
            row,
            counterparty_name=_cut(row.counterparty_name, _NAME_MAX),
            counterparty_masked=_cut(row.counterparty_masked, _MASK_MAX),
            decline_code=_cut(row.decline_code, _MASK_MAX),
            narration=_cut(row.narration, _NARRATION_MAX),
            reference=_cut(row.reference, _NAME_MAX),
        )
    text, out = own.text, row.direction == "OUT"
    return replace(
        row,
        counterparty_name=text.payee_name if out else text.payer_name,
        counterparty_masked=text.payee_masked if out else text.payer_masked,
        narration=text.memo,
        rail=text.rail,
        reference=text.reference,
        payment=text.payment,
    )


def _minor(money: Money | None) -> int | None:
    return None if money is None else money.minor


def _cut(text: str | None, longest: int) -> str | None:
    return None if text is None else text[:longest]


def _search(row: CoreTxn) -> str:
    """Give what a text filter looks in, in small letters."""
    parts = (row.counterparty_name, row.narration, row.reference)
    return " ".join(part for part in parts if part).lower()
