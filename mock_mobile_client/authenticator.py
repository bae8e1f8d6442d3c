"""A software WebAuthn authenticator with its client: passkeys of one phone.

It is correct against WebAuthn Level 3: §5.1.3 and §5.1.4 (what the client
checks), §6.3.2 and §6.3.3 (making and using a key); `credential.py` has the bytes.
ES256 only, always a resident key, attestation `none`.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from mock_mobile_client.credential import (
    ES256,
    PUBLIC_KEY,
    Flag,
    assertion,
    client_data,
    registration,
)
from mock_mobile_client.errors import PasskeyRefused
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.signing import b64url, unb64url
from mock_mobile_client.store import StoredPasskey
from mock_mobile_client.values import JsonObject

CREDENTIAL_ID_BYTES = 32
CHALLENGE_BYTES_MIN = 16
HANDLE_BYTES_MAX = 64


def origin_of(url: str) -> str:
    """The web origin of an address: scheme, host, and the port unless it is usual."""
    parts = urlsplit(url)
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    port = "" if parts.port in {None, usual} else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}"


@dataclass(slots=True)
class Authenticator:
    """The passkeys of one phone.

    Attributes:
        passkeys: What it holds.
        keep: Stores what it holds, before any answer leaves.
        verify_person: Asks for the phone's PIN, finger or face; True when it was right.
    """

    passkeys: tuple[StoredPasskey, ...]
    keep: Callable[[tuple[StoredPasskey, ...]], None]
    verify_person: Callable[[], bool] = lambda: True

    def create(
        self, options: JsonObject, origin: str, *, synced: bool = True
    ) -> JsonObject:
        """Make a passkey: `navigator.credentials.create()` and `toJSON()`.

        Args:
            options: PublicKeyCredentialCreationOptionsJSON.
            origin: Of the app that asks.
            synced: The person's provider may copy it to other phones.

        Raises:
            PasskeyRefused: SecurityError for a foreign rpId; InvalidStateError when a
                listed passkey is here already; NotSupportedError without ES256;
                NotAllowedError without the person; TypeError for options that are none.
        """
        try:
            rp_id = str(options["rp"].get("id") or urlsplit(origin).hostname)
            handle, listed = options["user"]["id"], options["pubKeyCredParams"]
            chosen = options.get("authenticatorSelection") or {}
            excluded = _ids(options.get("excludeCredentials"))
        except (KeyError, TypeError, AttributeError) as error:
            raise PasskeyRefused("TypeError", "the options lack a member") from error
        challenge = _challenge(options)
        _require_party(rp_id, origin)
        _require_handle(handle)
        _require_es256(listed)
        if chosen.get("authenticatorAttachment") == "cross-platform":
            raise PasskeyRefused("NotAllowedError", "this is no roaming authenticator")
        if any(one.rp_id == rp_id and one.id in excluded for one in self.passkeys):
            raise PasskeyRefused("InvalidStateError", "a passkey is registered already")
        person = self._ask_person(chosen.get("userVerification"))
        key = DeviceKey.generate()
        made = StoredPasskey(
            id=b64url(secrets.token_bytes(CREDENTIAL_ID_BYTES)),
            rp_id=rp_id,
            user_handle=handle,
            key_pem=key.pem,
            eligible=synced,
        )
        others = (one for one in self.passkeys if not _same_person(one, made))
        self._store((*others, made))
        return registration(made, key, client_data("create", challenge, origin), person)

    def get(self, options: JsonObject, origin: str) -> JsonObject:
        """Use a passkey: `navigator.credentials.get()` and `toJSON()`.

        Args:
            options: PublicKeyCredentialRequestOptionsJSON; without `allowCredentials`
                any passkey of the party may answer.
            origin: Of the app that asks.

        Raises:
            PasskeyRefused: SecurityError for a foreign rpId; NotAllowedError without a
                fitting passkey or without the person; TypeError for options that are
                none.
        """
        rp_id = str(options.get("rpId") or urlsplit(origin).hostname)
        try:
            allowed = _ids(options.get("allowCredentials"))
        except (KeyError, TypeError, AttributeError) as error:
            raise PasskeyRefused("TypeError", "the options lack a member") from error
        challenge = _challenge(options)
        _require_party(rp_id, origin)
        fitting = [
            one
            for one in self.passkeys
            if one.rp_id == rp_id and (not allowed or one.id in allowed)
        ]
        if not fitting:
            raise PasskeyRefused("NotAllowedError", f"no passkey of {rp_id} is here")
        person = self._ask_person(options.get("userVerification"))
        used = fitting[-1]
        if not used.eligible:
            used = replace(used, counter=used.counter + 1)
            self._store(used if one.id == used.id else one for one in self.passkeys)
        return assertion(used, client_data("get", challenge, origin), person)

    def take(self, passkeys: Iterable[StoredPasskey]) -> int:
        """Receive the synced passkeys of another phone of the same person.

        Both copies are backed up from now on, so `passkeys` should be what the other
        phone's `give` answered. Answers how many are here then.
        """
        arrived = {one.id: one for one in passkeys if one.eligible}
        stayed = (one for one in self.passkeys if one.id not in arrived)
        self._store((*stayed, *arrived.values()))
        return len(arrived)

    def give(self) -> tuple[StoredPasskey, ...]:
        """Hand the passkeys that may be synced to the person's provider."""
        self._store(replace(one, backed_up=one.eligible) for one in self.passkeys)
        return tuple(one for one in self.passkeys if one.eligible)

    def note(self, credential_id: str, passkey_id: str) -> None:
        """Note under which id the bank keeps a passkey."""
        self._store(
            replace(one, passkey_id=passkey_id) if one.id == credential_id else one
            for one in self.passkeys
        )

    def _store(self, passkeys: Iterable[StoredPasskey]) -> None:
        self.passkeys = tuple(passkeys)
        self.keep(self.passkeys)

    def _ask_person(self, wish: object) -> Flag:
        """Ask the person as far as the options wish it (§5.4.6)."""
        if wish != "discouraged" and self.verify_person():
            return Flag.PRESENT | Flag.VERIFIED
        if wish == "required":
            raise PasskeyRefused("NotAllowedError", "the person was not verified")
        return Flag.PRESENT


def _ids(descriptors: list[JsonObject] | None) -> set[str]:
    """The credential ids of a list of descriptors; unknown types are skipped."""
    listed = descriptors or []
    return {str(one["id"]) for one in listed if one["type"] == PUBLIC_KEY}


def _challenge(options: JsonObject) -> str:
    """The challenge in its one encoding.

    Raises:
        PasskeyRefused: there is none, or it can be guessed (§13.4.3).
    """
    challenge = options.get("challenge")
    if not isinstance(challenge, str):
        raise PasskeyRefused("TypeError", "the options hold no challenge")
    if len(unb64url(challenge)) < CHALLENGE_BYTES_MIN:
        raise PasskeyRefused("TypeError", "the challenge is shorter than 16 bytes")
    return challenge


def _require_party(rp_id: str, origin: str) -> None:
    """The rpId is the origin's host or a parent domain of it (§5.1.3 step 8).

    A list of public suffixes is not at hand: a parent must hold a dot.
    """
    parts = urlsplit(origin)
    host = parts.hostname or ""
    local = host == "localhost" or host.endswith(".localhost")
    if _is_address(host) or not (parts.scheme == "https" or local):
        raise PasskeyRefused("SecurityError", f"{origin} is no secure domain")
    parent = "." in rp_id and host.endswith(f".{rp_id}")
    if rp_id != host and not parent:
        raise PasskeyRefused("SecurityError", f"{rp_id} is no domain of {origin}")


def _is_address(host: str) -> bool:
    """True for an IP address, which can own no passkey."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _require_handle(handle: object) -> None:
    """A user handle has 1 to 64 bytes (§5.4.3)."""
    if not isinstance(handle, str) or not 0 < len(unb64url(handle)) <= HANDLE_BYTES_MAX:
        raise PasskeyRefused("TypeError", "user.id is not of 1 to 64 bytes")


def _require_es256(listed: list[JsonObject]) -> None:
    """ES256 is among the algorithms; an empty list allows it (§5.1.3 step 10)."""
    wished = [one.get("alg") for one in listed if one.get("type") == PUBLIC_KEY]
    if listed and ES256 not in wished:
        raise PasskeyRefused("NotSupportedError", "this phone makes ES256 keys only")


def _same_person(one: StoredPasskey, made: StoredPasskey) -> bool:
    """A new passkey replaces an older one of the same user handle (§6.3.2)."""
    return (one.rp_id, one.user_handle) == (made.rp_id, made.user_handle)
