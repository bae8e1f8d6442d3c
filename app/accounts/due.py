"""Which accounts of a remote core are to be looked at: by time, by use, by hint."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from app import database
from app.accounts.account import Account
from app.accounts.accounts import COLUMNS, account_of
from app.clock import Clock
from app.database import Tx
from app.ids import AccountId, CustomerId
from app.rows import Scalar

USED_EVERY = timedelta(seconds=60)
OTHERS_EVERY = timedelta(hours=1)
TRIED_EVERY = timedelta(hours=1)
DIRTY_FOR = timedelta(seconds=5)  # who wrote looks at once, if he still can
BATCH = 200
_PAGES = 20  # of history in one turn
_CUSTOMERS = 500
_OF_CORE = ", ".join(f"a.{name}" for name in COLUMNS.split(", "))
_JOINED = "FROM account a LEFT JOIN mirror_cursor c ON c.account_id = a.id "
# Whatever was seen since a try that gave nothing takes its mark away.
_NOT_TRIED = "c.tried_at IS NULL OR c.tried_at <= c.polled_at OR c.tried_at <"


async def by_time(core_name: str, clock: Clock) -> list[Account]:
    """Give accounts whose time has come, at most 200, those written to first.

    Written to: after 5 seconds in which nobody looked. Used today: after 60 seconds.
    Others: after an hour. Of each the longest ago first. One of which the last try gave
    nothing waits for an hour. Each part is a range of an index: it is asked every few
    seconds.
    """
    now = clock.now()
    again = now - TRIED_EVERY
    mirrored = (
        f"SELECT {_OF_CORE} FROM mirror_cursor c "  # noqa: S608  -- own names
        "JOIN account a ON a.id = c.account_id WHERE a.core = $1 AND "
    )
    written = await _accounts(
        f"{mirrored} c.dirty_at < $2 AND ({_NOT_TRIED} $3 OR c.tried_at < c.dirty_at) "
        "ORDER BY c.dirty_at, a.id LIMIT $4",
        core_name,
        now - DIRTY_FOR,
        again,
        BATCH,
    )
    used = await _accounts(
        f"{mirrored} c.used_on = $2 AND c.polled_at < $3 AND ({_NOT_TRIED} $4) "
        "ORDER BY c.polled_at, a.id LIMIT $5",
        core_name,
        clock.today(),
        now - USED_EVERY,
        again,
        BATCH,
    )
    others = await _accounts(
        f"{mirrored} c.polled_at < $2 AND ({_NOT_TRIED} $3) "
        "ORDER BY c.polled_at, a.id LIMIT $4",
        core_name,
        now - OTHERS_EVERY,
        again,
        BATCH,
    )
    found = {account.id: account for account in (*written, *used, *others)}
    return list(found.values())[:BATCH]


async def unseen(core_name: str, customer: CustomerId) -> list[Account]:
    """Give the accounts of a customer at which nobody looked yet."""
    return await _accounts(
        f"SELECT {_OF_CORE} {_JOINED}"
        "WHERE a.core = $1 AND a.customer_id = $2 AND c.account_id IS NULL",
        core_name,
        customer,
    )


async def of_customers(
    core_name: str, customers: Sequence[CustomerId], before: datetime
) -> list[Account]:
    """Give the accounts of customers that were last seen before an instant."""
    found: list[Account] = []
    for start in range(0, len(customers), _CUSTOMERS):
        some = customers[start : start + _CUSTOMERS]
        found += await _accounts(
            f"SELECT {_OF_CORE} {_JOINED}"
            "WHERE a.core = $1 AND (c.polled_at IS NULL OR c.polled_at <= $2) "
            f"AND a.customer_id IN {database.placeholders(1, len(some), 3)}",
            core_name,
            before,
            *some,
        )
    return found


async def of_core(core_name: str, refs: Sequence[str]) -> list[Account]:
    """Give accounts by the core's names of them; unknown ones are left out."""
    wanted = list(dict.fromkeys(refs))
    if not wanted:
        return []
    return await _accounts(
        f"SELECT {COLUMNS} FROM account WHERE core = $1 "  # noqa: S608  -- own names and placeholders
        f"AND core_ref IN {database.placeholders(1, len(wanted), 2)}",
        core_name,
        *wanted,
    )


async def with_history(
    core_name: str, after: AccountId | None = None
) -> list[tuple[Account, str]]:
    """Give accounts whose history goes on, with the place where; at most 20.

    Args:
        core_name: of its adapter, as accounts keep it.
        after: begin behind this one, in the order of ids.
    """
    rows = await database.read(
        f"SELECT {_OF_CORE}, c.place {_JOINED}"
        "WHERE a.core = $1 AND c.place IS NOT NULL AND c.account_id > $2 "
        "ORDER BY c.account_id LIMIT $3",
        core_name,
        after or AccountId(UUID(int=0)),
        _PAGES,
    )
    return [(account_of(row), row.get("place", str)) for row in rows]


async def whole_until(core_name: str, refs: Sequence[str]) -> dict[str, datetime]:
    """Tell when accounts whose history is whole were seen last."""
    wanted = list(dict.fromkeys(refs))
    if not wanted:
        return {}
    rows = await database.read(
        "SELECT a.core_ref, c.polled_at FROM account a "  # noqa: S608  -- placeholders only
        "JOIN mirror_cursor c ON c.account_id = a.id "
        "WHERE a.core = $1 AND c.place IS NULL "
        f"AND a.core_ref IN {database.placeholders(1, len(wanted), 2)}",
        core_name,
        *wanted,
    )
    return {row.get("core_ref", str): row.get("polled_at", datetime) for row in rows}


async def dirty(accounts: Sequence[AccountId], now: datetime) -> None:
    """Mark accounts written to: their figures count as old until the next look."""
    await _update("dirty_at", accounts, now, "due.dirty")


async def tried(accounts: Sequence[AccountId], now: datetime) -> None:
    """Note that a look gave nothing of accounts: polls pass them by for an hour."""
    await _update("tried_at", accounts, now, "due.tried")


async def used(accounts: Sequence[AccountId], today: date) -> None:
    """Note that somebody asked for accounts on this bank day."""
    await _update("used_on", accounts, today, "due.used")


async def _update(
    column: str, accounts: Sequence[AccountId], value: Scalar, name: str
) -> None:
    if not accounts:
        return

    async def work(tx: Tx) -> None:
        await tx.rows(
            f"UPDATE mirror_cursor SET {column} = $1 WHERE account_id IN "  # noqa: S608  -- own names and placeholders
            f"{database.placeholders(1, len(accounts), 2)} RETURNING account_id",
            value,
            *sorted(accounts),
        )

    await database.transaction(work, name=name)


async def _accounts(sql: str, *values: Scalar) -> list[Account]:
    return [account_of(row) for row in await database.read(sql, *values)]
