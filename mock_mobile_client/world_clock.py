"""The clock of bank and outside world, where the sandbox lets a proof move it."""

import asyncio
from dataclasses import dataclass

import httpx

from mock_mobile_client.lines import line

NOTICED_S = 0.5  # the bank looks at its clock's file four times a second
TIMEOUT_S = 10.0
SKIPPED = "needs a movable clock: skipped, partly"


@dataclass(frozen=True, slots=True)
class WorldClock:
    """Moves the time of bank and sandbox, never back.

    Attributes:
        sandbox: Address of the outside world.
    """

    sandbox: str

    async def offset_s(self) -> float:
        """Seconds that bank and sandbox are ahead of the machine; 0 if unknown."""
        address = f"{self.sandbox.rstrip('/')}/_clock"
        try:
            async with line(address, TIMEOUT_S) as http:
                shown = (await http.get(address)).raise_for_status().json()
                return float(shown["offset_s"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return 0.0

    async def forward(self, seconds: int) -> bool:
        """Move time on and wait until the bank has noticed.

        False where there is no sandbox, or no clock that can be moved.
        """
        address = f"{self.sandbox.rstrip('/')}/_clock"
        try:
            async with line(address, TIMEOUT_S) as http:
                shown = (await http.get(address)).raise_for_status().json()
                if not shown["movable"]:
                    return False
                offset_s = int(shown["offset_s"]) + seconds
                moved = await http.put(address, json={"offset_s": offset_s})
                moved.raise_for_status()
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return False
        await asyncio.sleep(NOTICED_S)
        return True
