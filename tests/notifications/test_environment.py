"""An iPhone's address that turns out to be of Apple's other environment."""

from app.auth.actor import Actor
from app.ids import CustomerId
from app.integrations.push import PushKind, Sent
from app.notifications.addresses import AddressWish, PushEnvironment
from tests.notifications.world import FakeProvider, World, address_of, money


class Apple(FakeProvider):
    """Finds every address in the environment of builds under development."""

    kinds = frozenset({PushKind.APNS})

    def __init__(self) -> None:
        super().__init__()
        self.answer = lambda message: Sent(
            message.id,
            None if message.environment == "DEVELOPMENT" else "DEVELOPMENT",
        )


async def an_iphone(world: World, customer: CustomerId) -> Actor:
    actor = await world.phone(customer)
    wish = AddressWish(kind=PushKind.APNS, value="a1" * 32, app_id="bank.app")
    await world.addresses.set(actor, wish)
    return actor


async def test_where_an_address_was_found_is_remembered_and_that_it_is_proven(
    world: World, asha: CustomerId
) -> None:
    apple = Apple()
    worker = world.another_worker(apple)
    phone = await an_iphone(world, asha)
    for _ in range(2):
        await world.tell(money(asha, world.clock))
        await worker.turn()

    row = await address_of(phone)
    assert row is not None
    assert row.get("environment", PushEnvironment) is PushEnvironment.DEVELOPMENT
    assert row.get("state", str) == "ACTIVE"
    told = [(one.environment, one.proven) for one in apple.got]
    assert told == [("PRODUCTION", False), ("DEVELOPMENT", True)]
