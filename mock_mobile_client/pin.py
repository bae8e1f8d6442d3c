"""The mPIN as the phone keeps it: a secret masked by the PIN (auth.md §2.6).

The blob has no check value on purpose: every wrong PIN yields a plausible secret, so
a stolen image offers nothing to test against.
"""

import hashlib
import hmac
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from mock_mobile_client.errors import BadEntry, NotReady

ITERATIONS = 600_000
ITERATIONS_MIN = 100_000
SECRET_BYTES = 32
SALT_BYTES = 16
BLOB_BYTES = 53
DIGITS_MIN = 6
SOFTWARE, HARDWARE = 1, 2
WIDELY_USED = frozenset(
    {
        "112233",
        "121212",
        "123123",
        "123321",
        "131313",
        "159753",
        "147258",
        "102030",
        "696969",
        "789456",
        "456789",
        "246810",
    }
)
YEARS = ("19", "20")
DIFFERENT_MIN = 3


def check_pin(pin: str) -> None:
    """Refuse a PIN that is short or easy to guess; a duty of the client.

    Raises:
        BadEntry: not six digits or more, one digit repeated, a run, a widely used
            PIN, or one that starts or ends with a year.

    Source: NIST SP 800-63B-4, activation secrets; auth.md §2.6.
    """
    if len(pin) < DIGITS_MIN or not (pin.isascii() and pin.isdigit()):
        raise BadEntry("an mPIN has at least six digits")
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(pin)}
    if len(steps) == 1 and steps <= {0, 1, 9}:
        raise BadEntry("this mPIN is one digit repeated, or a run")
    if pin in WIDELY_USED or len(set(pin)) < DIFFERENT_MIN:
        raise BadEntry("this mPIN is among the first that are guessed")
    if pin.startswith(YEARS) or pin[-4:-2] in YEARS:
        raise BadEntry("this mPIN holds a year")


@dataclass(frozen=True, slots=True)
class PinBlob:
    """Version, iterations, salt and masked secret: 53 bytes on the phone."""

    version: int
    iterations: int
    salt: bytes
    masked: bytes

    @classmethod
    def seal(
        cls,
        pin: str,
        secret: bytes,
        salt: bytes,
        iterations: int,
        hardware_key: bytes | None = None,
    ) -> Self:
        """Mask a fresh secret with a PIN.

        With `hardware_key` the blob is version 02, whose every guess needs the key
        store of the phone.

        Raises:
            BadEntry: the PIN is weak, or the iterations are below the floor.
        """
        check_pin(pin)
        if iterations < ITERATIONS_MIN:
            raise BadEntry(f"at least {ITERATIONS_MIN} iterations are needed")
        version = SOFTWARE if hardware_key is None else HARDWARE
        empty = cls(version, iterations, salt, bytes(SECRET_BYTES))
        mask = empty.open(pin, hardware_key)
        return cls(version, iterations, salt, _xor(secret, mask))

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read the 53 bytes of a stored blob.

        Raises:
            NotReady: the stored bytes are no blob of version 01 or 02.
        """
        if len(raw) != BLOB_BYTES or raw[0] not in {SOFTWARE, HARDWARE}:
            raise NotReady("the stored mPIN blob is damaged: enrol again")
        (iterations,) = struct.unpack(">I", raw[1:5])
        cut = 5 + SALT_BYTES
        return cls(raw[0], iterations, raw[5:cut], raw[cut:])

    def packed(self) -> bytes:
        """`version ‖ u32be(iterations) ‖ salt ‖ masked`."""
        head = struct.pack(">BI", self.version, self.iterations)
        return head + self.salt + self.masked

    def open(self, pin: str, hardware_key: bytes | None = None) -> bytes:
        """Unmask. A wrong PIN gives another secret, never an error.

        Raises:
            NotReady: a version 02 blob without the key store's key.
        """
        material = pin.encode()
        if self.version == HARDWARE:
            if hardware_key is None:
                raise NotReady("this mPIN needs the key store it was made with")
            material = hmac.digest(hardware_key, self.salt + material, "sha256")
        mask = hashlib.pbkdf2_hmac(
            "sha256", material, self.salt, self.iterations, SECRET_BYTES
        )
        return _xor(self.masked, mask)

    @property
    def kdf(self) -> str:
        """The label that goes with mpinSet; holds no secret."""
        version, rounds = f"v={self.version:02d}", f"i={self.iterations}"
        return f"{version};PBKDF2-HMAC-SHA256;{rounds};s={SALT_BYTES}"


def _xor(left: bytes, right: bytes) -> bytes:
    """Combine two strings of equal length bit by bit."""
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
