"""The APNs adapter over HTTP/2 and TLS, against the sandbox's own app."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.typing import (
    ASGIReceiveCallable,
    ASGISendCallable,
    ASGISendEvent,
    Scope,
)

from app.integrations.push import Retry, Sent, Unknown
from app.integrations.push import apns as adapter
from app.integrations.push.apns import Apns, sender
from app.integrations.push.apns.lane import STREAMS_MAX
from sandbox.apns_key import Signers, write_key
from sandbox.app import create_app
from sandbox.line import Line
from tests.integrations.apns_world import DISPATCH, a_clock, a_hint, token


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "CHUNK_S", 60.0)


@dataclass
class Seen:
    """What the server saw: versions, connections, and how many streams at once."""

    world: httpx.AsyncClient
    url: str = ""
    trust: ssl.SSLContext | None = None
    versions: set[str] = field(default_factory=set)
    connections: dict[tuple[str, int], int] = field(default_factory=dict)
    open_now: int = 0
    open_most: int = 0
    waits_for: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def arrived(self, address: str) -> int:
        page = await self.world.get(f"/phones/{address}/inbox")
        return len(page.raise_for_status().json()["messages"])


class Watched:
    """The sandbox's app, watched; keeps streams open until so many are."""

    def __init__(self, app: object, seen: Seen) -> None:
        self._app = app
        self._seen = seen

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        if scope["type"] != "http":
            return await self._pass(scope, receive, send)
        seen, client = self._seen, scope["client"]
        assert client is not None
        seen.versions.add(scope["http_version"])
        seen.connections[client] = seen.connections.get(client, 0) + 1
        seen.open_now += 1
        seen.open_most = max(seen.open_most, seen.open_now)
        if seen.open_now >= seen.waits_for:
            seen.enough.set()
        await seen.enough.wait()

        async def sending(event: ASGISendEvent) -> None:
            is_end = event["type"] == "http.response.body"
            if is_end and not event.get("more_body"):
                seen.open_now -= 1
            await send(event)

        return await self._pass(scope, receive, sending)

    async def _pass(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        await self._app(scope, receive, send)  # type: ignore[operator]  # Starlette and hypercorn name the types of ASGI differently


@asynccontextmanager
async def apple_over_tls(folder: Path, **chosen: int) -> AsyncIterator[Seen]:
    """Serve the sandbox under hypercorn; `chosen` are settings of its."""
    write_key(folder / "key.p8")
    app = create_app(Line(), None, None, Signers(folder / "key.p8"))
    inside = httpx.ASGITransport(app)
    config, stop = Config(), asyncio.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    config.bind = [f"fd://{listening.fileno()}"]
    config.certfile, config.keyfile = str(folder / "cert.pem"), str(folder / "cert.key")
    config.errorlog, config.alpn_protocols = None, ["h2"]
    config.graceful_timeout = 0.1  # it never lets go of who was told GOAWAY
    for name, value in chosen.items():
        setattr(config, name, value)
    authority = certify(folder)
    async with (
        httpx.AsyncClient(transport=inside, base_url="http://127.0.0.1") as world,
        asyncio.TaskGroup() as group,
    ):
        seen = Seen(world, f"https://127.0.0.1:{listening.getsockname()[1]}/apns")
        seen.trust = ssl.create_default_context(cadata=authority)
        group.create_task(serve(Watched(app, seen), config, shutdown_trigger=stop.wait))
        try:
            yield seen
        finally:
            stop.set()
    listening.detach()  # the server closed it


def certify(folder: Path) -> str:
    """Make an authority and, signed by it, a certificate of this machine."""
    now = a_clock().now()
    made: list[tuple[x509.Certificate, ec.EllipticCurvePrivateKey]] = []
    for name, is_authority in (("Test authority", True), ("127.0.0.1", False)):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer, signer = (made[0][0].subject, made[0][1]) if made else (subject, key)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        )
        if not is_authority:
            here = x509.SubjectAlternativeName([x509.IPAddress(ip_address(name))])
            builder = builder.add_extension(here, critical=False)
        made.append((builder.sign(signer, hashes.SHA256()), key))
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made[1][0].public_bytes(pem))
    (folder / "cert.key").write_bytes(
        made[1][1].private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made[0][0].public_bytes(pem).decode()


@asynccontextmanager
async def a_provider(
    seen: Seen, folder: Path, *, trusting: bool = True
) -> AsyncIterator[Apns]:
    given = {"key_file": folder / "key.p8", "base_url": seen.url}
    settings = adapter.Settings.model_validate(given)
    trust = seen.trust if trusting else None
    found = await adapter.connect(settings, clock=a_clock(), trust=trust)
    try:
        yield found
    finally:
        await found.close()


async def test_a_hundred_streams_share_one_connection_of_http_2(tmp_path: Path) -> None:
    hints = [a_hint(token(end=n)) for n in range(130)]

    async with apple_over_tls(tmp_path, h2_max_concurrent_streams=1000) as seen:
        seen.waits_for = STREAMS_MAX
        async with a_provider(seen, tmp_path) as apns:
            found = await apns.send(hints)
        arrived = [await seen.arrived(hint.address) for hint in hints]

    assert found == [Sent(DISPATCH)] * 130
    assert arrived == [1] * 130
    assert seen.versions == {"2"}
    assert list(seen.connections.values()) == [130]
    assert seen.open_most == STREAMS_MAX == 100


async def test_a_connection_that_said_goaway_is_replaced(tmp_path: Path) -> None:
    async with apple_over_tls(tmp_path, keep_alive_max_requests=2) as seen:
        async with a_provider(seen, tmp_path) as apns:
            found = [
                (await apns.send([a_hint(token(end=end))]))[0] for end in (0, 1, 2, 2)
            ]
        arrived = [await seen.arrived(token(end=end)) for end in (0, 1)]

    # GOAWAY came in the midst of the third, which may or may not have been taken.
    sent = Sent(DISPATCH)
    assert found == [sent, sent, Unknown("RemoteProtocolError"), sent]
    assert arrived == [1, 1]
    assert list(seen.connections.values()) == [3, 1]
    assert seen.versions == {"2"}


async def test_a_certificate_nobody_vouches_for_is_told_nothing(
    tmp_path: Path,
) -> None:
    async with (
        apple_over_tls(tmp_path) as seen,
        a_provider(seen, tmp_path, trusting=False) as apns,
    ):
        found = await apns.send([a_hint(token())])

    assert found == [Retry()]
    assert seen.connections == {}
