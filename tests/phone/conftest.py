"""The fake bank as a started server, and phones with it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
import uvicorn

from mock_mobile_client import pin
from mock_mobile_client.handset import Setting
from mock_mobile_client.phone import Phone
from mock_mobile_client.store import MemoryStore, Store
from tests.phone.fake_edge import FakeEdge
from tests.phone.fake_owner import OwnerBank

ROUNDS = 1_000  # the floor has tests of its own; here every sign-in would cost 50 ms


@dataclass(frozen=True)
class Fake:
    """A started fake: bank, edge and address (the sandbox's, too)."""

    bank: OwnerBank
    edge: FakeEdge
    url: str

    def phone(self, name: str, store: Store | None = None) -> Phone:
        """A phone of this bank, quick at masking."""
        setting = Setting(store or MemoryStore(), ROUNDS)
        return Phone(name, self.url, self.url, setting)


@pytest_asyncio.fixture
async def fake(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fake]:
    """A fake bank, listening on a port of its own."""
    monkeypatch.setattr(pin, "ITERATIONS_MIN", ROUNDS)
    # Named as TCP, or asyncio leaves Nagle on and each answer waits 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    # A passkey belongs to a domain; an address of numbers has none.
    url = f"http://localhost:{listener.getsockname()[1]}"
    bank = OwnerBank(url)
    edge = FakeEdge(bank, url)
    config = uvicorn.Config(
        edge.app, log_level="critical", ws="websockets-sansio", lifespan="off"
    )
    server = uvicorn.Server(config)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield Fake(bank, edge, url)
        server.should_exit = True
        await serving
