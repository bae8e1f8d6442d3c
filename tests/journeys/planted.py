"""What the phones of a journey know and no log may hold: PINs, codes, keys, tokens."""

import re
from dataclasses import fields
from pathlib import Path

import httpx
from typing_extensions import override

from mock_mobile_client.journeys import WRONG_PIN
from mock_mobile_client.people import DEMO
from mock_mobile_client.store import FileStore, PhoneState
from tests.journeys.bank_process import BankProcess

SHORTEST = 6  # a shorter text is found everywhere
CODE = re.compile(r"(?<!\d)\d{6}(?!\d)")
SECRET = [one.name for one in fields(PhoneState) if not one.repr]


class Pocket(FileStore):
    """A store that also remembers every secret a phone ever had.

    Which fields are secret the phone says itself: those that no repr shows.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.secrets: set[str] = set()

    @override
    def save(self, bank: str, name: str, state: PhoneState) -> None:
        """Keep the state, and its secrets for the end."""
        super().save(bank, name, state)
        for field in SECRET:
            value = getattr(state, field)
            if isinstance(value, str):
                # The body of a key matters, not its frame of dashes.
                self.secrets |= {x for x in value.splitlines() if "--" not in x}


def known_to_people() -> set[str]:
    """Give what the people of the demo type: PINs, right and wrong, and codes."""
    typed = {secret for one in DEMO for secret in (one.pin, one.code)}
    return typed | {WRONG_PIN}


def texted(bank: BankProcess) -> set[str]:
    """Give every one-time code that was sent to a person of the demo."""
    found: set[str] = set()
    with httpx.Client(base_url=bank.sandbox) as world:
        for one in DEMO:
            after = 0
            while True:
                asked = {"wait": 0, "after": after}
                page = world.get(f"/phones/{one.phone}/inbox", params=asked)
                told = page.raise_for_status().json()
                if not told["messages"]:
                    break
                after = told["next"]
                for row in told["messages"]:
                    if row["kind"] == "sms":
                        found |= set(CODE.findall(row["body"]["text"]))
    return found


def leaked(secrets: set[str], folder: Path) -> set[str]:
    """Name the secrets that stand in a log below a folder; there must be logs."""
    return found_in(secrets, "".join(log.read_text() for log in folder.rglob("*.log")))


def found_in(secrets: set[str], written: str) -> set[str]:
    """Name the secrets that stand in a text, which may not be empty.

    Six digits count where they stand alone: inside a fraction of a second or a request
    id they mean nothing.
    """
    assert written
    long = {one for one in secrets if len(one) > SHORTEST and one in written}
    alone = r"(?<![\w.-]){}(?![\w-])"
    codes = [one for one in secrets if len(one) == SHORTEST]
    return long | {one for one in codes if re.search(alone.format(one), written)}
