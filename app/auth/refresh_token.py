"""The refresh token: `rt1.<session>.<generation>.<mac>` (auth.md section 2.10).

The seed lies in the session's row, the pepper outside the database: neither alone makes
a token. No token is stored; it is made again from the row and compared.
"""

import re
from dataclasses import dataclass

from app.auth import signing
from app.auth.session import Session
from app.ids import SessionId
from app.vault import Unsealable, Vault

_PURPOSE = "mac/refresh"
_MAC_BYTES = 32
_NO_SEED = bytes(32)
# A generation is canonical: no sign, no leading zero, and it fits its column.
_FORM = re.compile(r"rt1\.(ses_[0-9a-f]{32})\.(0|[1-9][0-9]{0,8})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Presented:
    """A well-formed token: what it says, and the MAC that has to prove it."""

    session: SessionId
    generation: int
    mac: bytes


def written(vault: Vault, session: Session) -> str:
    """Write the refresh token of a session's present generation."""
    name, generation = str(session.id), session.generation
    return text_of(_mac(vault, session, name, generation), name, generation)


def text_of(mac: bytes, name: str, generation: int) -> str:
    """Put the parts of a token together."""
    return f"rt1.{name}.{generation}.{signing.b64u(mac)}"


def read(text: str) -> Presented | None:
    """Take a token apart; None when it has another form."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    try:
        mac = signing.unb64u(found[3], _MAC_BYTES)
    except signing.MalformedText:
        return None
    return Presented(SessionId.parse(found[1]), int(found[2]), mac)


def is_genuine(vault: Vault, presented: Presented, session: Session | None) -> bool:
    """Tell whether a token was made by us for this session, in constant time.

    Args:
        vault: holds the pepper the session names.
        presented: what was sent.
        session: as read from its row; without one the same work is done in vain.
    """
    name = str(presented.session)
    try:
        right = _mac(vault, session, name, presented.generation)
    except Unsealable:  # the ring lost the key this session was made with
        return False
    return signing.same(right, presented.mac) and session is not None


def _mac(vault: Vault, session: Session | None, name: str, generation: int) -> bytes:
    seed = _NO_SEED if session is None else session.seed
    key_id = None if session is None else session.key_id
    message = signing.refresh_message(seed, name, generation)
    return vault.mac(_PURPOSE, message, key_id)
