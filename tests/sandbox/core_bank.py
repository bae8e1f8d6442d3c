"""The core bank of the outside world, called as a bank calls it: each answer judged."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

import httpx

from tests.fineract_contract import BASE, wrong_with

V1 = f"{BASE}/v1"
USER = ("mifos", "password")
TENANT = {"Fineract-Platform-TenantId": "default"}
_NUMBERS = count(1)


def judge(answer: httpx.Response) -> None:
    """Fail for an answer that breaks the published contract."""
    answer.read()
    if answer.request.url.path.startswith(BASE):
        found = wrong_with(answer.request, answer)
        assert not found, found


@dataclass(slots=True)
class Holder:
    """A client with accounts in rupees: the ids and numbers of them, in their order."""

    number: str
    id: int
    ids: list[int] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    externals: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CoreBank:
    """The double as a bank and a test see it."""

    http: httpx.Client

    def get(self, path: str, **query: Any) -> httpx.Response:
        """Read something."""
        return self.http.get(V1 + path, params=query)

    def post(
        self, path: str, body: object = None, key: str | None = None, **query: Any
    ) -> httpx.Response:
        """Order something."""
        headers = {} if key is None else {"Idempotency-Key": key}
        sent = {} if body is None else body
        return self.http.post(V1 + path, json=sent, headers=headers, params=query)

    def turn(self, **knobs: object) -> None:
        """Turn knobs."""
        self.http.put("/_fineract/knobs", json=knobs).raise_for_status()

    def turned(self) -> dict[str, object]:
        """Give how the knobs stand."""
        found: dict[str, object] = self.http.get("/_fineract/knobs").json()
        return found

    def opened(self, *minors: int, **more: Any) -> Holder:
        """Open a client with an account for each balance."""
        me = next(_NUMBERS)
        accounts = [
            {
                "accountNo": f"{me:06d}{at:03d}",
                "product": "Savings account",
                "currency": "INR",
                "externalId": f"ext-{me}-{at}",
                "minor": minor,
                **more,
            }
            for at, minor in enumerate(minors)
        ]
        body = {"number": f"C{me}", "name": "Asha Rao", "accounts": accounts}
        seed = {"clients": [body]}
        self.http.put("/_fineract/seed", json=seed).raise_for_status()
        found = self.get(f"/clients/external-id/C{me}/accounts").json()
        who = self.get(f"/clients/external-id/C{me}").json()
        listed = found.get("savingsAccounts", [])
        return Holder(
            f"C{me}",
            who["id"],
            [one["id"] for one in listed],
            [one["accountNo"] for one in listed],
            [one.get("externalId", "") for one in listed],
        )

    def book(self, number: str) -> dict[str, Any]:
        """Give what the double's book says of an account."""
        query = {"accountNo": number}
        found = self.http.get("/_fineract/book", params=query).json()["accounts"]
        one: dict[str, Any] = found[0]
        return one

    def left(self, number: str) -> tuple[int, int]:
        """Give the balance and what of it is held, in minor units."""
        found = self.book(number)
        return found["minor"], found["held"]

    def transfer(
        self, source: Holder, target: Holder, amount: str, **more: Any
    ) -> dict[str, str]:
        """Give the body of a transfer between first accounts."""
        return {
            "fromOfficeId": "1",
            "fromClientId": str(source.id),
            "fromAccountId": str(source.ids[0]),
            "fromAccountType": "2",
            "toOfficeId": "1",
            "toClientId": str(target.id),
            "toAccountId": str(target.ids[0]),
            "toAccountType": "2",
            "transferDate": self.today(),
            "transferAmount": amount,
            "transferDescription": "6p:op-1 rent",
            "locale": "en",
            "dateFormat": "yyyy-MM-dd",
            **more,
        }

    def interop(self, payer: Holder, code: str, amount: str) -> dict[str, Any]:
        """Give the body of a call of the interoperation interface."""
        return {
            "transactionCode": f"payment-of-{code}",
            "transferCode": code,
            "accountId": payer.externals[0],
            "amount": {"amount": float(Decimal(amount)), "currency": "INR"},
            "transactionRole": "PAYER",
            "transactionType": {
                "scenario": "TRANSFER",
                "initiator": "PAYER",
                "initiatorType": "CONSUMER",
            },
            "note": f"6p:{code} rent",
        }

    def today(self) -> str:
        """Give the bank's business day."""
        return str(self.turned()["today"])


def code(answer: httpx.Response) -> tuple[int, str]:
    """Give the status of an error and the reason inside."""
    return answer.status_code, inner(answer.json())


def inner(body: dict[str, Any]) -> str:
    """Give the reason inside an error, or its own code where nothing is inside."""
    errors = body["errors"]
    found = errors[0] if errors else body
    return str(found["userMessageGlobalisationCode"])


@contextmanager
def called(world: httpx.Client) -> Iterator[CoreBank]:
    """Call the core bank of a world."""
    with httpx.Client(
        base_url=world.base_url,
        auth=USER,
        headers=TENANT,
        event_hooks={"response": [judge]},
    ) as http:
        yield CoreBank(http)
