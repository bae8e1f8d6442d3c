"""The people of the demonstration: the same in every seed, with what they own."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from app.integrations.core_banking import AccountKind
from app.money import Money

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_THREE = (
    (AccountKind.CURRENT, "Everyday"),
    (AccountKind.SAVINGS, "Savings"),
    (AccountKind.SAVINGS, "Travel"),
)


@dataclass(frozen=True, slots=True)
class Pot:
    """One account of a demo customer, with its opening money in minor units."""

    kind: AccountKind
    name: str
    money: Money


@dataclass(frozen=True, slots=True)
class Person:
    """One demo customer. The same in every seed.

    `history` is in how many deposits the opening money came.
    """

    name: str
    number: str
    phone: str
    code: str
    pots: tuple[Pot, ...]
    locale: str = "en-IN"
    history: int = 1

    @property
    def first_name(self) -> str:
        """How the start table calls them."""
        return self.name.split()[0]


_KNOWN = (
    Person(
        "Asha Rao",
        "10000001",
        "+9155500001",
        "7Q2M-K9XT-4HWA",
        (
            Pot(AccountKind.CURRENT, "Everyday", Money(4825000, "INR")),
            Pot(AccountKind.SAVINGS, "Savings", Money(12000000, "INR")),
        ),
    ),
    Person(
        "Ben Okafor",
        "10000002",
        "+9155500002",
        "4K9T-2RWB-8EN1",
        (Pot(AccountKind.CURRENT, "Everyday", Money(931050, "INR")),),
    ),
    Person(
        "Clara Stein",
        "10000003",
        "+4455500003",
        "2W6X-9CAR-5TJQ",
        (
            Pot(AccountKind.CURRENT, "Current", Money(214000, "GBP")),
            Pot(AccountKind.CURRENT, "Euro", Money(81520, "EUR")),
        ),
        locale="en-GB",
    ),
)


def people(count: int) -> list[Person]:
    """Give the demo customers: the three by name, then numbered ones.

    Args:
        count: how many in all, at least three.
    """
    return [*_KNOWN, *(_numbered(number) for number in range(4, count + 1))]


def _numbered(place: int) -> Person:
    number = str(10_000_000 + place)
    digest = hashlib.sha256(f"sixpence demo {number}".encode()).digest()
    letters = "".join(_CROCKFORD[byte % 32] for byte in digest[:12])
    code = "-".join(letters[start : start + 4] for start in (0, 4, 8))
    pots = tuple(
        Pot(kind, name, Money(1_000_000 * (turn + 1), "INR"))
        for turn, (kind, name) in enumerate(_THREE)
    )
    phone = f"+91555{place:07d}"
    return Person(f"Customer {place}", number, phone, code, pots, history=10)


def account_number(person: Person, place: int) -> str:
    """Give the number of the account at a place of theirs."""
    return f"5010{person.number}{place + 1:02d}"


def core_seed(found: list[Person]) -> dict[str, object]:
    """Give the clients and accounts of the core that the outside world plays."""
    return {
        "clients": [
            {
                "number": one.number,
                "name": one.name,
                "accounts": [
                    {
                        "accountNo": account_number(one, place),
                        "product": _product(pot),
                        "currency": pot.money.currency,
                        "externalId": str(same_id("account", one.number, place)),
                        "minor": pot.money.minor,
                        "history": one.history,
                    }
                    for place, pot in enumerate(one.pots)
                ],
            }
            for one in found
        ]
    }


def _product(pot: Pot) -> str:
    """Name a product so that its kind shows, as the adapter reads it."""
    shows = pot.kind is not AccountKind.SAVINGS or "savings" in pot.name.lower()
    return pot.name if shows else f"{pot.name} Savings"


def same_id(*parts: object) -> UUID:
    """Make the same id in every seed."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return UUID(bytes=digest[:16], version=4)
