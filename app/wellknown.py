"""What other programs look for at fixed places: our keys, our apps, our websites.

A file that has nothing to say does not exist (404): a phone that asks for it must not
keep an empty answer. Nothing is redirected; Android and Apple do not follow.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.auth.passkey_ceremony import RelyingParty
from app.bank import Bank
from app.written import AndroidApp, is_within

_MAY_USE_PASSKEYS = (
    "delegate_permission/common.handle_all_urls",
    "delegate_permission/common.get_login_creds",
)


async def jwks(request: Request) -> Response:
    """Give the public keys of the token ring, current and retired (RFC 7517)."""
    return _file(_bank(request).ring.jwks(), "application/jwk-set+json")


async def asset_links(request: Request) -> Response:
    """Name our Android apps: they may use passkeys of this domain (Asset Links)."""
    return _file([_statement(app) for app in _bank(request).settings.android_apps])


async def app_site_association(request: Request) -> Response:
    """Name our iOS apps: they may use passkeys of this domain (`webcredentials`)."""
    apps = _bank(request).settings.ios_apps
    return _file({"webcredentials": {"apps": list(apps)}} if apps else {})


async def related_origins(request: Request) -> Response:
    """Name our websites of other domains (WebAuthn Level 3, 5.11)."""
    found = _other_sites(RelyingParty.of(_bank(request).settings))
    return _file({"origins": found} if found else {})


def _bank(request: Request) -> Bank:
    bank: Bank = request.app.state.bank
    return bank


def _file(content: object, media_type: str = "application/json") -> Response:
    if not content:
        raise HTTPException(404)
    return Response(
        orjson.dumps(content),
        media_type=media_type,
        headers={"Cache-Control": "public, max-age=300"},
    )


def _statement(app: AndroidApp) -> dict[str, object]:
    return {
        "relation": list(_MAY_USE_PASSKEYS),
        "target": {
            "namespace": "android_app",
            "package_name": app.package,
            "sha256_cert_fingerprints": [app.digest.hex(":").upper()],
        },
    }


def _other_sites(party: RelyingParty) -> Sequence[str]:
    sites = [(origin, urlsplit(origin)) for origin in party.origins]
    return [
        origin
        for origin, parts in sites
        if parts.scheme == "https" and not is_within(parts.hostname, party.id)
    ]


ROUTES = [
    Route("/.well-known/jwks.json", jwks),
    Route("/.well-known/assetlinks.json", asset_links),
    Route("/.well-known/apple-app-site-association", app_site_association),
    Route("/.well-known/webauthn", related_origins),
]
