"""A whole run of the bank, from enrolment to logout, writes no secret into its logs."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from mock_mobile_client import totp
from mock_mobile_client.errors import Refused
from mock_mobile_client.handset import Setting
from mock_mobile_client.notifications import Sms
from mock_mobile_client.people import Person
from mock_mobile_client.phone import Phone
from mock_mobile_client.store import PhoneState
from mock_mobile_client.world_clock import WorldClock
from tests.journeys import bank_process
from tests.journeys.bank_process import BankProcess, a_bank
from tests.journeys.planted import SECRET, SHORTEST, found_in, leaked

pytestmark = pytest.mark.slow

PIN, WRONG_PIN = "736251", "918264"
COOLED_S = 25 * 3600
FEW, MANY = 6, 30  # keys and tokens; codes on paper


class Pocket:
    """A store that remembers every state a phone was ever in."""

    def __init__(self) -> None:
        self.states: list[PhoneState] = []
        self._phones: dict[tuple[str, str], PhoneState] = {}

    def load(self, bank: str, name: str) -> PhoneState:
        """Give the newest state."""
        return self._phones.get((bank, name), PhoneState())

    def save(self, bank: str, name: str, state: PhoneState) -> None:
        """Keep one state more."""
        self._phones[(bank, name)] = state
        self.states.append(state)

    def secrets(self) -> set[str]:
        """Collect what must never leave the phone, or only to the bank."""
        found = {getattr(state, name) for state in self.states for name in SECRET}
        # The body of a key matters, not its frame of dashes.
        texts = {text for text in found if isinstance(text, str)}
        lines = {line for text in texts for line in text.splitlines()}
        return {line for line in lines if line and "--" not in line}


class Day:
    """A day of one phone at a bank, if wanted a night too, and every secret of it."""

    def __init__(self, bank: BankProcess, *, with_night: bool) -> None:
        self.bank = bank
        self.with_night = with_night
        self.pocket = Pocket()
        self.said: set[str] = {PIN, WRONG_PIN}
        self.ahead_s = 0
        self.setting = Setting(
            store=self.pocket, clock=lambda: time.time() + self.ahead_s
        )

    async def lived(self) -> set[str]:
        """Play it; gives its secrets."""
        async with Phone("asha", self.bank.url, self.bank.sandbox, self.setting) as one:
            await one.enrol(mpin=PIN)
            with pytest.raises(Refused):
                await one.login(pin=WRONG_PIN)
            await one.login(pin=PIN)
            home = await one.home()
            numbers = {await one.account_number(a.name) for a in home.accounts}
            await one.logout()
            if self.with_night:
                await self.found_again(one)
            owner = one.owner
        texts = await received(self.bank, owner.phone)
        known = {owner.code, owner.phone, *texts, *numbers} | self.said
        return known | self.pocket.secrets()

    async def found_again(self, phone: Phone) -> None:
        """Set up an authenticator, and enrol by each thing that is left."""
        assert await WorldClock(self.bank.sandbox).forward(COOLED_S)
        self.ahead_s = COOLED_S
        await phone.login(pin=PIN)
        codes = await totp.enrol(phone.session)
        await self.enrolled(phone, "recoveryCode", codes[0])
        self.ahead_s += totp.STEP_S  # its own clock only: the next code
        await self.enrolled(phone, "totp", totp.show(phone.handset))
        await self.enrolled(phone, "activationCode", self.reset_code(phone.owner))
        self.said |= {*codes, *(code.replace("-", "") for code in codes)}

    async def enrolled(self, phone: Phone, kind: str, code: str) -> None:
        """Bind the phone anew by a proof of who holds it."""
        self.said |= {code, code.replace("-", "")}
        await phone.bind_anew({kind: code})

    def reset_code(self, owner: Person) -> str:
        """Let the desk print a reset code."""
        printed = self.bank.command(
            *("app", "customers", "reset-factors", owner.number),
            *("--by", "Meera", "--reason", "lost everything"),
        )
        assert printed.returncode == 0, printed.stderr
        code = printed.stdout.strip()
        assert found_in({code}, f"{printed.stderr}.") == set()
        return code


async def received(bank: BankProcess, number: str) -> set[str]:
    """Read every one-time code that was sent to a number."""
    async with httpx.AsyncClient(base_url=bank.sandbox) as world:
        answer = await world.get(f"/phones/{number}/inbox", params={"wait": 0})
    rows = answer.raise_for_status().json()["messages"]
    texts = [Sms(row["id"], row["at"], row["body"]["text"]) for row in rows]
    return {text.otp for text in texts if text.otp}


@pytest.mark.parametrize("form", ["json", "console"])
async def test_no_secret_of_a_day_is_in_the_logs_the_audit_or_the_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    plain = bank_process.environment

    def talkative(*given: object) -> dict[str, str]:
        """Ask for everything that can be written."""
        return plain(*given) | {  # type: ignore[arg-type]  # handed through as given
            "SIXPENCE_LOG_LEVEL": "debug",
            "SIXPENCE_LOG_FORMAT": form,
        }

    monkeypatch.setattr(bank_process, "environment", talkative)

    with a_bank(tmp_path) as bank:
        secrets = await Day(bank, with_night=form == "json").lived()

    assert len(secrets) > (MANY if form == "json" else FEW)
    assert leaked(secrets, tmp_path) == set()
    told, everything = kept_by(tmp_path / ".sixpence/bank.db")
    assert found_in(secrets, told) == set()
    long = {text for text in secrets if len(text) > SHORTEST}
    as_bytes = {text.encode().hex().upper() for text in long}
    assert found_in(long | as_bytes, everything) == set()


def kept_by(file: Path) -> tuple[str, str]:
    """Read what audit and event log wrote down, and then every table as it lies."""
    with closing(sqlite3.connect(file)) as books:
        rows = books.execute("SELECT detail FROM audit_entry").fetchall()
        rows += books.execute("SELECT payload FROM customer_event").fetchall()
        dumped = "\n".join(books.iterdump())
    return "".join(text for (text,) in rows), dumped
