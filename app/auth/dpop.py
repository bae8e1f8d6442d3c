"""Proofs of the device key on every request (RFC 9449): thirteen checks, cheap first.

The replay store comes last, so that forged proofs cannot fill it (auth.md 2.8).
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlsplit

import orjson

from app.auth import signing
from app.auth.keys import Jwk, KeyRefused, read_jwk
from app.clock import Clock
from app.errors import DpopInvalid, DpopReplayed, UseDpopNonce
from app.integrations.counters import Counters
from app.settings import Settings
from app.vault import Vault

_PROOF_CHARS_MAX = 2048
_PARTS = 3
_JTI_CHARS = range(16, 65)
_HEADERS_MAX = 10_000
_WINDOW_S = 120
_KEPT_S = 75
_KEPT_WITH_NONCE_S = 300
_DEFAULT_PORTS = {"https": 443, "http": 80, "wss": 443, "ws": 80}


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that verified.

    Args:
        jkt: thumbprint of the key.
        jwk: the key.
        covers_body: whether the body's bytes were signed (`bh`).
    """

    jkt: str
    jwk: Jwk
    covers_body: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a proof must speak of.

    Args:
        method: POST, or GET for a socket's `connection_init`.
        socket: whether the URL is the socket form.
        body: the bytes as received; None on a socket.
        token: the access token sent along.
        bound_jkt: `cnf.jkt` of that token.
    """

    method: str = "POST"
    socket: bool = False
    body: bytes | None = None
    token: str | None = None
    bound_jkt: str | None = None


class Proofs:
    """Checks proofs and makes the server's nonce.

    Args:
        clock: the bank's clock.
        settings: public URL, tolerances, whether a nonce is required.
        vault: its pepper makes the nonce.
        counters: remembers used proofs, for all web processes.
    """

    def __init__(
        self, *, clock: Clock, settings: Settings, vault: Vault, counters: Counters
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._vault = vault
        self._counters = counters
        self._headers: OrderedDict[str, tuple[str, Jwk]] = OrderedDict()
        self._good: tuple[tuple[int, ...], tuple[bytes, ...]] = ((), ())
        self._given: tuple[tuple[int, int], str] = ((0, 0), "")
        public = urlsplit(settings.public_url)
        self._url = _normal(f"{settings.public_url}/graphql")
        scheme = "wss" if public.scheme == "https" else "ws"
        self._socket_url = _normal(f"{scheme}://{public.netloc}/graphql")

    def nonce(self) -> str:
        """Give the value of the `DPoP-Nonce` header."""
        named = self._window(), self._vault.pepper.current
        if named != self._given[0]:
            self._given = named, self._nonce_of(*named)
        return self._given[1]

    def is_current(self, nonce: str) -> bool:
        """Tell whether this is a nonce of the current or the previous window (2.8)."""
        given = nonce.encode() if nonce.isascii() else b""
        return any(signing.same(known, given) for known in self._good_nonces())

    async def check(self, sent: Sequence[str], request: Request) -> Proof:
        """Check the one proof of a request.

        Raises:
            DpopInvalid: any check but the next two failed.
            UseDpopNonce: too old or too new, or a nonce is missing or outdated.
            DpopReplayed: this proof was used before.
        """
        parts = _split(sent)
        jkt, jwk = self._header(parts[0])
        _require_signature(jwk, parts)
        claims = _object(parts[1])
        self._require_target(claims, request)
        has_nonce = self._has_nonce(claims)
        self._require_fresh(claims, checked=has_nonce)
        jti = claims.get("jti")
        if not isinstance(jti, str) or len(jti) not in _JTI_CHARS:
            _refuse()
        _require_token(claims, jkt, request)
        self._require_nonce(claims, valid=has_nonce)
        covers_body = _covers_body(claims, request.body)
        kept_s = _KEPT_WITH_NONCE_S if has_nonce else _KEPT_S
        if not await self._counters.first_time(f"dpop:{jkt}:{jti}", kept_s):
            raise DpopReplayed
        return Proof(jkt, jwk, covers_body)

    def _header(self, text: str) -> tuple[str, Jwk]:
        """Read the header; that of one phone never changes, so it is kept."""
        found = self._headers.get(text)
        if found is None:
            found = _read_header(text)
            self._headers[text] = found
            if len(self._headers) > _HEADERS_MAX:
                self._headers.popitem(last=False)
        else:
            self._headers.move_to_end(text)
        return found

    def _require_target(self, claims: Mapping[str, object], request: Request) -> None:
        url = self._socket_url if request.socket else self._url
        htu = claims.get("htu")
        if claims.get("htm") != request.method or not isinstance(htu, str):
            _refuse()
        if htu != url and _normal(htu) != url:
            _refuse()

    def _require_fresh(self, claims: Mapping[str, object], *, checked: bool) -> None:
        iat = claims.get("iat")
        if not isinstance(iat, int) or isinstance(iat, bool):
            _refuse()
        if checked:  # a valid server nonce is how a phone with a wrong clock works
            return
        ahead = iat - self._clock.now().timestamp()
        if not -self._settings.dpop_past_s <= ahead <= self._settings.dpop_future_s:
            raise UseDpopNonce

    def _has_nonce(self, claims: Mapping[str, object]) -> bool:
        """Tell whether the claims carry a nonce of the current or previous window."""
        nonce = claims.get("nonce")
        return isinstance(nonce, str) and self.is_current(nonce)

    def _good_nonces(self) -> tuple[bytes, ...]:
        """Give what is good now, under every key; made once a window."""
        window = self._window()
        named = (window, *self._vault.pepper.keys)
        if named != self._good[0]:
            made = tuple(
                self._nonce_of(one, key_id).encode()
                for one in (window, window - 1)
                for key_id in self._vault.pepper.keys
            )
            self._good = (named, made)
        return self._good[1]

    def _require_nonce(self, claims: Mapping[str, object], *, valid: bool) -> None:
        required = self._settings.dpop_nonce == "required"
        if not valid and (required or "nonce" in claims):
            raise UseDpopNonce

    def _window(self) -> int:
        return int(self._clock.now().timestamp()) // _WINDOW_S

    def _nonce_of(self, window: int, key_id: int) -> str:
        message = signing.server_nonce_message(window)
        return signing.b64u(self._vault.mac("mac/nonce", message, key_id))


def _refuse() -> NoReturn:
    raise DpopInvalid


def _split(sent: Sequence[str]) -> tuple[str, str, str]:
    if len(sent) != 1 or len(sent[0]) > _PROOF_CHARS_MAX or not sent[0].isascii():
        _refuse()
    parts = sent[0].split(".")
    if len(parts) != _PARTS:
        _refuse()
    return parts[0], parts[1], parts[2]


def _object(part: str) -> Mapping[str, object]:
    try:
        found = orjson.loads(signing.unb64u(part))
    except ValueError:
        _refuse()
    if not isinstance(found, dict):
        _refuse()
    return found


def _read_header(text: str) -> tuple[str, Jwk]:
    header = _object(text)
    known = header.get("typ") == "dpop+jwt" and header.get("alg") == "ES256"
    members = header.get("jwk")
    if not known or "crit" in header or not isinstance(members, dict):
        _refuse()
    try:
        jwk = read_jwk(members)
    except KeyRefused:
        _refuse()
    return jwk.thumbprint, jwk


def _require_signature(jwk: Jwk, parts: tuple[str, str, str]) -> None:
    try:
        signature = signing.unb64u(parts[2], signing.SIGNATURE_BYTES)
    except signing.MalformedText:
        _refuse()
    if not signing.is_signed(jwk.public, signature, f"{parts[0]}.{parts[1]}".encode()):
        _refuse()


def _require_token(claims: Mapping[str, object], jkt: str, request: Request) -> None:
    """Bind the proof to the token, and refuse one whose token was taken off."""
    ath = claims.get("ath")
    if request.token is None:
        if ath is not None:
            _refuse()
        return
    bound = (request.bound_jkt or "").encode()
    digest = signing.b64u(hashlib.sha256(request.token.encode()).digest())
    if not signing.same(jkt.encode(), bound) or not isinstance(ath, str):
        _refuse()
    if not signing.same(ath.encode(), digest.encode()):
        _refuse()


def _covers_body(claims: Mapping[str, object], body: bytes | None) -> bool:
    bh = claims.get("bh")
    if bh is None:
        return False
    if body is None or not isinstance(bh, str):
        _refuse()
    digest = signing.b64u(signing.sha256(body))
    if not signing.same(bh.encode(), digest.encode()):
        _refuse()
    return True


def _normal(url: str) -> str:
    """Bring a URL into one form: no query, no fragment, no default port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    shown = "" if port in {None, _DEFAULT_PORTS.get(scheme)} else f":{port}"
    return f"{scheme}://{host}{shown}{parts.path}"
