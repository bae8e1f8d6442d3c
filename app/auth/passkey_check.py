"""A passkey as an answer: counted per credential, paused after five wrong ones.

Its own counters never feed or clear the mPIN's (auth.md 6.1). The authenticator's
counter is compared only after the signature verified: any value but zero must grow,
else the credential is a copy and is locked (4).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app import audit
from app.auth import alerts, lockout, signing
from app.auth import passkey_ceremony as ceremony
from app.auth.actor import Actor, FactorKind
from app.auth.errors import CredentialLocked, InvalidCredential
from app.auth.passkey_ceremony import Asserted, KnownKey, RelyingParty
from app.auth.proving import Asked
from app.database import Tx
from app.errors import Refusal
from app.ids import PasskeyId
from app.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """A passkey one of whose tries was counted."""

    id: PasskeyId
    failed: int
    paused_until: datetime | None
    key: KnownKey = field(repr=False)


class PasskeyCheck:
    """Verifies assertions and counts the wrong ones.

    Args:
        settings: relying party, tries and pauses.
    """

    kind = FactorKind.WEBAUTHN

    def __init__(self, settings: Settings) -> None:
        self._party = RelyingParty.of(settings)
        self._settings = settings

    async def ready(self) -> None:
        """Load the library."""
        await ceremony.ready()

    async def charge(self, tx: Tx, actor: Actor, asked: Asked) -> Charged | None:  # noqa: ARG002  -- the shape of a factor
        """Count one try; the one that ends a row of tries pauses at once.

        Gives None for a credential the challenge did not offer: that is a wrong answer
        of this phone, but of no passkey.

        Raises:
            CredentialLocked: it is paused or locked.
        """
        name = _offered(asked)
        if name is None:
            return None
        row = await tx.one(
            "UPDATE passkey SET failed = failed + 1 WHERE credential_id = $1 "
            "AND customer_id = $2 AND state = 'ACTIVE' "
            "AND (paused_until IS NULL OR paused_until <= $3) "
            "RETURNING id, cose_key, be, failed",
            name,
            asked.customer,
            asked.now,
        )
        if row is None:
            raise CredentialLocked(await _paused_until(tx, name, asked))
        made = row.get("id", PasskeyId)
        failed = row.get("failed", int)
        paused_until = await self._pause(tx, made, failed, asked.now)
        customer = await tx.one(
            "SELECT handle FROM customer WHERE id = $1", asked.customer
        )
        assert customer is not None  # noqa: S101  -- customers are never deleted
        key = KnownKey(
            credential_id=name,
            cose_key=row.get("cose_key", bytes),
            be=row.get("be", bool),
            handle=customer.get("handle", bytes),
        )
        return Charged(id=made, failed=failed, paused_until=paused_until, key=key)

    def check(self, charged: Charged | None, asked: Asked) -> Asserted | None:
        """Verify the assertion over the challenge's digest."""
        if charged is None:
            return None
        try:
            return ceremony.check_assertion(
                self._party, asked.given.webauthn, asked.challenge.digest, charged.key
            )
        except InvalidCredential:
            return None

    async def refund(
        self,
        tx: Tx,
        actor: Actor,
        asked: Asked,
        charged: Charged | None,
        proven: Asserted,
    ) -> Refusal | None:
        """Forget the wrong tries and move the counter; lock a copy."""
        assert charged is not None  # noqa: S101  -- nothing is proven without a key
        row = await tx.one(
            "UPDATE passkey SET failed = 0, paused_until = NULL, sign_count = $2, "
            "bs = $3, last_used_at = $4 WHERE id = $1 AND state = 'ACTIVE' "
            "AND (sign_count < $2 OR (sign_count = 0 AND $2 = 0)) RETURNING id",
            charged.id,
            proven.sign_count,
            proven.bs,
            asked.now,
        )
        if row is not None:
            return None
        locked = await tx.one(
            "UPDATE passkey SET state = 'LOCKED' WHERE id = $1 "
            "AND state = 'ACTIVE' RETURNING id",
            charged.id,
        )
        if locked is not None:
            entry = actor.entry("passkey.locked", asked.now, object=str(charged.id))
            alerts.tell(tx, entry, "A passkey may have been copied. It is locked.")
        return CredentialLocked()

    async def wrong(
        self, tx: Tx, actor: Actor, asked: Asked, charged: Charged | None
    ) -> Refusal:
        """Write the try down; tell the customer when it pauses."""
        entry = actor.entry(
            "passkey.failed",
            asked.now,
            object=None if charged is None else str(charged.id),
            outcome=audit.Outcome.DENIED,
        )
        if charged is None:
            audit.append(tx, entry)
            return InvalidCredential()
        if charged.paused_until is None:
            audit.append(tx, entry)
            return InvalidCredential(self._left(charged.failed))
        alerts.tell(tx, entry, "Too many wrong tries. A passkey is paused.")
        return CredentialLocked(charged.paused_until)

    async def again(self, tx: Tx, actor: Actor, asked: Asked) -> Refusal:  # noqa: ARG002  -- the shape of a factor
        """Refuse the same wrong assertion again."""
        row = await tx.one(
            "SELECT failed, paused_until, state FROM passkey "
            "WHERE credential_id = $1 AND customer_id = $2",
            ceremony.credential_id_of(asked.given.webauthn) or b"",
            asked.customer,
        )
        if row is None:
            return InvalidCredential(repeated=True)
        paused_until = row.find("paused_until", datetime)
        paused = paused_until is not None and paused_until > asked.now
        if paused or row.get("state", str) != "ACTIVE":
            return CredentialLocked(paused_until if paused else None)
        return InvalidCredential(self._left(row.get("failed", int)), repeated=True)

    def evidence(
        self, charged: Charged | None, proven: Asserted
    ) -> Mapping[str, object]:
        """Keep everything a verifier needs besides the challenge itself."""
        assert charged is not None  # noqa: S101  -- nothing is proven without a key
        return {
            "rpId": self._party.id,
            "credentialId": signing.b64u(charged.key.credential_id),
            "publicKey": signing.b64u(charged.key.cose_key),
            "authenticatorData": proven.authenticator_data,
            "clientDataJSON": proven.client_data,
            "signature": proven.signature,
        }

    def _left(self, failed: int) -> int:
        """Give the tries that are left in this row of them."""
        return self._settings.factor_tries - failed % self._settings.factor_tries

    async def _pause(
        self, tx: Tx, passkey: PasskeyId, failed: int, now: datetime
    ) -> datetime | None:
        """Pause after each full row of tries, twice as long each time."""
        pause = lockout.pause(failed, self._settings)
        if pause is None:
            return None
        await tx.rows(
            "UPDATE passkey SET paused_until = $2 WHERE id = $1 RETURNING id",
            passkey,
            now + pause,
        )
        return now + pause


def _offered(asked: Asked) -> bytes | None:
    """Give the credential that answers if the challenge offered it."""
    name = ceremony.credential_id_of(asked.given.webauthn)
    if name is None or signing.b64u(name) not in asked.challenge.offered:
        return None
    return name


async def _paused_until(tx: Tx, name: bytes, asked: Asked) -> datetime | None:
    row = await tx.one(
        "SELECT paused_until FROM passkey WHERE credential_id = $1 "
        "AND customer_id = $2 AND state = 'ACTIVE'",
        name,
        asked.customer,
    )
    return None if row is None else row.find("paused_until", datetime)
