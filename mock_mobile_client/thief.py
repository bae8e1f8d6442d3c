"""A thief: what can be copied off a phone, and what it is good for. Nothing.

Every try is one row of the threat table (auth.md §13), through the wire, without the
phone's key store. What a thief holds is said with each try: a copied token, a recorded
request, a copy of the store whose keys the hardware kept.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import httpx
import orjson

from mock_mobile_client import documents
from mock_mobile_client.api import BASE_HEADERS, Credentials, encode
from mock_mobile_client.dpop import Covered, make_proof
from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import Refused, SocketClosed, Unreachable
from mock_mobile_client.factors import Hand, respond
from mock_mobile_client.handset import Handset, Level, Setting
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.lines import line
from mock_mobile_client.phone import Phone
from mock_mobile_client.signing import b64url, challenge_message, sha256
from mock_mobile_client.stage import present
from mock_mobile_client.store import MemoryStore
from mock_mobile_client.values import ChallengeValue, JsonObject
from mock_mobile_client.wire import Wire

TIMEOUT_S = 20.0
GUESSES = ("112358", "271828")
HOME, HIS = "home", "his own thumb"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One thing the thief tried.

    Attributes:
        title: What he held and did.
        refusal: How the bank said no; None where he succeeded.
    """

    title: str
    refusal: str | None


class Thief:
    """Somebody who read a phone's store and its traffic, but has not its key store.

    Args:
        victim: A signed-in phone; it is only read, and asked for one request.
    """

    def __init__(self, victim: Phone) -> None:
        self._victim = victim
        self._own = DeviceKey.generate()
        self._http = line(victim.handset.api.door, TIMEOUT_S)
        name, bank = "Thief-1", victim.handset.bank
        door = victim.handset.api.door.removesuffix("/graphql")
        clock = victim.handset.setting.clock
        self._handset = Handset(
            name, bank, Setting(MemoryStore(), clock=clock, door=door)
        )

    async def close(self) -> None:
        """Go away."""
        await self._http.aclose()
        await self._handset.close()

    async def rob(self) -> list[Attempt]:
        """Copy everything, try everything; the victim is signed in and stays so."""
        self._handset.keep(**self._copied(), key_pem=self._own.pem)
        tries: tuple[tuple[str, Callable[[], Awaitable[str | None]]], ...] = (
            ("access token, no proof", lambda: self._bare("DPoP")),
            ("access token as a bearer token", lambda: self._bare("Bearer")),
            ("access token under his own key", lambda: self._asked(Level.LOGIN)),
            ("a recorded request, sent again", self._replayed),
            ("a recorded proof over another body", self._swapped),
            ("a token that he signed nowhere", self._unsigned),
            ("refresh token, no proof", lambda: self._refreshed(Credentials())),
            (
                "refresh token under his own key",
                lambda: self._refreshed(Credentials(self._own)),
            ),
            ("socket with the token under his own key", self._socket),
            ("socket with the token and no proof", self._bare_socket),
            ("copied mPIN blob, right PIN, his own key", self._signed_in),
            *(
                (f"guessed PIN {guess[0]}•••••, his own key", self._guess(guess))
                for guess in GUESSES
            ),
            ("a biometric key of his own", self._own_finger),
            *(
                [("copied passkey, his own key", self._passkey)]
                if self._victim.handset.state.passkeys
                else []
            ),
            ("push address of the phone", self._push_address),
            ("an mPIN of his own for the phone", self._own_mpin),
            ("signing the owner out", lambda: self._device("logout")),
        )
        found = []
        for title, attempt in tries:
            found.append(Attempt(title, await _refusal(attempt)))
        return found

    def _copied(self) -> JsonObject:
        """What a copy of the store holds once the hardware kept its keys."""
        state = self._victim.handset.state
        return {
            "device_id": state.device_id,
            "blob": state.blob,
            "hardware_key": state.hardware_key,
            "token": state.token,
            "refresh_token": state.refresh_token,
            "passkeys": state.passkeys,
        }

    async def _bare(self, scheme: str) -> str | None:
        """The token alone, as it may stand in a proxy's log."""
        headers = {"authorization": f"{scheme} {self._victim.handset.token}"}
        return await self._post(_home(), headers)

    async def _asked(self, level: Level) -> str | None:
        """The token under a proof of the thief's own key."""
        return _code(await self._handset.call(HOME, {}, level))

    async def _replayed(self) -> str | None:
        """One whole request off the line; the phone's own arrived first."""
        headers, body = self._recorded()
        first = await self._post(body, headers)
        if first is not None:
            raise Refused(first, "the recorded request itself was refused")
        return await self._post(body, headers)

    async def _swapped(self) -> str | None:
        """The proof of one request on another."""
        headers, _ = self._recorded()
        document = documents.load("account_numbers")
        return await self._post(encode(document.text, {}, document.name), headers)

    async def _unsigned(self) -> str | None:
        """The same claims, algorithm none."""
        claims = ([*self._victim.handset.token.split("."), b64url(b"{}")])[1]
        head = b64url(orjson.dumps({"alg": "none", "typ": "at+jwt"}))
        forged = f"{head}.{claims}."
        covered = Covered("POST", self._handset.api.endpoint, _home(), forged)
        proof = make_proof(self._own, covered, self._handset.setting.clock())
        headers = {"authorization": f"DPoP {forged}", "dpop": proof}
        return await self._post(_home(), headers)

    async def _refreshed(self, credentials: Credentials) -> str | None:
        """The refresh token, which no lost answer may make useful."""
        token = present(self._victim.handset.state.refresh_token)
        document = documents.load("token_refresh")
        given: JsonObject = {"input": {"refreshToken": token}}
        return _code(await self._handset.api.call(document, given, credentials))

    async def _socket(self) -> str | None:
        wire = await Wire.open(self._handset.socket_door, self._handset.init_payload())
        await wire.close()
        return None

    async def _bare_socket(self) -> str | None:
        init = {"accessToken": self._victim.handset.token}
        wire = await Wire.open(self._handset.socket_door, init)
        await wire.close()
        return None

    async def _signed_in(self) -> str | None:
        return await self._login(FactorKind.MPIN, self._victim.owner.pin)

    def _guess(self, pin: str) -> Callable[[], Awaitable[str | None]]:
        return lambda: self._login(FactorKind.MPIN, pin)

    async def _own_finger(self) -> str | None:
        self._handset.keep(fingers=(HIS,), bio_pem=DeviceKey.generate().pem)
        return await self._login(FactorKind.BIOMETRIC, None)

    async def _passkey(self) -> str | None:
        return await self._login(FactorKind.WEBAUTHN, None)

    async def _login(self, factor: FactorKind, pin: str | None) -> str | None:
        """Sign in under the thief's key with the phone's name and a copied factor."""
        handset = self._handset
        asked = {"input": {"deviceId": handset.device_id, "factor": factor}}
        started = await handset.call("login_start", asked, Level.DEVICE)
        challenge = ChallengeValue.read(started["challenge"])
        message = challenge_message(
            challenge.purpose, challenge.nonce, challenge.payload
        )
        options = {**(challenge.webauthn_options or {})}
        options.pop("allowCredentials", None)  # a decoy names some of nobody
        options["challenge"] = b64url(sha256(message))
        bent = replace(challenge, webauthn_options=options)
        response = await respond(handset, factor, bent, message, Hand(pin, HIS))
        given = {
            "challengeId": challenge.id,
            "deviceSignature": b64url(self._own.sign(message)),
            "response": response,
        }
        return _code(await handset.call("login_finish", {"input": given}, Level.DEVICE))

    async def _push_address(self) -> str | None:
        address = {"kind": "FCM_FID", "value": secrets.token_urlsafe(16)[:22]}
        given = {"input": {"address": {**address, "appId": "app.sixpence.mock"}}}
        return _code(await self._handset.call("device_push_set", given, Level.DEVICE))

    async def _own_mpin(self) -> str | None:
        given: JsonObject = {"pinSecret": b64url(secrets.token_bytes(32))}
        given["kdf"] = "v=01;PBKDF2-HMAC-SHA256;i=100000;s=16"
        return _code(
            await self._handset.call("mpin_set", {"input": given}, Level.DEVICE)
        )

    async def _device(self, operation: str) -> str | None:
        return _code(await self._handset.call(operation, {}, Level.DEVICE))

    def _recorded(self) -> tuple[dict[str, str], bytes]:
        """A request of the phone as a proxy between sees it."""
        handset, body = self._victim.handset, _home()
        token = handset.token
        covered = Covered("POST", handset.api.endpoint, body, token, handset.api.nonce)
        proof = handset.api.proof(covered, handset.key)
        return {"authorization": f"DPoP {token}", "dpop": proof}, body

    async def _post(self, body: bytes, headers: dict[str, str]) -> str | None:
        """Send bytes; answers the code of the refusal."""
        door, all_headers = self._victim.handset.api.door, {**BASE_HEADERS, **headers}
        try:
            answer = await self._http.post(door, content=body, headers=all_headers)
        except httpx.HTTPError as error:
            raise Unreachable(f"{door} did not answer the thief") from error
        try:
            errors = answer.json().get("errors")
        except ValueError:
            return f"HTTP_{answer.status_code}"
        return _told(errors[0]) if errors else None


def _home() -> bytes:
    document = documents.load(HOME)
    return encode(document.text, {}, document.name)


def _code(_: JsonObject) -> str | None:
    """An answer came: nobody refused."""
    return None


def _told(error: JsonObject) -> str:
    """Code and reason of a top-level error."""
    facts = error.get("extensions") or {}
    parts = (facts.get("code"), facts.get("reason"))
    return " ".join(str(part) for part in parts if part)


async def _refusal(attempt: Callable[[], Awaitable[str | None]]) -> str | None:
    """How the bank said no; None where it said yes."""
    try:
        return await attempt()
    except Refused as refused:
        return f"{refused.code} {refused.reason or ''}".rstrip()
    except SocketClosed as closed:
        return f"closed {closed.code}"
