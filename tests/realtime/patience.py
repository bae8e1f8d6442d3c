"""Waiting in tests: bounded, and without a fixed sleep."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def within(awaited: Awaitable[T], seconds: float = 5.0) -> T:
    """Wait for something at most so long."""
    async with asyncio.timeout(seconds):
        return await awaited


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)
