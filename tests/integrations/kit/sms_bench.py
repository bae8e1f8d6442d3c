"""A text gateway set up to be tried."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from app.integrations.sms import SmsSender
from tests.integrations.kit.rig import SmsRig


@dataclass(frozen=True, slots=True)
class SmsBench:
    """One gateway, opened as the bank opens it."""

    module: Any
    sender: SmsSender
    rig: SmsRig

    @classmethod
    @asynccontextmanager
    async def opened(cls, module: Any, rig: SmsRig) -> AsyncIterator["SmsBench"]:
        """Connect a gateway, and close it."""
        sender = await module.connect(rig.settings(), clock=rig.clock)
        try:
            yield cls(module, sender, rig)
        finally:
            await rig.no_faults()
            await sender.close()

    @asynccontextmanager
    async def anew(self, **chosen: bool) -> AsyncIterator[SmsSender]:
        """Connect once more, as a process that starts again."""
        sender = await self.module.connect(
            self.rig.settings(**chosen), clock=self.rig.clock
        )
        try:
            yield sender
        finally:
            await sender.close()
