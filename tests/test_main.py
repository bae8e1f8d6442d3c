"""The front door around a real bank: the edge, the page, the probes, the keys."""

import asyncio
import base64
import json
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from app import database, main, probes
from app.main import FrontDoor
from app.schema import root
from app.schema.transport.wire import Wire
from app.settings import Environment, Settings

STATUS = {"query": "{ serviceStatus { component state } }"}


@asynccontextmanager
async def an_open_door(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = main.create_app(settings)
    async with app.router.lifespan_context(app), a_client(app) as client:
        yield client


def a_client(app: FrontDoor) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url="http://bank.test")


async def test_anybody_may_ask_how_the_bank_is(settings: Settings) -> None:
    async with an_open_door(settings) as client:
        answer = await client.post("/graphql", json=STATUS)

    assert answer.status_code == 200
    assert answer.json()["data"]["serviceStatus"] == [
        {"component": name, "state": "OPERATIONAL"}
        for name in ("LOGIN", "ACCOUNTS", "TRANSFERS", "NOTIFICATIONS")
    ]
    assert len(answer.headers["dpop-nonce"]) == 43


async def test_an_app_is_told_whether_it_may_go_on(settings: Settings) -> None:
    document = """{ appPolicy(platform: IOS, version: "0.9.0") {
      minVersion latestVersion mustUpgrade storeUrl features { name } } }"""
    strict = settings.model_copy(update={"min_app_version": "1.0.0"})

    async with an_open_door(strict) as client:
        answer = await client.post("/graphql", json={"query": document})

    assert answer.json()["data"]["appPolicy"] == {
        "minVersion": "1.0.0",
        "latestVersion": "1.0.0",
        "mustUpgrade": True,
        "storeUrl": None,
        "features": [],
    }


async def test_the_page_says_what_this_is_without_a_script(settings: Settings) -> None:
    async with an_open_door(settings) as client:
        page = await client.get("/")

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>Sixpence</h1>" in page.text
    assert "OPERATIONAL" in page.text
    assert 'href="/schema.graphql"' in page.text
    assert "<script" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert len(page.headers["x-request-id"]) == 16


async def test_programs_get_the_status_without_graphql(settings: Settings) -> None:
    async with an_open_door(settings) as client:
        status = (await client.get("/status.json")).json()

    first = status["serviceStatus"][0]
    assert first.pop("since").endswith("Z")
    assert first == {
        "component": "LOGIN",
        "state": "OPERATIONAL",
        "successRate1m": None,
        "p95Ms": None,
        "automatic": True,
    }


async def test_developers_find_the_contract_here(settings: Settings) -> None:
    async with an_open_door(settings) as client:
        shown = await client.get("/schema.graphql")

    assert shown.status_code == 200
    assert shown.text == root.sdl()
    assert "directive @auth" in shown.text


async def test_production_keeps_the_contract_to_itself(
    settings: Settings, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"1 {base64.b64encode(bytes(32)).decode()}\n")
    files = {"sealing_keys_file": keys, "pepper_file": keys}
    chosen = {"env": Environment.PRODUCTION, "rails": ("on_us",)}
    live = settings.model_copy(update=chosen | files)

    async with an_open_door(live) as client:
        hidden = await client.get("/schema.graphql")
        page = await client.get("/")

    assert hidden.status_code == 404
    assert "/schema.graphql" not in page.text
    assert page.headers["strict-transport-security"].startswith("max-age=31536000")


async def test_the_keys_of_the_tokens_are_public_and_only_public(
    settings: Settings,
) -> None:
    async with an_open_door(settings) as client:
        answer = await client.get("/.well-known/jwks.json")

    keys = answer.json()["keys"]
    assert answer.headers["content-type"] == "application/jwk-set+json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert [sorted(key) for key in keys] == [
        ["alg", "crv", "kid", "kty", "use", "x", "y"]
    ] * 2  # today's and tomorrow's, without their secret halves


@pytest.mark.parametrize("probe", ["/livez", "/readyz", "/startupz"])
async def test_an_open_bank_is_alive_ready_and_started(
    settings: Settings, probe: str
) -> None:
    async with an_open_door(settings) as client:
        answer = await client.get(probe)

    assert (answer.status_code, answer.text) == (200, "ok\n")


async def test_before_the_bank_is_open_only_the_loop_turns(settings: Settings) -> None:
    async with a_client(main.create_app(settings)) as client:
        answers = [
            (await client.get(probe)).status_code
            for probe in ("/livez", "/readyz", "/startupz")
        ]

    assert answers == [200, 503, 503]


async def test_a_bank_that_lost_its_database_is_alive_and_not_ready(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_args: object) -> None:
        raise OSError("the disk is gone")

    async with an_open_door(settings) as client:
        monkeypatch.setattr(database, "read", lost)
        ready = await client.get("/readyz")
        alive = await client.get("/livez")

    assert (ready.status_code, ready.text) == (503, "database does not answer\n")
    assert alive.status_code == 200


@pytest.mark.only("sqlite")  # one transaction at a time
async def test_a_bank_whose_transaction_hangs_is_not_ready_for_another(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, over = asyncio.Event(), asyncio.Event()

    async def hangs(_tx: database.Tx) -> None:
        inside.set()
        await over.wait()

    monkeypatch.setattr(probes, "_DATABASE_S", 0.05)
    async with an_open_door(settings) as client:
        hanging = asyncio.ensure_future(database.transaction(hangs, name="test"))
        await inside.wait()
        meanwhile = await client.get("/readyz")
        over.set()
        await hanging
        monkeypatch.undo()
        after = await client.get("/readyz")

    assert (meanwhile.status_code, after.status_code) == (503, 200)


async def test_the_figures_are_prometheus_text(settings: Settings) -> None:
    async with an_open_door(settings) as client:
        await client.post("/graphql", json=STATUS)
        figures = (await client.get("/metrics")).text

    assert 'sixpence_operations_total{kind="query"}' in figures


async def test_other_paths_are_not_found(settings: Settings) -> None:
    async with an_open_door(settings) as client:
        answers = [await client.get(path) for path in ("/graphql/", "/admin", "/.env")]

    assert [answer.status_code for answer in answers] == [404, 404, 404]


async def test_a_server_that_ends_tells_its_sockets_when_to_come_back(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "uvicorn.error")
    app = main.create_app(settings)
    config = uvicorn.Config(
        app, port=0, ws=Wire, lifespan="on", log_config=None, access_log=False
    )
    opened = asyncio.Event()
    server = main.Server(app, config, opened.set)
    serving = asyncio.create_task(server.serve())
    await asyncio.wait_for(opened.wait(), 10)
    port = server.servers[0].sockets[0].getsockname()[1]

    async with connect(
        f"ws://127.0.0.1:{port}/graphql",
        subprotocols=[Subprotocol("graphql-transport-ws")],
        proxy=None,
    ) as client:
        server.handle_exit(signal.SIGTERM, None)
        with pytest.raises(ConnectionClosed) as end:
            await asyncio.wait_for(client.recv(), 5)
    await asyncio.wait_for(serving, 10)

    assert end.value.rcvd is not None
    assert end.value.rcvd.code == 1012
    assert 500 <= json.loads(end.value.rcvd.reason)["retryAfterMs"] <= 504
