"""A whole run of the bank, from enrolment to logout, writes no secret into its logs."""

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from mock_mobile_client.errors import Refused
from mock_mobile_client.handset import Setting
from mock_mobile_client.notifications import Sms
from mock_mobile_client.phone import Phone
from mock_mobile_client.store import PhoneState
from tests.journeys import bank_process
from tests.journeys.bank_process import BankProcess, a_bank

pytestmark = pytest.mark.slow

PIN, WRONG_PIN = "736251", "918264"
SHORTEST = 6  # a shorter text is found everywhere


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
        found = {
            value
            for state in self.states
            for value in (state.key_pem, state.blob, state.hardware_key, state.token)
            if value
        }
        # The body of a key matters, not its frame of dashes.
        lines = {line for text in found for line in text.splitlines()}
        return {line for line in lines if line and "--" not in line}


async def lived(bank: BankProcess, pocket: Pocket) -> set[str]:
    """Play a day of one phone; gives the secrets of that day."""
    setting = Setting(store=pocket)
    async with Phone("asha", bank.url, bank.sandbox, setting) as phone:
        await phone.enrol(mpin=PIN)
        with pytest.raises(Refused):
            await phone.login(pin=WRONG_PIN)
        await phone.login(pin=PIN)
        home = await phone.home()
        numbers = {await phone.account_number(a.name) for a in home.accounts}
        await phone.logout()
        owner = phone.owner
    texts = await received(bank, owner.phone)
    return {PIN, WRONG_PIN, owner.code, owner.phone, *texts, *numbers} | (
        pocket.secrets()
    )


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
        secrets = await lived(bank, Pocket())

    assert len(secrets) > SHORTEST
    assert leaked(secrets, logs_of(tmp_path)) == set()
    assert leaked(secrets, kept_by(tmp_path / ".sixpence/bank.db")) == set()


def leaked(secrets: set[str], written: str) -> set[str]:
    """Name the secrets that stand in a text, which may not be empty."""
    assert written
    return {text for text in secrets if len(text) >= SHORTEST and text in written}


def logs_of(folder: Path) -> str:
    """Read everything the processes of the bank wrote."""
    return "".join(log.read_text() for log in folder.rglob("*.log"))


def kept_by(file: Path) -> str:
    """Read what the audit and the event log wrote down."""
    with closing(sqlite3.connect(file)) as books:
        rows = books.execute("SELECT detail FROM audit_entry").fetchall()
        rows += books.execute("SELECT payload FROM customer_event").fetchall()
    return "".join(text for (text,) in rows)
