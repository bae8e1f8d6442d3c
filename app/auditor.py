"""The auditor's commands: walk the chains and their seals, carry entries out.

An export is itself an entry, with who asked and why: the customer sees it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import orjson

from app import audit, seals
from app.auth.signing_ring import SigningRing
from app.auth.standing import Customers, Staff, require_staff
from app.clock import Clock, rfc3339
from app.errors import NotFound, ValidationFailed
from app.ids import AuditId, CustomerId
from app.rows import Row
from app.settings import Settings

_PAGE = 1000
_EVER = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
_TEXTS = (
    *("actor_kind", "actor_id", "device_id", "session_id", "address"),
    *("action", "object", "outcome", "code"),
)


class Office(Protocol):
    """What these commands need of a bank."""

    @property
    def settings(self) -> Settings:
        """Where the anchor lies."""
        ...

    @property
    def clock(self) -> Clock:
        """The bank's clock."""
        ...

    @property
    def ring(self) -> SigningRing:
        """The keys that signed the seals."""
        ...

    @property
    def customers(self) -> Customers:
        """Finds a customer by number."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be carried out.

    Args:
        number: only this customer's entries, and no seals; None is the whole bank.
        since: only what was done then or later; None from the beginning.
    """

    number: str | None = None
    since: datetime | None = None


async def verify(
    bank: Office, since: datetime | None = None, anchors: Path | None = None
) -> list[str]:
    """Walk chains, seals and anchor; gives a sentence for everything that is wrong.

    Args:
        bank: whose.
        since: takes each chain's last row before this as right.
        anchors: a copy of the seals; None takes the one of the settings, if any.

    Raises:
        ValidationFailed: the anchor cannot be read.
    """
    broken = await audit.verify(since)
    found = [f"chain {one.chain}, row {one.seq}: {one.why}" for one in broken]
    found += await seals.verify(await bank.ring.ever())
    file = anchors or bank.settings.audit_anchor_file
    if file is not None:
        try:
            with file.open(encoding="utf-8") as lines:
                found += await seals.compare(lines)
        except (OSError, UnicodeDecodeError):
            raise ValidationFailed(f"{file.name} is not a readable anchor.") from None
    return found


async def export(
    bank: Office, staff: Staff, wish: Wish, write: Callable[[str], None]
) -> int:
    """Write entries as lines of JSON, then the seals; gives how many entries.

    Raises:
        ValidationFailed: who or why is missing.
        NotFound: no customer has that number.
    """
    require_staff(staff)
    customer = None if wish.number is None else await _customer(bank, wish.number)
    now = bank.clock.now()
    await audit.alone(staff.entry("staff.audit_exported", now, customer=customer))
    last, count = ("" if customer is None else str(customer), 0), 0
    while True:
        rows = await audit.entries(last, wish.since or _EVER, _PAGE)
        mine = [row for row in rows if customer is None or _chain(row) == last[0]]
        for row in mine:
            write(_line(row))
        count += len(mine)
        if len(mine) < _PAGE:
            break
        last = _chain(mine[-1]), mine[-1].get("seq", int)
    if customer is None:
        for one in await seals.after(None):
            write(one.line)
    return count


async def _customer(bank: Office, number: str) -> CustomerId:
    found = await bank.customers.find(number)
    if found is None:
        raise NotFound("No customer has that number.")
    return found


def _chain(row: Row) -> str:
    return row.get("chain", str)


def _line(row: Row) -> str:
    """Write an entry so that anybody can hash it again."""
    told: dict[str, object] = {
        "kind": "entry",
        "chain": _chain(row),
        "seq": row.get("seq", int),
        "id": str(row.get("id", AuditId)),
        "at": rfc3339(row.get("at", datetime)),
        **{name: row.find(name, str) for name in _TEXTS},
        "detail": row.get("detail", str),
        "request_id": row.get("request_id", str),
        "prev_hash": row.get("prev_hash", bytes).hex(),
        "hash": row.get("hash", bytes).hex(),
    }
    return orjson.dumps(told).decode()
