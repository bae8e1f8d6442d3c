"""What a right answer allows, and the try it gets back with it.

Both come to their end whether or not who asked still waits: a line that breaks between
them must cost no try.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from app.auth.challenge import Answer
from app.errors import Outage, Refusal

Effect = Callable[[Answer], Awaitable[None]]

_UNDER_WAY: set[asyncio.Task[None]] = set()


async def settled(answer: Answer, effect: Effect | None) -> Answer:
    """Give the try of a right answer back, with its effect if there is one.

    Args:
        answer: judged right.
        effect: what it allows; consumes the challenge in one transaction.

    Raises:
        Exception: whatever the effect raises; the try is given back all the same.
    """
    owed = answer.owed
    if effect is None or answer.repeated:
        if owed is not None:
            await owed.alone()
        return replace(answer, owed=None)
    # In a task of its own: who asked may be cancelled, the effect goes on.
    task = asyncio.create_task(_effected(answer, effect))  # noqa: TID251  -- see above
    _UNDER_WAY.add(task)
    task.add_done_callback(_ended)
    await asyncio.shield(task)
    return answer


async def _effected(answer: Answer, effect: Effect) -> None:
    try:
        await effect(answer)
    except Exception:
        if answer.owed is not None:
            with suppress(Refusal, Outage):  # the first failure is what is told
                await answer.owed.alone()
        raise


def _ended(task: asyncio.Task[None]) -> None:
    _UNDER_WAY.discard(task)
    if not task.cancelled():
        task.exception()  # who asked was told, or is gone
