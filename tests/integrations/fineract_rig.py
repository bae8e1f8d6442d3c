"""Fineract's rig: the double in a process of its own, with a tap on the line to it.

With SIXPENCE_CORE_BANKING_FINERACT_URL the same suites would need a seeded live server;
the double is what `make check` has.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from typing_extensions import override

from app.ids import CustomerId
from app.integrations.core_banking import AccountState, CoreCustomer
from app.integrations.core_banking.fineract import Settings
from app.money import Money
from tests.integrations.kit.rig import Books, CoreRig, Fault, nobody_listens
from tests.integrations.tap import Tap, a_tap_on
from tests.sandbox.world import an_open_world

BASE = "/fineract-provider/api"
PASSWORD = "correct-horse-battery"
USER, TENANT = "mifos", {"fineract-platform-tenantid": "default"}
WRITES = (
    "/v1/accounttransfers",
    "/v1/interoperation/transfers",
    "/v1/savingsaccounts/{accountId}",
    "/v1/savingsaccounts/{savingsId}/transactions/{transactionId}",
)
HASTY_S = 0.2
RULES: dict[Fault, dict[str, object]] = {
    Fault.DROP_BEFORE_WORK: {"kind": "drop-before-work"},
    Fault.DROP_AFTER_WORK: {"kind": "drop-after-work"},
    Fault.FAILS: {"kind": "http-status", "reply": 500},
    Fault.MALFORMED: {"kind": "malformed-json"},
    Fault.SLOW: {"kind": "latency", "latency_ms": 400},
    Fault.TURNED_AWAY: {"kind": "429"},
    Fault.UNTRUSTED: {"kind": "http-status", "reply": 401},
}
STATES = {
    AccountState.OPEN: "ACTIVE",
    AccountState.BLOCKED: "BLOCKED",
    AccountState.BLOCK_DEBIT: "BLOCKED_DEBIT",
    AccountState.BLOCK_CREDIT: "BLOCKED_CREDIT",
    AccountState.CLOSED: "CLOSED",
}
ASIDE = {"amountHold", "amountRelease"}


class FineractRig(CoreRig):
    """The double, seeded as it goes.

    Args:
        world: the double and its control.
        tap: what the adapter is connected to.
        password: file of the user's password.
    """

    currencies = ("INR", "JPY", "KWD")
    nobody = ("nobody", "987654321", "0", "-1", "1/../2")
    faults = (*RULES,)
    secrets = (PASSWORD, "bWlmb3M6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5")

    def __init__(self, world: httpx.Client, tap: Tap, password: Path) -> None:
        self.world = world
        self.tap = tap
        self._password = password
        self._numbers = count(1)

    @override
    def settings(self, *, away: bool = False, hasty: bool = False) -> Settings:
        return Settings.model_validate(
            {
                "base_url": f"{nobody_listens()}{BASE}" if away else self.tap.url,
                "password_file": self._password,
                "silence_s": HASTY_S if hasty else 10.0,
            }
        )

    @override
    async def fault(self, kind: Fault, calls: int = 1) -> None:
        for route in WRITES:
            self.rule(route, **RULES[kind], count=calls)

    def rule(self, route: str, **more: object) -> None:
        """Set one rule of the world's fault plan."""
        body = {"route": f"{BASE}{route}", **more}
        self.world.put("/_faults", json=body).raise_for_status()

    @override
    async def no_faults(self) -> None:
        self.world.delete("/_faults").raise_for_status()

    @override
    async def calls(self) -> int:
        return len(self.tap.requests)

    @override
    async def customer(self) -> CoreCustomer:
        made = CoreCustomer(CustomerId.new(), f"7{next(self._numbers):07d}")
        self._seed(made.number, [])
        return made

    @override
    async def account(self, money: Money, customer: CoreCustomer | None = None) -> str:
        owner = customer or await self.customer()
        return self.open(owner.number, money)

    def open(self, customer: str, money: Money, **more: object) -> str:
        """Open an account of a customer; gives its number at the core."""
        (ref,) = self.open_several(customer, [money], **more)
        return ref

    def open_several(
        self, customer: str, moneys: list[Money], **more: object
    ) -> list[str]:
        """Open accounts of a customer; gives their numbers at the core."""
        numbers = [f"{next(self._numbers):09d}" for _ in moneys]
        accounts: list[dict[str, object]] = [
            {
                "accountNo": number,
                "product": "Everyday",
                "currency": money.currency,
                "externalId": f"ext-{number}",
                "minor": money.minor,
                **more,
            }
            for number, money in zip(numbers, moneys, strict=True)
        ]
        self._seed(customer, accounts)
        path = f"{BASE}/v1/clients/external-id/{customer}/accounts"
        listed = self.world.get(path, auth=(USER, PASSWORD), headers=TENANT)
        every = listed.raise_for_status().json()["savingsAccounts"]
        ids = {one["accountNo"]: str(one["id"]) for one in every}
        return [ids[number] for number in numbers]

    @override
    async def set_state(self, ref: str, state: AccountState) -> None:
        number = self.found(ref)["accountNo"]
        path = f"/_fineract/accounts/{number}"
        self.world.put(path, json={"state": STATES[state]}).raise_for_status()

    @override
    async def books(self, ref: str) -> Books:
        one = self.found(ref)
        moved = [row["minor"] for row in one["rows"] if row["kind"] not in ASIDE]
        return Books(
            committed=Money(one["minor"], one["currency"]),
            held=Money(one["held"], one["currency"]),
            postings=tuple(moved),
        )

    def found(self, name: str) -> Any:
        """Give an account of the book, by its id or its number."""
        book = self.world.get("/_fineract/book").raise_for_status().json()
        names = ("accountNo",) if name.startswith("0") else ("id",)
        return next(
            one
            for one in book["accounts"]
            if any(str(one[each]) == name for each in names)
        )

    def turn(self, **knobs: object) -> None:
        """Turn knobs of the double."""
        self.world.put("/_fineract/knobs", json=knobs).raise_for_status()

    def _seed(self, customer: str, accounts: list[dict[str, object]]) -> None:
        client = {"number": customer, "name": "Asha Rao", "accounts": accounts}
        body = {"clients": [client]}
        self.world.put("/_fineract/seed", json=body).raise_for_status()


@contextmanager
def core_banking(folder: Path) -> Iterator[FineractRig]:
    """Start the double."""
    password = folder / "password"
    password.write_text(f"{PASSWORD}\n")
    options = ("--fineract-password", str(password))
    with (
        an_open_world(*options) as world,
        a_tap_on(f"{str(world.base_url).rstrip('/')}{BASE}") as tap,
    ):
        yield FineractRig(world, tap, password)
