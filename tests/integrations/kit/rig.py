"""What the author of an adapter writes, so that the kit can try it: a rig per port.

A rig module has one function named like the port's folder, `core_banking`, `rails`,
`push` or `sms`: a context manager that is given an empty folder, starts the partner's
stand-in (or finds the partner's test system), gives the rig, and stops it all again. It
is entered once for a whole run, from no event loop; the methods are awaited in many
loops one after the other, so a plain blocking client is right in them. What a test
makes is its own: accounts, customers and ops are new each time, nothing is cleared.
The kit loads the adapter, calls its `connect(settings, clock=...)` and its `close()`.
"""

import socket
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from app.clock import Clock
from app.integrations.core_banking import AccountState, CoreBank, CoreCustomer
from app.integrations.outcome import OpRef
from app.integrations.push import PushMessage
from app.money import Money


class Fault(StrEnum):
    """What goes wrong between us and the partner, told from the partner's side.

    The first five are what the rig of a partner behind a wire must be able to play
    (SLOW, except of a core, only where the adapter's wait can be set); the last two
    only if the partner ever answers so.
    """

    DROP_BEFORE_WORK = "the line breaks before the work is done"
    DROP_AFTER_WORK = "the work is done and the line breaks before the answer"
    FAILS = "a 5xx before the work is done"
    MALFORMED = "the work is done and the answer is broken off"
    SLOW = "the work is done and the answer comes later than we wait"
    TURNED_AWAY = "too many calls (429), nothing is looked at"
    UNTRUSTED = "our credentials are refused (401), nothing is looked at"


NEEDED = (
    Fault.DROP_BEFORE_WORK,
    Fault.DROP_AFTER_WORK,
    Fault.FAILS,
    Fault.MALFORMED,
    Fault.SLOW,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """One account as the partner's own books have it, read past the adapter.

    Args:
        committed: booked money.
        held: money set aside by open holds, zero or more.
        postings: signed minor units of the booked movements, oldest first, the
            opening money of `account` included if that is a movement.
    """

    committed: Money
    held: Money
    postings: tuple[int, ...]


class Line(ABC):
    """What every rig has: how to reach the stand-in, and what goes wrong there.

    Attributes:
        clock: given to the adapter; the present, unless the stand-in has another.
        faults: what `fault` can play; empty where there is no line at all.
        secrets: passwords, keys and tokens that the adapter is given or fetches.
    """

    clock: Clock = Clock()
    faults: Collection[Fault] = NEEDED
    secrets: Sequence[str] = ()

    @abstractmethod
    def settings(self, *, away: bool = False, hasty: bool = False) -> object:
        """Give settings of the adapter's own kind.

        Args:
            away: name an address where nobody listens (`nobody_listens()`).
            hasty: bear a silence of at most 0.2 s; `Fault.SLOW` is longer than that.
        """

    @abstractmethod
    async def fault(self, kind: Fault, calls: int = 1) -> None:
        """Let the next calls that ask for a write go wrong; reads stay well.

        Where a write takes several calls, it is the one that does the work.
        """

    @abstractmethod
    async def no_faults(self) -> None:
        """Forget all faults."""

    @abstractmethod
    async def calls(self) -> int:
        """Count the calls that came in since the start; 0 where there is no line."""


class CoreRig(Line):
    """A core bank to try an adapter on.

    Attributes:
        currencies: that accounts can have, the usual one first; the kit wants one
            without decimals, one with two and one with three, and says what it missed.
        nobody: references that no account has.
        compares_bodies: the partner, or the adapter, notices that an op comes again
            with another body; False: it gives the first answer again.
        our_database: the books lie in the bank's own database (the embedded core).
    """

    currencies: tuple[str, ...] = ("INR", "JPY", "BHD")
    nobody: tuple[str, ...] = ("nobody", str(UUID(int=7)))
    compares_bodies: bool = True
    our_database: bool = False

    async def opened(self, core: CoreBank) -> None:
        """Hear which core was connected for the test that begins."""

    @abstractmethod
    async def customer(self) -> CoreCustomer:
        """Make a customer without accounts that the core knows by its number."""

    @abstractmethod
    async def account(self, money: Money, customer: CoreCustomer | None = None) -> str:
        """Open an account with that much money and give its `ref`.

        Args:
            money: zero or more, below 10^15 minor units.
            customer: whose; None: anybody's.
        """

    @abstractmethod
    async def set_state(self, ref: str, state: AccountState) -> None:
        """Let the partner's own staff change the state of an account."""

    @abstractmethod
    async def books(self, ref: str) -> Books:
        """Read an account in the partner's own books."""


class RailRig(Line):
    """A payment rail to try an adapter on.

    Attributes:
        bank_code: of the addresses that the rail is asked about.
        known, nobody: an account number of that bank, and one that it does not have.
        name: who holds the known one, in full.
        currency: what is paid.
        core: what `connect` is given as the core; rails to other banks need none.
    """

    bank_code: str
    known: str
    nobody: str
    name: str
    currency: str = "INR"
    core: object = None

    @abstractmethod
    async def effects(self, ops: Sequence[OpRef]) -> int:
        """Count the payments in the rail's own books that these ops made."""


class PushRig(Line):
    """A push provider to try an adapter on.

    Attributes:
        dead: an address where no app listens any more; None: it has no such thing.
        too_long: a text of more bytes than a message may have; None: no such rule.
    """

    dead: str | None = None
    too_long: str | None = None

    @abstractmethod
    def message(self, address: str) -> PushMessage:
        """Write a message as this provider is given it."""

    @abstractmethod
    def address(self, number: int) -> str:
        """Give the address of a living app, another one for each number."""

    @abstractmethod
    async def arrived(self, address: str) -> int | None:
        """Count the messages that an app was given; None: nobody can."""


class SmsRig(Line):
    """A text gateway to try an adapter on."""

    @abstractmethod
    def number(self, number: int) -> str:
        """Give a phone number, another one for each number."""

    @abstractmethod
    async def arrived(self, number: str) -> list[str] | None:
        """Read the texts that a phone was given, oldest first; None: nobody can."""


def nobody_listens() -> str:
    """Give an address whose connection is refused, for `settings(away=True)`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
