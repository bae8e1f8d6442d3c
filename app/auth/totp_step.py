"""The authenticator's code besides another factor at sign-in (auth.md 3.4).

The person factor comes first. Then the same challenge takes nothing but a TOTP, and
only of customers who have one: policy says whether always or from COOLING phones.
"""

from datetime import datetime

from app import database
from app.auth import signing
from app.auth.actor import Actor, DeviceState
from app.auth.challenge import (
    COLUMNS,
    Answer,
    Challenge,
    FactorResponse,
    read_challenge,
)
from app.auth.device import state_at
from app.auth.errors import ChallengeExpired
from app.clock import Clock
from app.database import Tx
from app.ids import ChallengeId, DeviceId
from app.settings import Settings

_ASKED = (
    f"SELECT {COLUMNS} FROM challenge WHERE id = $1 AND device_id = $2 "  # noqa: S608  -- our own column list
    "AND step = 'TOTP' AND person_hash = $3 AND state = 'PENDING' AND expires_at > $4"
)


class TotpAsked(Exception):
    """The person is proven; the same challenge now asks for the authenticator.

    Not a refusal: the phone answers once more.

    Args:
        challenge: with `allowed` reduced to TOTP.
    """

    def __init__(self, challenge: Challenge) -> None:
        super().__init__()
        self.challenge = challenge


class TotpSteps:
    """Asks for the code, once the person is proven.

    Args:
        clock: the bank's clock.
        settings: of whom it is asked.
    """

    def __init__(self, *, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._policy = settings.totp_at_login

    async def asked_again(
        self,
        actor: Actor,
        challenge: ChallengeId,
        device_signature: str,
        response: FactorResponse,
    ) -> None:
        """Give the byte-identical person answer the same result, without counting.

        Raises:
            TotpAsked: it was right and the code is waited for.
        """
        try:
            digest = signing.answer_hash(response.canonical, device_signature)
        except signing.MalformedText:
            return
        now = self._clock.now()
        row = await database.read_one(
            _ASKED, challenge, actor.known_device, digest, now
        )
        if row is not None:
            raise TotpAsked(read_challenge(row, now))

    async def ask(self, device: DeviceId, answer: Answer) -> None:
        """Turn a right person answer into the question for a code, where policy asks.

        Raises:
            TotpAsked: the phone has to answer once more.
            ChallengeExpired: it is too late, or other bytes came meanwhile.
        """
        if self._policy == "NEVER" or answer.repeated:
            return
        now = self._clock.now()

        async def work(tx: Tx) -> Challenge | None:
            if not await self._asks(tx, device, now):
                return None
            row = await tx.one(
                "UPDATE challenge SET step = 'TOTP', allowed = 'TOTP', person = $2, "  # noqa: S608  -- our own column list
                "person_hash = answer_hash, answer_hash = NULL, evidence = NULL, "
                "webauthn = NULL, attempts = 0 WHERE id = $1 AND state = 'PENDING' "
                "AND step = 'PERSON' AND answer_hash = $3 AND expires_at > $4 "
                f"RETURNING {COLUMNS}",
                answer.challenge.id,
                answer.factor,
                answer.hash,
                now,
            )
            if row is None:  # the identical answer may have been faster
                row = await tx.one(
                    _ASKED, answer.challenge.id, device, answer.hash, now
                )
            if row is None:
                raise ChallengeExpired
            return read_challenge(row, now)

        asked = await database.transaction(work, name="auth.totp_ask")
        if asked is not None:
            raise TotpAsked(asked)

    async def _asks(self, tx: Tx, device: DeviceId, now: datetime) -> bool:
        row = await tx.one(
            "SELECT d.state, d.cooling_until FROM device d JOIN totp_secret t "
            "ON t.customer_id = d.customer_id AND t.state = 'ACTIVE' WHERE d.id = $1",
            device,
        )
        if row is None:
            return False
        cooling_until = row.find("cooling_until", datetime)
        state = state_at(row.get("state", DeviceState), cooling_until, now)
        return self._policy == "ALWAYS" or state is DeviceState.COOLING


async def factors_of(tx: Tx, answer: Answer) -> str:
    """Name what proved the person, for `amr`: `mpin`, or `mpin+totp`."""
    last = answer.factor.value.lower()
    row = await tx.one(
        "SELECT person FROM challenge WHERE id = $1", answer.challenge.id
    )
    person = None if row is None else row.find("person", str)
    return last if person is None else f"{person.lower()}+{last}"
