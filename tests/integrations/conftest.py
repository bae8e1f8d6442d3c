"""The double of Fineract, started once; an adapter connected to it for each test."""

from collections.abc import AsyncIterator, Iterator
from ssl import SSLContext
from typing import Any

import pytest
import stamina
from httpx._config import create_ssl_context
from httpx._transports import default

from app.clock import Clock
from app.integrations.core_banking import fineract
from tests.integrations.fineract_rig import FineractRig, core_banking
from tests.integrations.fineract_world import Town, judged


@pytest.fixture(scope="session")
def _one_list_of_authorities() -> Iterator[None]:
    """Read the authorities that TLS trusts once: 30 ms, for each adapter opened."""
    with pytest.MonkeyPatch.context() as patch:
        found = create_ssl_context()

        def known(verify: Any = True, **other: Any) -> SSLContext:  # noqa: FBT002  -- httpx's own
            return found if verify is True else create_ssl_context(verify, **other)

        patch.setattr(default, "create_ssl_context", known)
        yield


@pytest.fixture(scope="session")
def fineract_rig(
    tmp_path_factory: pytest.TempPathFactory, _one_list_of_authorities: None
) -> Iterator[FineractRig]:
    """Start the double."""
    with core_banking(tmp_path_factory.mktemp("fineract")) as rig:
        yield rig


@pytest.fixture
async def town(fineract_rig: FineractRig) -> AsyncIterator[Town]:
    """Connect the adapter; each request must be as the published contract has it."""
    knobs = fineract_rig.world.get("/_fineract/knobs").json()
    knobs.pop("today")
    clock = Clock()
    core = await fineract.connect(fineract_rig.settings(), clock=clock)
    with stamina.set_testing(True, attempts=2, cap=True), judged(fineract_rig.tap):
        yield Town(core, fineract_rig, clock)
    await core.close()
    await fineract_rig.no_faults()
    fineract_rig.turn(**knobs)
