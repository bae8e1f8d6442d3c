"""From headers or `connection_init` to an Actor: the only way in.

A token or proof that is presented must be right: it is refused, never ignored. A valid
proof of a key nobody bound is an ANONYMOUS caller whose `proof` is set.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NoReturn

from app.auth.actor import Actor, DeviceState, Level, Origin
from app.auth.bound import BoundDevices
from app.auth.dpop import Proofs, Request
from app.auth.locales import OURS, Locales
from app.auth.revocations import EndReason, Revocations
from app.auth.throttle import Throttle
from app.auth.tokens import AccessTokens, Claims
from app.errors import DpopInvalid, DpopRequired, RequestFault, Unauthenticated
from app.ids import CustomerId, SessionId

_SCHEME = "DPoP "


class Callers:
    """Recognises callers.

    Args:
        proofs: checks DPoP proofs.
        tokens: verifies access tokens.
        bound: finds the device of a key.
        revocations: knows the sessions that ended.
        throttle: counts the unproven by address.
        locales: languages of customers whose requests ask for none.
    """

    def __init__(
        self,
        *,
        proofs: Proofs,
        tokens: AccessTokens,
        bound: BoundDevices,
        revocations: Revocations,
        throttle: Throttle,
        locales: Locales,
    ) -> None:
        self._proofs = proofs
        self._tokens = tokens
        self._bound = bound
        self._revocations = revocations
        self._throttle = throttle
        self._locales = locales

    def nonce(self) -> str:
        """Give the value of the `DPoP-Nonce` header."""
        return self._proofs.nonce()

    async def http(
        self,
        origin: Origin,
        authorization: str | None,
        dpop: Sequence[str],
        body: bytes,
    ) -> Actor:
        """Recognise the caller of a POST.

        Args:
            origin: where it came from.
            authorization: the header, if one was sent.
            dpop: every `DPoP` header that was sent.
            body: the bytes as received.

        Raises:
            Unauthenticated: the token is wrong, old, or its session ended.
            DpopRequired: a token came without a proof.
            DpopInvalid, DpopReplayed, UseDpopNonce: the proof is not good.
            TooManyRequests: too many bad or unproven requests of this address.
        """
        token = None if authorization is None else self._token(authorization)
        return (await self._recognise(origin, token, dpop, Request(body=body)))[0]

    async def socket(
        self, origin: Origin, payload: Mapping[str, object]
    ) -> tuple[Actor, datetime | None]:
        """Recognise the caller of a socket by its `connection_init` payload.

        Returns:
            The actor and the instant at which its token ends, None without a token.

        Raises:
            RequestFault: as for `http`.
        """
        token, proof = payload.get("accessToken"), payload.get("dpop")
        if not isinstance(token, str | None) or not isinstance(proof, str | None):
            raise Unauthenticated("TOKEN_INVALID")
        sent = [] if proof is None else [proof]
        request = Request(method="GET", socket=True)
        actor, claims = await self._recognise(origin, token, sent, request)
        if actor.proof is not None and actor.level is not Level.ANONYMOUS:
            await self._throttle.handshake(actor.proof.jkt)
        return actor, None if claims is None else claims.expires_at

    async def charge(self, actor: Actor, points: int) -> None:
        """Charge the price of a document to a proven caller.

        Raises:
            TooManyRequests: the caller's bucket is empty.
        """
        await self._throttle.cost(actor, points)

    async def _recognise(
        self, origin: Origin, token: str | None, sent: Sequence[str], request: Request
    ) -> tuple[Actor, Claims | None]:
        try:
            if token is not None:
                return await self._signed_in(origin, token, sent, request)
            if sent:
                return await self._device(origin, sent, request), None
        except (DpopInvalid, Unauthenticated) as fault:
            await self._count_failure(origin, fault)
        await self._throttle.address(origin)
        return Actor(origin=origin, locale=origin.language or OURS), None

    async def _signed_in(
        self, origin: Origin, token: str, sent: Sequence[str], request: Request
    ) -> tuple[Actor, Claims]:
        claims = await self._tokens.verified(token)
        self._require_live(claims.session)
        if not sent:
            raise DpopRequired
        bound = Request(
            method=request.method,
            socket=request.socket,
            body=request.body,
            token=token,
            bound_jkt=claims.jkt,
        )
        proof = await self._proofs.check(sent, bound)
        actor = Actor(
            origin=origin,
            level=Level.LOGIN,
            customer=claims.customer,
            device=claims.device,
            session=claims.session,
            proof=proof,
            scopes=claims.scopes,
            locale=await self._locale(origin, claims.customer),
        )
        return actor, claims

    async def _device(
        self, origin: Origin, sent: Sequence[str], request: Request
    ) -> Actor:
        proof = await self._proofs.check(sent, request)
        device = await self._bound.find(proof.jkt)
        if device is None or device.state is DeviceState.REVOKED:
            await self._throttle.address(origin)
            return Actor(origin=origin, proof=proof, locale=origin.language or OURS)
        return Actor(
            origin=origin,
            level=Level.DEVICE,
            customer=device.customer,
            device=device.id,
            proof=proof,
            locale=await self._locale(origin, device.customer),
        )

    async def _locale(self, origin: Origin, customer: CustomerId) -> str:
        return origin.language or await self._locales.of(customer)

    def _require_live(self, session: SessionId) -> None:
        reason = self._revocations.reason(session)
        if reason is EndReason.LOCKED:
            raise Unauthenticated("DEVICE_LOCKED")
        if reason is not None:
            raise Unauthenticated("SESSION_ENDED")

    async def _count_failure(self, origin: Origin, fault: RequestFault) -> NoReturn:
        forged = getattr(fault, "reason", "TOKEN_INVALID") == "TOKEN_INVALID"
        if forged:
            await self._throttle.failed_proof(origin)
        raise fault

    def _token(self, authorization: str) -> str:
        if not authorization.startswith(_SCHEME):
            raise Unauthenticated("TOKEN_INVALID")
        return authorization.removeprefix(_SCHEME)
