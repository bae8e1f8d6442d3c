"""How a server ends: unready first, then everybody elsewhere, then nothing is left."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from app import main
from app.settings import Settings
from tests.realtime.patience import within

STATUS = {"query": "{ serviceStatus { component } }"}


@dataclass
class Serving:
    """A server on a free port, and a client with lines that stay open."""

    server: main.Server
    ended: "asyncio.Task[None]"
    http: httpx.AsyncClient
    port: int

    def told_to_end(self) -> None:
        self.server.handle_exit(signal.SIGTERM, None)

    def socket(self) -> connect:
        return connect(
            f"ws://127.0.0.1:{self.port}/graphql",
            subprotocols=[Subprotocol("graphql-transport-ws")],
            proxy=None,
        )

    async def unready(self) -> None:
        """Wait until the balancer would see it."""
        while (await self.http.get("/readyz")).text != "draining\n":
            await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(settings: Settings, lb_delay_s: float) -> AsyncIterator[Serving]:
    chosen = settings.model_copy(update={"lb_delay_s": lb_delay_s, "port": 0})
    app = main.create_app(chosen)
    opened = asyncio.Event()
    server = main.Server(app, main.config_of(app, chosen), opened.set)
    door = main.listen(chosen)
    ended = asyncio.create_task(server.serve(sockets=[door]))
    await within(opened.wait(), 10)
    port = door.getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        yield Serving(server, ended, http, port)
    await within(ended, 10)


async def code_of(client: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as end:
        await within(client.recv())
    assert end.value.rcvd is not None
    return end.value.rcvd.code


async def test_it_answers_on_until_the_balancer_has_seen_it(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, "uvicorn.error")
    monkeypatch.setattr(main, "_SAME_WISH_S", 0)
    async with serving(settings, lb_delay_s=60) as bank:
        before = await bank.http.post("/graphql", json=STATUS)
        bank.told_to_end()
        await within(bank.unready())
        probes = [await bank.http.get(path) for path in ("/livez", "/startupz")]
        answer = await bank.http.post("/graphql", json=STATUS)
        async with bank.socket() as late:
            bank.told_to_end()
            code = await code_of(late)
        await within(bank.ended, 10)

    assert "connection" not in before.headers
    assert [probe.status_code for probe in probes] == [200, 200]
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    assert code == 1012


async def test_after_that_sockets_are_refused_and_sent_away(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "uvicorn.error")
    slow = settings.model_copy(update={"socket_admit_per_s": 2})
    async with serving(slow, lb_delay_s=0) as bank:
        async with bank.socket() as one, bank.socket() as other:
            bank.told_to_end()
            await within(bank.unready())
            first = await code_of(one)
            with pytest.raises(InvalidStatus) as refused:
                await bank.socket()
            codes = {first, await code_of(other)}
        await within(bank.ended, 10)

    assert codes == {1012}
    assert refused.value.response.status_code == 503
    assert 2 <= int(refused.value.response.headers["retry-after"]) <= 20
