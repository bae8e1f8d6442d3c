"""The provider token that opens APNs: signed by our key, shown again and again.

Apple takes a token for an hour and wants a new one no more often than every 20 minutes;
ours is shown for 40. The key is a secret: neither it nor a token is ever told.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from app.clock import Clock

if TYPE_CHECKING:
    from joserfc.jwk import ECKey

SHOWN_FOR = timedelta(minutes=40)
SIGNED_EVERY = timedelta(minutes=20)
_ALGORITHM = "ES256"
_NEVER = timedelta(days=36_500)


class NoKey(Exception):
    """The key file cannot be read, or holds no P-256 key; says no more than that."""


class Badge:
    """Makes the token of one key.

    Args:
        key_file: PKCS #8 in PEM, as Apple hands it out; read at the first token.
        key_id: Apple's name of the key.
        team_id: whose key it is.
        clock: of the moment that stands in a token.
    """

    def __init__(self, key_file: Path, key_id: str, team_id: str, clock: Clock) -> None:
        self._key_file = key_file
        self._key_id = key_id
        self._team_id = team_id
        self._clock = clock
        self._key: ECKey | None = None
        self._token = SecretStr("")
        self._signed_at: datetime | None = None
        self._held_at: datetime | None = None

    def load(self) -> None:
        """Read the key. Takes up to half a second at first, so run it in a thread.

        Raises:
            NoKey: there is none.
        """
        from joserfc.errors import JoseError  # noqa: PLC0415  -- not before a message
        from joserfc.jwk import ECKey  # noqa: PLC0415  -- same

        try:
            found = ECKey.import_key(self._key_file.read_bytes())
            if found.curve_name != "P-256" or not found.is_private:
                raise NoKey
        except (OSError, ValueError, TypeError, JoseError):
            raise NoKey from None
        self._key = found

    def token(self) -> SecretStr:
        """Give the token to show now; `load` came before."""
        young = timedelta(0) <= self._age() < SHOWN_FOR
        if not young and not (self._is_held() and self._signed_at):
            self._sign()
        return self._token

    def renew(self, shown: SecretStr) -> bool:
        """Sign anew because a token was refused as too old.

        False where it is too early for that: our clock is wrong, or Apple asked us to
        wait.
        """
        if self._token != shown:
            return True
        if timedelta(0) <= self._age() < SIGNED_EVERY or self._is_held():
            return False
        self._sign()
        return True

    def hold(self) -> None:
        """Sign nothing for 20 minutes: Apple has had too many tokens."""
        self._held_at = self._clock.now()

    def _age(self) -> timedelta:
        return self._clock.now() - self._signed_at if self._signed_at else _NEVER

    def _is_held(self) -> bool:
        if self._held_at is None:
            return False
        return timedelta(0) <= self._clock.now() - self._held_at < SIGNED_EVERY

    def _sign(self) -> None:
        from joserfc import jwt  # noqa: PLC0415  -- is loaded

        assert self._key is not None  # noqa: S101  -- `load` came before
        now = self._clock.now()
        claims = {"iss": self._team_id, "iat": int(now.timestamp())}
        header = {"alg": _ALGORITHM, "kid": self._key_id}
        signed = jwt.encode(header, claims, self._key, algorithms=[_ALGORITHM])
        self._token, self._signed_at = SecretStr(signed), now
