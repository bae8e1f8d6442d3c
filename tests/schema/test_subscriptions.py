"""Subscriptions over the engine: a stream, its end, its refusals."""

from collections.abc import AsyncIterator
from typing import cast

import pytest

from app.auth.actor import Actor
from app.schema.execution import Call
from app.schema.masking import Answer
from tests.schema.asking import codes
from tests.schema.tiny import (
    SECRET,
    a_bank,
    a_context,
    an_engine,
)


async def opened(text: str, actor: Actor | None = None) -> object:
    bank = a_bank()
    return await an_engine(bank).subscribe(a_context(bank, actor), Call(text))


async def test_a_subscription_streams_until_it_ends() -> None:
    stream = cast(
        "AsyncIterator[Answer]", await opened("subscription { ticks(upTo: 3) }")
    )

    answers = [answer.body async for answer in stream]

    assert answers == [{"data": {"ticks": number}} for number in range(3)]


async def test_a_stream_that_breaks_ends_with_internal_and_shows_nothing() -> None:
    stream = cast(
        "AsyncIterator[Answer]", await opened("subscription { ticks(upTo: 20) }")
    )

    answers = [answer async for answer in stream]

    assert len(answers) == 14
    assert codes(answers[-1]) == ["INTERNAL"]
    assert SECRET not in str(answers[-1].body)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("subscription { own }", "UNAUTHENTICATED"),
        ("{ ping }", "BAD_REQUEST"),
        ("subscription { tocks }", "BAD_REQUEST"),
    ],
)
async def test_a_subscription_may_be_refused_before_it_starts(
    text: str, code: str
) -> None:
    answer = await opened(text)

    assert isinstance(answer, Answer)
    assert codes(answer) == [code]
