"""What phones and browsers look up at fixed places, over a real socket."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn

from app import main
from app.settings import Settings, load

DIGEST = bytes(range(32)).hex()
PRINTED = bytes(range(32)).hex(":").upper()
OTHER = "ff" * 32
ASSET_LINKS = "/.well-known/assetlinks.json"
SITE_ASSOCIATION = "/.well-known/apple-app-site-association"
RELATED = "/.well-known/webauthn"
RELATION = [
    "delegate_permission/common.handle_all_urls",
    "delegate_permission/common.get_login_creds",
]


@asynccontextmanager
async def a_served_bank(
    settings: Settings, chosen: Mapping[str, object]
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve a bank with these settings on a free port; gives a client of it."""
    read = load(env="test", **chosen)
    update = {name: getattr(read, name) for name in chosen}
    app = main.create_app(settings.model_copy(update=update))
    config = uvicorn.Config(app, port=0, lifespan="on", log_config=None, ws="none")
    opened = asyncio.Event()
    server = main.Server(app, config, opened.set)
    async with asyncio.TaskGroup() as serving:
        serving.create_task(server.serve())
        await asyncio.wait_for(opened.wait(), 10)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            yield client
        server.handle_exit(signal.SIGTERM, None)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "uvicorn.error")


async def test_android_learns_which_apps_may_use_passkeys(settings: Settings) -> None:
    apps = f"bank.example.app:{DIGEST},bank.example.app:{OTHER}"

    async with a_served_bank(settings, {"android_apps": apps}) as client:
        found = await client.get(ASSET_LINKS)

    assert found.status_code == 200
    assert found.headers["content-type"] == "application/json"
    assert found.headers["cache-control"] == "public, max-age=300"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert [one["relation"] for one in found.json()] == [RELATION, RELATION]
    assert [one["target"] for one in found.json()] == [
        {
            "namespace": "android_app",
            "package_name": "bank.example.app",
            "sha256_cert_fingerprints": [fingerprint],
        }
        for fingerprint in (PRINTED, "FF:" * 31 + "FF")
    ]


async def test_apple_learns_which_apps_may_use_passkeys(settings: Settings) -> None:
    apps = "ABCDE12345.bank.example.app,ABCDE12345.bank.example.beta"

    async with a_served_bank(settings, {"ios_apps": apps}) as client:
        found = await client.get(SITE_ASSOCIATION)

    assert found.status_code == 200
    assert found.headers["content-type"] == "application/json"
    assert found.json() == {
        "webcredentials": {
            "apps": ["ABCDE12345.bank.example.app", "ABCDE12345.bank.example.beta"]
        }
    }


async def test_a_browser_learns_the_banks_other_websites(settings: Settings) -> None:
    chosen = {
        "webauthn_rp_id": "bank.example",
        "webauthn_origins": (
            "https://bank.example,https://my.bank.example:8443,https://bank.test,"
            "https://evilbank.example,http://localhost:5173,android:apk-key-hash:AAAA"
        ),
    }

    async with a_served_bank(settings, chosen) as client:
        found = await client.get(RELATED)

    assert found.status_code == 200
    assert found.headers["content-type"] == "application/json"
    assert found.json() == {
        "origins": ["https://bank.test", "https://evilbank.example"]
    }


async def test_a_file_with_nothing_to_say_is_not_there(settings: Settings) -> None:
    chosen = {
        "webauthn_rp_id": "bank.example",
        "webauthn_origins": "https://bank.example",
    }

    async with a_served_bank(settings, chosen) as client:
        answers = [
            (await client.get(path)).status_code
            for path in (ASSET_LINKS, SITE_ASSOCIATION, RELATED)
        ]

    assert answers == [404, 404, 404]
