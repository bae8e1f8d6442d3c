"""The demo's key at Apple, and the check of the tokens that are signed with it.

A provider token is a JWT, signed ES256, whose `iat` counts by the movable clock, as the
bank's does. Source: Apple, "Establishing a token-based connection to APNs".
"""

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox import key_files
from sandbox.apns_errors import No

if TYPE_CHECKING:
    from joserfc.jwk import ECKey

KEY_ID: Final = "SIXPENCE01"
TEAM_ID: Final = "SANDBOX001"
LIFE_S: Final = 3600
UPDATE_S: Final = 1200
UPDATES_MAX: Final = 1000  # Apple forgives a few; workers killed in tests make many
_SKEW_S: Final = 60
_KNOWN_MAX: Final = 10_000  # the oldest is forgotten first


def write_key(file: Path) -> None:
    """Make the key that the bank signs with, unless there is one.

    Args:
        file: PKCS #8 in PEM, as Apple hands it out, readable by us alone.
    """
    if file.exists():
        return
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  -- once
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415  -- once

    text = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    key_files.write(file, text.decode())


class Signers:
    """Knows who may send: whoever signs with the key of the file.

    Args:
        file: the key; None where this world has no push service of Apple's.
        updates_max: other tokens that may come within 20 minutes.
    """

    def __init__(self, file: Path | None, updates_max: int = UPDATES_MAX) -> None:
        self._file = file
        self._updates_max = updates_max
        self._key: ECKey | None = None
        self._issued: OrderedDict[str, int] = OrderedDict()

    def admit(self, authorization: str, now_s: float) -> None:
        """Let a request pass whose token is ours and young enough.

        Raises:
            No: it is missing, of somebody else, too old, or one too many.
        """
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer" or not token:
            raise No("MissingProviderToken")
        if token not in self._issued:
            self._learn(token, self._issued_at(token), now_s)
        if self._issued[token] < now_s - LIFE_S:
            raise No("ExpiredProviderToken")

    def _learn(self, token: str, issued_at: int, now_s: float) -> None:
        """Remember a token, unless too many came lately.

        Raises:
            No: it is of the future, or there are too many.
        """
        if issued_at > now_s + _SKEW_S:
            raise No("InvalidProviderToken")
        recent = [at for at in self._issued.values() if abs(at - issued_at) < UPDATE_S]
        if len(recent) >= self._updates_max:
            raise No("TooManyProviderTokenUpdates")
        self._issued[token] = issued_at
        if len(self._issued) > _KNOWN_MAX:
            self._issued.popitem(last=False)

    def _issued_at(self, token: str) -> int:
        """Check signature and names of a token; gives when it was made.

        Raises:
            No: one of them is wrong.
        """
        from joserfc import errors, jwt  # noqa: PLC0415  -- 0.3 s, at the first token

        try:
            found = jwt.decode(token, self._known_key(), algorithms=["ES256"])
        except (errors.JoseError, ValueError):
            raise No("InvalidProviderToken") from None
        if found.header.get("kid") != KEY_ID:
            raise No("UnrelatedKeyIdInToken")
        issued_at = found.claims.get("iat")
        if found.claims.get("iss") != TEAM_ID or not isinstance(issued_at, int):
            raise No("InvalidProviderToken")
        return issued_at

    def _known_key(self) -> "ECKey":
        """Give the key.

        Raises:
            No: this world has none.
        """
        from joserfc.jwk import ECKey  # noqa: PLC0415  -- see above

        if self._file is None:
            raise No("InvalidProviderToken")
        if self._key is None:
            self._key = ECKey.import_key(self._file.read_bytes())
        return self._key
