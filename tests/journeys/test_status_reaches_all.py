"""A partner fails one process of the bank; the phones of every process are told."""

import asyncio
import sqlite3
from contextlib import aclosing, closing
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # ships no types
import httpx
import pytest

from mock_mobile_client import documents
from mock_mobile_client.api import Api, Credentials
from mock_mobile_client.enrolment import APP_VERSION
from mock_mobile_client.people import person
from mock_mobile_client.wire import Wire
from tests.attacks.second_web import a_second_web
from tests.journeys.bank_process import a_bank
from tests.journeys.books import Books, from_anywhere

TEXTS = "/sms/messages"
TOLD_WITHIN_S = 30
COMPONENTS = 4
WELL = "OPERATIONAL"


async def states_of(
    component: str, door: str, heard_all: asyncio.Event, *, back: bool = False
) -> list[str]:
    """Follow the bank as anybody may; gives a component's states up to a bad one.

    Args:
        component: which one.
        door: address of one process.
        heard_all: set once every component was told.
        back: follow until it is well again.
    """
    wire = await Wire.open(f"ws{door.removeprefix('http')}/graphql", {})
    states: list[str] = []
    try:
        await wire.subscribe("1", documents.load("service_status_changed"), {})
        async with aclosing(wire.frames()) as frames:  # type: ignore[type-var]  # it is a generator
            count = 0
            async for frame in frames:
                assert isinstance(frame.payload, dict)
                told = frame.payload["data"]["serviceStatusChanged"]
                count += 1
                if count == COMPONENTS:
                    heard_all.set()
                if told["component"] == component:
                    states.append(told["state"])
                    if len(states) > 1 and (told["state"] == WELL) is back:
                        return states
    finally:
        await wire.close()
    raise AssertionError(states)


@pytest.mark.chaos
async def test_text_messages_that_fail_are_told_at_every_door(
    tmp_path: Path, books: Books
) -> None:
    with a_bank(tmp_path, books) as bank, a_second_web(bank) as second:
        ready = [asyncio.Event(), asyncio.Event()]
        doors = zip((bank.url, second), ready, strict=True)
        followers = [
            asyncio.create_task(states_of("LOGIN", door, heard))
            for door, heard in doors
        ]
        async with asyncio.timeout(TOLD_WITHIN_S), httpx.AsyncClient() as outside:
            for heard in ready:
                await heard.wait()
            rule = {"route": TEXTS, "kind": "http-status", "reply": 503}
            broken = await outside.put(f"{bank.sandbox}/_faults", json=rule)
            broken.raise_for_status()
            api = Api(bank.url, lambda: 0.0)
            given = {"phone": person("asha").phone, "platform": "ANDROID"}
            given |= {"appVersion": APP_VERSION, "model": "Pixel 9"}
            for _ in range(6):
                enrolment = documents.load("enrolment_start")
                await api.call(enrolment, {"input": given}, Credentials())
            told = await asyncio.gather(*followers)
            await api.close()
            await outside.delete(f"{bank.sandbox}/_faults")

    assert [(states[0], states[-1] != WELL) for states in told] == [(WELL, True)] * 2


@pytest.mark.chaos
async def test_a_tampered_balance_stops_payments_at_every_door_until_it_is_right(
    tmp_path: Path, books: Books
) -> None:
    said = "UPDATE ledger_balance SET committed = committed {} WHERE version = 1"
    with a_bank(tmp_path, books) as bank, a_second_web(bank) as second:
        ready = [asyncio.Event(), asyncio.Event()]
        doors = zip((bank.url, second), ready, strict=True)
        followers = [
            asyncio.create_task(states_of("TRANSFERS", door, heard, back=True))
            for door, heard in doors
        ]
        async with asyncio.timeout(STOPPED_WITHIN_S):
            for heard in ready:
                await heard.wait()
            await asyncio.to_thread(write, books, said.format("+ 1"))
            while not books.read(_FROZEN):
                await asyncio.sleep(0.5)
            wrong = await asyncio.to_thread(bank.command, *_UNFREEZE)
            await asyncio.to_thread(write, books, said.format("- 1"))
            await asyncio.sleep(TOLD_AGAIN_S)
            right = await asyncio.to_thread(bank.command, *_UNFREEZE)
            told = await asyncio.gather(*followers)

    assert told == [[WELL, "MAJOR_OUTAGE", WELL]] * 2
    assert (wrong.returncode, right.returncode) == (1, 0)
    assert "C2 balances are their postings" in wrong.stdout


_FROZEN = "SELECT id FROM ledger_control WHERE frozen_at IS NOT NULL"
_UNFREEZE = ("app", "unfreeze", "--by", "Meera", "--reason", "the balance is right")
STOPPED_WITHIN_S = 150  # a round of proofs begins each minute
TOLD_AGAIN_S = 6  # without a bus a process asks every five seconds


def write(books: Books, sql: str) -> None:
    """Change the books behind the bank's back."""
    scheme, _, rest = books.url.partition("://")
    if scheme == "sqlite":
        with closing(sqlite3.connect(rest, timeout=10)) as line:
            line.execute(sql)
            line.commit()
        return

    async def written() -> None:
        line = await asyncpg.connect(books.url)
        await line.execute(sql)
        await line.close()

    from_anywhere(written)
