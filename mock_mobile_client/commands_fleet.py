"""What `fleet` does: many phones, a living line, a verdict."""

import time
from urllib.parse import urlsplit

from mock_mobile_client.commands import DONE, REFUSED, Commands
from mock_mobile_client.errors import BadEntry, Unreachable
from mock_mobile_client.fleet import PHONES_EACH, Fleet, Wish
from mock_mobile_client.fleet_tally import Tally
from mock_mobile_client.handset import Setting
from mock_mobile_client.people import numbered
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.screen import WIDTH_MAX, Screen
from mock_mobile_client.store import FileStore

FIRST_PLACE = 4  # the demo's first three have names, and phones of their own
LINE_S = 5.0
HERE = frozenset({"localhost", "127.0.0.1", "::1"})


async def fleet(commands: Commands, wish: Wish, *, mine: bool) -> int:
    """Play a fleet; gives the exit code.

    Args:
        commands: The global options.
        wish: What it is to do.
        mine: Whether a bank elsewhere may be burdened.

    Raises:
        BadEntry: a bank elsewhere.
        Unreachable: no bank, or one without so many customers.
    """
    if urlsplit(commands.url).hostname not in HERE and not mine:
        raise BadEntry(f"{commands.url} is not here: say --this-server-is-mine")
    store, screen = FileStore(commands.folder), commands.screen

    def phone(place: int, number: int) -> Phone:
        owner = numbered(FIRST_PLACE + place)
        setting = Setting(store, ITERATIONS_MIN, by_id=commands.by_id)
        name = f"{owner.name}-{number}"
        return Phone(name, commands.url, commands.sandbox, setting, owner)

    ticker = Ticker(screen)
    crew = Fleet(wish, phone, ticker.show)
    count = FIRST_PLACE - 1 - -wish.phones // PHONES_EACH
    try:
        broken = await crew.run()
    except Unreachable as lost:  # an unknown number gets no SMS, and nobody is told why
        need = f"it needs SIXPENCE_DEMO_CUSTOMERS={count} or more"
        raise Unreachable(f"{lost}; for {wish.phones} phones {need}") from lost
    ticker.end()
    judge(screen, crew.tally, wish.seconds, broken)
    return REFUSED if broken else DONE


def judge(screen: Screen, tally: Tally, seconds: float, broken: list[str]) -> None:
    """Print what was seen, and the verdict."""
    screen.line(
        f"{tally.phones} phones, {seconds:.0f} s: {tally.events:,} events, "
        f"{tally.payments} payments, lag p50/p95/p99 {tally.lag()}"
    )
    if tally.back_s is not None:
        screen.line(f"all lines were cut; all were back {tally.back_s:.1f} s later")
    if tally.closed():
        screen.line(f"closed or refused: {tally.closed()}")
    for one in broken:
        screen.failed(one)
    if not broken:
        screen.passed("every phone saw everything, once and in order")


class Ticker:
    """One line that lives on a terminal; elsewhere a line every five seconds."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._at = -LINE_S

    def show(self, text: str) -> None:
        """Show the newest figures in place of those before."""
        if self._screen.out.isatty():
            self._screen.out.write(f"\r{text[:WIDTH_MAX]:<{WIDTH_MAX}}")
            self._screen.out.flush()
        elif time.monotonic() - self._at >= LINE_S:
            self._at = time.monotonic()
            self._screen.line(text)

    def end(self) -> None:
        """Let the next line stand below."""
        if self._screen.out.isatty():
            self._screen.line()
