"""A second web process beside a started bank: the same books, keys and public URL."""

import signal
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import httpx

from tests.journeys.bank_process import (
    READY_WITHIN_S,
    BankProcess,
    environment,
    free_port,
)
from tests.journeys.warm import Process, launch


@contextmanager
def a_second_web(bank: BankProcess, **more: str) -> Iterator[str]:
    """Start it with the rates of production, give its address, end it.

    Args:
        bank: whose books it serves.
        more: settings that differ, without their prefix.
    """
    with more_webs(bank, 1, **more) as (url,):
        yield url


@contextmanager
def more_webs(bank: BankProcess, count: int, **more: str) -> Iterator[list[str]]:
    """Start several at once; see `a_second_web`."""
    with ExitStack() as stack:
        started = [stack.enter_context(_started(bank, more)) for _ in range(count)]
        for process, url in started:
            _await_ready(process, url, bank)
        yield [url for _process, url in started]


@contextmanager
def _started(
    bank: BankProcess, more: Mapping[str, str]
) -> Iterator[tuple[Process, str]]:
    port = free_port()
    surroundings = environment(bank.folder, port, bank.sandbox_port, bank.books) | {
        "SIXPENCE_PUBLIC_URL": bank.url,
        "SIXPENCE_LIMIT_FACTOR": "1",
        "SIXPENCE_POLL_S": "1",
    }
    surroundings |= {f"SIXPENCE_{name}": value for name, value in more.items()}
    log = bank.folder / "second.log"
    process = launch(("app", "serve"), bank.folder, surroundings, log, log)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _await_ready(process: Process, url: str, bank: BankProcess) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reads no certificates
    with httpx.Client(verify=trust, trust_env=False) as client:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if client.get(f"{url}/readyz").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
    raise AssertionError((bank.folder / "second.log").read_text())
