"""The Fineract adapter on its double, as its tests speak of it."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import orjson

from app.clock import Clock
from app.ids import uuid7
from app.integrations.core_banking import (
    CoreCustomer,
    Hold,
    Narrative,
    OpContext,
    Posting,
    fineract,
)
from app.integrations.core_banking.fineract import Fineract
from app.integrations.outcome import Ok, OpRef, Outcome
from app.money import Money
from tests.fineract_contract import BASE, wrong_with
from tests.integrations.fineract_rig import FineractRig
from tests.integrations.kit.rig import Books
from tests.integrations.tap import Request, Tap

T = TypeVar("T")
RENT = Narrative("Rent", payer_name="Asha Rao", payee_name="Ben Okafor")


def an_op() -> OpRef:
    """Name a new op."""
    return OpRef(uuid7(), b"body".ljust(32, b"."))


def inr(minor: int) -> Money:
    """Give an amount in rupees."""
    return Money(minor, "INR")


def value_of(outcome: Outcome[T]) -> T:
    """Take the value of what happened."""
    assert isinstance(outcome, Ok), outcome
    return outcome.value


@dataclass(frozen=True, slots=True)
class Town:
    """A bank that is connected to the double.

    Args:
        core: the adapter.
        rig: the double.
        clock: of the adapter.
    """

    core: Fineract
    rig: FineractRig
    clock: Clock

    async def account(self, minor: int = 0, **more: object) -> str:
        """Open an account of somebody."""
        owner = await self.rig.customer()
        return self.rig.open(owner.number, inr(minor), **more)

    async def customer(self) -> CoreCustomer:
        """Make a customer."""
        return await self.rig.customer()

    async def books(self, ref: str) -> Books:
        """Read an account in the core's own books."""
        return await self.rig.books(ref)

    async def figures(self, ref: str) -> tuple[int, int]:
        """Give booked and held money, by the core's own books."""
        books = await self.books(ref)
        return books.committed.minor, books.held.minor

    async def held(self, ref: str, minor: int) -> Hold:
        """Set money aside."""
        return value_of(await self.core.hold(an_op(), ref, inr(minor), RENT))

    async def captured(self, ref: str, minor: int) -> Posting:
        """Set money aside and book it."""
        hold = await self.held(ref, minor)
        return value_of(await self.core.capture(an_op(), hold, None))

    def context(self, src: str, minor: int, dst: str | None = None) -> OpContext:
        """Say what helps to find an op that was sent just now."""
        return OpContext(src, dst, inr(minor), self.clock.now())

    @asynccontextmanager
    async def again(self, clock: Clock | None = None) -> AsyncIterator["Town"]:
        """Connect once more, as a process that starts anew and remembers nothing."""
        chosen = clock or self.clock
        core = await fineract.connect(self.rig.settings(), clock=chosen)
        try:
            yield Town(core, self.rig, chosen)
        finally:
            await core.close()


@contextmanager
def judged(tap: Tap) -> Iterator[None]:
    """Hold every request that goes through against the published contract."""
    before = len(tap.requests)
    yield
    for one in tap.requests[before:]:
        if (form := form_of(one)) not in _FINE:
            assert (one.target, wrong(one)) == (one.target, [])
            _FINE.add(form)


_FINE: set[str] = set()  # a judgement takes milliseconds, and most calls are alike
_DIGITS = re.compile(rb"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9]+")


def form_of(one: Request) -> str:
    """Give a request without its numbers and ids: what is alike is judged once.

    Of the questions in a batch each kind counts once.
    """
    body = _DIGITS.sub(b"0", one.body)
    parts = sorted({*body.split(b"},{")}) if b"requestId" in body else [body]
    target = _DIGITS.sub(b"0", one.target.encode())
    names = sorted(name for name in one.headers if name != "x-request-id")
    return repr((one.method, target, names, parts))


def wrong(one: Request) -> list[str]:
    """Say what of a request, and of what is inside a batch, breaks the contract."""
    asked = _request(one.method, f"http://127.0.0.1{one.target}", one, one.body)
    found = wrong_with(asked)
    inner: list[dict[str, Any]] = []
    if asked.url.path == f"{BASE}/v1/batches":
        inner = orjson.loads(one.body)
    for part in inner:
        url = f"http://127.0.0.1{BASE}/{part['relativeUrl']}"
        found += wrong_with(_request(part["method"], url, one, b""))
    return found


def _request(method: str, url: str, like: Request, body: bytes) -> httpx.Request:
    headers = {**like.headers, "content-length": str(len(body))}
    return httpx.Request(method, url, headers=headers, content=body or None)
