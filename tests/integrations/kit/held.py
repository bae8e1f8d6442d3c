"""What this process holds open: sockets, threads, tasks. Close must let go of it."""

import asyncio
import os
import stat
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

SETTLES_S = 2.0
_FILES = Path("/dev/fd")


def open_things() -> Counter[str]:
    """Count them; threads of the loop's own pool are not an adapter's."""
    threads = [one.name for one in threading.enumerate()]
    return Counter(
        sockets=sum(_is_socket(int(one.name)) for one in _FILES.iterdir()),
        threads=sum(not name.startswith("asyncio_") for name in threads),
        tasks=len(asyncio.all_tasks()),
    )


async def all_let_go(before: Counter[str]) -> Counter[str]:
    """Wait until no more is open than before; gives what still is.

    The other end of a connection, if it is in this process, needs a moment to see it.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + SETTLES_S
    while (left := open_things() - before) and loop.time() < until:
        await asyncio.sleep(0.01)
    return left


def _is_socket(number: int) -> bool:
    with suppress(OSError):
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    return False
