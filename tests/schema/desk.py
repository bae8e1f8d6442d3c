"""A phone before the real contract, with the notifications room behind it."""

from dataclasses import dataclass
from typing import Any, cast

from app.auth.actor import Actor
from app.auth.devices import Devices
from app.auth.standing import Profile
from app.clock import StoppedClock
from app.ids import CustomerId
from app.schema.context import Context
from app.schema.execution import Call, Channel, Engine
from app.schema.masking import Answer
from app.schema.root import SCHEMA
from app.settings import Settings
from app.vault import Vault
from tests.notifications.world import World


@dataclass
class Bank:
    """The services these fields call."""

    world: World
    devices: Devices
    settings: Settings
    touched: int = 0

    @property
    def sessions(self) -> "Bank":
        return self

    @property
    def customers(self) -> "Bank":
        return self

    @property
    def addresses(self) -> object:
        return self.world.addresses

    @property
    def acknowledgements(self) -> object:
        return self.world.acknowledgements

    @property
    def inbox(self) -> object:
        return self.world.inbox

    @property
    def fates(self) -> object:
        return self.world.fates

    async def touch(self, _actor: Actor) -> None:
        self.touched += 1

    async def profile(self, customer: CustomerId) -> Profile:
        return Profile(id=customer, name="Asha Rao", masked_phone="••10", locale="en")


@dataclass
class Desk:
    """A phone before the real contract."""

    world: World
    bank: Bank
    phone: Actor
    engine: Engine

    async def ask(
        self,
        document: str,
        given: dict[str, object],
        *,
        actor: Actor | None = None,
        over: Channel = Channel.HTTP,
    ) -> Answer:
        """Send a document whose one variable is `$input`."""
        return await self.run(document, {"input": given}, actor=actor, over=over)

    async def run(
        self,
        document: str,
        variables: dict[str, object],
        *,
        actor: Actor | None = None,
        over: Channel = Channel.HTTP,
    ) -> Answer:
        context = Context(
            bank=cast("Any", self.bank), actor=actor or self.phone, request_id="r"
        )
        call = Call(document, variables=variables)
        return await self.engine.run(context, call, over=over)

    async def data(self, document: str, given: dict[str, object], **rest: Any) -> Any:
        return found_in(await self.ask(document, given, **rest))


def found_in(answer: Answer) -> Any:
    """Give the value of the one root field."""
    assert "errors" not in answer.body, answer.body
    (found,) = cast("dict[str, Any]", answer.body["data"]).values()
    return found


async def a_desk(settings: Settings, clock: StoppedClock, vault: Vault) -> Desk:
    """Give a signed-in phone without an address."""
    world = World(settings, clock, vault)
    nobody = cast("Any", None)
    devices = Devices(
        clock=clock,
        settings=settings,
        directory=nobody,
        otps=nobody,
        outbox=nobody,
        proofs=nobody,
        attestations=nobody,
        moves=nobody,
    )

    async def toll(_actor: Actor, _points: int) -> None:
        return None

    engine = Engine(SCHEMA, settings, clock, toll)
    bank = Bank(world, devices, settings)
    return Desk(world, bank, await world.phone(CustomerId.new()), engine)
