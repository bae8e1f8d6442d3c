"""One good Android phone, and the names of what is wrong with others."""

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509

from app.auth.attestation import Attested, Rejected
from app.auth.attestation.android import AndroidPolicy, Wanted, verify
from app.auth.keys import jwk_of
from app.clock import StoppedClock
from app.written import AndroidApp
from tests.auth.attestation.foundry import (
    DIGEST,
    EARLY,
    LATE,
    PACKAGE,
    KeyStore,
    der,
    description,
    new_key,
)

CLOCK = StoppedClock(datetime(2026, 11, 21, 9, 30, tzinfo=UTC))
PAST = (EARLY, datetime(2025, 1, 1, tzinfo=UTC))
COMING = (datetime(2027, 1, 1, tzinfo=UTC), LATE)
CHALLENGE = bytes(range(32))
STORE = KeyStore()
KEY = new_key()
ROOT = STORE.root.certificate()
WANTED = Wanted(challenge=CHALLENGE, key=jwk_of(KEY.public_key()))
PERSON = Wanted(challenge=CHALLENGE, key=jwk_of(KEY.public_key()), person=True)


def policy(**changed: Any) -> AndroidPolicy:
    whole: dict[str, Any] = {
        "apps": frozenset({AndroidApp(PACKAGE, DIGEST)}),
        "patch_floor": None,
        "roots": (ROOT,),
    }
    return AndroidPolicy(**(whole | changed))


def chain(extension: bytes | None = None, **changed: Any) -> list[x509.Certificate]:
    stated = description(CHALLENGE) if extension is None else extension
    return STORE.chain(KEY.public_key(), stated, **changed)


def judged(
    made: list[x509.Certificate], wanted: Wanted = WANTED, **changed: Any
) -> Attested:
    return verify(der(made), wanted, policy(**changed), CLOCK)


def stated(wanted: Wanted = WANTED, **changed: Any) -> Attested:
    """Judge a good chain whose extension says something else."""
    return judged(chain(description(CHALLENGE, **changed)), wanted)


def fault(call: Any, *args: Any, **changed: Any) -> str:
    with pytest.raises(Rejected) as refused:
        call(*args, **changed)
    return refused.value.fault
