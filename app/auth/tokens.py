"""Access tokens: ES256, fixed algorithm, our own ring, bound to the device key.

Verified tokens are kept until they end; the set of ended sessions is asked on every
hit (auth.md 2.9, section 11).
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NoReturn

import orjson

from app.auth import signing
from app.auth.actor import ALL_SCOPES
from app.auth.signing_ring import SigningRing
from app.clock import Clock
from app.errors import Unauthenticated
from app.ids import CustomerId, DeviceId, SessionId
from app.settings import Settings

_PARTS = 3
_CHARS_MAX = 2048
_HEADER_MAX = 128
_KEPT = 10_000
_AHEAD_S = 10
_FORBIDDEN = frozenset({"jwk", "jku", "x5u", "x5c", "crit"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a token says.

    Args:
        customer: who.
        session: which sign-in.
        device: which phone.
        jkt: thumbprint of the key the token is bound to.
        signed_in_at: when the person proved herself.
        expires_at: end of the token.
        factor: what proved the person, in lower case, for example `mpin`.
        scopes: what it may be used for.
    """

    customer: CustomerId
    session: SessionId
    device: DeviceId
    jkt: str
    signed_in_at: datetime
    expires_at: datetime
    factor: str
    scopes: frozenset[str] = ALL_SCOPES


class AccessTokens:
    """Makes and verifies access tokens.

    Args:
        clock: the bank's clock.
        settings: the public URL is issuer and part of the audience.
        ring: the signing keys.
    """

    def __init__(self, *, clock: Clock, settings: Settings, ring: SigningRing) -> None:
        self._clock = clock
        self._issuer = settings.public_url
        self._audience = f"{settings.public_url}/graphql"
        self._ring = ring
        self._kept: OrderedDict[bytes, Claims] = OrderedDict()

    def sign(self, claims: Claims) -> str:
        """Make the token of some claims."""
        kid, private = self._ring.current
        header = {"typ": "at+jwt", "alg": "ES256", "kid": kid}
        body = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(claims.customer),
            "sid": str(claims.session),
            "did": str(claims.device),
            "iat": int(self._clock.now().timestamp()),
            "exp": int(claims.expires_at.timestamp()),
            "auth_time": int(claims.signed_in_at.timestamp()),
            "acr": "LOGIN",
            "amr": [claims.factor],
            "cnf": {"jkt": claims.jkt},
            "scope": " ".join(sorted(claims.scopes)),
            "ver": 1,
        }
        parts = ".".join(signing.b64u(orjson.dumps(part)) for part in (header, body))
        return f"{parts}.{signing.b64u(signing.sign(private, parts.encode()))}"

    async def verified(self, token: str) -> Claims:
        """Read a token as `verify`, after a look for a key another process made.

        Raises:
            Unauthenticated: as `verify`.
            Outage: the key is unknown and the table cannot be read.
        """
        kid = _kid(token)
        if kid is not None:
            await self._ring.look_for(kid)
        return self.verify(token)

    def verify(self, token: str) -> Claims:
        """Read a token that was presented.

        Raises:
            Unauthenticated: TOKEN_INVALID, or TOKEN_EXPIRED for a good but old one.
        """
        name = hashlib.sha256(token.encode()).digest()
        claims = self._kept.get(name)
        if claims is None:
            claims = self._read(token)
            self._kept[name] = claims
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        if claims.expires_at <= self._clock.now():
            self._kept.pop(name, None)
            raise Unauthenticated("TOKEN_EXPIRED")
        return claims

    def _read(self, token: str) -> Claims:
        parts = token.split(".")
        if len(parts) != _PARTS or len(token) > _CHARS_MAX:
            _refuse()
        try:
            header, body = (orjson.loads(signing.unb64u(part)) for part in parts[:2])
            signature = signing.unb64u(parts[2], signing.SIGNATURE_BYTES)
        except ValueError:
            _refuse()
        if not isinstance(header, dict) or not isinstance(body, dict):
            _refuse()
        self._require_signature(header, signature, f"{parts[0]}.{parts[1]}")
        self._require_ours(body)
        try:
            return _claims(body)
        except (LookupError, TypeError, ValueError):
            _refuse()

    def _require_signature(
        self, header: Mapping[str, object], signature: bytes, message: str
    ) -> None:
        kid = header.get("kid")
        jwk = self._ring.find(kid) if isinstance(kid, str) else None
        known = header.get("typ") == "at+jwt" and header.get("alg") == "ES256"
        if jwk is None or not known or _FORBIDDEN & header.keys():
            _refuse()
        if not signing.is_signed(jwk.public, signature, message.encode()):
            _refuse()

    def _require_ours(self, body: Mapping[str, object]) -> None:
        iat = body.get("iat")
        if body.get("iss") != self._issuer or body.get("aud") != self._audience:
            _refuse()
        if not isinstance(iat, int):
            _refuse()
        if iat - self._clock.now().timestamp() > _AHEAD_S:
            _refuse()


@lru_cache(maxsize=64)
def _kid_of(header: str) -> str | None:
    try:
        read = orjson.loads(signing.unb64u(header))
    except ValueError:
        return None
    kid = read.get("kid") if isinstance(read, dict) else None
    return kid if isinstance(kid, str) else None


def _kid(token: str) -> str | None:
    """Give the key id a token claims; the header of our tokens differs by it alone."""
    header = token.partition(".")[0]
    return _kid_of(header) if len(header) <= _HEADER_MAX else None


def _refuse() -> NoReturn:
    raise Unauthenticated("TOKEN_INVALID")


def _claims(body: Mapping[str, "object"]) -> Claims:
    cnf, amr = body["cnf"], body["amr"]
    if not isinstance(cnf, dict) or not isinstance(amr, list):
        raise TypeError("cnf and amr")
    return Claims(
        customer=CustomerId.parse(str(body["sub"])),
        session=SessionId.parse(str(body["sid"])),
        device=DeviceId.parse(str(body["did"])),
        jkt=str(cnf["jkt"]),
        signed_in_at=_instant(body["auth_time"]),
        expires_at=_instant(body["exp"]),
        factor=str(amr[0]),
        scopes=frozenset(str(body["scope"]).split()),
    )


def _instant(seconds: object) -> datetime:
    if not isinstance(seconds, int):
        raise TypeError("an instant is an integer")
    return datetime.fromtimestamp(seconds, UTC)
