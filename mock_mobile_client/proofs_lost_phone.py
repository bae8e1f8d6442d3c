"""Proof 6 of acceptance.md: a lost phone is out at once, on every process.

Between two web processes on one database no hint travels here, so what is seen is the
half without the bus: each process looks for ended sessions itself.
"""

import asyncio
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from mock_mobile_client import devices, security_log
from mock_mobile_client.enums import DeviceState, PaymentStatus
from mock_mobile_client.errors import NotSeen, ProofFailed, Refused, expect
from mock_mobile_client.handset import Setting
from mock_mobile_client.live import Live
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone, introduce
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.stage import (
    Tell,
    bound_anew,
    everyday,
    grow_up,
    present,
    silent,
)
from mock_mobile_client.values import DeviceRow, JsonObject, PaymentValue
from mock_mobile_client.world_clock import SKIPPED, WorldClock

CLOSED_WITHIN_S = 1.5
TOLD_WITHIN_S = 15.0
GRACE_S = 0.5  # for a push that must not come
ENDED_SOCKET = 4401
MONEY_IN = "MONEY_IN"
SMALL = money("5.00 INR")
NO_SECOND = "needs a second process: skipped, partly"
OUT = frozenset({"UNAUTHENTICATED", "DEVICE_BLOCKED", "DEVICE_LOCKED", "NOT_FOUND"})


async def proof_06(
    url: str,
    sandbox: str,
    setting: Setting | None = None,
    tell: Tell = silent,
    second: str | None = None,
) -> None:
    """Lost phone: revoked from another one, it is out on every process at once.

    Args:
        url: The bank's public address.
        sandbox: Its outside world.
        setting: Where the phones lie.
        tell: Is told each step.
        second: Address of another web process of the same bank; None without one.
    """
    used = setting or Setting(iterations=ITERATIONS_MIN)
    async with (
        Phone("Asha-1", url, sandbox, used) as asha,
        Phone("Asha-3", url, sandbox, used) as third,
        Phone("Asha-2", url, sandbox, replace(used, door=second)) as lost,
        Phone("Ben-1", url, sandbox, used) as ben,
    ):
        for phone in (asha, third, ben):
            await phone.start()
        grown = await grow_up((asha, third, ben), WorldClock(sandbox))
        await introduce(asha, ben)
        await introduce(ben, asha)
        await bound_anew(lost)
        case = _Case(asha, third, lost, ben, tell)
        await case.young_one_revokes()
        if not grown:
            tell(f"suspended, unlocked, revoked by an ACTIVE phone: {SKIPPED}")
            return
        await case.suspended_and_back()
        if second is None:
            tell(f"socket on the other process: {NO_SECOND}")
        await case.revoked(where="on the other process" if second else "on this one")


@dataclass(frozen=True, slots=True)
class _Case:
    """Asha's three phones, the second of them young and lost, and Ben who pays."""

    asha: Phone
    third: Phone
    lost: Phone
    ben: Phone
    tell: Tell

    async def young_one_revokes(self) -> None:
        """Whoever holds a young phone purges nobody."""
        before = await self._row(self.asha)
        target = self.asha.handset.device_id
        code = await _refused(devices.revoke(self.lost.session, target))
        expect("a revocation by a COOLING phone", "COOLING_PERIOD", code)
        expect("Asha-1 in the list", before.state, (await self._row(self.asha)).state)
        await self.asha.home()
        self.tell("deviceRevoke from a COOLING phone: COOLING_PERIOD, nothing changed")

    async def suspended_and_back(self) -> None:
        """A young phone may suspend; an old one takes it back; the keys stay."""
        asha, key = self.asha, self.asha.handset.key.jkt
        mark = await self._mark()
        suspended = await devices.lock(self.lost.session, asha.handset.device_id)
        expect("Asha-1, suspended", DeviceState.LOCKED, suspended.state)
        code = await _refused(asha.session.login(asha.owner.pin))
        expect("sign-in of a suspended phone", "DEVICE_LOCKED", code)
        back = await devices.unlock(self.third.session, asha.handset.device_id)
        expect("Asha-1, unlocked", DeviceState.ACTIVE, back.state)
        await asha.login()
        await asha.home()
        expect("its key", key, asha.handset.key.jkt)
        self.tell("deviceLock: DEVICE_LOCKED; deviceUnlock by Asha-3: works, same key")
        await self._logged(
            mark,
            ("device.locked", asha, self.lost),
            ("device.unlocked", asha, self.third),
        )

    async def revoked(self, where: str) -> None:
        """Socket, requests, approval and push address of the lost phone are gone."""
        lost, before = self.lost, await everyday(self.asha)
        order = await lost.order("Ben", SMALL)
        waiting = await lost.payments.create(order)
        answer = await lost.payments.approval(order, waiting)
        async with AsyncExitStack() as opened:
            live = await opened.enter_async_context(lost.live(resume=False))
            own = await opened.enter_async_context(self.asha.live())
            await lost.drawer.open()
            await self.asha.drawer.open()
            mark = await self._mark()
            gone = await devices.revoke(self.asha.session, lost.handset.device_id)
            began = time.perf_counter()  # its answer leaves right after the commit
            expect("Asha-2, revoked", DeviceState.REVOKED, gone.state)
            await self._closed(live, began, where)
            await self._answers_nothing(answer, waiting)
            await self._told(own)
            await self._logged(mark, ("device.revoked", lost, self.asha))
            await self._pushes_end(present(own.picture.sequence))
        after = await everyday(self.asha)
        expect("what Asha can spend", before.available.plus(SMALL), after.available)
        await self.asha.pay("Ben", SMALL)
        await lost.drawer.close()
        lost.handset.unbind()

    async def _closed(self, live: Live, began: float, where: str) -> None:
        """The socket ends within the time that is promised without a bus."""
        try:
            closed = await live.until_closed(2 * CLOSED_WITHIN_S)
        except NotSeen as error:
            raise ProofFailed("its socket", "closed", "open") from error
        took_s = time.perf_counter() - began
        expect("close code", ENDED_SOCKET, closed.code)
        if took_s > CLOSED_WITHIN_S:
            raise ProofFailed("closed after", f"< {CLOSED_WITHIN_S} s", f"{took_s} s")
        self.tell(f"socket {where}: closed {closed.code} after {took_s:.2f} s")

    async def _answers_nothing(self, answer: JsonObject, waiting: PaymentValue) -> None:
        """Neither the token nor the open approval is good for anything."""
        handset = self.lost.handset
        code = await _refused(handset.call("home", {}))
        expect("its next request, refused", expected=True, seen=code in OUT)
        given = {"input": answer}
        said = await _refused(handset.call("challenge_respond", given))
        expect("its approval, refused", expected=True, seen=said in OUT)
        end = await self.asha.payments.by_id(waiting.id)
        moved = {PaymentStatus.SETTLED, PaymentStatus.SUBMITTED}
        expect("its payment moved", expected=False, seen=end.status in moved)
        self.tell(f"its next request: {code}; its approval: {said}, {end.status}")

    async def _told(self, own: Live) -> None:
        """The other phones show it."""
        row = await self._row(self.lost)
        expect("Asha-2 in the list", DeviceState.REVOKED, row.state)
        gone = self.lost.handset.device_id
        try:
            told = "the phone's end as an event"
            await own.until(lambda: gone in _ended(own), told, TOLD_WITHIN_S)
        except NotSeen as error:
            raise ProofFailed("event about Asha-2", "one", "none") from error
        self.tell("Asha-1's list and its stream show it REVOKED")

    async def _mark(self) -> security_log.LogRow:
        """The newest entry of the log, before something is done."""
        return (await security_log.newest(self.asha.session))[0]

    async def _logged(
        self, mark: security_log.LogRow, *acts: tuple[str, Phone, Phone]
    ) -> None:
        """The customer's log names act, phone, and the phone it was done on, once."""
        rows = await security_log.since(self.asha.session, mark)
        seen = [(row.action, row.object, row.device, row.outcome) for row in rows]
        for action, target, by in acts:
            ids = target.handset.device_id, by.handset.device_id
            times = seen.count((action, *ids, security_log.OK))
            expect(f"{action} of {target.name} in the log", 1, times)
            self.tell(f"the log shows it: {action} of {target.name} by {by.name}")

    async def _pushes_end(self, head: int) -> None:
        """What happens from now on is pushed to Asha-1 and not to the lost phone."""
        heard = self.asha.drawer
        await self.asha.sleep()
        await self.ben.pay("Asha", SMALL)
        await heard.until(
            lambda: any(
                one.category == MONEY_IN and one.sequence > head for one in heard.pushes
            ),
            "a push to Asha-1",
        )
        await asyncio.sleep(GRACE_S)
        late = [one for one in self.lost.drawer.pushes if one.sequence > head]
        expect("pushes to the lost phone", [], late)
        self.tell("a later payment is pushed to Asha-1, nothing to the lost phone")

    async def _row(self, phone: Phone) -> DeviceRow:
        """A phone as Asha-1's list has it."""
        return await devices.find(self.asha.session, phone.handset.device_id)


async def _refused(call: Awaitable[object]) -> str:
    """The code of a refusal that must come."""
    try:
        answer = await call
    except Refused as refused:
        return refused.code
    raise ProofFailed("a call that must not pass", "a refusal", answer)


def _ended(live: Live) -> set[str]:
    """Ids of the phones whose end the stream told."""
    told = (one for one in live.picture.applied if one.kind == "DeviceChanged")
    nodes = (one.body["device"] for one in told)
    return {node["id"] for node in nodes if node["state"] == DeviceState.REVOKED}
