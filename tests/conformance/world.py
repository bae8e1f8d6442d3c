"""The real bank behind its server, with four doors: settings differ, the bank does not.

All doors stand before one bank, in this process, served as `app.main` serves.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from app import main
from app.bank import Bank
from app.realtime.sockets import Sockets
from app.settings import Environment
from mock_mobile_client.phone import Phone
from tests.journeys.way_back import Story, Town, a_door, a_town

LISTED = "https://app.example"


@dataclass
class World:
    """Where the doors are, and one customer's phone.

    Attributes:
        town: the bank and the time that passes there.
        real: port of the bank as it is, with the rates of a demonstration.
        strict: port of a door with production's rates that pings very soon.
        hasty: port of a door that waits for a first message for a moment only.
        production: port of a door with the answers of production.
        mobile: a phone that signed in once.
    """

    town: Town
    real: int
    strict: int
    hasty: int
    production: int
    stack: AsyncExitStack = field(repr=False)
    mobile: Phone | None = None
    is_signed_in: bool = False

    async def phone(self) -> Phone:
        """Give the phone, signed in."""
        if self.mobile is None:
            story = Story(self.town, self.stack)
            self.mobile = await story.young(await story.customer())
        elif not self.is_signed_in:
            await self.mobile.login()
        self.is_signed_in = True
        return self.mobile

    def later(self, **parts: float) -> None:
        """Let time pass; who was signed in no longer is."""
        self.town.later(**parts)
        self.is_signed_in = False


@asynccontextmanager
async def a_world(folder: Path, database_url: str) -> AsyncIterator[World]:
    """Open the bank with its doors."""
    async with AsyncExitStack() as stack:
        town = await stack.enter_async_context(a_town(folder, database_url))
        bank, settings = town.bank, town.bank.settings
        real = settings.model_copy(update={"allowed_origins": (LISTED,)})
        pings = {"socket_ping_s": 0.3, "socket_pong_s": 1.0}
        strict = settings.model_copy(update={"limit_factor": 1, **pings})
        hasty = settings.model_copy(update={"socket_init_s": 0.2})
        # Trusted documents would refuse every audit: those are about the protocol.
        live = settings.model_copy(
            update={
                "env": Environment.PRODUCTION,
                "introspection": False,
                "documents": "open",
            }
        )
        own = Sockets(strict, bank.clock)
        wheel = asyncio.ensure_future(own.run())
        stack.callback(wheel.cancel)
        banks = [
            dataclasses.replace(bank, settings=real),
            dataclasses.replace(bank, settings=strict, sockets=own),
            dataclasses.replace(bank, settings=hasty),
            dataclasses.replace(bank, settings=live),
        ]
        ports = [await stack.enter_async_context(_serving(one)) for one in banks]
        yield World(town, ports[0], ports[1], ports[2], ports[3], stack)


@asynccontextmanager
async def _serving(bank: Bank) -> AsyncIterator[int]:
    """Serve an opened bank under its settings; gives the port."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Bank]:
        yield bank

    app = main.create_app(bank.settings, opened)
    server = uvicorn.Server(main.config_of(app, bank.settings))
    door = a_door()
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve(sockets=[door]))
        while not server.started:
            assert not serving.done(), "the door did not open"
            await asyncio.sleep(0.01)
        yield int(door.getsockname()[1])
        server.should_exit = True
        await serving
