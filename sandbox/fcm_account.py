"""The demo's service account, and the token endpoint that it signs in at.

The exchange is the real one: a JWT of the account, signed RS256, against a bearer token
(RFC 7523). Time here is the machine's, not the movable clock: the signer's is too.
"""

import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox import key_files
from sandbox.intake import raw_body

ROUTE: Final = "/fcm/token"
PROJECT: Final = "sixpence-demo"
AUDIENCE: Final = "https://oauth2.googleapis.com/token"  # whatever `token_uri` says
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPES: Final = frozenset(
    {
        "https://www.googleapis.com/auth/firebase.messaging",
        "https://www.googleapis.com/auth/cloud-platform",
    }
)
TOKEN_S: Final = 3600
TOKENS_MAX: Final = 1000  # the oldest is forgotten first
_SKEW_S: Final = 60
_KEY_BITS: Final = 2048


class _Rejected(Exception):
    """An assertion that earns no token; the message says why."""


def write_account(file: Path, world: str) -> None:
    """Write the account file that the bank signs in with; a known key is kept.

    Args:
        file: JSON in the form that Google's console hands out, readable by us alone.
        world: base URL of this sandbox; its port may be another at each start.
    """
    known = _known(file)
    account = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": known.get("private_key_id") or secrets.token_hex(20),
        "private_key": known.get("private_key") or _new_key(),
        "client_email": f"push@{PROJECT}.iam.gserviceaccount.com",
        "client_id": "100000000000000000001",
        "token_uri": world + ROUTE,
    }
    key_files.write(file, json.dumps(account, indent=1))


def _known(file: Path) -> Mapping[str, str]:
    try:
        found = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _new_key() -> str:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  -- once
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415  -- once

    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


class Tokens:
    """Gives bearer tokens to the account and knows them again until they expire.

    Args:
        file: the account file; None where this world has no push provider.
        token_s: life of a token in seconds.
    """

    def __init__(self, file: Path | None, token_s: int = TOKEN_S) -> None:
        self._file = file
        self._token_s = token_s
        self._ends: dict[str, float] = {}

    async def exchange(self, request: Request) -> Response:
        """`POST /fcm/token`: an assertion in a form against a token, or why not."""
        form = parse_qs((await raw_body(request)).decode("utf-8", "replace"))
        if form.get("grant_type") != [GRANT]:
            return _refused("unsupported_grant_type", f"grant_type must be {GRANT}")
        try:
            self._check(form.get("assertion", [""])[0])
        except _Rejected as why:
            return _refused("invalid_grant", str(why))
        token = "ya29." + secrets.token_urlsafe(32)
        self._ends[token] = time.monotonic() + self._token_s
        while len(self._ends) > TOKENS_MAX:
            del self._ends[next(iter(self._ends))]
        return JSONResponse(
            {
                "access_token": token,
                "expires_in": self._token_s,
                "token_type": "Bearer",
            }
        )

    def knows(self, authorization: str) -> bool:
        """Say whether a header carries a token that is ours and still lives."""
        kind, _, token = authorization.partition(" ")
        ends = self._ends.get(token, 0.0)
        return kind == "Bearer" and ends > time.monotonic()

    def _check(self, assertion: str) -> None:
        from joserfc import errors, jwt  # noqa: PLC0415  -- 0.3 s, at the first token
        from joserfc.jwk import RSAKey  # noqa: PLC0415  -- same

        account = {} if self._file is None else _known(self._file)
        if not account:
            raise _Rejected("Invalid grant: account not found")
        try:
            key = RSAKey.import_key(account["private_key"])
            claims = jwt.decode(assertion, key, algorithms=["RS256"]).claims
        except (errors.JoseError, ValueError):
            raise _Rejected("Invalid JWT Signature.") from None
        if claims.get("iss") != account["client_email"]:
            raise _Rejected("Invalid grant: account not found")
        if claims.get("aud") != AUDIENCE:
            raise _Rejected("Invalid JWT: Failed audience check.")
        if not SCOPES & set(str(claims.get("scope", "")).split()):
            raise _Rejected("Invalid OAuth scope or ID token audience provided.")
        _check_times(claims.get("iat"), claims.get("exp"))


def _check_times(begins: object, ends: object) -> None:
    """Refuse an assertion of the future, an ended one, and one for over an hour."""
    now = time.time()
    if not isinstance(begins, int) or not isinstance(ends, int):
        raise _Rejected("Invalid JWT: iat and exp must be numbers.")
    if begins > now + _SKEW_S or ends < now - _SKEW_S or ends - begins > TOKEN_S:
        raise _Rejected(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a "
            "reasonable timeframe. Check your iat and exp values in the JWT claim."
        )


def _refused(error: str, why: str) -> Response:
    """Answer as RFC 6749 section 5.2 has it."""
    return JSONResponse({"error": error, "error_description": why}, status_code=400)
