"""Who did what: append-only, hash-chained per customer, written with its effect.

`append` only collects; the step before the commit, just before the event log's, raises
the heads in sorted order and chains the entries. Detail holds ids, codes and masked
figures, never a secret, a code, a proof, a token or a name (banking.md section 1.3).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from zlib import crc32

import orjson

from app import database, links
from app.database import Proof, Tx
from app.ids import AuditId, CustomerId, DeviceId, SessionId
from app.rows import Row

_STEP = "audit"
_RANK = 1
_BANK_CHAINS = 16
_PAGE = 1000
_BEYOND = 2**62
_COLUMNS = (
    "chain, seq, id, at, actor_kind, actor_id, device_id, session_id, address, "
    "action, object, outcome, code, detail, request_id, prev_hash, hash"
)

CONSTRAINTS = (
    "audit_head_seq",
    "audit_actor_kind",
    "audit_outcome",
    "audit_entry_id",
    "audit_append_only",
    "audit_head_forward",
    "audit_head_stays",
)


class ActorKind(StrEnum):
    """Who acted."""

    CUSTOMER = "CUSTOMER"
    STAFF = "STAFF"
    SYSTEM = "SYSTEM"
    PARTNER = "PARTNER"


class Outcome(StrEnum):
    """How it ended: done, refused, or broken."""

    OK = "OK"
    DENIED = "DENIED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One act. `object` is the outside id of what was touched."""

    action: str
    at: datetime
    request_id: str
    customer: CustomerId | None = None
    actor_kind: ActorKind = ActorKind.SYSTEM
    actor_id: str | None = None
    device: DeviceId | None = None
    session: SessionId | None = None
    address: str | None = None
    object: str | None = None
    outcome: Outcome = Outcome.OK
    code: str | None = None
    detail: Mapping[str, str | int | bool | None] = field(default_factory=dict)
    id: AuditId = field(default_factory=AuditId.new)

    @property
    def chain(self) -> str:
        """The customer's chain, or one of sixteen of the bank by request id."""
        if self.customer is not None:
            return str(self.customer)
        return f"bank.{crc32(self.request_id.encode()) % _BANK_CHAINS}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One entry as the customer may read it: no name, no detail, no hash.

    Args:
        id: names it outside.
        seq: its place in the customer's chain, from 1 without a gap.
        at: when.
        actor: `customer`, `staff`, `system` or `third party`.
        action: what was done, for example `device.revoked`.
        object: outside id of what was touched.
        device: on which phone.
        address: from which network address.
        outcome: `ok`, `refused:<code>` or `failed`.
    """

    id: AuditId
    seq: int
    at: datetime
    actor: str
    action: str
    object: str | None
    device: DeviceId | None
    address: str | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The first row of a chain that does not fit."""

    chain: str
    seq: int
    why: str


def append(tx: Tx, entry: Entry) -> AuditId:
    """Write an entry with the transaction; returns its id."""
    tx.gather(_STEP, entry, _write, rank=_RANK)
    return entry.id


async def denied(entry: Entry) -> None:
    """Keep a refused act: its own transaction was rolled back.

    Raises:
        Outage: it could not be kept; the caller answers SERVICE_UNAVAILABLE.
    """
    await alone(entry)


async def alone(entry: Entry) -> None:
    """Write an entry in a short transaction of its own.

    Raises:
        Outage: it could not be kept; the caller answers SERVICE_UNAVAILABLE.
    """

    async def work(tx: Tx) -> None:
        append(tx, entry)

    await database.transaction(work, name="audit.alone")


async def _write(tx: Tx) -> None:
    entries: list[Entry] = sorted(tx.gathered(_STEP), key=lambda entry: entry.chain)
    chains = {
        name: list(group) for name, group in groupby(entries, lambda one: one.chain)
    }
    rows: list[object] = []
    for name, group in chains.items():  # sorted, so two transactions never cross
        for row in await links.lengthened(tx, name, [*map(_columns, group)]):
            rows += row
    values = database.placeholders(len(entries), len(_COLUMNS.split(",")))
    await tx.rows(f"INSERT INTO audit_entry ({_COLUMNS}) VALUES {values}", *rows)  # type: ignore[arg-type]  # noqa: S608  -- scalars by construction; our own column list


def _columns(entry: Entry) -> list[object]:
    return [
        entry.id,
        entry.at,
        entry.actor_kind,
        entry.actor_id,
        entry.device and str(entry.device),
        entry.session and str(entry.session),
        entry.address,
        entry.action,
        entry.object,
        entry.outcome,
        entry.code,
        orjson.dumps(dict(entry.detail), option=orjson.OPT_SORT_KEYS).decode(),
        entry.request_id,
    ]


_SHOWN = "id, seq, at, actor_kind, action, object, device_id, address, outcome, code"
_ACTORS = {
    ActorKind.CUSTOMER: "customer",
    ActorKind.STAFF: "staff",
    ActorKind.SYSTEM: "system",
    ActorKind.PARTNER: "third party",
}


async def page(customer: CustomerId, *, before: int | None, limit: int) -> list[Logged]:
    """Read a customer's entries, the newest first.

    Args:
        customer: whose.
        before: only entries with a smaller `seq`; None from the newest on.
        limit: how many at most.
    """
    rows = await database.read(
        f"SELECT {_SHOWN} FROM audit_entry WHERE chain = $1 "  # noqa: S608  -- our own column list
        "AND seq < $2 ORDER BY seq DESC LIMIT $3",
        str(customer),
        _BEYOND if before is None else before,
        limit,
    )
    return [_logged(row) for row in rows]


async def find(customer: CustomerId, entry: AuditId) -> Logged | None:
    """Read one entry of a customer; None for anybody else's."""
    row = await database.read_one(
        f"SELECT {_SHOWN} FROM audit_entry WHERE id = $1 AND chain = $2",  # noqa: S608  -- our own column list
        entry,
        str(customer),
    )
    return None if row is None else _logged(row)


def spoken(kind: ActorKind) -> str:
    """Say who acted, without a name."""
    return _ACTORS[kind]


def ended(outcome: Outcome, code: str | None) -> str:
    """Say how it ended: `ok`, `refused:<code>` or `failed`."""
    if outcome is Outcome.DENIED:
        return f"refused:{code}" if code else "refused"
    return "ok" if outcome is Outcome.OK else "failed"


def _logged(row: Row) -> Logged:
    device = row.find("device_id", str)
    return Logged(
        id=row.get("id", AuditId),
        seq=row.get("seq", int),
        at=row.get("at", datetime),
        actor=spoken(row.get("actor_kind", ActorKind)),
        action=row.get("action", str),
        object=row.find("object", str),
        device=DeviceId.parse(device) if device else None,
        address=row.find("address", str),
        outcome=ended(row.get("outcome", Outcome), row.find("code", str)),
    )


def _stored(row: Row) -> list[object]:
    kinds: dict[str, type] = {"seq": int, "id": AuditId, "at": datetime}
    names = [name.strip() for name in _COLUMNS.split(",")][:-2]
    return [row.find(name, kinds.get(name, str)) for name in names]


async def entries(after: tuple[str, int], since: datetime, limit: int) -> list[Row]:
    """Read entries as they are stored, in the order of chain and `seq`.

    Args:
        after: chain and `seq` of the last one that was read.
        since: only what was done then or later.
        limit: how many at most.
    """
    return await database.read(
        f"SELECT {_COLUMNS} FROM audit_entry "  # noqa: S608  -- our own column list
        "WHERE (chain, seq) > ($1, $2) AND at >= $3 ORDER BY chain, seq LIMIT $4",
        *after,
        since,
        limit,
    )


async def verify(since: datetime | None = None) -> list[Broken]:
    """Recompute every chain and name the first row of each that does not fit.

    Reads in pages, so its memory does not grow with the bank; what is written meanwhile
    is no break, and is left to the next time.

    Args:
        since: takes each chain's last row before this as right; None takes nothing.
    """
    found: list[Broken] = []
    last = ""
    while True:
        heads = await database.read(
            "SELECT chain, seq, hash FROM audit_head WHERE chain > $1 "
            "ORDER BY chain LIMIT $2",
            last,
            _PAGE,
        )
        walks = [await _verified(head, since) for head in heads]
        found += [broken for broken in walks if broken]
        if len(heads) < _PAGE:
            break
        last = heads[-1].get("chain", str)
    strays = await database.read(
        "SELECT e.chain, min(e.seq) AS seq, max(h.seq) AS head FROM audit_entry e "
        "LEFT JOIN audit_head h ON h.chain = e.chain "
        "WHERE h.chain IS NULL OR e.seq > h.seq GROUP BY e.chain ORDER BY e.chain"
    )
    named = {broken.chain for broken in found}
    beyond = [_stray(row) for row in strays]
    return found + [broken for broken in beyond if broken.chain not in named]


def _stray(row: Row) -> Broken:
    """Name the first row of a chain that stands beyond its head, or has none."""
    chain = row.get("chain", str)
    if row.find("head", int) is None:
        return Broken(chain, 1, "a chain without a head")
    return Broken(chain, row.get("seq", int), "changed or inserted")


async def _start(chain: str, since: datetime) -> tuple[int, bytes]:
    """Give number and hash of the row a walk begins behind."""
    row = await database.read_one(
        "SELECT seq, hash FROM audit_entry WHERE chain = $1 AND at < $2 "
        "ORDER BY seq DESC LIMIT 1",
        chain,
        since,
    )
    return (row.get("seq", int), row.get("hash", bytes)) if row else (0, links.ZERO)


async def _verified(head: Row, since: datetime | None) -> Broken | None:
    """Walk a chain up to what its head counted when it was read."""
    chain, written = head.get("chain", str), head.get("seq", int)
    last, prev = await _start(chain, since) if since else (0, links.ZERO)
    while last < written:
        page = await database.read(
            f"SELECT {_COLUMNS} FROM audit_entry "  # noqa: S608  -- our own column list
            "WHERE chain = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4",
            chain,
            last,
            written,
            _PAGE,
        )
        if not page:
            return Broken(chain, last + 1, "missing at the end")
        for row in page:
            seq = row.get("seq", int)
            if seq != last + 1:
                return Broken(chain, last + 1, "missing")
            changed = row.get("prev_hash", bytes) != prev
            prev = links.digest(prev, _stored(row))
            if changed or row.get("hash", bytes) != prev:
                return Broken(chain, seq, "changed or inserted")
            last = seq
    if prev != head.get("hash", bytes):
        return Broken(chain, last, "the head names another hash")
    return None


def proofs() -> list[Proof]:
    """C11: numbers of a chain are contiguous up to its head."""
    full = (
        "SELECT h.chain, h.seq, count(e.seq) AS there FROM audit_head h "
        "LEFT JOIN audit_entry e ON e.chain = h.chain AND e.seq <= h.seq "
        "GROUP BY h.chain, h.seq HAVING count(e.seq) <> h.seq"
    )
    since = (
        "SELECT e.chain, e.seq FROM audit_entry e "
        "JOIN audit_head h ON h.chain = e.chain WHERE e.at >= $1 AND e.seq > h.seq"
    )
    return [Proof("audit.chain", since, full)]
