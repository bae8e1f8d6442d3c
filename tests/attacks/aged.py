"""A bank whose time is moved, so that phones outgrow their waiting time."""

import asyncio
import base64
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from mock_mobile_client.handset import Setting
from mock_mobile_client.lines import line
from mock_mobile_client.people import Person
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.store import FileStore
from tests.attacks.thief import TIMEOUT_S
from tests.attacks.untouched import as_hex
from tests.journeys.bank_process import BankProcess

NOTICED_S = 0.5  # a process looks at the file of its clock four times a second
WAITING_S = 86_400
RINGS = ("sealing", "pepper")


@dataclass
class Aged:
    """A bank, and how far its time is ahead."""

    bank: BankProcess
    ahead_s: int = 0

    def clock(self) -> float:
        """Tell the time of this bank."""
        return time.time() + self.ahead_s

    def phone(
        self, name: str, owner: Person | None = None, door: str | None = None
    ) -> Phone:
        """Give a phone whose clock goes with the bank; `door` is another way there."""
        store = FileStore(self.bank.folder / "phones")
        setting = Setting(store, ITERATIONS_MIN, self.clock, door)
        return Phone(name, self.bank.url, self.bank.sandbox, setting, owner)

    async def move(self, seconds: int) -> None:
        """Move the time of the bank, on or back."""
        self.ahead_s += seconds
        offset: dict[str, int] = {"offset_s": self.ahead_s}
        async with line(self.bank.sandbox, TIMEOUT_S) as client:
            moved = await client.put(f"{self.bank.sandbox}/_clock", json=offset)
        assert moved.status_code == 200
        await asyncio.sleep(NOTICED_S)

    async def grow_up(self, *phones: Phone) -> None:
        """Let the waiting time pass; these phones sign in again."""
        await self.move(WAITING_S + 60)
        for phone in phones:
            await phone.login()

    def standing(self, phone: Phone) -> tuple[str, str | None, bool]:
        """Read state and lock of a phone, and whether its mPIN's secret is there."""
        sql = (
            "SELECT d.id, d.state, d.lock_reason, m.sealed FROM device d "
            "LEFT JOIN mpin_secret m ON m.device_id = d.id"
        )
        name = phone.handset.device_id.partition("_")[2]
        (found,) = [row for row in self.bank.books.read(sql) if as_hex(row[0]) == name]
        return found[1], found[2], found[3] is not None


def ring_file(folder: Path, name: str) -> Path:
    """Give where a bank in this folder looks for a ring."""
    return folder / ".sixpence" / f"{name}.keys"


def make_rings(folder: Path) -> None:
    """Write both rings: key 1 is current, key 2 is known to every process."""
    for name in RINGS:
        file = ring_file(folder, name)
        file.parent.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        keys = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in RINGS)
        file.write_text("\n".join(f"{n} {key}" for n, key in enumerate(keys, 1)))


def turn_rings(folder: Path) -> None:
    """Make key 2 current for every process that starts from now on."""
    for name in RINGS:
        file = ring_file(folder, name)
        lines = sorted(file.read_text().split("\n"), reverse=True)
        file.write_text("\n".join(lines))
