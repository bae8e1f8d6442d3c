"""A push provider set up to be tried."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from app.integrations.push import PushProvider
from tests.integrations.kit.rig import PushRig


@dataclass(frozen=True, slots=True)
class PushBench:
    """One provider, opened as the bank opens it."""

    module: Any
    provider: PushProvider
    rig: PushRig

    @classmethod
    @asynccontextmanager
    async def opened(cls, module: Any, rig: PushRig) -> AsyncIterator["PushBench"]:
        """Connect a provider, and close it."""
        provider = await module.connect(rig.settings(), clock=rig.clock)
        try:
            yield cls(module, provider, rig)
        finally:
            await rig.no_faults()
            await provider.close()

    @asynccontextmanager
    async def anew(self, **chosen: bool) -> AsyncIterator[PushProvider]:
        """Connect once more, as a process that starts again."""
        provider = await self.module.connect(
            self.rig.settings(**chosen), clock=self.rig.clock
        )
        try:
            yield provider
        finally:
            await provider.close()
