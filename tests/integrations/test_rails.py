"""What our own rails say beyond what the contract kit asks of every rail."""

from collections.abc import AsyncIterator, Iterator

import pytest
import stamina

from app import adapters
from app.integrations.outcome import Ok, PortCode, Rejected, Unknown
from app.integrations.rails import RailStatus
from app.money import zero
from tests.integrations import imps_rig
from tests.integrations.kit.rail_bench import RailBench, an_op

PORT = "app.integrations.rails"
NAMES = ["imps", "on_us"]


@pytest.fixture(autouse=True)
def _tries_without_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[imps_rig.ImpsRig]:
    with imps_rig.rails(tmp_path_factory.mktemp("rig")) as opened:
        yield opened


@pytest.fixture
async def imps(rig: imps_rig.ImpsRig) -> AsyncIterator[RailBench]:
    async with RailBench.opened(adapters.load(PORT, "imps"), rig) as opened:
        yield opened


def test_every_rail_has_settings_of_its_own_block() -> None:
    assert adapters.choices(PORT) == NAMES
    for name in NAMES:
        prefix = adapters.load(PORT, name).Settings.model_config["env_prefix"]
        assert prefix == f"SIXPENCE_RAILS_{name.upper()}_"


async def test_the_instant_rail_costs_nothing(imps: RailBench) -> None:
    assert (await imps.rail.quote(imps.order())).fee == zero("INR")


@pytest.mark.parametrize("status", [503, 425, 418])
async def test_a_status_that_says_nothing_is_unknown_and_asking_tells_the_truth(
    imps: RailBench, rig: imps_rig.ImpsRig, status: int
) -> None:
    op = an_op()
    rig.rule({"kind": "http-status", "reply": status, "count": 1})

    lost = await imps.rail.submit(op, imps.order())
    asked = await imps.rail.status(op, imps.context())
    again = await imps.rail.submit(op, imps.order())

    assert isinstance(lost, Unknown)
    assert asked == Rejected(PortCode.NEVER_SEEN)
    assert isinstance(again, Ok)
    assert again.value.status is RailStatus.SETTLED
    assert await rig.effects([op]) == 1
