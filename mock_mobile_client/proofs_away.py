"""Proof 8 of acceptance.md: the core bank goes away, and the customer is told so.

Only a core behind a wire can be away; the embedded one lies in our own database.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from mock_mobile_client.enums import PaymentStatus
from mock_mobile_client.errors import NotSeen, ProofFailed, Refused, expect
from mock_mobile_client.following import components, components_now
from mock_mobile_client.handset import Setting
from mock_mobile_client.insisting import insist
from mock_mobile_client.lines import line
from mock_mobile_client.money import money
from mock_mobile_client.payments import Order, new_key
from mock_mobile_client.phone import Phone
from mock_mobile_client.stage import Tell, asha_and_ben, everyday, silent
from mock_mobile_client.values import BalanceValue, JsonObject, PaymentValue
from mock_mobile_client.world_clock import WorldClock

SMALL: Final = money("3.00 INR")
CORE: Final = "/fineract-provider/"  # what routes of a core in the sandbox begin with
LOCAL: Final = "the core of this bank cannot be away: skipped, partly"
TRANSFERS: Final = "/accounttransfers"
WELL: Final = "OPERATIONAL"
WAYS: Final = ("refuses connections", "stalls", "answers 500")
REFUSED_MS: Final = 15_000
STALL_MS: Final = 60_000
TRIES: Final = 12
TOLD_S: Final = 5.0
BACK_S: Final = 100.0
DOUBT_S: Final = 20.0
ASK_EVERY_S: Final = 0.2
LATER_S: Final = 700  # past every question of the first minutes


async def proof_08(
    url: str,
    sandbox: str,
    setting: Setting | None = None,
    tell: Tell = silent,
    ways: Sequence[str] = WAYS,
) -> None:
    """Core down: it refuses, stalls, answers 500, and recovers each time.

    Figures stay on the screen and say that they are stale, nobody's money moves on a
    guess, every socket is told, and all of it ends by itself. Each way takes more than
    a minute: that long a component remembers what failed.
    """
    async with asha_and_ben(url, sandbox, setting) as (asha, ben):
        core = _Core(sandbox)
        if not await core.found():
            tell(LOCAL)
            return
        await core.well()
        order = await asha.order("Ben", SMALL)
        paid, first = 0, (await everyday(asha)).available
        async with asha.live() as live, _status(asha) as heard:
            for way in ways:
                case = _Case(core, asha, replace(order, key=new_key()), heard)
                await case.falls_silent(way)
                paid += 1
                tell(f"the core {way}: {case.said}")
                fresh = await case.recovers()
                expect("moved once", first.minus(SMALL.times(paid)), fresh.available)
                await live.until_shown(order.source.id, fresh)
                tell("it is back: the payment in doubt settled once, figures fresh")
            expect("what came twice", [], live.picture.repeated)
        await insist(ben, await ben.order("Asha", SMALL.times(paid)))


@dataclass(slots=True)
class _Core:
    """The core of the sandbox, and what goes wrong with it.

    Attributes:
        sandbox: Address of the outside world.
        routes: Its routes, read once.
    """

    sandbox: str
    routes: list[str] = field(default_factory=list)

    async def found(self) -> bool:
        """Whether the bank's core is one of the sandbox: it was called there."""
        shown = await self._asked("GET", "/_fineract/book")
        if not (shown or {}).get("accounts"):
            return False
        plan = await self._asked("GET", "/_faults") or {}
        self.routes = [one for one in plan["routes"] if one.startswith(CORE)]
        return True

    async def ill(self, way: str) -> None:
        """Let it be away in one of the ways."""
        if way == WAYS[0]:
            rule = {"route": "*", "kind": "refuse-connection", "latency_ms": REFUSED_MS}
            await self._asked("PUT", "/_faults", rule)
            return
        how: JsonObject = {"kind": "http-status", "reply": 500}
        if way == WAYS[1]:
            how = {"kind": "latency", "latency_ms": STALL_MS}
        for route in self.routes:
            await self._asked("PUT", "/_faults", {"route": route, **how})

    async def loses_replies(self) -> None:
        """Let it move money when it is told to, and never say so; all else works."""
        (route,) = (one for one in self.routes if one.endswith(TRANSFERS))
        rule = {"route": route, "kind": "drop-after-work"}
        await self._asked("PUT", "/_faults", rule)

    async def well(self) -> None:
        """Let it answer again; a closed port opens by itself, and is waited for."""
        deadline = time.monotonic() + BACK_S
        while await self._asked("DELETE", "/_faults") is None:
            if time.monotonic() > deadline:
                raise NotSeen("the outside world is gone")
            await asyncio.sleep(ASK_EVERY_S)

    async def _asked(
        self, method: str, path: str, body: JsonObject | None = None
    ) -> JsonObject | None:
        import httpx  # noqa: PLC0415  -- only this proof speaks with the core's double

        try:
            async with line(self.sandbox, BACK_S) as http:
                answer = await http.request(method, self.sandbox + path, json=body)
        except httpx.HTTPError:
            return None
        if answer.is_error:
            return None
        shown: JsonObject = answer.json()
        return shown


@dataclass(slots=True)
class _Case:
    """One way in which the core is away, while Asha looks and pays.

    Attributes:
        core: What is made ill.
        asha: Who pays.
        order: The payment during which it falls silent.
        heard: States of TRANSFERS and ACCOUNTS as the open socket tells them.
        said: What was seen, for people.
    """

    core: _Core
    asha: Phone
    order: Order
    heard: "_Heard"
    said: str = ""

    async def falls_silent(self, way: str) -> None:
        """Lose the reply to a transfer, then be away; the screen stays."""
        before = await everyday(self.asha)
        created = await self.asha.payments.create(self.order)
        await self.core.loses_replies()
        began = time.monotonic()
        sent = await self.asha.payments.approve(self.order, created)
        doubt = await self._in_doubt(sent)
        await self.core.well()
        await self.core.ill(way)
        refused = await self._refused()
        late_s = await self.heard.ill_within(TOLD_S)
        shown = await self._stale()
        seen = before.booked, before.booked.minus(SMALL)  # perhaps it was seen to move
        if shown.booked not in seen:
            raise ProofFailed("last known figure", seen, shown.booked)
        self.said = (
            f"payment {doubt.status} after {time.monotonic() - began:.1f} s, "
            f"{refused} new ones refused and none made, told after {late_s:.1f} s, "
            f"home stale with {shown.available}"
        )

    async def recovers(self) -> BalanceValue:
        """Wait until the bank is well by itself, and the doubt is over."""
        await self.core.well()
        await self.heard.well_within(BACK_S)
        await WorldClock(self.core.sandbox).forward(LATER_S)
        ended = await self.asha.payments.final(
            present_status(await self.asha.payments.by_key(self.order.key))
        )
        expect("the payment in doubt", PaymentStatus.SETTLED, ended.status)
        deadline = time.monotonic() + BACK_S
        while (fresh := await everyday(self.asha)).stale:
            if time.monotonic() > deadline:
                raise NotSeen("figures stayed stale")
            await asyncio.sleep(ASK_EVERY_S)
        return fresh

    async def _in_doubt(self, sent: PaymentValue) -> PaymentValue:
        deadline = time.monotonic() + DOUBT_S
        while sent.status is not PaymentStatus.PENDING_CONFIRMATION:
            if sent.status.final or time.monotonic() > deadline:
                raise ProofFailed("status", "PENDING_CONFIRMATION", sent.status)
            await asyncio.sleep(ASK_EVERY_S)
            sent = await self.asha.payments.by_id(sent.id)
        return sent

    async def _refused(self) -> int:
        """Try to pay until the bank says that it cannot; no try leaves anything."""
        for count in range(1, TRIES + 1):
            order = replace(self.order, key=new_key())
            try:
                await self.asha.payments.create(order)
            except Refused as no:
                expect("code", "SERVICE_UNAVAILABLE", no.code)
                expect("a payment", None, await self.asha.payments.by_key(order.key))
                if self.heard.is_ill:
                    return count
            else:
                raise ProofFailed("a new payment", "a refusal", "a payment")
        return TRIES

    async def _stale(self) -> BalanceValue:
        """Look at the home screen until it says that its figures are old."""
        deadline = time.monotonic() + BACK_S
        while not (shown := await everyday(self.asha)).stale:
            if time.monotonic() > deadline:
                raise ProofFailed("figures of a core that is away", "stale", shown)
            await asyncio.sleep(ASK_EVERY_S)
        return shown


@dataclass(slots=True)
class _Heard:
    """What the open socket told of the bank's health."""

    states: dict[str, str] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def is_ill(self) -> bool:
        """Whether what needs the core is told to be unwell."""
        return any(self.states.get(one, WELL) != WELL for one in _BY_CORE)

    async def ill_within(self, seconds: float) -> float:
        """Wait until it is told; gives the seconds that took."""
        return await self._until(seconds, ill=True)

    async def well_within(self, seconds: float) -> float:
        """Wait until all is told to be well again."""
        return await self._until(seconds, ill=False)

    async def _until(self, seconds: float, *, ill: bool) -> float:
        began = time.monotonic()
        try:
            async with asyncio.timeout(seconds), self.changed:
                await self.changed.wait_for(lambda: self.is_ill is ill)
        except TimeoutError:
            wanted = "unwell" if ill else "well"
            raise ProofFailed("service status", wanted, dict(self.states)) from None
        return time.monotonic() - began


_BY_CORE: Sequence[str] = ("ACCOUNTS", "TRANSFERS")


@asynccontextmanager
async def _status(phone: Phone) -> AsyncIterator[_Heard]:
    """Follow the bank's health over a socket of its own, as any app does."""
    heard = _Heard()

    async def follow() -> None:
        async with aclosing(components(phone.handset)) as told:
            async for one in told:
                async with heard.changed:
                    heard.states[one.name] = one.state
                    heard.changed.notify_all()

    before = await components_now(phone.handset)
    expect(
        "components that are unwell", [], [c.name for c in before if c.state != WELL]
    )
    task = asyncio.create_task(follow(), name="service status")
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def present_status(payment: PaymentValue | None) -> PaymentValue:
    """Give a payment that must exist.

    Raises:
        ProofFailed: the bank has forgotten it.
    """
    if payment is None:
        raise ProofFailed("the payment in doubt", "there", "gone")
    return payment
