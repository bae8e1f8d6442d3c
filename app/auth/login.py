"""Signing in: ask for a challenge, answer it, get a session.

A stranger's key gets a decoy that is derived and not stored: it looks like a challenge,
nobody can answer it, and no table fills (auth.md 3.3).
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NoReturn
from uuid import UUID

from app import database
from app.auth import factors, signing
from app.auth.actor import ALL_SCOPES, Actor, FactorKind, Level
from app.auth.bound import BoundDevices
from app.auth.challenge import (
    TRIES,
    Answer,
    Challenge,
    ChallengeState,
    ChallengeWish,
    FactorResponse,
)
from app.auth.challenges import Challenges
from app.auth.device import Device
from app.auth.dpop import Proof
from app.auth.errors import AnsweredByTwin, ChallengeExpired, InvalidCredential
from app.auth.passkey_ceremony import RelyingParty, request_options
from app.auth.session import Session, TokenPair
from app.auth.sessions import Sessions
from app.auth.signing import Purpose
from app.auth.throttle import Throttle
from app.auth.totp_step import TotpSteps, factors_of
from app.clock import Clock
from app.database import Tx
from app.errors import DpopRequired
from app.ids import ChallengeId, DeviceId, SessionId, uuid7
from app.settings import Settings
from app.vault import Vault

_ANY_FACTOR = (FactorKind.BIOMETRIC, FactorKind.MPIN, FactorKind.WEBAUTHN)
_SINCE_MS = 1_760_000_000_000  # decoy device ids look as old as a young bank's


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A new session, and the caller as that session sees him."""

    tokens: TokenPair
    actor: Actor


class Logins:
    """Starts and finishes sign-ins.

    Args:
        clock: the bank's clock.
        settings: life of a sign-in challenge.
        vault: its pepper makes the decoys.
        bound: finds the device of a key.
        challenges: makes and verifies challenges.
        sessions: mints.
        throttle: counts by key, unknown keys by address.
    """

    def __init__(  # noqa: PLR0913  -- the composition root names them all
        self,
        *,
        clock: Clock,
        settings: Settings,
        vault: Vault,
        bound: BoundDevices,
        challenges: Challenges,
        sessions: Sessions,
        throttle: Throttle,
    ) -> None:
        self._clock = clock
        self._party = RelyingParty.of(settings)
        self._settings = settings
        self._vault = vault
        self._bound = bound
        self._challenges = challenges
        self._sessions = sessions
        self._throttle = throttle
        self._totp_steps = TotpSteps(clock=clock, settings=settings)

    async def start(self, actor: Actor, device_id: DeviceId | None = None) -> Challenge:
        """Give the device of the request's proof a challenge; a stranger's a decoy.

        Args:
            actor: must carry a proof.
            device_id: only compared with the key of the proof.

        Raises:
            DpopRequired: no proof was sent.
            RateLimited: too many sign-ins of this key.
        """
        proof = _proof_of(actor)
        device = await self._bound.read(proof.jkt)
        known = device is not None
        await self._throttle.login(proof.jkt, actor.origin, known=known)
        if device is None or device_id not in {None, device.id}:
            return self._decoy(proof.jkt, self._milliseconds(), device_id)
        return await self._challenge(_as_device(actor, device))

    async def finish(
        self,
        actor: Actor,
        challenge_id: ChallengeId,
        device_signature: str,
        response: FactorResponse,
    ) -> SignedIn:
        """Judge the answer and start a session; identical bytes give the same one.

        Raises:
            DpopRequired: no proof was sent.
            RateLimited: too many sign-ins of this key.
            InvalidCredential: unknown device, wrong signature or wrong factor.
            CredentialLocked: no try is left, or the customer is blocked.
            DeviceLocked, DeviceBlocked: told to the holder of the key.
            ChallengeExpired: too old, or answered with other bytes.
            AppUpdateRequired: the app is too old.
            TotpAsked: the person is proven; the same challenge asks for a code.
        """
        proof = _proof_of(actor)
        device = await self._bound.read(proof.jkt)
        known = device is not None
        await self._throttle.login(proof.jkt, actor.origin, known=known)
        if device is None or self._is_decoy(challenge_id, proof.jkt):
            self._refuse_decoy(challenge_id, proof, device_signature)
        holder = _as_device(actor, device)
        try:
            answer = await self._challenges.verify(
                holder, challenge_id, device_signature, response, purpose=Purpose.LOGIN
            )
        except InvalidCredential:
            await self._totp_steps.asked_again(
                holder, challenge_id, device_signature, response
            )
            raise
        if answer.factor is not FactorKind.TOTP:
            await self._totp_steps.ask(device.id, answer)
        session = await self._session(holder, device, answer)
        self._bound.forget(device.id)
        signed_in = replace(
            holder, level=Level.LOGIN, session=session.id, scopes=ALL_SCOPES
        )
        return SignedIn(tokens=self._sessions.token_pair(session), actor=signed_in)

    # -------------------------------------------------------------- inside

    async def _challenge(self, actor: Actor) -> Challenge:
        device = actor.known_device

        async def work(tx: Tx) -> Challenge:
            now = self._clock.now()
            there = await factors.usable(tx.rows, actor, self._settings, now)
            # Never empty: what is locked or not set is said only after the signature.
            allowed = there.among(_ANY_FACTOR, full=False) or (FactorKind.MPIN,)
            # The bank's clock stamps the id, as it does a decoy's.
            name = ChallengeId(uuid7(self._milliseconds()))
            wish = self._wish(device)
            made = self._challenges.made(name, actor, wish, allowed, there.passkeys)
            await self._challenges.insert(tx, actor, made)
            return made

        return await database.transaction(work, name="auth.login_start")

    def _wish(self, device: DeviceId) -> ChallengeWish:
        def payload(challenge: ChallengeId, _end: datetime) -> dict[str, object]:
            return _payload(challenge, device)

        return ChallengeWish(
            purpose=Purpose.LOGIN,
            subject=None,
            allowed=_ANY_FACTOR,
            life_s=self._settings.login_challenge_s,
            payload=payload,
        )

    async def _session(self, actor: Actor, device: Device, answer: Answer) -> Session:
        if answer.repeated:
            return await self._session_again(answer)

        async def work(tx: Tx) -> Session:
            await self._challenges.consume(tx, answer)
            # An update that changes nothing: two sign-ins of one phone take turns.
            await tx.rows(
                "UPDATE device SET failed = failed WHERE id = $1 RETURNING id",
                device.id,
            )
            session = await self._sessions.mint(
                tx, actor, device, await factors_of(tx, answer)
            )
            await tx.rows(
                "UPDATE challenge SET session_id = $2 WHERE id = $1 RETURNING id",
                answer.challenge.id,
                session.id,
            )
            return session

        try:
            return await database.transaction(work, name="auth.mint")
        except AnsweredByTwin:
            return await self._session_again(answer)

    async def _session_again(self, answer: Answer) -> Session:
        """Give the session a lost answer made, while it lives untouched (3.3)."""
        row = await database.read_one(
            "SELECT session_id FROM challenge WHERE id = $1", answer.challenge.id
        )
        made = None if row is None else row.find("session_id", SessionId)
        session = None if made is None else await self._sessions.find(made)
        if session is None or session.generation != 0:
            raise ChallengeExpired
        over = session.ended_at is not None
        if over or session.absolute_end <= self._clock.now():
            raise ChallengeExpired
        return session

    # -------------------------------------------------------------- decoys

    def _milliseconds(self) -> int:
        return int(self._clock.now().timestamp() * 1000)

    def _decoy_id(self, milliseconds: int, jkt: str) -> ChallengeId:
        digest = self._derived("decoy", milliseconds, jkt)
        return ChallengeId(_uuid7(milliseconds, digest))

    def _derived(self, kind: str, milliseconds: int, jkt: str) -> bytes:
        message = signing.decoy_message(kind, milliseconds, jkt)
        return self._vault.mac("mac/decoy", message)

    def _decoy(
        self, jkt: str, milliseconds: int, device_id: DeviceId | None
    ) -> Challenge:
        made = self._decoy_id(milliseconds, jkt)
        device = device_id or self._decoy_device(jkt)
        life = timedelta(seconds=self._settings.login_challenge_s)
        webauthn = self._decoy_passkey(jkt)
        return Challenge(
            id=made,
            purpose=Purpose.LOGIN,
            state=ChallengeState.PENDING,
            device=device,
            subject=None,
            nonce=self._derived("decoy-nonce", milliseconds, jkt),
            payload=signing.jcs(_payload(made, device)),
            allowed=_ANY_FACTOR[1:] if webauthn else (FactorKind.MPIN,),
            attempts_left=TRIES,
            expires_at=self._clock.now() + life,
            webauthn=webauthn,
        )

    def _decoy_passkey(self, jkt: str) -> Mapping[str, object] | None:
        """Let every second stranger seem to have a passkey, always the same one."""
        if self._derived("decoy-factor", 0, jkt)[0] % 2:
            return None
        name = signing.b64u(self._derived("decoy-passkey", 0, jkt))
        named = {
            "type": "public-key",
            "id": name,
            "transports": ["hybrid", "internal"],
        }
        return request_options(self._party, [named])

    def _decoy_device(self, jkt: str) -> DeviceId:
        """Give a stranger's key a device id that stays the same."""
        digest = self._derived("decoy-device", 0, jkt)
        age_ms = int.from_bytes(digest[:4], "big") * 5
        return DeviceId(_uuid7(_SINCE_MS + age_ms, digest[4:]))

    def _is_decoy(self, challenge_id: ChallengeId, jkt: str) -> bool:
        milliseconds = challenge_id.value.int >> 80
        return self._decoy_id(milliseconds, jkt) == challenge_id

    def _refuse_decoy(
        self, challenge_id: ChallengeId, proof: Proof, device_signature: str
    ) -> NoReturn:
        """Answer like a wrong factor, after the same signature check."""
        milliseconds = challenge_id.value.int >> 80
        if not self._is_decoy(challenge_id, proof.jkt):
            raise ChallengeExpired
        decoy = self._decoy(proof.jkt, milliseconds, None)
        try:
            raw = signing.unb64u(device_signature, signing.SIGNATURE_BYTES)
        except signing.MalformedText:
            raw = secrets.token_bytes(signing.SIGNATURE_BYTES)
        signing.is_signed(proof.jwk.public, raw, decoy.message)
        life_ms = self._settings.login_challenge_s * 1000
        if self._milliseconds() - milliseconds >= life_ms:
            raise ChallengeExpired
        raise InvalidCredential


def _payload(challenge: ChallengeId, device: DeviceId) -> dict[str, object]:
    return {"v": 1, "challengeId": str(challenge), "deviceId": str(device)}


def _proof_of(actor: Actor) -> Proof:
    if actor.proof is None:
        raise DpopRequired
    return actor.proof


def _as_device(actor: Actor, device: Device) -> Actor:
    return replace(
        actor,
        level=Level.DEVICE,
        customer=device.customer,
        device=device.id,
        session=None,
    )


def _uuid7(milliseconds: int, chance: bytes) -> UUID:
    """Build a UUIDv7 of given random bits: a decoy's id looks like any other."""
    value = (milliseconds & 0xFFFFFFFFFFFF) << 80
    bits = int.from_bytes(chance[:10], "big")
    value |= 0x7 << 76 | (bits >> 68 & 0xFFF) << 64
    value |= 0b10 << 62 | (bits & 0x3FFFFFFFFFFFFFFF)
    return UUID(int=value)
