"""Keys are changed while phones are at work; an old one that leaked is worth nothing.

One process has the old order of both rings, one was restarted with the new one.
"""

import asyncio
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.vault import Ring, Vault
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.phone import Phone
from mock_mobile_client.signing import b64url
from tests.attacks.aged import RINGS, Aged, ring_file, turn_rings
from tests.attacks.second_web import a_second_web
from tests.attacks.thief import ME, code_of, part, post, proof_for, written
from tests.journeys.bank_process import BankProcess

pytestmark = [
    pytest.mark.slow,
    pytest.mark.attack("key rotation"),
    pytest.mark.asyncio(loop_scope="module"),
]

LEAKED_FOR_S = 15 * 60 + 5
STAFF = ("--by", "desk", "--reason", "a key leaked")


@pytest.fixture(scope="module")
def restarted(aged: Aged) -> Iterator[str]:
    """Give a door where key 2 is current; the bank's own process still has key 1."""
    turn_rings(aged.bank.folder)
    with a_second_web(aged.bank, LIMIT_FACTOR="1000") as door:
        yield door


async def used_on(one: Phone, other: Phone, *, until: asyncio.Event) -> int:
    """Refresh and read, now at one door, now at the other; gives how often."""
    turns = 0
    while not until.is_set():
        phone, following = (one, other) if turns % 2 == 0 else (other, one)
        await phone.session.refresh()
        await phone.handset.call("home", {})
        state = phone.handset.state
        following.handset.keep(token=state.token, refresh_token=state.refresh_token)
        turns += 1
        await asyncio.sleep(0.2)  # the commands need a core, too
    return turns


def live_sessions(bank: BankProcess) -> set[object]:
    rows = bank.books.read("SELECT id FROM session WHERE ended_at IS NULL")
    return {str(name) for (name,) in rows}


def leaked_key(aged: Aged) -> tuple[str, DeviceKey]:
    """Take the key that signs, as somebody with books and rings could."""
    rings = [Ring.read(ring_file(aged.bank.folder, name)) for name in RINGS]
    ((kid, sealed),) = aged.bank.books.read(
        "SELECT kid, sealed_private FROM signing_key WHERE state = 'CURRENT'"
    )
    raw = Vault(*rings).open("signing_key", kid, sealed)
    private = serialization.load_der_private_key(raw, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return kid, DeviceKey(private)


def by_command(bank: BankProcess) -> list[tuple[int, str]]:
    """Change every key; gives exit codes and what was said."""
    words = (
        ("rotate", "--at-once", *STAFF),
        ("reseal",),
        ("retire", "sealing", "1", *STAFF),
        ("retire", "pepper", "1", *STAFF),
    )
    done = [bank.command("app", "keys", *one) for one in words]
    return [(one.returncode, one.stdout + one.stderr) for one in done]


async def test_every_key_changes_and_nobody_is_signed_out_but_who_stole_one(
    aged: Aged, restarted: str
) -> None:
    bank = aged.bank
    async with (
        aged.phone("asha") as asha,
        aged.phone("asha", door=restarted) as there,
    ):
        await asha.start()
        there.handset.state = asha.handset.state
        kid, leaked = leaked_key(aged)
        works = await shown(asha, forged(asha, kid, leaked))
        sessions, stop = live_sessions(bank), asyncio.Event()

        async with asyncio.TaskGroup() as group:
            using = group.create_task(used_on(asha, there, until=stop))
            ends = await asyncio.to_thread(by_command, bank)
            stop.set()

        assert works is None  # while it signs, whoever holds it is the bank
        assert [code for code, _ in ends] == [0, 0, 0, 1], ends
        assert "session.key_id" in ends[3][1]
        assert using.result() >= 2
        assert live_sessions(bank) == sessions
        for phone in (there, asha):
            await phone.login()

        await aged.move(LEAKED_FOR_S)
        await asha.login()
        # An id that nobody knows makes the bank look at its keys at once.
        await shown(asha, forged(asha, "0" * len(kid), leaked))
        late = await shown(asha, forged(asha, kid, leaked))
        posing = await shown(asha, forged(asha, part(head(asha))["kid"], leaked))

        assert late == posing == "UNAUTHENTICATED"
        await asha.home()
    left = f"SELECT sealed_private FROM signing_key WHERE kid = '{kid}'"  # noqa: S608  -- read from the table
    assert bank.books.one(left) == b""


def head(phone: Phone) -> str:
    return phone.handset.token.split(".")[0]


def forged(phone: Phone, kid: str, key: DeviceKey) -> str:
    """Sign what the bank signed last, with another key under this id."""
    body = part(phone.handset.token.split(".")[1])
    header = part(head(phone)) | {"kid": kid}
    message = f"{written(header)}.{written(body)}"
    return f"{message}.{b64url(key.sign(message.encode()))}"


async def shown(phone: Phone, token: str) -> str | None:
    """Show a token under the phone's own key; gives the refusal."""
    proof = proof_for(phone, ME, token)
    return code_of(await post(phone.handset.bank, ME, token, proof))
