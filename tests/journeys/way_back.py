"""A bank in this process, over real HTTP, whose time moves: for who lost something.

A day passes by writing a file; nobody waits. What reaches the outside world arrives at
the sandbox, which runs here as well.
"""

import asyncio
import base64
import dataclasses
import functools
import socket
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest
import uvicorn
from starlette.types import ASGIApp

from app import desk, main, worker
from app import settings as app_settings
from app.auth.standing import NewCustomer, Staff
from app.bank import Bank
from app.ids import uuid7
from app.integrations.core_banking import CanSeed
from app.integrations.outcome import OpRef
from app.money import Money
from app.schema.transport.wire import Wire
from app.settings import Settings
from mock_mobile_client import devices, vouching
from mock_mobile_client.documents import manifest
from mock_mobile_client.enums import DeviceState, FactorKind, PaymentStatus, Platform
from mock_mobile_client.errors import PhoneError, Refused
from mock_mobile_client.handset import Level, Setting
from mock_mobile_client.money import money
from mock_mobile_client.people import Person
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import ITERATIONS_MIN, PinBlob
from mock_mobile_client.store import MemoryStore
from mock_mobile_client.values import DeviceRow, DeviceValue
from sandbox.app import create_app
from sandbox.line import Line
from tests.journeys.one_process import both

STAFF = Staff(name="desk", reason="a customer lost something")
PIN, NEW_PIN, WRONG_PIN = "480257", "739216", "508143"
ACCOUNTS = ("Everyday", "Savings")
OPENING = Money(100_000, "INR")
RING = f"1 {base64.b64encode(bytes(range(32))).decode()}\n"
# Ten codes a minute to a number: enough for everybody here, and soon used up.
FACTOR = 10
ASKED_WITHIN_S = 20


@dataclass
class Town:
    """An open bank, the outside world, and how far time was moved."""

    bank: Bank
    url: str
    sandbox: str
    clock_file: Path
    ahead: timedelta = timedelta(0)
    people: int = 0

    def later(self, **parts: float) -> None:
        """Let time pass for bank, world and phones, by the parts of a timedelta."""
        self.ahead += timedelta(**parts)
        self.clock_file.write_text(f"{self.ahead.total_seconds():.0f}\n")

    def now(self) -> float:
        return self.bank.clock.now().timestamp()


@dataclass
class Story:
    """One customer who loses something, and the phones in the story."""

    town: Town
    stack: AsyncExitStack = field(repr=False)

    async def customer(self) -> Person:
        """Add a customer with two accounts and the code of a letter."""
        self.town.people += 1
        bank, digits = self.town.bank, f"{self.town.people:04d}"
        number, phone = f"3000{digits}", f"+91777000{digits}"
        new = NewCustomer(name="Dana New", phone=phone, number=number)
        added = await desk.customers_add(bank, STAFF, new)
        for name in ACCOUNTS:
            wish = f"CURRENT:{name}:INR"
            account = await desk.account_open(bank, STAFF, added.id, wish)
            assert isinstance(bank.core, CanSeed)
            op = OpRef(uuid7(), b"opening")
            await bank.core.deposit(op, account.ref, OPENING, "Opening balance")
        code = await desk.customers_code(bank, STAFF, number)
        return Person("Dana", number, phone, code, PIN, Platform.ANDROID, "Pixel 9")

    def phone(self, owner: Person, number: int = 1, wrong_s: float = 0) -> Phone:
        """Give a new phone; its own clock may be wrong."""
        setting = Setting(
            MemoryStore(),
            ITERATIONS_MIN,
            lambda: self.town.now() + wrong_s,
            by_id=number == 1,  # the bank takes listed operations only, either way
        )
        name, world = f"Dana-{number}", (self.town.url, self.town.sandbox)
        phone = Phone(name, *world, setting, owner)
        self.stack.push_async_callback(phone.close)
        return phone

    async def young(self, owner: Person, number: int = 1) -> Phone:
        """Give a phone that was enrolled just now with a code of its own."""
        phone = await self._enrolled(owner, number)
        await phone.login()
        return phone

    async def grown(self, owner: Person, count: int = 1) -> tuple[Phone, ...]:
        """Give phones whose waiting time is over, signed in."""
        found = [await self._enrolled(owner, number + 1) for number in range(count)]
        self.a_day_later()
        for phone in found:
            await phone.login()
            assert await state_of(phone) is DeviceState.ACTIVE
        return tuple(found)

    async def _enrolled(self, owner: Person, number: int) -> Phone:
        phone = self.phone(owner, number)
        await phone.bind_anew(await self.code(owner) if number > 1 else None)
        await phone.set_mpin()
        return phone

    def copy_of(self, phone: Phone) -> Phone:
        """Give what a thief has who took a phone, or copied all that lies on it."""
        taken = self.phone(phone.owner)
        taken.handset.keep(**vars_of(phone))
        taken.name = taken.handset.name = phone.name
        return taken

    async def code(self, owner: Person) -> dict[str, str]:
        """Let the desk print an activation code; gives it as a proof of identity."""
        bank, number = self.town.bank, owner.number
        return {"activationCode": await desk.customers_code(bank, STAFF, number)}

    async def reset_code(self, owner: Person) -> dict[str, str]:
        bank, number = self.town.bank, owner.number
        printed = await desk.customers_reset_factors(bank, STAFF, number)
        return {"activationCode": printed}

    def a_day_later(self) -> None:
        self.town.later(hours=24, minutes=1)

    async def settled(self) -> None:
        """Let the worker write what time did to phones."""
        await worker.settle(self.town.bank)

    def cooling_h(self, device: DeviceValue | DeviceRow) -> int:
        """Give for how many hours a phone has to wait from now on."""
        assert device.state is DeviceState.COOLING
        assert device.cooling_until is not None
        until = datetime.fromisoformat(device.cooling_until)
        return round((until.timestamp() - self.town.now()) / 3600)


def vars_of(phone: Phone) -> dict[str, object]:
    state = phone.handset.state
    return {one.name: getattr(state, one.name) for one in dataclasses.fields(state)}


async def row_of(phone: Phone, other: Phone | None = None) -> DeviceRow:
    """Read a phone, or another one of the customer, from its list."""
    return await devices.find(phone.session, (other or phone).handset.device_id)


async def state_of(phone: Phone, other: Phone | None = None) -> DeviceState:
    return (await row_of(phone, other)).state


async def refused(call: Awaitable[object]) -> str:
    """Give the code of a refusal that must come."""
    with pytest.raises(Refused) as no:
        await call
    return no.value.code


async def works(phone: Phone, factor: FactorKind = FactorKind.MPIN) -> None:
    """Sign in, see the accounts, move money."""
    await phone.login(factor)
    paid = await phone.pay("Savings", money("1.00 INR"), factor)
    assert paid.status is PaymentStatus.SETTLED


async def let_in(old: Phone, new: Phone) -> DeviceValue:
    """Enrol a phone that an older one vouches for."""
    async with asyncio.TaskGroup() as tasks:
        binding = tasks.create_task(new.bind_anew({"otherDevice": True}))
        asked = await vouching.waiting(old.handset, ASKED_WITHIN_S)
        await vouching.approve(old.session, asked)
    return binding.result()


async def doors(phone: Phone) -> list[str]:
    """Try every door with all that lies on a phone; gives those that opened."""
    handset, opened = phone.handset, []
    refresh = {"input": {"refreshToken": handset.state.refresh_token}}
    calls = [("home", {}, Level.LOGIN), ("token_refresh", refresh, Level.DEVICE)]
    for name, given, level in calls:
        try:
            await handset.call(name, given, level)
        except PhoneError:
            continue
        opened.append(name)
    for factor in (FactorKind.MPIN, FactorKind.WEBAUTHN, FactorKind.BIOMETRIC):
        try:
            await phone.login(factor)
        except PhoneError:
            continue
        opened.append(f"sign-in by {factor}")
    return opened


# ------------------------------------------------------------------ serving


def settings_of(folder: Path, port: int, database_url: str, documents: str) -> Settings:
    """Give the settings of a bank where a code works once and a number tires soon."""
    ring, lists = folder / "ring.keys", folder / "documents"
    ring.write_text(RING)
    lists.mkdir()
    (lists / "1.0.0.json").write_bytes(orjson.dumps(manifest()))
    return app_settings.load(
        env="test",
        port=port,
        public_url=f"http://localhost:{port}",
        database_url=database_url,
        database_synchronous="OFF",
        database_pool_min=1,
        clock_offset_file=folder / "clock",
        sealing_keys_file=ring,
        pepper_file=ring,
        activation_reusable=False,
        limit_factor=FACTOR,
        push=("console",),
        documents=documents,
        documents_dir=lists,
    )


@asynccontextmanager
async def a_town(
    folder: Path, database_url: str, documents: str = "open"
) -> AsyncIterator[Town]:
    """Open bank and world in this loop; phones call them over the wire."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.clock._LOOK_EVERY_S", 0.0)
        # Masking is slow on purpose; the same PIN over the same blob is masked once.
        patch.setattr("mock_mobile_client.enrolment.PAUSE_S", 0.05)
        patch.setattr(PinBlob, "open", functools.lru_cache(PinBlob.open))
        patch.setattr("mock_mobile_client.enrolment.PAUSE_S", 0.05)
        clock_file, line = folder / "clock", Line()
        async with listening(create_app(line, clock_file), line) as world:
            patch.setenv("SIXPENCE_SMS_HTTP_BASE_URL", f"http://127.0.0.1:{world}")
            port = a_door()
            number = port.getsockname()[1]
            settings = settings_of(folder, number, database_url, documents)
            door = main.create_app(settings, lambda: both(settings))
            async with listening(door, None, port):
                sandbox = f"http://127.0.0.1:{world}"
                bank: Bank = door.state.bank
                yield Town(bank, settings.public_url, sandbox, clock_file)


def a_door() -> socket.socket:
    # Named as TCP, or asyncio leaves Nagle on and each answer waits 40 ms for an ACK.
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.bind(("127.0.0.1", 0))
    return door


@asynccontextmanager
async def listening(
    app: ASGIApp, line: Line | None = None, door: socket.socket | None = None
) -> AsyncIterator[int]:
    """Serve an application; gives its port."""
    chosen = door or a_door()
    config = uvicorn.Config(
        app,
        ws=Wire,
        lifespan="on",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    if line is not None:
        line.belongs_to(server)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve(sockets=[chosen]))
        while not server.started:
            assert not serving.done(), "the bank did not open"
            await asyncio.sleep(0.01)
        yield int(chosen.getsockname()[1])
        if line is not None:
            line.close()
        server.should_exit = True
        await serving
