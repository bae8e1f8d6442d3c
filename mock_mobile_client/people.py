"""The customers of the demo seed, by the letters of the bank (experience §2)."""

import hashlib
from dataclasses import dataclass, field

from mock_mobile_client.enums import Platform
from mock_mobile_client.errors import BadEntry

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Person:
    """Who holds a phone.

    Attributes:
        name: As the person calls herself.
        number: Customer number.
        phone: Telephone number, E.164.
        code: Activation code; the demo's may be used again and again.
        pin: The mPIN the person chooses and types; the bank never sees it.
        platform: What kind of phone the person has.
        model: Its model, named in the SMS.
    """

    name: str
    number: str
    phone: str
    code: str = field(repr=False)
    pin: str = field(repr=False)
    platform: Platform
    model: str

    @property
    def finger(self) -> str:
        """What the person lays on the sensor."""
        return f"{self.name}'s right thumb"


DEMO = (
    Person(
        "Asha",
        "10000001",
        "+9155500001",
        "7Q2M-K9XT-4HWA",
        "480257",
        Platform.ANDROID,
        "Pixel 9",
    ),
    Person(
        "Ben",
        "10000002",
        "+9155500002",
        "4K9T-2RWB-8EN1",
        "913564",
        Platform.IOS,
        "iPhone 17",
    ),
)


def person(name: str) -> Person:
    """The demo customer of this name; `Asha-1` is a phone of Asha.

    Raises:
        BadEntry: nobody is called so.
    """
    first = name.partition("-")[0].casefold()
    for one in DEMO:
        if one.name.casefold() == first:
            return one
    known = ", ".join(one.name for one in DEMO)
    raise BadEntry(f"the demo has no customer {name!r}; it has {known}")


def numbered(place: int) -> Person:
    """One of the demo's further customers, from the fourth on (`DEMO_CUSTOMERS`).

    Number, telephone and activation code stand in the letter of the bank, which for
    these follows a rule.
    """
    number = str(10_000_000 + place)
    digest = hashlib.sha256(f"sixpence demo {number}".encode()).digest()
    letters = "".join(CROCKFORD[byte % 32] for byte in digest[:12])
    code = "-".join(letters[start : start + 4] for start in (0, 4, 8))
    phone = f"+91555{place:07d}"
    name = f"Customer {place}"
    return Person(name, number, phone, code, "480257", Platform.ANDROID, "Pixel 9")
