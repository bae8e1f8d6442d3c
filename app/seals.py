"""Signed heads of the audit chains: who owns the database cannot rewrite them unseen.

Every hour in which something was written gets a seal: an ES256 signature over the heads
that moved since the seal before, and over that seal. A bare chain can be recomputed by
its owner; a sealed one only with a signing key, and seals that were copied to an anchor
outside the database not even then (banking.md section 1.3).
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from app import database
from app.auth import signing
from app.auth.keys import Jwk
from app.auth.signing_ring import SigningRing
from app.clock import Clock, rfc3339
from app.database import Tx
from app.errors import Conflict
from app.rows import Row

_LABEL = b"sixpence/audit-seal/v1\x00"
_FIRST = bytes(32)
_PAGE = 1000

CONSTRAINTS = (
    "audit_seal_heads",
    "audit_seal_append_only",
    "audit_sealed_head_hour",
    "audit_sealed_head_append_only",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """One hour's seal.

    Args:
        hour: in which it was made; a seal holds what was written before.
        heads: how many chains moved since the seal before.
        digest: SHA-256 over the digest before it, the hour and these heads.
        kid: id of the signing key.
        signature: 64 raw bytes over `message`.
    """

    hour: datetime
    heads: int
    digest: bytes
    kid: str
    signature: bytes

    @property
    def message(self) -> bytes:
        """What is signed."""
        return _LABEL + self.digest

    @property
    def line(self) -> str:
        """The seal as one line of JSON, for exports and anchors."""
        told = {
            "kind": "seal",
            "hour": rfc3339(self.hour),
            "heads": self.heads,
            "digest": self.digest.hex(),
            "kid": self.kid,
            "signature": signing.b64u(self.signature),
        }
        return orjson.dumps(told).decode()


# ------------------------------------------------------------------ making


async def seal(clock: Clock, ring: SigningRing) -> Seal | None:
    """Seal the heads that moved; None when this hour has its seal, or nothing moved.

    Any number of workers may try: one of them does it.
    """
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    newest = await database.read_one(_NEWEST)
    if newest is not None and newest.get("hour", datetime) >= hour:
        return None
    await ring.poll()  # never with a key that was retired because it leaked
    kid, private = ring.current

    async def work(tx: Tx) -> Seal:
        moved = await tx.rows(_TAKE, hour)  # waits for another worker that does it
        before = await tx.one(_NEWEST)
        if not moved or (before is not None and before.get("hour", datetime) >= hour):
            raise Conflict
        digest, heads = await _digest(
            tx.rows, hour, before.get("digest", bytes) if before else _FIRST
        )
        signature = signing.sign(private, _LABEL + digest)
        (made,) = await tx.rows(_INSERT, hour, heads, digest, kid, signature)
        return _seal(made)

    try:
        return await database.transaction(work, name="audit.seal")
    except Conflict:
        return None


_READ = "SELECT hour, heads, digest, kid, signature FROM audit_seal "
_NEWEST = _READ + "ORDER BY hour DESC LIMIT 1"
_TAKE = (
    "INSERT INTO audit_sealed_head (chain, seq, hash, hour) "
    "SELECT h.chain, h.seq, h.hash, $1 FROM audit_head h WHERE h.seq > coalesce("
    "(SELECT max(s.seq) FROM audit_sealed_head s WHERE s.chain = h.chain), 0) "
    "ON CONFLICT DO NOTHING RETURNING seq"
)
_INSERT = (
    "INSERT INTO audit_seal (hour, heads, digest, kid, signature) "
    "VALUES ($1, $2, $3, $4, $5) RETURNING hour, heads, digest, kid, signature"
)


async def _digest(
    read: Callable[..., Awaitable[list[Row]]], hour: datetime, before: bytes
) -> tuple[bytes, int]:
    """Hash an hour's heads in pages, in the order of their chains; counts them."""
    hashed = hashlib.sha256(before + rfc3339(hour).encode())
    count, last = 0, ""
    while True:
        heads = await read(
            "SELECT chain, seq, hash FROM audit_sealed_head "
            "WHERE hour = $1 AND chain > $2 ORDER BY chain LIMIT $3",
            hour,
            last,
            _PAGE,
        )
        for head in heads:
            last = head.get("chain", str)
            text = f"\n{last} {head.get('seq', int)} ".encode()
            hashed.update(text + head.get("hash", bytes))
        count += len(heads)
        if len(heads) < _PAGE:
            return hashed.digest(), count


async def after(hour: datetime | None) -> list[Seal]:
    """Read the seals after an hour, or all, the eldest first."""
    if hour is None:
        return [_seal(row) for row in await database.read(_READ + "ORDER BY hour")]
    rows = await database.read(_READ + "WHERE hour > $1 ORDER BY hour", hour)
    return [_seal(row) for row in rows]


def _seal(row: Row) -> Seal:
    return Seal(
        hour=row.get("hour", datetime),
        heads=row.get("heads", int),
        digest=row.get("digest", bytes),
        kid=row.get("kid", str),
        signature=row.get("signature", bytes),
    )


# ------------------------------------------------------------------ verifying


async def verify(keys: Mapping[str, Jwk]) -> list[str]:
    """Check every seal and every sealed head; gives a sentence for what is wrong.

    What stands between the heads is `audit.verify`'s: both together leave nothing.

    Args:
        keys: public keys of every id that ever signed.
    """
    found = [f"chain {chain}, row {seq}: {why}" for chain, seq, why in await _moved()]
    before = _FIRST
    for one in await after(None):
        digest, heads = await _digest(database.read, one.hour, before)
        key = keys.get(one.kid)
        if (digest, heads) != (one.digest, one.heads):
            found.append(f"seal {rfc3339(one.hour)}: not over these heads")
        elif key is None or not signing.is_signed(
            key.public, one.signature, one.message
        ):
            found.append(f"seal {rfc3339(one.hour)}: not signed by a key of the bank")
        before = one.digest
    return found


async def _moved() -> list[tuple[str, int, str]]:
    """Name the first sealed head of each chain that is not in the chain as sealed."""
    rows = await database.read(
        "SELECT s.chain, min(s.seq) AS seq FROM audit_sealed_head s "
        "LEFT JOIN audit_entry e ON e.chain = s.chain AND e.seq = s.seq "
        "LEFT JOIN audit_seal a ON a.hour = s.hour "
        "WHERE e.hash IS NULL OR e.hash <> s.hash OR a.hour IS NULL "
        "GROUP BY s.chain ORDER BY s.chain"
    )
    why = "not as it was sealed"
    return [(row.get("chain", str), row.get("seq", int), why) for row in rows]


# ------------------------------------------------------------------ anchors


async def anchor(file: Path) -> int:
    """Copy the seals that a file lacks to its end, a line each; counts them.

    The file belongs on a medium that the owner of the database cannot rewrite.

    Raises:
        OSError: it cannot be read or written; the next turn copies what is missing.
    """
    lines = await asyncio.to_thread(_lines, file)
    known = [found for line in lines if (found := _hour_of(line)) is not None]
    fresh = await after(max(known, default=None))
    if fresh:
        # A line that a crash cut short stays alone on its line.
        cut = bool(lines) and not lines[-1].endswith("\n")
        text = "\n" * cut + "".join(f"{one.line}\n" for one in fresh)
        await asyncio.to_thread(_add, file, text)
    return len(fresh)


async def compare(lines: Iterable[str]) -> list[str]:
    """Compare an anchor's lines with the seals; gives a sentence for each that differs.

    Lines that are no seals, of an export for example, are passed over.
    """
    seals = {rfc3339(one.hour): one.line for one in await after(None)}
    found = []
    for line in lines:
        hour = _hour_of(line)
        if hour is not None and seals.get(rfc3339(hour)) != line.strip():
            gone = rfc3339(hour) not in seals
            why = "gone from the database" if gone else "another one is anchored"
            found.append(f"seal {rfc3339(hour)}: {why}")
    return found


def _hour_of(line: str) -> datetime | None:
    """Read which hour's seal a line is; None if it is none."""
    try:
        told = orjson.loads(line)
        if told["kind"] != "seal":
            return None
        return datetime.fromisoformat(told["hour"])
    except (ValueError, KeyError, TypeError):
        return None


def _lines(file: Path) -> list[str]:
    if not file.exists():
        return []
    with file.open(encoding="utf-8") as read:
        return list(read)


def _add(file: Path, text: str) -> None:
    with file.open("a", encoding="utf-8") as written:
        written.write(text)
