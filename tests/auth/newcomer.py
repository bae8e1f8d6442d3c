"""A new phone that asks the customer's other phones, and what they see of it."""

from dataclasses import dataclass

from app import database
from app.auth.actor import Actor
from app.auth.applicant import OtherPhone
from app.auth.approval import Asking
from app.auth.otp import EnrolmentId
from tests.auth.room import Person, Phone, Room, origin

ANYBODY = Actor(origin=origin("198.51.100.9"))


@dataclass
class Newcomer:
    """A new phone whose number is proven."""

    phone: Phone
    enrolment: EnrolmentId
    number: str

    async def asks(self, number: str | None = None) -> bytes | None:
        """Send step 3; gives the nonce once another phone has answered."""
        given = OtherPhone(customer_number=number or self.number)
        room = self.phone.room
        proven = await room.vouching.prove(ANYBODY, self.enrolment, given)
        return None if proven is None else proven.binding_nonce


async def newcomer(room: Room, person: Person) -> Newcomer:
    phone = Phone(room, address="198.51.100.9")
    return Newcomer(phone, await phone.verified(person), person.number)


async def waiting(phone: Phone) -> list[Asking]:
    return await phone.room.vouching.waiting(await phone.as_device())


async def says_yes(phone: Phone, asking: Asking) -> None:
    signature, response = phone.answer(asking.challenge)
    await phone.room.vouching.answer(
        await phone.as_login(), asking.challenge.id, signature, response
    )


async def states() -> list[str]:
    rows = await database.read(
        "SELECT state FROM challenge WHERE purpose = 'login-approval' ORDER BY state"
    )
    return [row.get("state", str) for row in rows]


async def tries(new: Newcomer) -> int:
    row = await database.read_one(
        "SELECT attempts FROM enrolment WHERE id = $1", new.enrolment
    )
    assert row is not None
    return row.get("attempts", int)
