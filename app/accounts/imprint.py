"""What a look at a remote core leaves in the mirror, and tells: once, whoever looks.

One transaction per account: its cursor first, which serialises two processes that look
at the same time and turns away the look that was asked for earlier; then rows, figures
and state; and with them the facts of what is new. A row is new once, by
PRIMARY KEY (account_id, core_id). The first fill of an account tells nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from app import database
from app.accounts import balances
from app.accounts.account import MOVED, Account
from app.accounts.account import shot as account_shot
from app.accounts.mirrored_rows import MirroredRows, Span
from app.accounts.row import Transaction, shot
from app.accounts.sheet import Said
from app.clock import Clock
from app.database import Tx
from app.ids import AccountId
from app.integrations.core_banking import Look, OlderRows
from app.realtime import log
from app.realtime.facts import BalanceChanged, TransactionPosted, TransactionUpdated
from app.rows import Row, Scalar

# The core may have given it to another client while it was looked at (linking.py).
_HERS = f"EXISTS (SELECT 1 FROM account WHERE id = $1 AND core <> '{MOVED}')"  # noqa: S608  -- constant


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cursor:
    """How far the history of an account is known."""

    place: str | None
    whole: bool


class Imprint:
    """Writes what was seen of one account, in one transaction.

    Args:
        tx: the transaction.
        account: which, as it was known before the look.
        clock: gives new rows of today their instant.
    """

    def __init__(self, tx: Tx, account: Account, clock: Clock) -> None:
        self._tx = tx
        self._account = account
        self._clock = clock
        self._rows = MirroredRows(tx, account, clock)

    async def look(self, look: Look, asked_at: datetime) -> bool:
        """Write a look; gives whether it was the newest.

        Args:
            look: what the core said.
            asked_at: when it was asked, so no later than what it says.
        """
        before = await self._taken(asked_at, digest_of(look))
        first = before is None
        if before is None:
            before = await self._begun(look, asked_at)
        if before is None:
            return False
        known = await self._rows.known(look.rows)
        fresh = [row for row in look.rows if row.id not in known]
        span = Span() if first else await self._rows.span()
        # No row of it is known: there may be more above the newest that is, or, where
        # none is or all of them are hidden, above nothing.
        after = before
        if not first and look.older is not None and len(fresh) == len(look.rows):
            after = _Cursor(
                place=look.older, whole=before.whole and before.place is None
            )
            await self._move_cursor(after)
        tells = [
            row
            for row in fresh
            if not first
            and (before.whole or span.oldest is None or row.created_at > span.oldest)
        ]
        await self._rows.add(fresh, known, span, {row.id for row in tells})
        await self._rows.follow(look.rows, known)
        await self._rows.close_holds(look, known, whole=after.place is None)
        await self._follow_state(look)
        await self._figures(look, asked_at, first=first)
        return True

    async def history(self, older: OlderRows, place: str) -> bool:
        """Write a page of history; gives whether it was still to be written.

        Args:
            older: the page.
            place: where it began.
        """
        before = await self._tx.one(
            "UPDATE mirror_cursor SET place = place "  # noqa: S608  -- constant
            f"WHERE account_id = $1 AND place = $2 AND {_HERS} "
            "RETURNING whole, begun_at",
            self._account.id,
            place,
        )
        if before is None:
            return False
        whole = before.get("whole", bool)
        known = await self._rows.known(older.rows)
        fresh = [row for row in older.rows if row.id not in known]
        ended = older.older is None or (whole and len(fresh) < len(older.rows))
        # What a gap held is news; what lay before the first look is not. Where one gap
        # lies over another, or over a first history that is still fetched, news is what
        # lies above the oldest row that is known, or came after the first look.
        span, since = await self._rows.span(), before.get("begun_at", datetime)
        if span.oldest is not None:
            since = min(since, span.oldest)
        told = {row.id for row in fresh if whole or row.created_at > since}
        await self._rows.add(fresh, known, span, told)
        # A hold that was booked out of sight of every look goes on as this row.
        await self._rows.follow(older.rows, known)
        if ended and await self._nothing_held():
            await self._rows.close_all(older.rows)
        await self._move_cursor(
            _Cursor(place=None if ended else older.older, whole=whole or ended)
        )
        self._tell_rows(self._clock.now())
        return True

    # -------------------------------------------------------------- cursor

    async def _taken(self, asked_at: datetime, digest: bytes) -> _Cursor | None:
        """Take the turn of this look; None: never looked at, or a newer one was."""
        row = await self._tx.one(
            "UPDATE mirror_cursor SET polled_at = $2, digest = $3, dirty_at = "  # noqa: S608  -- constant
            "CASE WHEN dirty_at > $2 THEN dirty_at ELSE NULL END "
            f"WHERE account_id = $1 AND polled_at <= $2 AND {_HERS} "
            "RETURNING place, whole",
            self._account.id,
            asked_at,
            digest,
        )
        return None if row is None else _cursor(row)

    async def _begun(self, look: Look, asked_at: datetime) -> _Cursor | None:
        """Begin the mirror of an account; None: it was begun before."""
        row = await self._tx.one(
            "INSERT INTO mirror_cursor "
            "(account_id, polled_at, begun_at, place, whole, digest) "
            "VALUES ($1, $2, $2, $3, $4, $5) ON CONFLICT DO NOTHING "
            "RETURNING place, whole",
            self._account.id,
            asked_at,
            look.older,
            look.older is None,
            digest_of(look),
        )
        return None if row is None else _cursor(row)

    async def _move_cursor(self, to: _Cursor) -> None:
        await self._tx.rows(
            "UPDATE mirror_cursor SET place = $2, whole = $3 "
            "WHERE account_id = $1 RETURNING account_id",
            self._account.id,
            to.place,
            to.whole,
        )

    # -------------------------------------------------------------- figures

    async def _nothing_held(self) -> bool:
        """Tell whether the last look said that no money is held."""
        row = await self._tx.one(
            "SELECT held FROM mirror_balance WHERE account_id = $1", self._account.id
        )
        return row is not None and row.get("held", int) == 0

    async def _follow_state(self, look: Look) -> None:
        """Let the account have the state that the core gives it."""
        if self._account.state == look.state:
            return
        self._account = replace(self._account, state=look.state)
        await self._tx.rows(
            "UPDATE account SET state = $2 WHERE id = $1 AND state <> $2 RETURNING id",
            self._account.id,
            look.state,
        )

    async def _figures(self, look: Look, at: datetime, *, first: bool) -> None:
        """Write the figures; the version grows only when one of them changed."""
        old = await self._tx.one(
            "SELECT booked, held, available, version FROM mirror_balance "
            "WHERE account_id = $1",
            self._account.id,
        )
        found = look.balance
        now = (found.committed.minor, found.held.minor, found.available.minor)
        was = None if old is None else _three(old)
        version = 1 if old is None else old.get("version", int)
        if was != now:
            row = await self._tx.one(
                "INSERT INTO mirror_balance "
                "(account_id, booked, held, available, version) "
                "VALUES ($1, $2, $3, $4, 1) ON CONFLICT (account_id) DO UPDATE SET "
                "booked = excluded.booked, held = excluded.held, "
                "available = excluded.available, "
                "version = mirror_balance.version + 1 RETURNING version",
                self._account.id,
                *now,
            )
            version = version if row is None else row.get("version", int)
        if first:
            return
        self._tell_rows(at)
        if was is None or was == now:
            return
        said = Said(replace(found, as_of=at, version=version))
        log.append(
            self._tx,
            BalanceChanged(
                customer=self._account.customer,
                occurred_at=at,
                account=account_shot(self._account),
                balance=balances.shot(balances.balance_of(self._account.id, said)),
                moved=now[2] - was[2],
            ),
        )

    def _tell_rows(self, at: datetime) -> None:
        """Tell of rows that turned, then of new ones, as the book does."""
        owner = self._account.customer
        kinds = (
            (TransactionUpdated, self._rows.updated),
            (TransactionPosted, self._rows.posted),
        )
        for kind, rows in kinds:
            for row in rows:
                told = shot(Transaction(self._account, row))
                log.append(
                    self._tx, kind(customer=owner, occurred_at=at, transaction=told)
                )


def digest_of(look: Look) -> bytes:
    """Hash what a look says, but for the instant and the place it read up to."""
    found = look.balance
    figures = (found.committed, found.held, found.available)
    return sha256(repr((look.state, figures, look.rows)).encode()).digest()


async def same_again(
    looks: Mapping[AccountId, Look], asked_at: datetime
) -> set[AccountId]:
    """Note, of looks that say what the last ones said, only when that was.

    Gives whose they are; all in one transaction, and none where all are different.
    """
    wanted = sorted(looks)
    if not wanted:
        return set()
    rows = await database.read(
        "SELECT account_id, digest FROM mirror_cursor "  # noqa: S608  -- placeholders only
        f"WHERE account_id IN {database.placeholders(1, len(wanted))}",
        *wanted,
    )
    before = {
        row.get("account_id", AccountId): row.get("digest", bytes) for row in rows
    }
    same = [one for one in wanted if before.get(one) == digest_of(looks[one])]
    if not same:
        return set()

    async def work(tx: Tx) -> set[AccountId]:
        pairs: list[Scalar] = []
        tests: list[str] = []
        for account in same:
            pairs += [account, before[account]]
            number = len(pairs)
            tests.append(f"(account_id = ${number} AND digest = ${number + 1})")
        done = await tx.rows(
            "UPDATE mirror_cursor SET polled_at = $1, dirty_at = "  # noqa: S608  -- placeholders only
            "CASE WHEN dirty_at > $1 THEN dirty_at ELSE NULL END "
            f"WHERE polled_at <= $1 AND ({' OR '.join(tests)}) RETURNING account_id",
            asked_at,
            *pairs,
        )
        return {row.get("account_id", AccountId) for row in done}

    return await database.transaction(work, name="feed.same")


def _cursor(row: Row) -> _Cursor:
    return _Cursor(place=row.find("place", str), whole=row.get("whole", bool))


def _three(row: Row) -> tuple[int, int, int]:
    return row.get("booked", int), row.get("held", int), row.get("available", int)
