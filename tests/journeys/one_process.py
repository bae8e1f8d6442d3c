"""Front door and back door in one process, as `make run` has them, without its seed.

`python -m tests.journeys.one_process`: what a kill test starts again and again. The
outside world is a process of its own then, so that what reached it stays. It can be
told to die right after a commit, see `mortal.py`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop

from app import main, telemetry, worker
from app import settings as app_settings
from app.bank import Bank, open_bank
from app.partners import Role
from app.settings import Settings
from tests.journeys.mortal import make_mortal


@asynccontextmanager
async def both(settings: Settings) -> AsyncIterator[Bank]:
    """Open the bank in both roles and do the worker's part beside it."""
    async with (
        open_bank(settings, frozenset(Role)) as bank,
        asyncio.TaskGroup() as group,
    ):
        make_mortal(bank)
        working = group.create_task(worker.run(bank), name="worker")
        try:
            yield bank
        finally:
            working.cancel()


async def run() -> int:
    """Serve until told to stop; gives the exit code."""
    settings = app_settings.load()
    telemetry.configure(settings.log_format, settings.log_level)
    return await main.serve(settings, opener=lambda: both(settings))


if __name__ == "__main__":
    sys.exit(uvloop.run(run()))
