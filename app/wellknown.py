"""What other programs look for at fixed places: the keys that sign our tokens."""

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.bank import Bank


async def jwks(request: Request) -> Response:
    """Give the public keys of the token ring, current and retired (RFC 7517)."""
    bank: Bank = request.app.state.bank
    return Response(
        orjson.dumps(bank.ring.jwks()),
        media_type="application/jwk-set+json",
        headers={"Cache-Control": "public, max-age=300"},
    )


ROUTES = [Route("/.well-known/jwks.json", jwks)]
