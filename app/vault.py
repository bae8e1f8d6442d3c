"""The key ring: one HKDF subkey per purpose and ring id; sealing and peppered MACs.

Rings are files of lines `id base64(32 bytes)`, id 1..255, never stored beside the data.
The first line is current, the others still open and verify. No ring key is used
directly (auth.md section 2.11, RFC 5869).
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.settings import Environment, Misconfigured, Settings

_KEY_BYTES = 32
_IV_BYTES = 12
_ID_MAX = 255


class Unsealable(Exception):
    """A sealed value does not open: unknown key id, other row, or damaged bytes."""


@lru_cache(maxsize=512)
def subkey(key: bytes, purpose: str) -> bytes:
    """Derive the 32-byte subkey of one purpose, for example `mac/refresh`."""
    info = b"sixpence/v1/" + purpose.encode()
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=info).derive(key)


@dataclass(frozen=True, slots=True)
class Ring:
    """Keys by id; the first is current. Its repr shows ids only."""

    keys: dict[int, bytes] = field(repr=False)

    @property
    def current(self) -> int:
        """Id of the key that makes new values."""
        return next(iter(self.keys))

    def sub(self, key_id: int, purpose: str) -> bytes:
        """Give the subkey of one ring key.

        Raises:
            Unsealable: no such key in the ring.
        """
        if key_id not in self.keys:
            raise Unsealable
        return subkey(self.keys[key_id], purpose)

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a ring file.

        Raises:
            Misconfigured: missing, empty, malformed, or an id twice.
        """
        keys: dict[int, bytes] = {}
        try:
            for line in file.read_text().splitlines():
                if line.strip():
                    key_id, _, text = line.strip().partition(" ")
                    keys[_checked_id(int(key_id), keys)] = _checked_key(text)
        except (OSError, ValueError, binascii.Error):
            raise Misconfigured(
                f"{file} is not a key ring: lines of `id base64(32 bytes)`"
            ) from None
        if not keys:
            raise Misconfigured(f"{file} holds no key")
        return cls(keys)


def _checked_id(key_id: int, seen: dict[int, bytes]) -> int:
    if not 1 <= key_id <= _ID_MAX or key_id in seen:
        raise ValueError(key_id)
    return key_id


def _checked_key(text: str) -> bytes:
    key = base64.b64decode(text.strip(), validate=True)
    if len(key) != _KEY_BYTES:
        raise ValueError(len(key))
    return key


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals what must be read again, MACs what only must be recognised."""

    sealing: Ring
    pepper: Ring

    def seal(self, table: str, row: str, plaintext: bytes) -> bytes:
        """Seal bytes for one row: `id[1] || iv[12] || AES-256-GCM`."""
        key_id = self.sealing.current
        iv = secrets.token_bytes(_IV_BYTES)
        cipher = AESGCM(self.sealing.sub(key_id, f"seal/{table}"))
        return bytes((key_id,)) + iv + cipher.encrypt(iv, plaintext, _aad(table, row))

    def open(self, table: str, row: str, sealed: bytes) -> bytes:
        """Open what `seal` made for the same table and row.

        Raises:
            Unsealable: other row, unknown key or damaged bytes.
        """
        if len(sealed) <= 1 + _IV_BYTES:
            raise Unsealable
        cipher = AESGCM(self.sealing.sub(sealed[0], f"seal/{table}"))
        iv, rest = sealed[1 : 1 + _IV_BYTES], sealed[1 + _IV_BYTES :]
        try:
            return cipher.decrypt(iv, rest, _aad(table, row))
        except InvalidTag:
            raise Unsealable from None

    def mac(self, purpose: str, message: bytes, key_id: int | None = None) -> bytes:
        """MAC a message under the current pepper, or under a named one."""
        chosen = self.pepper.current if key_id is None else key_id
        return hmac.digest(self.pepper.sub(chosen, purpose), message, hashlib.sha256)

    def macs(self, purpose: str, message: bytes) -> Iterator[tuple[int, bytes]]:
        """MAC a message under every pepper, current first: for look-ups."""
        for key_id in self.pepper.keys:
            yield key_id, self.mac(purpose, message, key_id)


def _aad(table: str, row: str) -> bytes:
    return f"{table}|{row}".encode()


def open_vault(settings: Settings) -> Vault:
    """Read both rings; demo and test make them on the first start, mode 0600.

    Raises:
        Misconfigured: a ring is missing or malformed.
    """
    return Vault(
        sealing=_ring(settings, settings.sealing_keys_file, "sealing.keys"),
        pepper=_ring(settings, settings.pepper_file, "pepper.keys"),
    )


def _ring(settings: Settings, file: Path | None, name: str) -> Ring:
    if file is None:
        if settings.env is Environment.PRODUCTION:
            raise Misconfigured(f"{name}: production needs a key ring file")
        file = Path(".sixpence") / name
        if not file.exists():
            _make(file)
    return Ring.read(file)


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    key = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
    file.touch(mode=0o600)
    file.write_text(f"1 {key}\n")
