"""Whatever of another customer is named, it looks as if it had never existed.

The places where something can be named come from the printed contract: a new one
without a case fails here by its name.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
import pytest
import pytest_asyncio

from mock_mobile_client.api import Reply
from mock_mobile_client.documents import Document
from mock_mobile_client.handset import Level
from mock_mobile_client.phone import Phone, introduce
from mock_mobile_client.signing import b64url
from mock_mobile_client.values import JsonObject
from mock_mobile_client.wire import Wire
from tests.attacks.conftest import setting
from tests.attacks.coordinates import coordinates
from tests.attacks.foreign_cases import (
    ANSWERED,
    HEAD,
    NAMES_NOBODY,
    NULL,
    Case,
    Own,
    cases,
)
from tests.attacks.theirs import Named, everything_of, never_existed
from tests.attacks.untouched import Rows, added, at_rest, gone, rows
from tests.journeys.bank_process import BankProcess, a_bank
from tests.journeys.books import books_of

if TYPE_CHECKING:
    from tests.postgres import Server

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

NOBODYS = Own("acc", "ben", {})
SOCKET_S = 0.7
VOLATILE = re.compile(
    r"[a-z]{3}_[0-9a-f]{32}|\b[0-9a-f]{16}\b|\d{4}-\d\d-\d\dT[\d:.]+Z"
    r"|(?<![\w-])[\w-]{43}(?![\w-])"
)
COORDINATES = sorted(cases(NOBODYS))


@dataclass
class Duel:
    """Asha attacks; Ben has."""

    asha: Phone
    ben: Phone
    bank: BankProcess
    theirs: Named
    cases: dict[str, Case]
    rows: Rows


@pytest.fixture(scope="module")
def arena(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: "Server | None",
    *,
    plans: bool,
) -> Iterator[BankProcess]:
    """Start a bank in which nobody else does anything."""
    folder = tmp_path_factory.mktemp("arena")
    with (
        books_of(folder, postgres, plans=plans) as books,
        a_bank(folder, books) as bank,
    ):
        yield bank


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def duel(arena: BankProcess) -> AsyncIterator[Duel]:
    """Give both, signed in, each knowing the other."""
    async with AsyncExitStack() as stack:
        world = (arena.url, arena.sandbox, setting(arena.folder / "phones"))
        asha = await stack.enter_async_context(Phone("asha", *world))
        ben = await stack.enter_async_context(Phone("ben", *world))
        second = await stack.enter_async_context(Phone("ben-2", *world))
        for phone in (asha, ben, second):
            await phone.start()
        await introduce(asha, ben)
        theirs = await everything_of(ben, second, asha)
        own = await what_asha_has(asha)
        before = at_rest(arena.books)
        yield Duel(asha, ben, arena, theirs, cases(own), before)


async def what_asha_has(asha: Phone) -> Own:
    payee = await asha.payee("ben")
    assert payee is not None
    signature = b64url(asha.handset.key.sign(b"anything"))
    response = {"mpinProof": b64url(bytes(32))}
    return Own(
        account=(await asha.home()).accounts[0].id,
        payee=payee.id,
        answer={"deviceSignature": signature, "response": response},
    )


def filled(value: object, name: str) -> object:
    """Put the name where the case has none."""
    if isinstance(value, dict):
        return {key: filled(member, name) for key, member in value.items()}
    if isinstance(value, list):
        return [filled(member, name) for member in value]
    return name if value is None else value


async def ask(phone: Phone, case: Case, name: str) -> Reply:
    """Ask over the real wire, by a socket where it is a subscription."""
    if case.text.startswith("subscription"):
        return await follow(phone, case.text, name)
    given = filled(case.given, name)
    assert isinstance(given, dict)
    single = {"input": given} if "$input" in case.text else {"name": name, **given}
    return await phone.ask(case.text, single, case.level)


async def follow(phone: Phone, text: str, name: str) -> Reply:
    """Give what a subscription says at once; nothing is null."""
    wire = await Wire.open(phone.socket_url, phone.init_payload())
    first: JsonObject | None = None
    try:
        document = Document("", "subscription", "", text)
        await wire.subscribe("1", without_name(document), {"name": name})
        async with asyncio.timeout(SOCKET_S):
            async for frame in wire.frames():
                if frame.kind == "complete":
                    break
                assert isinstance(frame.payload, dict), frame
                first = frame.payload["data"]
                break
    except TimeoutError:
        first = None
    finally:
        await wire.close()
    return Reply(first, (), None)


def without_name(document: Document) -> Document:
    return Document(None, document.kind, document.field, document.text)  # type: ignore[arg-type]  # an operation without a name is called null


def verdict(reply: Reply) -> str:
    """Say an answer in one word: null, a code, silence, or that it is an answer."""
    if reply.errors:
        return str(reply.errors[0]["extensions"]["code"])
    if reply.data is None:
        return "silence"
    value = next(iter(reply.data.values()))
    while isinstance(value, dict) and len(value) == 1 and "userErrors" not in value:
        value = next(iter(value.values()))
    if value is None or value == [None]:
        return NULL
    if isinstance(value, dict) and value.get("userErrors"):
        return str(value["userErrors"][0]["code"])
    event = value.get("event", {}) if isinstance(value, dict) else {}
    return str(event.get("resetReason", ANSWERED))


def shape(reply: Reply) -> str:
    """Write an answer without what differs between any two answers."""
    text = orjson.dumps([reply.data, reply.errors]).decode()
    return VOLATILE.sub("*", text)


# ------------------------------------------------------------------ tests


async def test_every_place_that_names_something_has_its_case() -> None:
    known = set(COORDINATES) | set(NAMES_NOBODY)

    assert sorted(coordinates() - known) == []
    assert sorted(known - coordinates()) == []
    assert not set(COORDINATES) & set(NAMES_NOBODY)


@pytest.mark.attack("ids of another customer")
@pytest.mark.parametrize("coordinate", COORDINATES)
async def test_a_foreign_name_is_answered_like_one_that_never_was(
    duel: Duel, coordinate: str
) -> None:
    case = duel.cases[coordinate]
    for kind in case.names:
        name, before = duel.theirs[kind], duel.rows

        foreign = await ask(duel.asha, case, name)
        invented = await ask(duel.asha, case, never_existed(name))

        assert verdict(foreign) == case.says, (kind, foreign)
        assert shape(foreign) == shape(invented), kind
        told = orjson.dumps([foreign.data, foreign.errors]).decode().replace(name, "")
        assert duel.theirs.in_(told) == set()
        duel.rows = rows(duel.bank.books)
        if duel.rows != before:
            duel.rows = at_rest(duel.bank.books)
        moved = [one for one in gone(before, duel.rows) if one[0] not in case.changes]
        assert moved == []
        assert added(before, duel.rows) <= case.adds
        assert (case.adds >= HEAD) or duel.rows["stream_head"] == before["stream_head"]
        if case.owner:
            assert verdict(await ask(duel.ben, case, name)) == ANSWERED


@pytest.mark.attack("ids of another customer")
async def test_what_can_be_fetched_can_be_fetched_by_its_owner_alone(
    duel: Duel,
) -> None:
    """Every id the books hold under every prefix: Asha never meets anything of Ben."""
    text = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    ids = [name for name in duel.theirs.of.values() if "_" in name]
    prefixes = {name.partition("_")[0] for name in ids}
    crossed = [
        f"{prefix}_{name.partition('_')[2]}" for name in ids for prefix in prefixes
    ]

    found = []
    for start in range(0, len(crossed), 100):
        asked = {"ids": crossed[start : start + 100]}
        reply = await duel.asha.ask(text, asked, Level.LOGIN)
        assert reply.data is not None
        found += reply.data["nodes"]

    assert found == [None] * len(crossed)
    assert gone(duel.rows, at_rest(duel.bank.books)) == []
