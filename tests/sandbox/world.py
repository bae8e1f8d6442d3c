"""The outside world as a process of its own, for tests that talk to it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import httpx

ROOT = Path(__file__).resolve().parents[2]
ASHA = "+915550000001"
BEN = "+915550000002"


@contextmanager
def an_open_world(*options: str) -> Iterator[httpx.Client]:
    """Start the sandbox on a free port; gives a client of it, ends both."""
    child = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0", *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    with child, httpx.Client(base_url=address_in(child.stdout.readline())) as client:
        try:
            yield client
        finally:
            child.terminate()


def address_in(line: str) -> str:
    """Read the address out of the line that the sandbox prints at its start."""
    found = re.fullmatch(r"The world is open on (http://127\.0\.0\.1:\d+)/\n", line)
    assert found, line
    return found[1]


def a_text(
    number: int = 1, to: str = ASHA, text: str = "482913 adds a phone"
) -> dict[str, str]:
    """Give a message as the gateway takes it; `number` makes its id."""
    return {"id": str(UUID(int=number)), "to": to, "text": text}


def texts(world: httpx.Client, address: str = ASHA) -> list[str]:
    """Read what has arrived at an address so far."""
    answer = world.get(f"/phones/{address}/inbox").raise_for_status().json()
    return [message["body"]["text"] for message in answer["messages"]]
