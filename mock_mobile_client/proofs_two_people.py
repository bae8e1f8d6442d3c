"""Proof 10 of acceptance.md: two people, one phone, one push address."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mock_mobile_client import security_log
from mock_mobile_client.drawer import DELIVERED
from mock_mobile_client.errors import NotSeen, ProofFailed, Refused, expect
from mock_mobile_client.handset import Level, Setting
from mock_mobile_client.money import money
from mock_mobile_client.phone import EVERYDAY, Phone, introduce
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.push import Push
from mock_mobile_client.stage import (
    Tell,
    bound_anew,
    everyday,
    holding,
    present,
    silent,
)
from mock_mobile_client.values import PaymentValue

SMALL = money("1.00 INR")
OTHER_PIN = "730416"
ENDED_SOCKET = 4401
SECURITY, MONEY_IN, MONEY_OUT = "SECURITY", "MONEY_IN", "MONEY_OUT"
FIGURE = re.compile(r"[0-9]")
AN_INSTANT = "2026-01-01T00:00:00.000Z"


async def proof_10(
    url: str, sandbox: str, setting: Setting | None = None, tell: Tell = silent
) -> None:
    """Two people, one phone: Asha signs out on it, Ben enrols on it.

    Asha-1 and Ben-2 are the same phone with the same push address. Asha-2 and Ben-1
    only show that all that must not reach it happened.
    """
    used = setting or Setting(iterations=ITERATIONS_MIN)
    async with (
        Phone("Asha-1", url, sandbox, used) as asha,
        Phone("Asha-2", url, sandbox, used) as second,
        Phone("Ben-1", url, sandbox, used) as ben,
        Phone("Ben-2", url, sandbox, used, holding("Ben", asha)) as taken,
    ):
        for phone in (asha, second, ben):
            await phone.start()
        await introduce(second, ben)
        await introduce(ben, asha)
        first = await everyday(ben)
        asha.handset.keep(installation=asha.drawer.carrier.make(), delivered=0)
        await asha.drawer.open()
        await second.drawer.open()
        case = _Case(asha, second, ben, taken, tell)
        cached = await case.asha_uses_it()
        await case.asha_signs_out()
        await case.ben_takes_it()
        await case.both_go_on(cached)
        await case.ben_tries(cached)
        await second.pay("Ben", SMALL)
        expect("as at first", first.available, (await everyday(ben)).available)


@dataclass(frozen=True, slots=True)
class _Cached:
    """What Asha's app left on the phone."""

    cursor: str
    epoch: str
    account: str
    payment: str
    notification: str


@dataclass(frozen=True, slots=True)
class _Case:
    """Asha on the phone, her second phone, Ben's old phone, Ben on the phone."""

    asha: Phone
    second: Phone
    ben: Phone
    taken: Phone
    tell: Tell

    async def asha_uses_it(self) -> _Cached:
        """Asha is signed in: events and pushes come, and ids stay in the app."""
        await self.ben.pay("Asha", SMALL)
        note = await self.asha.drawer.until_note(_is(MONEY_IN), "a push to Asha-1")
        own = await self.asha.account(EVERYDAY)
        paid = await self._paid_by_asha()
        await self.asha.drawer.until_note(_is(MONEY_OUT), "the other push to Asha-1")
        async with self.asha.live() as live:
            cursor = present(live.picture.cursor)
        return _Cached(cursor, note.push.epoch, own.id, paid.id, note.push.id)

    async def asha_signs_out(self) -> None:
        """The stream ends; of pushes only security comes, and it says nothing."""
        asha, mark = self.asha, len(self.asha.drawer.pushes)
        async with asha.live(resume=False) as live:
            shown, token = len(live.picture.applied), asha.handset.token
            await asha.logout()
            closed = await live.until_closed()
            expect("close code", ENDED_SOCKET, closed.code)
            await self.ben.pay("Asha", SMALL)
            await self._changes_her_pin(OTHER_PIN)
            await asha.drawer.until(
                lambda: bool([*filter(_is(SECURITY), asha.drawer.pushes[mark:])]),
                "the security hint",
            )
            expect("events after the sign-out", shown, len(live.picture.applied))
        asha.handset.keep(token=token)
        await _refused(asha.handset.call("home", {}))
        asha.handset.keep(token=None)
        late = asha.drawer.pushes[mark:]
        expect("pushes after it", {SECURITY}, {push.category for push in late})
        for push in late:
            push.expect_bare()
        await self._says_nothing(late[0])
        self.tell("signed out: socket closed, no event, of pushes security hints only")

    async def ben_takes_it(self) -> None:
        """Ben enrols on the phone; its address moves, and Asha hears of it."""
        asha, taken, second = self.asha, self.taken, self.second
        mark = (await security_log.newest(second.session))[0]
        newest = max(push.sequence for push in second.drawer.pushes)
        await asha.drawer.close()
        there = asha.handset.state
        taken.handset.keep(installation=there.installation, delivered=there.delivered)
        await bound_anew(taken)
        await taken.drawer.open()
        await second.drawer.until_note(
            lambda push: push.category == SECURITY and push.sequence > newest,
            "a hint to Asha-2",
        )
        rows = await security_log.since(second.session, mark)
        moved = [row.object for row in rows if row.action == "device.push_moved"]
        expect("in Asha's log, moved", [asha.handset.device_id], moved)
        self.tell("Ben set the address: Asha is told on Asha-2 that it moved")

    async def both_go_on(self, cached: _Cached) -> None:
        """What happens to Asha from now on reaches this phone no more, whatever."""
        second, taken = self.second, self.taken
        mark = len(second.drawer.pushes)
        await self.ben.pay("Asha", SMALL)
        await self._changes_her_pin(second.owner.pin)
        await second.drawer.until(
            lambda: (
                {SECURITY, MONEY_IN}
                <= {push.category for push in second.drawer.pushes[mark:]}
            ),
            "both pushes to Asha-2",
        )
        before = len(taken.drawer.pushes)
        await self._paid_by_asha()  # later than all that must not come
        await taken.drawer.until(
            lambda: bool([*filter(_is(MONEY_IN), taken.drawer.pushes[before:])]),
            "a push to Ben on this phone",
        )
        streams = {push.epoch for push in taken.drawer.pushes}
        expect(
            "Asha's stream pushed to Ben", expected=False, seen=cached.epoch in streams
        )
        expect("streams pushed to Ben", 1, len(streams))
        self.tell("both go on: Ben is told here, Asha on Asha-2 alone")

    async def ben_tries(self, cached: _Cached) -> None:
        """What Asha's app had kept is worth nothing to Ben."""
        taken = self.taken
        async with taken.live(after=cached.cursor) as live:
            opening = live.picture.resume.opening
            told = opening.kind, opening.body.get("reason")
            expect("Asha's cursor", ("StreamReset", "EPOCH_CHANGED"), told)
            expect("events of the past", (), live.picture.resume.missed)
        await _unseen("Asha's account", taken.statement(cached.account, 1))
        await _unseen("Asha's payment", taken.payments.by_id(cached.payment))
        receipt = {"id": cached.notification, "state": DELIVERED, "at": AN_INSTANT}
        given = {"input": {"receipts": [receipt]}}
        answer = await taken.handset.call("events_ack", given, Level.DEVICE)
        expect("texts of Asha's notification", [], answer["items"])
        self.tell("Asha's cursor: EPOCH_CHANGED; her ids: nothing")

    async def _paid_by_asha(self) -> PaymentValue:
        return await self.second.pay("Ben", SMALL)

    async def _changes_her_pin(self, pin: str) -> None:
        await self.second.change_mpin(pin)

    async def _says_nothing(self, push: Push) -> None:
        """The text for the locked screen holds no figure and no name.

        Raises:
            ProofFailed: it does.
        """
        drawer = self.asha.drawer
        note = await drawer.until_note(lambda one: one.id == push.id, "its text")
        text = present(note.text)
        said = f"{text.title} {text.body}"
        if FIGURE.search(said) or self.asha.owner.name in said:
            raise ProofFailed("text of a hint", "no figure, no name", said)


def _is(category: str) -> Callable[[Push], bool]:
    """Pick the pushes of one category."""
    return lambda push: push.category == category


async def _refused(call: Awaitable[object]) -> None:
    """Make sure that a call is refused.

    Raises:
        ProofFailed: it passed.
    """
    try:
        answer = await call
    except Refused:
        return
    raise ProofFailed("a call after the sign-out", "a refusal", answer)


async def _unseen(what: str, call: Awaitable[object]) -> None:
    """Make sure that the bank knows nothing of it for this customer.

    Raises:
        ProofFailed: it was shown.
    """
    try:
        answer = await call
    except NotSeen:
        return
    raise ProofFailed(what, "nothing", answer)
