"""A login storm from a process of its own: mPIN and passkey, half and half.

`python -m bench.storm` reads one line of JSON (port, world, customers, rate), enrols
its phones and says `ready`. Then each line is a number of seconds: it storms so long
and answers how many sign-ins were done.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle

from bench import phones, sign_ins
from bench.servers import ROOT
from bench.sign_ins import Holder
from mock_mobile_client.enums import FactorKind

FACTORS = (FactorKind.MPIN, FactorKind.WEBAUTHN)


@dataclass(frozen=True, slots=True)
class Storm:
    """A started storm, seen from the bench."""

    process: asyncio.subprocess.Process

    async def begin(self, seconds: float) -> None:
        """Let it storm so long."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seconds}\n".encode())
        await self.process.stdin.drain()

    async def counted(self) -> int:
        """Wait for its end; gives the sign-ins that were done."""
        return int(await self._line())

    async def ready(self) -> None:
        """Wait until its phones are enrolled."""
        if await self._line() != "ready":
            raise SystemExit("the storm did not gather")

    async def _line(self) -> str:
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode().strip()


@asynccontextmanager
async def gathered(order: dict[str, object]) -> AsyncIterator[Storm]:
    """Start the process and enrol its phones; ends it.

    Args:
        order: port of the bank, address of its world, customers, sign-ins a second.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.storm"),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    storm = Storm(process)
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        await storm.ready()
        yield storm
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


async def main() -> None:
    """Storm as often as asked; ends with its input."""
    order = json.loads(await asyncio.to_thread(sys.stdin.readline))
    found = await phones.enrolled(order["port"], order["world"], order["customers"])
    ready = await sign_ins.holders(found)
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        every = len(ready) / order["rate"]
        print(await _storm(ready, every, float(line)), flush=True)
    for phone in found:
        await phone.close()


async def _storm(ready: Sequence[Holder], every_s: float, seconds: float) -> int:
    """Let each phone sign in once per `every_s`, evenly spread."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        lanes = [
            group.create_task(
                _lane(holder, began + every_s * turn / len(ready), every_s, seconds)
            )
            for turn, holder in enumerate(ready)
        ]
    return sum(lane.result() for lane in lanes)


async def _lane(holder: Holder, due: float, every_s: float, seconds: float) -> int:
    """Sign in when due, by turns with each factor; who is late does not wait."""
    end, done = due + seconds, 0
    for factor in cycle(FACTORS):
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if time.monotonic() >= end:
            break
        await holder.sign_in(factor)
        done, due = done + 1, due + every_s
    return done


if __name__ == "__main__":
    asyncio.run(main())
