"""Phones that enter PINs quickly: of the rounds of a mask only one is gone.

A hundred thousand take 50 ms of a processor, at every entry, and a bank takes no fewer;
what it hears stays as it is. The rounds themselves have tests of their own
(tests/phone/test_pin.py). Not for a phone whose folder a command opens, too.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from mock_mobile_client import pin


@contextmanager
def quick_pins() -> Iterator[None]:
    """Let the phones of this process mask so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pin, "hashlib", SimpleNamespace(pbkdf2_hmac=_once))
        yield


def _once(name: str, secret: bytes, salt: bytes, _rounds: int, length: int) -> bytes:
    return hashlib.pbkdf2_hmac(name, secret, salt, 1, length)
