"""Values made with ring keys: where they stand, moved to the current key, counted.

Each room declares its own columns in a `SEALED` tuple. What can be opened is sealed
anew, and look-ups are made anew from it; a MAC of something we never see again (a code,
a token) is only counted, until it is used or too old. A key may leave its ring when no
row names it (auth.md section 2.11). Nothing here ever shows a value.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from app import database
from app.database import Tx
from app.rows import Row, Scalar
from app.vault import Unsealable, Vault

_BATCH = 100


class RingName(StrEnum):
    """The two rings."""

    SEALING = "sealing"
    PEPPER = "pepper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """One sealed column.

    Args:
        column: holds what `Vault.seal` gave, or NULL.
        purpose: the table name it was sealed with.
        row: the row it was sealed for; `{}` is the outside id of the row.
    """

    column: str
    purpose: str
    row: str = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """One column that finds a value by its MAC.

    Args:
        column: holds the MAC.
        key_id: column of the key's id; None where its byte stands before the MAC.
        purpose: what the MAC is for.
        of: the sealed column of the same row it is made from.
        follower: table, column and key column that repeat the MAC for a while.
    """

    column: str
    key_id: str | None
    purpose: str
    of: str
    follower: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A table whose values move to the current keys.

    Args:
        table: its name.
        key: primary key.
        kind: type of the primary key; its text is the outside id.
        seals: sealed columns.
        lookups: MACs of sealed columns.
    """

    table: str
    kind: type[object]
    seals: Sequence[Seal]
    key: str = "id"
    lookups: Sequence[Lookup] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleeting:
    """A column that cannot move and ends by itself.

    Args:
        table: its name.
        ring: whose key made the value.
        column: column of the key's id, or the sealed column itself.
        lives: condition of rows whose value can still be asked for; `$2` is now.
    """

    table: str
    ring: RingName
    column: str
    lives: str


Declared = Kept | Fleeting


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What a turn did.

    Args:
        rows: how many rows hold new values.
        stuck: how many do not open: damaged, or the ring lost their key.
    """

    rows: int = 0
    stuck: int = 0


@dataclass(frozen=True, slots=True)
class _Change:
    """New values of one row, and the sealed ones they were made from."""

    key: Scalar
    fresh: dict[str, Scalar]
    before: dict[str, bytes]
    followers: Sequence[
        tuple[tuple[str, str, str], tuple[int, bytes], tuple[int, bytes]]
    ]


# ------------------------------------------------------------------ moving


async def move(vault: Vault, declared: Sequence[Declared]) -> Moved:
    """Bring every value that can move to the current keys, in small batches.

    Safe beside everything else, itself included: a row that changed meanwhile is left
    for the next turn.
    """
    total = Moved()
    for one in declared:
        if isinstance(one, Kept):
            done = await _moved(vault, one)
            total = Moved(rows=total.rows + done.rows, stuck=total.stuck + done.stuck)
    return total


async def _moved(vault: Vault, kept: Kept) -> Moved:
    total, last = Moved(), None
    while True:
        rows = await _stale(vault, kept, last)
        changes = []
        for row in rows:
            try:
                changes.append(_change(vault, kept, row))
            except Unsealable:
                total = replace(total, stuck=total.stuck + 1)
        total = replace(total, rows=total.rows + await _written(kept, changes))
        if len(rows) < _BATCH:
            return total
        last = rows[-1].get(kept.key, kept.kind)


async def _stale(vault: Vault, kept: Kept, last: object) -> list[Row]:
    """Read a batch of rows that name another key than the current ones."""
    sealing = bytes((vault.sealing.current,))
    pepper = vault.pepper.current
    args: list[Scalar] = [_BATCH]
    wrong = []
    for seal in kept.seals:
        args.append(sealing)
        first = f"substr({seal.column}, 1, 1)"
        wrong.append(f"(length({seal.column}) > 0 AND {first} <> ${len(args)})")
    for lookup in kept.lookups:
        named, value = _named(lookup, pepper)
        args.append(value)
        wrong.append(f"({lookup.of} IS NOT NULL AND {named} <> ${len(args)})")
        if lookup.key_id is None:  # written before the byte stood there
            wrong.append(f"({lookup.of} IS NOT NULL AND length({lookup.column}) = 32)")
    where = " OR ".join(wrong)
    if last is not None:
        args.append(last)  # type: ignore[arg-type]  # a key is a scalar
        where = f"({where}) AND {kept.key} > ${len(args)}"
    columns = ", ".join(_columns(kept))
    return await database.read(
        f"SELECT {columns} FROM {kept.table} WHERE {where} "  # noqa: S608  -- our own names
        f"ORDER BY {kept.key} LIMIT $1",
        *args,
    )


def _columns(kept: Kept) -> list[str]:
    names = [kept.key, *(seal.column for seal in kept.seals)]
    for lookup in kept.lookups:
        names += [lookup.column, *([lookup.key_id] if lookup.key_id else [])]
    return names


def _named(lookup: Lookup, key_id: int) -> tuple[str, Scalar]:
    """Give where the key of a MAC is named, and how a key is written there."""
    if lookup.key_id is not None:
        return lookup.key_id, key_id
    return f"substr({lookup.column}, 1, 1)", bytes((key_id,))


def _change(vault: Vault, kept: Kept, row: Row) -> _Change:
    """Make the new values of a row.

    Raises:
        Unsealable: one of its values does not open.
    """
    name = str(row.get(kept.key, kept.kind))
    fresh: dict[str, Scalar] = {}
    before: dict[str, bytes] = {}
    plain: dict[str, bytes] = {}
    followers = []
    for seal in kept.seals:
        old = row.find(seal.column, bytes)
        if not old:  # NULL, or erased
            continue
        bound_to = seal.row.format(name)
        plain[seal.column] = vault.open(seal.purpose, bound_to, old)
        before[seal.column] = old
        if old[0] != vault.sealing.current:
            fresh[seal.column] = vault.seal(seal.purpose, bound_to, plain[seal.column])
    for lookup in kept.lookups:
        if lookup.of not in plain:
            continue
        mac = vault.mac(lookup.purpose, plain[lookup.of])
        key_id = vault.pepper.current
        if lookup.key_id is None:
            fresh[lookup.column] = bytes((key_id,)) + mac
        else:
            fresh |= {lookup.column: mac, lookup.key_id: key_id}
            if lookup.follower is not None:
                was = row.get(lookup.key_id, int), row.get(lookup.column, bytes)
                followers.append((lookup.follower, was, (key_id, mac)))
    key: Scalar = row.get(kept.key, kept.kind)  # type: ignore[assignment]  # a key is a scalar
    return _Change(key, fresh, before, followers)


async def _written(kept: Kept, changes: Sequence[_Change]) -> int:
    """Write a batch; gives how many rows were still as they were read."""
    if not changes:
        return 0

    async def work(tx: Tx) -> int:
        return sum([await _swapped(tx, kept, change) for change in changes])

    return await database.transaction(work, name="vault.move")


async def _swapped(tx: Tx, kept: Kept, change: _Change) -> bool:
    """Write one row, if its sealed values are still those that were opened."""
    args: list[Scalar] = [change.key]
    sets, same = [], [f"{kept.key} = $1"]
    for column, value in change.fresh.items():
        args.append(value)
        sets.append(f"{column} = ${len(args)}")
    for column, value in change.before.items():
        args.append(value)
        same.append(f"{column} = ${len(args)}")
    if not sets:
        return False
    done = await tx.one(
        f"UPDATE {kept.table} SET {', '.join(sets)} WHERE {' AND '.join(same)} "  # noqa: S608  -- our own names
        f"RETURNING {kept.key}",
        *args,
    )
    if done is None:
        return False
    for (table, column, key_id), (old_key, old_mac), (new_key, mac) in change.followers:
        await tx.rows(
            f"UPDATE {table} SET {column} = $1, {key_id} = $2 "  # noqa: S608  -- our own names
            f"WHERE {column} = $3 AND {key_id} = $4 RETURNING {key_id}",
            mac,
            new_key,
            old_mac,
            old_key,
        )
    return True


# ------------------------------------------------------------------ counting


async def naming(
    declared: Sequence[Declared], ring: RingName, key_id: int, now: datetime
) -> dict[str, int]:
    """Count the rows that still name a ring key, by `table.column`; zeros left out."""
    found: dict[str, int] = {}
    for one in declared:
        for column, condition, value in _conditions(one, ring, key_id):
            args: list[Scalar] = [value]
            if "$2" in condition:
                args.append(now)
            rows = await database.read(
                f"SELECT count(*) AS n FROM {one.table} WHERE {condition}",  # noqa: S608  -- our own names
                *args,
            )
            count = rows[0].get("n", int)
            if count:
                found[f"{one.table}.{column}"] = count
    return found


def _conditions(
    one: Declared, ring: RingName, key_id: int
) -> list[tuple[str, str, Scalar]]:
    """Give column, condition and first argument of every count of a declaration."""
    byte = bytes((key_id,))
    if isinstance(one, Fleeting):
        if one.ring is not ring:
            return []
        if ring is RingName.SEALING:
            named: tuple[str, Scalar] = f"substr({one.column}, 1, 1) = $1", byte
        else:
            named = f"{one.column} = $1", key_id
        return [(one.column, f"{named[0]} AND {one.lives}", named[1])]
    if ring is RingName.SEALING:
        return [
            (seal.column, f"substr({seal.column}, 1, 1) = $1", byte)
            for seal in one.seals
        ]
    found: list[tuple[str, str, Scalar]] = []
    for lookup in one.lookups:
        where, value = _named(lookup, key_id)
        condition = f"{where} = $1 AND {lookup.of} IS NOT NULL"
        found.append((lookup.column, condition, value))
    return found
