"""How the bank is, told to a phone on which nobody signed in."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from app import database
from app.auth.actor import Level
from app.schema.masking import Answer
from app.status.health import Component
from tests.realtime.patience import within
from tests.schema.follower import Phone

STATUS = """
subscription { serviceStatusChanged { component state successRate1m automatic } }
"""


async def shown(stream: AsyncIterator[Answer]) -> dict[str, Any]:
    answer = await within(anext(stream))
    found = cast("dict[str, Any]", answer.body)["data"]["serviceStatusChanged"]
    return cast("dict[str, Any]", found)


@pytest.mark.parametrize("level", [Level.ANONYMOUS, Level.LOGIN])
async def test_all_components_come_at_once_then_the_one_that_changes(
    phone: Phone, level: Level
) -> None:
    async with (
        database.watched_statements() as statements,
        phone.follow(STATUS, phone.actor(level)) as stream,
    ):
        first = [await shown(stream) for _ in range(4)]
        read = list(statements)
        for _ in range(5):
            phone.bank.health.note(Component.TRANSFERS, good=False, took_ms=1)
        await phone.bank.board.look()
        change = await shown(stream)

    assert [one["component"] for one in first] == [
        "LOGIN",
        "ACCOUNTS",
        "TRANSFERS",
        "NOTIFICATIONS",
    ]
    assert {one["state"] for one in first} == {"OPERATIONAL"}
    assert read == []
    assert change == {
        "component": "TRANSFERS",
        "state": "MAJOR_OUTAGE",
        "successRate1m": 0.0,
        "automatic": True,
    }
