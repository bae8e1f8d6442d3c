"""The fake bank's refresh tokens and passkeys.

Passkeys are judged by the library `webauthn`, which knows nothing of the phone.
"""

import secrets
from dataclasses import dataclass, field

import orjson
import webauthn
from typing_extensions import override
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from tests.phone.fake_bank import FakeBank
from tests.phone.fake_parts import (
    Caller,
    Challenge,
    Customer,
    Device,
    Fault,
    Node,
    canonical,
    new_id,
    refusal,
    unb64u,
    verified,
)

REQUIRED = UserVerificationRequirement.REQUIRED
INVALID = "INVALID_CREDENTIAL"
LIFE_S, TRIES = 300, 3
FAR = "2126-11-21T10:00:00.000Z"


@dataclass
class FakeSession:
    device: Device
    generation: int = 0
    alerted: bool = False
    ended: bool = False
    tokens: set[str] = field(default_factory=set)
    id: str = field(default_factory=lambda: new_id("ses"))

    @property
    def refresh_token(self) -> str:
        return f"rt1.{self.id}.{self.generation}.mac"


@dataclass
class FakePasskey:
    owner: Customer
    label: str
    credential_id: bytes
    public_key: bytes
    counter: int
    backed_up: bool
    id: str = field(default_factory=lambda: new_id("psk"))

    def node(self) -> Node:
        return {"id": self.id, "label": self.label, "backedUp": self.backed_up}


class SignInBank(FakeBank):
    """What part two adds.

    Attributes:
        origin: Whom the passkeys are made for.
        idle: The person was away too long: refreshing answers SESSION_LOCKED.
        expired: Access tokens that are over although their session lives.
        refreshes: The refresh tokens that came, in order.
    """

    def __init__(self, origin: str) -> None:
        super().__init__()
        self.origin = origin
        self.idle = False
        self.expired: set[str] = set()
        self.refreshes: list[str] = []
        self.sessions: dict[str, FakeSession] = {}
        self.passkeys: list[FakePasskey] = []
        self.registrations: dict[str, tuple[Customer, bytes]] = {}
        self.handles: dict[str, bytes] = {}

    @override
    def signed_in(self, caller: Caller) -> Device:
        if caller.token is None:
            raise Fault("UNAUTHENTICATED", 401, reason="TOKEN_MISSING")
        device = self.device(caller)
        session = self.session_of(device)
        if session is None or caller.token not in session.tokens:
            raise Fault("UNAUTHENTICATED", 401, reason="SESSION_ENDED")
        if caller.token in self.expired:
            raise Fault("UNAUTHENTICATED", 401, reason="TOKEN_EXPIRED")
        return device

    def session_of(self, device: Device) -> FakeSession | None:
        live = (s for s in self.sessions.values() if not s.ended)
        return next((s for s in live if s.device is device), None)

    @override
    def end(self, device: Device, code: int) -> None:
        session = self.session_of(device)
        for token in () if session is None else session.tokens:
            self.on_end(token, code)
        if session is not None:
            session.ended = True
        device.token = None

    @override
    def loginFinish(self, caller: Caller, given: Node) -> Node:
        answer = super().loginFinish(caller, given)
        if "tokens" in answer:
            device = self.devices[caller.jkt or ""]
            session = FakeSession(device)
            self.sessions[session.id] = session
            self.idle = False
            return {"tokens": self.pair(session, answer["tokens"]["accessToken"])}
        return answer

    def pair(self, session: FakeSession, access: str) -> Node:
        session.tokens.add(access)
        session.device.token = access
        times = ("expiresAt", "idleExpiresAt", "sessionExpiresAt")
        tokens = {"accessToken": access, "refreshToken": session.refresh_token}
        return tokens | dict.fromkeys(times, FAR)

    def tokenRefresh(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        """Auth.md §3.7, in its order."""
        self.refreshes.append(given["refreshToken"])
        parts = given["refreshToken"].split(".")
        session = self.sessions.get(parts[1])
        if session is None or parts[3] != "mac":
            return refusal("INVALID_CREDENTIAL", "CredentialError")
        if session.ended or self.idle:
            return refusal("SESSION_ENDED" if session.ended else "SESSION_LOCKED")
        if self.devices.get(caller.jkt or "") is not session.device:
            if not session.alerted:
                self.alert(session, "session.foreign_key")
            session.alerted = True
            return refusal("INVALID_CREDENTIAL", "CredentialError")
        generation = int(parts[2])
        if generation == session.generation:
            session.generation += 1
        elif generation != session.generation - 1:
            self.alert(session, "session.reused")
            self.end(session.device, 4401)
            return refusal("SESSION_ENDED")
        return {"tokens": self.pair(session, secrets.token_urlsafe(24))}

    def alert(self, session: FakeSession, action: str) -> None:
        entry = {"id": new_id("aud"), "action": action}
        event = {"__typename": "SecurityEvent", "title": "Look", "entry": entry}
        self.append(session.device.owner, event)

    @override
    def me(self, caller: Caller, given: Node) -> Node:
        owner = self.signed_in(caller).owner
        own = [one.node() for one in self.passkeys if one.owner is owner]
        return {**super().me(caller, given), "passkeys": own}

    @override
    def challenge(
        self, purpose: str, device: Device, facts: Node, subject: str
    ) -> Challenge:
        made = super().challenge(purpose, device, facts, subject)
        made.made_at_s = self.offset_s
        if any(one.owner is device.owner for one in self.passkeys):
            made.options = self.request_options(device.owner, made.digest())
        return made

    def request_options(self, owner: Customer, digest: bytes) -> Node:
        options = webauthn.generate_authentication_options(
            rp_id="localhost",
            challenge=digest,
            allow_credentials=self.descriptors(owner),
            user_verification=REQUIRED,
        )
        read: Node = orjson.loads(webauthn.options_to_json(options))
        return read

    def descriptors(self, owner: Customer) -> list[PublicKeyCredentialDescriptor]:
        own = [one for one in self.passkeys if one.owner is owner]
        return [PublicKeyCredentialDescriptor(id=one.credential_id) for one in own]

    def passkeyRegisterStart(self, caller: Caller, _: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.signed_in(caller)
        intent = canonical([device.id, "passkeyRegisterStart"])
        if intent not in self.grants:
            facts: Node = {"operation": "passkeyRegisterStart", "input": {}}
            challenge = self.challenge("STEP_UP", device, facts, intent)
            return refusal(
                "STEP_UP_REQUIRED", "StepUpRequiredError", challenge=challenge.node()
            )
        self.grants.discard(intent)
        owner = device.owner
        options = webauthn.generate_registration_options(
            rp_id="localhost",
            rp_name="Bank",
            user_name=owner.name,
            user_id=self.handles.setdefault(owner.number, secrets.token_bytes(32)),
            exclude_credentials=self.descriptors(owner),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=REQUIRED,
            ),
        )
        name = new_id("reg")
        self.registrations[name] = (owner, options.challenge)
        read = orjson.loads(webauthn.options_to_json(options))
        return {"registrationId": name, "options": read}

    def passkeyRegisterFinish(self, _: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        owner, challenge = self.registrations.pop(given["registrationId"])
        try:
            made = webauthn.verify_registration_response(
                credential=given["credential"],
                expected_challenge=challenge,
                expected_rp_id="localhost",
                expected_origin=self.origin,
                require_user_verification=True,
            )
        except WebAuthnException:
            return refusal("PASSKEY_REJECTED")
        passkey = FakePasskey(
            owner,
            given["label"],
            made.credential_id,
            made.credential_public_key,
            made.sign_count,
            made.credential_backed_up,
        )
        self.passkeys.append(passkey)
        return {"passkey": passkey.node()}

    @override
    def challengeRespond(self, caller: Caller, given: Node) -> Node:
        if given.get("approve", True):
            return super().challengeRespond(caller, given)
        self.signed_in(caller)
        challenge = self.challenges[given["challengeId"]]
        challenge.state = "CANCELLED"
        payment = self.payments[challenge.subject]
        payment["status"] = "CANCELLED"
        return {"approved": False, "payment": payment}

    @override
    def judge(self, challenge: Challenge, given: Node) -> Node | None:
        late = self.offset_s - challenge.made_at_s >= LIFE_S
        if challenge.state != "PENDING" or late:
            return refusal("CHALLENGE_EXPIRED")
        message, signature = challenge.message(), given["deviceSignature"]
        if not verified(challenge.device.jwk, signature, message):
            if challenge.purpose == "PAYMENT":
                return refusal("CHALLENGE_FAILED")
            return refusal(INVALID, "CredentialError")
        wrong = self.person(challenge, given)
        if wrong is not None:
            self.count(challenge)
        return wrong

    def person(self, challenge: Challenge, given: Node) -> Node | None:
        """Judge the person's factor once the phone's key is known to be right."""
        credential = given["response"].get("webauthn")
        if credential is None:
            return super().judge(challenge, given)
        return self.passkey(challenge, given, credential)

    def count(self, challenge: Challenge) -> None:
        challenge.wrong += 1
        if challenge.wrong == TRIES:
            challenge.state = "FAILED"
            if challenge.subject in self.payments:
                self.payments[challenge.subject]["status"] = "DECLINED"

    def passkey(
        self, challenge: Challenge, given: Node, credential: Node
    ) -> Node | None:
        raw_id = unb64u(credential["id"])
        try:
            passkey = next(p for p in self.passkeys if p.credential_id == raw_id)
            seen = webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=challenge.digest(),
                expected_rp_id="localhost",
                expected_origin=self.origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.counter,
                require_user_verification=True,
            )
        except (WebAuthnException, StopIteration):
            return refusal(INVALID, "CredentialError", attemptsLeft=2)
        passkey.counter = seen.new_sign_count
        passkey.backed_up = seen.credential_backed_up
        challenge.state, challenge.answer = "CONSUMED", given
        return None
