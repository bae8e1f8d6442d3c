"""Keys on the command line: shown, rotated, moved to, and let go.

Every change asks who and why and is an audit entry. No key is ever printed; a ring is
changed by whoever owns its file.
"""

from collections.abc import Iterator
from typing import Protocol

from app import audit, database, sealed
from app.auth.signing_ring import Rotation, SigningRing
from app.auth.standing import Staff, require_staff
from app.clock import Clock, rfc3339
from app.database import Tx
from app.errors import NotAllowed, NotFound, ValidationFailed
from app.sealed import Declared, Moved, RingName
from app.vault import Ring, Vault


class KeyHolder(Protocol):
    """What these commands need of a bank."""

    @property
    def ring(self) -> SigningRing:
        """The keys that sign tokens."""
        ...

    @property
    def vault(self) -> Vault:
        """The two rings."""
        ...

    @property
    def clock(self) -> Clock:
        """The bank's clock."""
        ...

    def sealed(self) -> list[Declared]:
        """Every column that holds values made with ring keys."""
        ...


async def listed(bank: KeyHolder) -> list[str]:
    """Say of every key what it is and how many rows name it, one line each."""
    lines = [
        f"signing {one.kid} {one.state} since {rfc3339(one.made_at)}"
        for one in await bank.ring.listed()
    ]
    now = bank.clock.now()
    for name, ring in _rings(bank.vault):
        for key_id in ring.keys:
            state = "current" if key_id == ring.current else "old"
            rows = await sealed.naming(bank.sealed(), name, key_id, now)
            lines.append(f"{name} {key_id} {state}, named by {sum(rows.values())} rows")
    return lines


async def rotate(bank: KeyHolder, staff: Staff, *, at_once: bool = False) -> str:
    """Let the next signing key sign; gives its id. Nobody is signed out.

    Raises:
        ValidationFailed: who or why is missing.
        NotAllowed: the next key is not published long enough, unless `at_once`.
        Conflict: another process rotates at this moment.
    """
    require_staff(staff)
    return await bank.ring.rotate(
        Rotation(by=staff.name, reason=staff.reason, staff=True, at_once=at_once)
    )


async def reseal(bank: KeyHolder) -> Moved:
    """Move every value that can move to the current keys of both rings, now."""
    return await sealed.move(bank.vault, bank.sealed())


async def retire(bank: KeyHolder, staff: Staff, name: str, key_id: int) -> None:
    """Say that a key may leave its ring, because no row names it.

    Raises:
        ValidationFailed: who or why is missing, or there is no such ring.
        NotFound: the ring has no such key.
        NotAllowed: it is the current one, or rows name it; the sentence counts them.
    """
    require_staff(staff)
    if name not in set(RingName):
        raise ValidationFailed("The ring is sealing or pepper.")
    wanted = RingName(name)
    ring = dict(_rings(bank.vault))[wanted]
    if key_id not in ring.keys:
        raise NotFound
    if key_id == ring.current:
        raise NotAllowed("This key is the current one of its ring.")
    now = bank.clock.now()
    rows = await sealed.naming(bank.sealed(), wanted, key_id, now)
    if rows:
        counts = ", ".join(f"{where} {count}" for where, count in rows.items())
        raise NotAllowed(f"Rows still name this key: {counts}.")

    async def work(tx: Tx) -> None:
        entry = staff.entry("ring_key.retired", now, object=f"{wanted}.{key_id}")
        audit.append(tx, entry)

    await database.transaction(work, name="keys.retire")


def _rings(vault: Vault) -> Iterator[tuple[RingName, Ring]]:
    yield RingName.SEALING, vault.sealing
    yield RingName.PEPPER, vault.pepper
