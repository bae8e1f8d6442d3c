"""Phones that misbehave against a real bank; whatever they try, nothing moves."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from mock_mobile_client.enums import Platform
from mock_mobile_client.handset import Setting
from mock_mobile_client.people import Person
from mock_mobile_client.phone import Phone, introduce
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.store import FileStore
from mock_mobile_client.values import JsonObject
from tests.attacks.aged import Aged, make_rings
from tests.attacks.second_web import a_second_web
from tests.journeys.bank_process import BankProcess, a_bank
from tests.journeys.books import Books, books_of
from tests.rounds import quick_pins

if TYPE_CHECKING:
    from tests.postgres import Server

FIGURES = "{ me { accounts { id balance { booked { minorUnits } version } } } }"

CODE = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}")
CLARA = Person(
    *("Clara", "10000003", "+4455500003", "2W6X-9CAR-5TJQ", "739216"),
    platform=Platform.ANDROID,
    model="Pixel 9",
)


@pytest.fixture(scope="module", autouse=True)
def quickly() -> Iterator[None]:
    """Let the phones of these files mask PINs quickly."""
    with quick_pins():
        yield


# The check attacks the first one, `make test` both.
@pytest.fixture(
    scope="session",
    params=[True, pytest.param(False, marks=pytest.mark.twice)],
    ids=["plans", "graphql-core"],
)
def plans(request: pytest.FixtureRequest) -> bool:
    """Let banks answer queries by compiled plans, then leave all to graphql-core."""
    return bool(request.param)


@pytest.fixture
def books(tmp_path: Path, postgres: "Server | None", *, plans: bool) -> Iterator[Books]:
    """Give the books of a bank of this test's own."""
    with books_of(tmp_path, postgres, plans=plans) as found:
        yield found


@pytest.fixture(scope="session")
def attacked(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: "Server | None",
    *,
    plans: bool,
) -> Iterator[BankProcess]:
    """Start the bank that the attacks of this session share, on the chosen engine."""
    folder = tmp_path_factory.mktemp("attacked")
    with (
        books_of(folder, postgres, plans=plans) as books,
        a_bank(folder, books) as bank,
    ):
        yield bank


@pytest.fixture
def newcomer(attacked: BankProcess) -> Person:
    """Give a customer whom the desk adds for this test, with a code of the desk's."""
    known = int(attacked.books.one("SELECT count(*) FROM customer"))
    digits = f"{known:05d}"
    number, phone = f"200{digits}", f"+91666{digits}"
    by = ("--by", "desk", "--reason", "a test")
    who = ("--name", "Dana New", "--phone", phone, "--number", number)
    account = ("--account", "CURRENT:Everyday:INR")
    added = attacked.command("app", "customers", "add", *who, *account, *by)
    told = attacked.command("app", "customers", "code", number, *by)
    code = CODE.search(told.stdout)
    assert code is not None, added.stderr + told.stderr
    return Person("Dana", number, phone, code[0], "739216", Platform.ANDROID, "Pixel 9")


@pytest.fixture(scope="session")
def strict(attacked: BankProcess) -> Iterator[str]:
    """Give a door of that bank with the rates of production; a code works once there.

    What sends no first message on a socket is turned away after a second.
    """
    more = {"ACTIVATION_REUSABLE": "false", "SOCKET_INIT_S": "1"}
    with a_second_web(attacked, **more) as door:
        yield door


@pytest.fixture(scope="session")
def aged(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: "Server | None",
    *,
    plans: bool,
) -> Iterator[Aged]:
    """Give a bank whose time moves, with a second key in both of its rings."""
    folder = tmp_path_factory.mktemp("aged")
    make_rings(folder)
    with (
        books_of(folder, postgres, plans=plans) as books,
        a_bank(folder, books) as bank,
    ):
        yield Aged(bank)


@pytest.fixture(scope="session")
def aged_door(aged: Aged) -> Iterator[str]:
    """Give a second door of that bank, where a sign-in asks for TOTP, too."""
    more = {"TOTP_AT_LOGIN": "ALWAYS", "LIMIT_FACTOR": "1000"}
    with a_second_web(aged.bank, **more) as door:
        yield door


@pytest.fixture(scope="session")
def phones_folder(tmp_path_factory: pytest.TempPathFactory, *, plans: bool) -> Path:
    """Give the folder of the phones that those banks know."""
    return tmp_path_factory.mktemp("phones")


def setting(folder: Path) -> Setting:
    return Setting(store=FileStore(folder), iterations=ITERATIONS_MIN)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asha(attacked: BankProcess, phones_folder: Path) -> AsyncIterator[Phone]:
    """Give Asha's phone once for a whole file, signed in, with Ben as a payee.

    Attacks leave nothing behind: what one test tried, the next one would notice.
    """
    world = (attacked.url, attacked.sandbox, setting(phones_folder))
    async with Phone("asha", *world) as phone, Phone("ben", *world) as ben:
        await phone.start()
        await ben.start()
        await introduce(phone, ben)
        yield phone


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ben(attacked: BankProcess, phones_folder: Path) -> AsyncIterator[Phone]:
    """Give Ben's phone once for a whole file, signed in."""
    world = (attacked.url, attacked.sandbox, setting(phones_folder))
    async with Phone("ben", *world) as phone:
        await phone.start()
        yield phone


async def figures(phone: Phone) -> JsonObject:
    """Read what must not move: every booked figure and its version."""
    home = await phone.session.call("home", {})
    return {
        row["id"]: (row["balance"]["booked"]["minorUnits"], row["balance"]["version"])
        for row in home["accounts"]
    }
