"""An authenticator app by the text of RFC 6238, and the person who owns one."""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import pytest

from app.auth.actor import Actor
from app.auth.errors import StepUpRequired
from app.clock import StoppedClock
from tests.auth.room import Person, Phone, Room

T = TypeVar("T")


def code_at(secret: bytes, step: int, digits: int = 6) -> str:
    """Compute the code of one step, from RFC 4226 section 5.3."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


@dataclass
class App:
    """What scanned the QR code."""

    clock: StoppedClock
    secret: bytes

    def code(self, later: int = 0) -> str:
        """Show the code of now, or of some steps later."""
        return code_at(self.secret, int(self.clock.now().timestamp()) // 30 + later)

    def wrong(self) -> str:
        """Show a code that is none of those around now."""
        near = {self.code(later) for later in range(-3, 4)}
        return next(f"{n:06d}" for n in range(10) if f"{n:06d}" not in near)


@dataclass
class Owner:
    """A customer with an ACTIVE phone, an authenticator and ten codes on paper."""

    person: Person
    phone: Phone
    app: App
    codes: list[str]


async def cooled(room: Room, person: Person) -> Phone:
    """Give a signed-in phone whose waiting time is over."""
    phone = Phone(room)
    await phone.enrol(person)
    room.clock.move(hours=24)
    await phone.login()
    return phone


async def approved(phone: Phone, call: Callable[[Actor], Awaitable[T]]) -> T:
    """Call, approve with the mPIN what is asked, and call again."""
    with pytest.raises(StepUpRequired) as asked:
        await call(await phone.as_login())
    challenge = asked.value.challenge
    signature, response = phone.answer(challenge)
    room = phone.room
    actor = await phone.as_login()
    await room.step_ups.answer(actor, challenge.id, signature, response)
    return await call(await phone.as_login())


async def started(room: Room, phone: Phone) -> App:
    """Scan the QR code."""
    opened = await approved(phone, room.totps.start)
    return App(room.clock, base64.b32decode(opened.secret))


async def an_owner(room: Room, person: Person) -> Owner:
    """Enrol an authenticator."""
    phone = await cooled(room, person)
    app = await started(room, phone)
    enrolled = await room.totps.finish(await phone.as_login(), app.code())
    return Owner(person, phone, app, enrolled.codes)
