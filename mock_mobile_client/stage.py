"""What the scenario and the proofs have in common: who plays, and what stood before."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from mock_mobile_client import devices
from mock_mobile_client.enums import DeviceState
from mock_mobile_client.errors import NotReady, Refused, expect
from mock_mobile_client.handset import Setting
from mock_mobile_client.live import Live
from mock_mobile_client.money import MoneyValue
from mock_mobile_client.people import Person, person
from mock_mobile_client.phone import EVERYDAY, Phone, introduce
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.values import BalanceValue, HomeValue, PaymentValue
from mock_mobile_client.world_clock import WorldClock

SAVINGS = "Savings"
WAITING_S = 24 * 3600 + 60
Tell = Callable[[str], None]
T = TypeVar("T")


@dataclass(slots=True)
class Stage:
    """What the scenario carries from step to step."""

    asha: Phone
    ben: Phone
    open_streams: AsyncExitStack
    asha_at_first: HomeValue | None = None
    asha_live: Live | None = None
    ben_live: Live | None = None
    asha_before: BalanceValue | None = None
    ben_before: BalanceValue | None = None
    abroad: PaymentValue | None = None
    abroad_before: BalanceValue | None = None
    gone: MoneyValue | None = None

    @property
    def streams(self) -> tuple[Live, Live]:
        """Both live streams, Asha's first."""
        return present(self.asha_live), present(self.ben_live)


def silent(_: str) -> None:
    """Tell nobody."""


def present(value: T | None) -> T:
    """What an earlier step left."""
    if value is None:
        raise NotReady("an earlier step of the scenario is missing")
    return value


async def everyday(phone: Phone) -> BalanceValue:
    """Fresh figures of the account everybody has."""
    return present((await phone.account(EVERYDAY)).balance)


async def moved(
    phone: Phone, before: BalanceValue | None, by: MoneyValue
) -> BalanceValue:
    """Fresh figures, which must differ from those before by exactly this much."""
    was, fresh = present(before), await everyday(phone)
    expected = was.available.plus(by)
    expect(f"{phone.name}'s available balance", expected, fresh.available)
    expect(f"{phone.name}'s held money", was.held, fresh.held)
    return fresh


async def grow_up(phones: Sequence[Phone], clock: WorldClock) -> bool:
    """Let the waiting time of these phones pass; False where time cannot be moved."""
    rows = [await devices.find(p.session, p.handset.device_id) for p in phones]
    if all(row.state is DeviceState.ACTIVE for row in rows):
        return True
    if not await clock.forward(WAITING_S):
        return False
    for phone in phones:
        await phone.login()
    return True


def holding(name: str, like: Phone) -> Person:
    """Give a person of the demo who holds a phone of the same make."""
    return replace(person(name), platform=like.owner.platform)


async def bound_anew(phone: Phone) -> None:
    """Enrol a phone as if it were new, and sign in; its waiting time runs again."""
    if phone.handset.state.key_pem is not None:
        try:
            await devices.forget(phone.handset)
        except Refused:
            phone.handset.unbind()  # the bank forgot it already
    await phone.start()


@asynccontextmanager
async def asha_and_ben(
    url: str, sandbox: str, setting: Setting | None
) -> AsyncIterator[tuple[Phone, Phone]]:
    """Two phones, signed in, each a saved payee of the other."""
    used = setting or Setting(iterations=ITERATIONS_MIN)
    async with (
        Phone("Asha-1", url, sandbox, used) as asha,
        Phone("Ben-1", url, sandbox, used) as ben,
    ):
        await asha.start()
        await ben.start()
        await introduce(asha, ben)
        await introduce(ben, asha)
        yield asha, ben
