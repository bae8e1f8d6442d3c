"""The database, the logs, or the image of a phone in a thief's hands."""

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mock_mobile_client.errors import NotReady, Refused
from mock_mobile_client.handset import Setting
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone, introduce
from mock_mobile_client.pin import ITERATIONS_MIN, PinBlob
from mock_mobile_client.signing import unb64url
from tests.attacks.untouched import COLUMNS, TABLES
from tests.journeys.bank_process import BankProcess
from tests.journeys.books import Books
from tests.journeys.planted import Pocket, known_to_people, leaked, texted

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WRONG = "864209"
GUESSES = 20


@pytest.fixture
def pocket(tmp_path: Path) -> Pocket:
    """Give a store that remembers every secret of the phones in it."""
    return Pocket(tmp_path)


async def a_day(bank: BankProcess, pocket: Pocket, asha: Phone) -> None:
    """Let a phone do everything that has a secret in it."""
    setting = Setting(store=pocket, iterations=ITERATIONS_MIN)
    world = (bank.url, bank.sandbox, setting)
    async with Phone("ben-2", *world) as ben:
        await ben.start()
        with pytest.raises(Refused):
            await ben.login(pin=WRONG)
        await ben.login()
        await ben.register_passkey()
        await ben.session.refresh()
        await ben.drawer.register()
        await introduce(ben, asha)
        await ben.pay("asha", money("1.00 INR"))
        await ben.logout()


def dumped(books: Books) -> Iterator[tuple[str, object]]:
    """Give table and value of everything in the database."""
    for (table,) in books.read(TABLES[books.engine]):
        names = books.read(COLUMNS[books.engine].format(table))
        columns = ", ".join(f'"{name}"' for (name,) in names)
        for row in books.read(f"SELECT {columns} FROM {table}"):  # noqa: S608  -- the schema's own names
            yield from ((table, value) for value in row)


def forms(secret: str) -> set[bytes]:
    """Write a secret as a careless program might keep it."""
    plain = secret.encode()
    found = {plain, hashlib.sha256(plain).digest(), hashlib.md5(plain).digest()}  # noqa: S324  -- what to look for
    found |= {hashlib.sha1(plain).digest()}  # noqa: S324  -- same
    try:
        found.add(base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4)))
    except ValueError:
        return found
    return found


def written(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.mark.attack("database stolen")
@pytest.mark.attack("secrets in logs")
async def test_neither_the_books_nor_the_logs_hold_a_secret(
    attacked: BankProcess, pocket: Pocket, asha: Phone
) -> None:
    await a_day(attacked, pocket, asha)
    secrets = known_to_people() | texted(attacked) | pocket.secrets | {WRONG}
    assert len(pocket.secrets) >= 10

    cells = [(table, written(value)) for table, value in dumped(attacked.books)]
    whole = b"\x00".join(value for _table, value in cells)
    hexed = whole.hex().encode()
    found = set()
    for secret in secrets:
        short = len(secret) <= 6
        alone = rb"(?<![\w.-])%s(?![\w-])" % re.escape(secret.encode())
        if re.search(alone, whole) if short else secret.encode() in whole:
            found.add(secret)
        deep = [one for one in forms(secret) if len(one) >= 16]
        if any(one in whole or one.hex().encode() in hexed for one in deep):
            found.add(secret)

    assert found == set()
    assert leaked(secrets, attacked.folder) == set()


@pytest.mark.attack("database stolen")
async def test_short_codes_cannot_be_counted_through_with_the_dump_alone(
    attacked: BankProcess, ben: Phone
) -> None:
    """A million codes and their plain digests: none is a MAC that is kept."""
    kept = {
        written(value) for _table, value in dumped(attacked.books) if value is not None
    }
    macs = {one for one in kept if len(one) == 32}
    assert len(macs) > 10

    hits = [
        code
        for code in (f"{number:06d}".encode() for number in range(1_000_000))
        if hashlib.sha256(code).digest() in macs
    ]
    numbers = [ben.owner.phone, ben.owner.number, ben.owner.code]
    plain = [text for text in numbers if hashlib.sha256(text.encode()).digest() in macs]

    assert hits == []
    assert plain == []
    assert not any(ben.owner.phone.encode() in one for one in kept)


@pytest.mark.attack("stolen phone image")
async def test_no_guess_over_a_stolen_blob_looks_better_than_another(
    attacked: BankProcess, asha: Phone, ben: Phone
) -> None:
    stolen = asha.handset.state.blob
    assert stolen is not None
    blob = PinBlob.parse(unb64url(stolen))

    with pytest.raises(NotReady):
        blob.open(asha.owner.pin)  # the key store does not leave the phone
    hardware = asha.handset.state.hardware_key
    assert hardware is not None
    held = unb64url(hardware)
    pins = [f"{number:06d}" for number in range(480_240, 480_240 + GUESSES)]
    opened = {pin: blob.open(pin, held) for pin in pins}

    assert asha.owner.pin in opened
    assert {len(one) for one in opened.values()} == {32}
    assert len(set(opened.values())) == GUESSES
    spread = [sum(one) / 32 for one in opened.values()]
    assert min(spread) > 60
    assert max(spread) < 195
