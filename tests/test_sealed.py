"""Values under ring keys: every column is declared, moves, and is counted."""

import ast
import importlib
import re
from functools import cache
from pathlib import Path

import pytest

from app import database, keyring, sealed
from app.accounts.sealed import SEALED as OF_ACCOUNTS
from app.auth.sealed import SEALED as OF_AUTH
from app.auth.signing_ring import SigningRing
from app.bank import Bank
from app.clock import StoppedClock
from app.ids import CustomerId
from app.notifications.sealed import SEALED as OF_NOTIFICATIONS
from app.payments.sealed import SEALED as OF_PAYMENTS
from app.sealed import Declared, Fleeting, Kept, Moved, RingName
from app.settings import Settings
from app.vault import Ring, Vault
from tests.auth.room import STAFF
from tests.house.tree import ROOT, called, files, nodes, parsed
from tests.notifications.world import World, address_of, fcm
from tests.payments import world as payments

ALL: list[Declared] = [*OF_AUTH, *OF_ACCOUNTS, *OF_PAYMENTS, *OF_NOTIFICATIONS]
# MACs of what we never see again: where they are kept, or nowhere.
NOT_MADE_ANEW = {
    "mac/otp": "otp_code.key_id",
    "mac/activation": "activation_code.key_id",
    "mac/recovery": "recovery_code.key_id",
    "mac/refresh": "session.key_id",
    "mac/proof": "enrolment.proof_key_id",
    "mac/nonce": None,  # lives for minutes; every key of the ring is tried
    "mac/decoy": None,  # an answer to nobody
}
NAMES_A_KEY = re.compile(r"^\s*((?:\w+_)?key_id|(?:\w+_)?sealed)\s", re.MULTILINE)
NEW = Vault(
    sealing=Ring({2: bytes(range(100, 132)), 1: bytes(range(32))}),
    pepper=Ring({2: bytes(range(132, 164)), 1: bytes(range(32, 64))}),
)
ALONE = Vault(
    sealing=Ring({2: bytes(range(100, 132))}), pepper=Ring({2: bytes(range(132, 164))})
)


# ------------------------------------------------------------------ found by code


def purposes(*methods: str) -> set[str]:
    """Find the purposes that code of the bank gives to some methods of the vault."""
    found: set[str] = set()
    for file in files("app"):
        constants = constants_of(file)
        for node in nodes(file):
            steps = called(node).split(".") if isinstance(node, ast.Call) else []
            if steps[-1:] and steps[-1] in methods and "vault" in "".join(steps[-2:-1]):
                assert isinstance(node, ast.Call)
                found |= _purpose(node.args[0], constants, file)
    return found


@cache
def constants_of(file: Path) -> dict[str, str]:
    """Read the text constants of a module, those it imports from ours included."""
    found: dict[str, str] = {}
    for node in parsed(file).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("app."):
            source = ROOT.joinpath(*str(node.module).split(".")).with_suffix(".py")
            theirs = constants_of(source) if source.exists() else {}
            names = {one.name: one.asname or one.name for one in node.names}
            found |= {names[name]: theirs[name] for name in names if name in theirs}
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = str(node.value.value)
    return found


def _purpose(given: ast.expr, constants: dict[str, str], file: Path) -> set[str]:
    if isinstance(given, ast.Constant) and isinstance(given.value, str):
        return {given.value}
    if isinstance(given, ast.Name) and given.id in constants:
        return {constants[given.id]}
    if file == ROOT / "app/sealed.py":  # the mover itself
        return set()
    raise AssertionError(f"{file}: {ast.dump(given)} is no purpose that can be read")


def columns() -> set[str]:
    """Find the columns of all tables whose names say that they name a key."""
    found = set()
    for step in sorted((ROOT / "app/migrations").glob("0*.py")):
        module = importlib.import_module(f"app.migrations.{step.stem}")
        for table, text in getattr(module, "TABLES", {}).items():
            found |= {f"{table}.{name}" for name in NAMES_A_KEY.findall(text)}
    return found


def declared_columns() -> set[str]:
    """Name the columns that are declared."""
    found = set()
    for one in ALL:
        if isinstance(one, Fleeting):
            found.add(f"{one.table}.{one.column}")
            continue
        found |= {f"{one.table}.{seal.column}" for seal in one.seals}
        found |= {f"{one.table}.{look.key_id}" for look in one.lookups if look.key_id}
    return found


def test_every_purpose_of_a_seal_is_declared() -> None:
    declared = {
        seal.purpose for one in ALL if isinstance(one, Kept) for seal in one.seals
    }

    passing = {one.table for one in ALL if isinstance(one, Fleeting)}
    kept_by_phones = {"quote"}  # for two minutes, in no column of ours
    assert purposes("seal") - declared - passing - kept_by_phones == set()
    assert declared - purposes("seal") == set()


def test_every_purpose_of_a_mac_is_made_anew_or_ends_by_itself() -> None:
    declared = {
        look.purpose for one in ALL if isinstance(one, Kept) for look in one.lookups
    }

    used = purposes("mac", "macs")
    assert used - declared - NOT_MADE_ANEW.keys() == set()
    assert declared - used == set()
    kept = {NOT_MADE_ANEW[purpose] for purpose in used & NOT_MADE_ANEW.keys()}
    assert kept - {None} <= declared_columns()


def test_every_column_that_names_a_key_is_declared() -> None:
    found = columns()

    assert len(found) >= 15
    assert found - declared_columns() - {"signing_key.sealed_private"} == set()


# ------------------------------------------------------------------ other rooms


async def test_an_account_is_found_by_its_number_after_both_rings_moved(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    async with payments.open_bank(bank_database, clock, vault) as bank:
        customer = await bank.a_customer("Asha Rao")
        account = await bank.an_account(customer)
        view = payments.a_staff_view(customer)
        number = (await bank.accounts.numbers(view, [account.id]))[account.id]

    done = await sealed.move(NEW, ALL)

    assert done.rows >= 2
    async with payments.open_bank(bank_database, clock, ALONE) as bank:
        found = await bank.accounts.by_number(number)
        assert found is not None
        assert found.id == account.id
        assert await bank.accounts.numbers(view, [account.id]) == {account.id: number}
    assert await sealed.naming(ALL, RingName.SEALING, 1, clock.now()) == {}


async def test_a_payee_is_known_and_paid_after_both_rings_moved(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    async with payments.open_bank(bank_database, clock, vault) as bank:
        asha, ben = await bank.a_customer("Asha Rao"), await bank.a_customer("Ben Oz")
        mine = await bank.an_account(asha, 100_000)
        his = await bank.an_account(ben)
        phone = await bank.a_phone(asha)
        payee = await bank.a_payee(phone, his)
        view = payments.a_staff_view(ben)
        number = (await bank.accounts.numbers(view, [his.id]))[his.id]

    await sealed.move(NEW, ALL)

    async with payments.open_bank(bank_database, clock, ALONE) as bank:
        found = await bank.payees.address(asha, payee.id)
        assert found is not None
        assert found[1].number == number
        assert found[1].key.startswith("02")
        assert await bank.accounts.owned(phone.actor, [mine.id])
    assert await sealed.naming(OF_PAYMENTS, RingName.PEPPER, 1, clock.now()) == {}
    assert await sealed.move(NEW, ALL) == Moved()


async def test_a_push_address_is_still_one_phones_after_both_rings_moved(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    asha, ben = CustomerId.new(), CustomerId.new()
    before = World(bank_database, clock, vault)
    phone = await before.phone(asha, "fid-asha-1")
    gone = await before.phone(asha, "fid-asha-2")
    await before.addresses.set(gone, None)

    done = await sealed.move(NEW, OF_NOTIFICATIONS)

    assert done == Moved(rows=1)  # what was given up has no value to move
    later = World(bank_database, clock, ALONE)
    await later.addresses.set(phone, fcm("fid-asha-1"))
    thief = await later.phone(ben, "fid-asha-1")
    ours, theirs = await address_of(phone), await address_of(thief)
    assert ours is not None
    assert theirs is not None
    assert (ours.get("state", str), ours.get("dead_reason", str)) == ("DEAD", "MOVED")
    assert theirs.get("state", str) == "ACTIVE"
    assert await sealed.naming(OF_NOTIFICATIONS, RingName.PEPPER, 1, clock.now()) == {}


async def test_an_address_of_before_the_ids_is_found_and_moved(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    world = World(bank_database, clock, vault)
    phone = await world.phone(CustomerId.new(), "fid-asha-1")

    async def as_before(tx: database.Tx) -> None:
        await tx.rows(
            "UPDATE push_address SET value_hash = substr(value_hash, 2) RETURNING id"
        )

    await database.transaction(as_before, name="test.before")
    await world.addresses.set(phone, fcm("fid-asha-1"))
    assert len(await database.read("SELECT id FROM push_address")) == 1

    done = await sealed.move(vault, OF_NOTIFICATIONS)

    row = await address_of(phone)
    assert done == Moved(rows=1)
    assert row is not None
    assert row.get("value_hash", bytes)[0] == 1
    assert len(row.get("value_hash", bytes)) == 33


async def test_more_rows_than_a_batch_move_in_one_go(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    async with payments.open_bank(bank_database, clock, vault) as bank:
        customer = await bank.a_customer("Asha Rao")
        for _ in range(205):
            await bank.an_account(customer)

    done = await sealed.move(NEW, OF_ACCOUNTS)

    assert done == Moved(rows=205)
    named = await sealed.naming(OF_ACCOUNTS, RingName.SEALING, 2, clock.now())
    assert named == {"account.number_sealed": 205}


# ------------------------------------------------------------------ the commands


class Holder:
    """What the key commands need of a bank."""

    def __init__(self, ring: SigningRing, vault: Vault, clock: StoppedClock) -> None:
        self.ring = ring
        self.vault = vault
        self.clock = clock

    def sealed(self) -> list[Declared]:
        return ALL


@pytest.fixture
async def holder(bank_database: Settings, clock: StoppedClock, vault: Vault) -> Holder:
    """Give a bank with two keys in each ring."""
    ring = SigningRing(clock, vault)
    await ring.open()
    return Holder(ring, NEW, clock)


def test_the_bank_gathers_what_every_room_declares() -> None:
    assert Bank.sealed.__get__(object())() == ALL


async def test_keys_are_listed_without_a_secret(holder: Holder) -> None:
    lines = await keyring.listed(holder)

    kinds = [(line.split()[0], line.split()[2]) for line in lines]
    assert sorted(kinds) == [
        ("pepper", "current,"),
        ("pepper", "old,"),
        ("sealing", "current,"),
        ("sealing", "old,"),
        ("signing", "CURRENT"),
        ("signing", "NEXT"),
    ]
    assert "sealing 1 old, named by 2 rows" in lines
    assert "sealing 2 current, named by 0 rows" in lines
    assert all(len(line) < 80 for line in lines)


async def test_a_rotation_at_the_desk_says_who_and_why(holder: Holder) -> None:
    kid = await keyring.rotate(holder, STAFF, at_once=True)

    row = await database.read_one("SELECT object, actor_id FROM audit_entry")
    assert row is not None
    assert (row.get("object", str), row.get("actor_id", str)) == (kid, STAFF.name)
