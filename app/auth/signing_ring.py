"""The ring that signs our own tokens: this month's key, the next one, those before.

ES256 on P-256, as phones sign (auth.md 2.9).
"""

import asyncio
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app import audit, database, telemetry
from app.auth.keys import Jwk, jwk_of, read_jwk
from app.clock import Clock
from app.database import Tx
from app.errors import Conflict, NotAllowed, Outage
from app.ids import request_id
from app.rows import Row
from app.settings import Misconfigured
from app.vault import Unsealable, Vault

# As long as a reader may keep the JWK set (its Cache-Control), and then some.
PUBLISHED = timedelta(minutes=10)
# Longer than any access token lives, and than a process goes on with the old key.
OUTLIVED = timedelta(minutes=15)
SIGNS_FOR = timedelta(days=30)
_POLL_S = 5.0
_ASK_EVERY_S = 1.0
_KID_BYTES = 8
_KID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedKey:
    """A signing key as the table has it, without its private half."""

    kid: str
    jwk: Jwk
    state: str
    made_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """Who lets the next key sign, and why; both stand in the audit entry.

    Args:
        by: a person, or the job.
        reason: why.
        staff: whether `by` is a person.
        at_once: the key in use leaked; do not wait until the next one is known.
    """

    by: str
    reason: str
    staff: bool = False
    at_once: bool = False

    def entry(self, at: datetime, kid: str, retired: str) -> audit.Entry:
        """Write it down."""
        kind = audit.ActorKind.STAFF if self.staff else audit.ActorKind.SYSTEM
        return audit.Entry(
            action="signing_key.rotated",
            at=at,
            request_id=request_id(),
            actor_kind=kind,
            actor_id=self.by[:64],
            object=kid,
            detail={"retired": retired, "reason": self.reason},
        )


class SigningRing:
    """The keys that sign our access tokens; private halves are sealed in the table.

    CURRENT signs. NEXT is published before it signs, so every process and every reader
    of the JWK set knows it when its turn comes. RETIRED verifies until the last token
    it signed has ended. Other processes' rotations are heard by `run`, or by a token
    under an unknown id, whichever is first.

    Args:
        clock: the bank's clock.
        vault: seals the private halves.
    """

    def __init__(self, clock: Clock, vault: Vault) -> None:
        self._clock = clock
        self._vault = vault
        self._current: tuple[str, ec.EllipticCurvePrivateKey] | None = None
        self._public: dict[str, Jwk] = {}
        self._asked_at: float | None = None

    async def open(self) -> None:
        """Read the ring; the very first start makes its first two keys.

        Raises:
            Misconfigured: the ring lost the key that sealed them.
        """
        rows = await database.read(_READ)
        if "NEXT" not in {row.get("state", str) for row in rows}:
            await self._make_first()
            rows = await database.read(_READ)
        try:
            self._take(rows)
        except Unsealable:
            raise Misconfigured(
                "the signing key does not open: give SIXPENCE_SEALING_KEYS_FILE the "
                "line back that was taken out too early"
            ) from None

    async def poll(self) -> None:
        """Take note of a rotation in any process.

        Raises:
            Outage: the table cannot be read; what was known stays.
        """
        self._take(await database.read(_READ))

    async def run(self) -> None:
        """Poll until cancelled. Owned by the bank's task group."""
        while True:
            try:
                await self.poll()
            except Outage as lost:
                telemetry.log.warning("signing_keys_not_read", cause=lost.cause)
            await asyncio.sleep(_POLL_S)

    async def look_for(self, kid: str) -> None:
        """Read the table for an id nobody told us; invented ids cost one read a second.

        Raises:
            Outage: the table cannot be read.
        """
        if kid in self._public or not _KID.fullmatch(kid):
            return
        now = self._clock.monotonic()
        if self._asked_at is None or now - self._asked_at >= _ASK_EVERY_S:
            self._asked_at = now
            await self.poll()

    @property
    def current(self) -> tuple[str, ec.EllipticCurvePrivateKey]:
        """Key id and private key that sign new tokens."""
        if self._current is None:
            raise RuntimeError("the signing ring is not open")
        return self._current

    def find(self, kid: str) -> Jwk | None:
        """Give the public key of one of our own ids.

        NEXT counts: another process may have promoted it a moment ago.
        """
        return self._public.get(kid)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Give the public keys as a JWK set for `/.well-known/jwks.json`."""
        return {"keys": [_published(kid, jwk) for kid, jwk in self._public.items()]}

    async def rotate(self, wish: Rotation) -> str:
        """Let NEXT sign from now on and publish a new NEXT; gives the id that signs.

        The private half of the old key is erased. Nobody is signed out.

        Raises:
            NotAllowed: NEXT is not published long enough, and it is no emergency.
            Conflict: another process rotates at this moment.
        """
        fresh = self._made()
        now = self._clock.now()

        async def work(tx: Tx) -> str:
            old = await tx.one(_LOCK)
            following = await tx.one(_FOLLOWING)
            if old is None or following is None:
                raise Conflict
            made_at = following.get("made_at", datetime)
            if made_at + PUBLISHED > now and not wish.at_once:
                raise NotAllowed("The next key is not published long enough.")
            retired, kid = old.get("kid", str), following.get("kid", str)
            await tx.rows(_RETIRE, retired, b"")
            await tx.rows(_PROMOTE, kid)
            await tx.rows(_INSERT, *fresh, "NEXT", now)
            audit.append(tx, wish.entry(now, kid, retired))
            return kid

        kid = await database.transaction(work, name="auth.signing_rotate")
        await self.poll()
        return kid

    async def rotate_when_due(self) -> str | None:
        """Rotate a key that signed for 30 days; None when it is not time."""
        row = await database.read_one(_FOLLOWING)
        now = self._clock.now()
        if row is None or row.get("made_at", datetime) + SIGNS_FOR > now:
            return None
        return await self.rotate(Rotation(by="worker", reason="30 days"))

    async def listed(self) -> Sequence[ListedKey]:
        """Name every key that still counts, the youngest first."""
        return [one for one in _listed(await database.read(_READ)) if self._lives(one)]

    async def ever(self) -> dict[str, Jwk]:
        """Give the public key of every id that ever signed, to look at old seals."""
        return {one.kid: one.jwk for one in _listed(await database.read(_READ))}

    # -------------------------------------------------------------- inside

    def _take(self, rows: Sequence[Row]) -> None:
        sealed = {row.get("kid", str): row.get("sealed_private", bytes) for row in rows}
        public: dict[str, Jwk] = {}
        for one in _listed(rows):
            if not self._lives(one):
                continue
            public[one.kid] = one.jwk
            known = self._current is not None and self._current[0] == one.kid
            if one.state == "CURRENT" and not known:
                raw = self._vault.open("signing_key", one.kid, sealed[one.kid])
                self._current = one.kid, _private(raw)
        self._public = public

    def _lives(self, one: ListedKey) -> bool:
        """Tell whether a token of this key can be alive."""
        if one.state != "RETIRED" or one.retired_at is None:
            return True
        return self._clock.now() < one.retired_at + OUTLIVED

    async def _make_first(self) -> None:
        """Make what is missing; the unique CURRENT row lets one process do it."""
        first, following = self._made(), self._made()
        now = self._clock.now()

        async def work(tx: Tx) -> None:
            if await tx.one(_ANY) is None:
                await tx.rows(_INSERT, *first, "CURRENT", now)
            await tx.one(_LOCK)
            if await tx.one(_FOLLOWING) is None:
                made_at = now + timedelta(microseconds=1)  # the order is the record
                await tx.rows(_INSERT, *following, "NEXT", made_at)

        await database.transaction(work, name="auth.signing_key")

    def _made(self) -> tuple[str, bytes, str]:
        kid = secrets.token_hex(_KID_BYTES)
        private = ec.generate_private_key(ec.SECP256R1())
        raw = private.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        sealed = self._vault.seal("signing_key", kid, raw)
        return kid, sealed, jwk_of(private.public_key()).text


_READ = "SELECT kid, sealed_private, public_jwk, state, made_at FROM signing_key"
_ANY = "SELECT kid FROM signing_key LIMIT 1"
_LOCK = "UPDATE signing_key SET state = state WHERE state = 'CURRENT' RETURNING kid"
_FOLLOWING = (
    "SELECT kid, made_at FROM signing_key WHERE state = 'NEXT' ORDER BY made_at LIMIT 1"
)
_RETIRE = (
    "UPDATE signing_key SET state = 'RETIRED', sealed_private = $2 WHERE kid = $1 "
    "RETURNING kid"
)
_PROMOTE = "UPDATE signing_key SET state = 'CURRENT' WHERE kid = $1 RETURNING kid"
_INSERT = """
    INSERT INTO signing_key (kid, sealed_private, public_jwk, state, made_at)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING kid
"""


def _listed(rows: Sequence[Row]) -> list[ListedKey]:
    """Order the keys and tell when each retired, the youngest first.

    A key is made when the one two before it retires, so no column says when that was.
    """
    eldest_first = sorted(rows, key=lambda row: row.get("made_at", datetime))
    made_at = [row.get("made_at", datetime) for row in eldest_first]
    found = []
    for place, row in enumerate(eldest_first):
        retired = row.get("state", str) == "RETIRED"
        follower = made_at[place + 2] if place + 2 < len(made_at) else None
        found.append(
            ListedKey(
                kid=row.get("kid", str),
                jwk=read_jwk(row.get("public_jwk", dict)),
                state=row.get("state", str),
                made_at=made_at[place],
                retired_at=follower if retired else None,
            )
        )
    return found[::-1]


def _private(raw: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_der_private_key(raw, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101  -- we made it
    return key


def _published(kid: str, jwk: Jwk) -> dict[str, str]:
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": jwk.x,
        "y": jwk.y,
        "kid": kid,
        "alg": "ES256",
        "use": "sig",
    }
