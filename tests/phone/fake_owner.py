"""The fake bank's phones of a customer: states, biometric keys, TOTP, paper codes."""

import hashlib
import hmac
import secrets
import time
from base64 import b32encode

from typing_extensions import override

from tests.phone.fake_parts import (
    NOW,
    Caller,
    Challenge,
    Customer,
    Device,
    Fault,
    Node,
    b64u,
    canonical,
    refusal,
    unb64u,
    verified,
)
from tests.phone.fake_wishes import WishBank

COOLING_S, PLACES = 86_400, 3
INVALID = "INVALID_CREDENTIAL"
NONCE_BYTES = 32


class OwnerBank(WishBank):
    """What part three adds.

    Attributes:
        seeds: TOTP seeds by customer number; those not confirmed yet are `pending`.
        paper: Recovery codes that are not used yet.
        log: What was done to phones by customer number, the newest first.
    """

    def __init__(self, origin: str) -> None:
        super().__init__(origin)
        self.seeds: dict[str, bytes] = {}
        self.pending: dict[str, bytes] = {}
        self.steps: set[int] = set()
        self.paper: dict[str, list[str]] = {}
        self.log: dict[str, list[Node]] = {}

    def state(self, device: Device) -> str:
        over = self.offset_s - device.bound_s >= COOLING_S
        return "ACTIVE" if device.state == "COOLING" and over else device.state

    def shown(self, device: Device, current: Device | None = None) -> Node:
        return {
            "id": device.id,
            "name": device.name,
            "state": self.state(device),
            "isCurrent": device is current,
            "pushEnabled": device in self.addresses.values(),
        }

    def phones(self, owner: Customer) -> list[Device]:
        return [one for one in self.devices.values() if one.owner is owner]

    @override
    def enrolmentProveIdentity(self, caller: Caller, given: Node) -> Node:
        customer = self.enrolments[given["enrolmentId"]]
        proof, number = given["proof"], customer.number
        codes = self.paper.get(number, [])
        if "recoveryCode" in proof and proof["recoveryCode"] in codes:
            codes.remove(proof["recoveryCode"])
            given = {**given, "proof": {"activationCode": customer.code}}
        elif "totp" in proof and self.is_code(self.seeds[number], proof["totp"]):
            given = {**given, "proof": {"activationCode": customer.code}}
        elif number in self.seeds:
            return refusal(INVALID, "CredentialError")
        answer = super().enrolmentProveIdentity(caller, given)
        bound = [one for one in self.phones(customer) if one.state != "REVOKED"]
        return {**answer, "boundDevices": [self.shown(one) for one in bound]}

    @override
    def deviceBind(self, caller: Caller, given: Node) -> Node:
        customer = self.bindings[given["bindingNonce"]]
        replaced = given.get("replaceDeviceIds") or []
        gone = {"LOCKED", "REVOKED"}
        known = self.phones(customer)
        for device in known:
            if device.id in replaced:
                self.leave(device, "LOCKED")
        kept = [one for one in known if one.state not in gone]
        if len(kept) >= PLACES:
            return refusal("TOO_MANY_DEVICES")
        others = {jkt: d for jkt, d in self.devices.items() if d.owner is customer}
        for jkt in others:
            del self.devices[jkt]
        answer = super().deviceBind(caller, given)
        made = self.devices.pop(caller.jkt or "", None)
        self.devices |= others
        if made is None:
            return answer
        made.name, made.bound_s = given["name"], self.offset_s
        self.devices[caller.jkt or ""] = made
        return answer

    def leave(self, device: Device, state: str) -> None:
        """End everything a phone may."""
        device.state = state
        if device.token is not None:
            self.end(device, 4401)
        if state == "REVOKED":
            device.secret = device.bio = None
            mine = [at for at, owner in self.addresses.items() if owner is device]
            for address in mine:
                del self.addresses[address]

    @override
    def device(self, caller: Caller) -> Device:
        device = super().device(caller)
        if device.state == "REVOKED":
            raise Fault("UNAUTHENTICATED", 401, reason="DEVICE_UNKNOWN")
        return device

    @override
    def signed_in(self, caller: Caller) -> Device:
        device = super().signed_in(caller)
        if device.state == "LOCKED":
            raise Fault("UNAUTHENTICATED", 401, reason="DEVICE_LOCKED")
        return device

    @override
    def loginFinish(self, caller: Caller, given: Node) -> Node:
        device = self.devices.get(caller.jkt or "")
        if device is not None and device.state == "LOCKED":
            return refusal("DEVICE_LOCKED")
        if device is not None and device.state == "REVOKED":
            return refusal(INVALID, "CredentialError")
        return super().loginFinish(caller, given)

    @override
    def me(self, caller: Caller, given: Node) -> Node:
        device = self.signed_in(caller)
        phones = [self.shown(one, device) for one in self.phones(device.owner)]
        log = {"nodes": self.entries(device.owner)[: given.get("first", 50)]}
        me = super().me(caller, given)
        return {**me, "devices": phones, "securityLog": log}

    def entries(self, owner: Customer) -> list[Node]:
        """What the owner's log holds; no log is without its first line."""
        opened = {"id": "aud_0", "action": "customer.opened", "outcome": "ok"}
        return [*self.log.get(owner.number, []), opened]

    def write(self, act: str, target: Device, by: Device) -> None:
        """Add to the owner's log who did what to which phone."""
        former = self.entries(target.owner)
        entry: Node = {"id": f"aud_{len(former)}", "action": act, "outcome": "ok"}
        entry |= {"object": target.id, "device": {"id": by.id}}
        self.log[target.owner.number] = [entry, *former[:-1]]

    def stepped(self, device: Device, field: str, given: Node) -> Node | None:
        """Ask for an approval of exactly this call; None once it is there."""
        intent = canonical([device.id, field, given])
        if intent in self.grants:
            self.grants.discard(intent)
            return None
        facts: Node = {"operation": field, "input": given}
        asked = self.challenge("STEP_UP", device, facts, intent)
        return refusal(
            "STEP_UP_REQUIRED", "StepUpRequiredError", challenge=asked.node()
        )

    def changed_by(
        self, caller: Caller, field: str, given: Node, state: str
    ) -> tuple[Device, Device] | Node:
        """Who asks and whom it is about, or the refusal."""
        device = self.signed_in(caller)
        if field != "deviceLock" and self.state(device) == "COOLING":
            return refusal("COOLING_PERIOD")
        asked = self.stepped(device, field, given)
        if asked is not None:
            return asked
        target = next(d for d in self.phones(device.owner) if d.id == given["id"])
        self.leave(target, state)
        self.note(target)
        acts = {"REVOKED": "revoked", "LOCKED": "locked", "COOLING": "unlocked"}
        self.write(f"device.{acts[state]}", target, device)
        return device, target

    def note(self, target: Device) -> None:
        """Tell every phone."""
        event = {"__typename": "DeviceChanged", "device": self.shown(target)}
        self.append(target.owner, event)

    def deviceRevoke(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        return self.told(self.changed_by(caller, "deviceRevoke", given, "REVOKED"))

    def deviceLock(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        return self.told(self.changed_by(caller, "deviceLock", given, "LOCKED"))

    def deviceUnlock(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        return self.told(self.changed_by(caller, "deviceUnlock", given, "COOLING"))

    def told(self, found: tuple[Device, Device] | Node) -> Node:
        if isinstance(found, dict):
            return found
        device, target = found
        return {"device": self.shown(target, device)}

    def deviceRename(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.signed_in(caller)
        target = next(d for d in self.phones(device.owner) if d.id == given["id"])
        target.name = given["name"]
        return {"device": self.shown(target, device)}

    def devicesRevokeOthers(self, caller: Caller, _: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.signed_in(caller)
        asked = self.stepped(device, "devicesRevokeOthers", {})
        if asked is not None:
            return asked
        others = [one for one in self.phones(device.owner) if one is not device]
        for one in others:
            self.leave(one, "REVOKED")
        return {"revokedDevices": [self.shown(one, device) for one in others]}

    def deviceForget(self, caller: Caller, _: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.device(caller)
        self.leave(device, "REVOKED")
        return {"forgottenDeviceId": device.id}

    def panicLock(self, caller: Caller, _: Node) -> Node:  # noqa: N802  -- the field's public name
        phones = self.phones(self.device(caller).owner)
        signed_in = [one for one in phones if one.token is not None]
        for one in phones:
            self.leave(one, "LOCKED")
        counts = {"lockedDeviceCount": len(phones), "cancelledPaymentCount": 0}
        return {"lockedAt": NOW, "endedSessionCount": len(signed_in), **counts}

    @override
    def mpinSet(self, caller: Caller, given: Node) -> Node:
        if caller.token is None or self.device(caller).secret is None:
            return super().mpinSet(caller, given)
        device = self.signed_in(caller)
        text = given["pinSecret"]
        digest = b64u(hashlib.sha256(text.encode()).digest())
        shown = {**given, "pinSecret": {"sha256": digest}}
        asked = self.stepped(device, "mpinSet", shown)
        if asked is not None:
            return asked
        device.secret = unb64u(text)
        return {"device": self.shown(device)}

    def passkeyRemove(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.signed_in(caller)
        asked = self.stepped(device, "passkeyRemove", given)
        if asked is not None:
            return asked
        left = [one for one in self.passkeys if one.node()["id"] != given["id"]]
        self.passkeys[:] = left
        return {"removedPasskeyId": given["id"]}

    def biometricKeySet(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.signed_in(caller)
        asked = self.stepped(device, "biometricKeySet", given)
        if asked is not None:
            return asked
        nonce, jwk = unb64u(given["nonce"]), given["jwk"]
        name = f'{{"crv":"P-256","kty":"EC","x":"{jwk["x"]}","y":"{jwk["y"]}"}}'
        own = b64u(hashlib.sha256(name.encode()).digest())
        names = ((caller.jkt or "") + own).encode()
        message = b"sixpence/bio/v1\0" + nonce + names
        right = verified(jwk, given["signature"], message)
        if not right or len(nonce) != NONCE_BYTES:
            return refusal("CHALLENGE_FAILED")
        device.bio = jwk
        return {"device": self.shown(device)}

    def biometricKeyRemove(self, caller: Caller, _: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.signed_in(caller)
        asked = self.stepped(device, "biometricKeyRemove", {})
        if asked is not None:
            return asked
        device.bio = None
        return {"device": self.shown(device)}

    @override
    def person(self, challenge: Challenge, given: Node) -> Node | None:
        signature = given["response"].get("deviceSignature")
        if signature is None:
            return super().person(challenge, given)
        bio = challenge.device.bio
        if bio is None or not verified(bio, signature, challenge.message()):
            return refusal(INVALID, "CredentialError", attemptsLeft=2)
        challenge.state, challenge.answer = "CONSUMED", given
        return None

    def totpEnrolStart(self, caller: Caller, _: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.signed_in(caller)
        asked = self.stepped(device, "totpEnrolStart", {})
        if asked is not None:
            return asked
        seed = secrets.token_bytes(20)
        self.pending[device.owner.number] = seed
        secret = b32encode(seed).decode()
        uri = f"otpauth://totp/Bank:10000001?secret={secret}&issuer=Bank"
        return {"otpauthUri": uri, "secret": secret}

    def totpEnrolFinish(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        number = self.signed_in(caller).owner.number
        if not self.is_code(self.pending[number], given["code"]):
            return refusal(INVALID, "CredentialError")
        self.seeds[number] = self.pending.pop(number)
        return {"factor": {"kind": "TOTP"}, "recoveryCodes": self.ten(number)}

    def totpRemove(self, caller: Caller, _: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.signed_in(caller)
        asked = self.stepped(device, "totpRemove", {})
        if asked is not None:
            return asked
        del self.seeds[device.owner.number]
        return {"factor": {"kind": "TOTP"}}

    def recoveryCodesRegenerate(self, caller: Caller, _: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.signed_in(caller)
        asked = self.stepped(device, "recoveryCodesRegenerate", {})
        return asked or {"codes": self.ten(device.owner.number)}

    def ten(self, number: str) -> list[str]:
        self.paper[number] = [secrets.token_hex(15) for _ in range(10)]
        return list(self.paper[number])

    def is_code(self, seed: bytes, code: str) -> bool:
        """A code of now, or of a step beside it, that was not used yet."""
        now = int(time.time() + self.offset_s) // 30
        for step in (now - 1, now, now + 1):
            raw = hmac.digest(seed, step.to_bytes(8, "big"), hashlib.sha1)
            at = raw[19] % 16
            number = int.from_bytes(raw[at : at + 4], "big") % 2**31
            if f"{number % 1_000_000:06d}" == code and step not in self.steps:
                self.steps.add(step)
                return True
        return False
