"""Proof 6 holds against a right bank and fails against wrong ones."""

from collections.abc import Callable

import pytest

from mock_mobile_client import proofs_lost_phone
from mock_mobile_client.errors import ProofFailed
from mock_mobile_client.handset import Setting
from mock_mobile_client.proofs_lost_phone import proof_06
from tests.phone.conftest import ROUNDS, Fake
from tests.phone.fake_parts import Device

pytestmark = pytest.mark.slow  # begun first: waits long

QUICK = Setting(iterations=ROUNDS)
AT_FIRST = [4_825_000, 12_000_000, 931_050]


def minor(fake: Fake) -> list[int]:
    return [a.minor for customer in fake.bank.customers for a in customer.accounts]


async def test_proof_six_holds_through_a_second_door_and_leaves_the_balances(
    fake: Fake,
) -> None:
    told: list[str] = []
    door = fake.url.replace("localhost", "127.0.0.1")

    await proof_06(fake.url, fake.url, QUICK, told.append, second=door)

    assert minor(fake) == AT_FIRST
    assert not [line for line in told if "skipped" in line]
    assert [line for line in told if line.startswith("socket on the other process")]
    assert [line for line in told if line.startswith("the log shows it")] == [
        "the log shows it: device.locked of Asha-1 by Asha-2",
        "the log shows it: device.unlocked of Asha-1 by Asha-3",
        "the log shows it: device.revoked of Asha-2 by Asha-1",
    ]


async def test_without_a_second_process_it_says_so(fake: Fake) -> None:
    told: list[str] = []

    await proof_06(fake.url, fake.url, QUICK, told.append)

    assert (
        "socket on the other process: needs a second process: skipped, partly" in told
    )
    assert minor(fake) == AT_FIRST


async def test_without_a_movable_clock_it_ends_after_the_young_phone(
    fake: Fake,
) -> None:
    told: list[str] = []
    fake.bank.movable = False

    await proof_06(fake.url, fake.url, QUICK, told.append)

    assert told[-1].endswith("needs a movable clock: skipped, partly")
    assert minor(fake) == AT_FIRST


async def test_it_works_twice_on_one_bank(fake: Fake) -> None:
    setting = Setting(iterations=ROUNDS)

    for _ in range(2):
        await proof_06(fake.url, fake.url, setting)

    assert minor(fake) == AT_FIRST


def trusts_the_young(fake: Fake) -> None:
    """Let a phone do everything from its first second."""
    state = fake.bank.state

    def shown(device: Device) -> str:
        known = state(device)
        return "ACTIVE" if known == "COOLING" else known

    fake.bank.state = shown  # type: ignore[method-assign]  # a wrong bank


def forgets_sockets(fake: Fake) -> None:
    """End sessions, leave their sockets open."""
    fake.bank.on_end = lambda _token, _code: None


def keeps_addresses(fake: Fake) -> None:
    """Revoke a phone and go on pushing to it."""
    leave = fake.bank.leave

    def left(device: Device, state: str) -> None:
        addresses = dict(fake.bank.addresses)
        leave(device, state)
        fake.bank.addresses = addresses

    fake.bank.leave = left  # type: ignore[method-assign]  # a wrong bank


def tells_nobody(fake: Fake) -> None:
    """Revoke a phone without a word to the others."""

    def silence(target: Device) -> None:
        del target

    fake.bank.note = silence  # type: ignore[method-assign]  # a wrong bank


def writes_nothing_down(fake: Fake) -> None:
    """Do all of it, and leave no line in the log."""

    def silence(act: str, target: Device, by: Device) -> None:
        del act, target, by

    fake.bank.write = silence  # type: ignore[method-assign]  # a wrong bank


def blames_another(fake: Fake) -> None:
    """Write down the phone it was done to as the one that did it."""
    write = fake.bank.write

    def written(act: str, target: Device, by: Device) -> None:
        del by
        write(act, target, target)

    fake.bank.write = written  # type: ignore[method-assign]  # a wrong bank


@pytest.mark.parametrize(
    ("wrong", "seen"),
    [
        (trusts_the_young, "must not pass"),
        (forgets_sockets, "its socket: expected closed"),
        (keeps_addresses, "pushes to the lost phone"),
        (tells_nobody, "event about Asha-2"),
        (writes_nothing_down, "device.locked of Asha-1 in the log"),
        (blames_another, "device.locked of Asha-1 in the log"),
    ],
)
async def test_proof_six_finds_a_wrong_bank(
    fake: Fake,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Callable[[Fake], None],
    seen: str,
) -> None:
    monkeypatch.setattr(proofs_lost_phone, "TOLD_WITHIN_S", 1.0)
    wrong(fake)

    with pytest.raises(ProofFailed, match=seen):
        await proof_06(fake.url, fake.url, QUICK)
