"""A partner fails one process of the bank; the phones of every process are told."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest

from mock_mobile_client import documents
from mock_mobile_client.api import Api, Credentials
from mock_mobile_client.enrolment import APP_VERSION
from mock_mobile_client.people import person
from mock_mobile_client.wire import Wire
from tests.attacks.second_web import a_second_web
from tests.journeys.bank_process import a_bank
from tests.journeys.books import Books

TEXTS = "/sms/messages"
TOLD_WITHIN_S = 30
COMPONENTS = 4
WELL = "OPERATIONAL"


async def state_of_login(door: str, heard_all: asyncio.Event) -> list[str]:
    """Follow the bank as anybody may; gives LOGIN's states up to one that is not well.

    Args:
        door: address of one process.
        heard_all: set once every component was told.
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
                if told["component"] == "LOGIN":
                    states.append(told["state"])
                    if told["state"] != WELL:
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
            asyncio.create_task(state_of_login(door, heard)) for door, heard in doors
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
