"""A bank process for the scale bench: some customers who ask, among many who do not.

`python -m bench.scale_bank` reads one line of JSON (`Order`), fills its book with the
others and with history, then obeys as `bench.live_bank` does. The others are rows of
the tables as an enrolment, an opened account and its transfers would have left them,
inserted many at once with every guard on, and proved. Who asks stands in their
middle, with three accounts. Events are left out.
"""

import json
import secrets
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

import uvloop
from typing_extensions import override

from app import database
from app.accounts.account import masked
from app.accounts.accounts import Opening
from app.bank import Bank
from app.database import Tx
from app.ids import uuid7
from app.integrations.core_banking import AccountKind, CanProve
from app.rows import Scalar
from bench import filling, live_bank
from bench.filling import Figures
from bench.live_facts import Owner

ROWS = 10  # of each account of the others: a home screen shows ten
FLOOR = -1_000_000  # an arranged overdraft: who pays first has nothing yet
POTS = ("Everyday", "Savings", "Travel")
AT_ONCE = 1_000  # of the others; their transfers are among themselves
ANALYSED = {1_000, 4_000, 16_000}  # others, after which PostgreSQL counts its rows
_ROWS_AT_ONCE = 200
_COLUMNS = {
    "customer": "id, handle, name_sealed, phone_lookup, phone_key_id, phone_sealed, "
    "number_lookup, number_key_id, number_sealed, locale, created_at",
    "device": "id, customer_id, jkt, jwk, platform, name, attestation, state, bound_at",
    "account": "id, customer_id, core, core_ref, kind, name, masked_number, "
    "number_lookup, key_id, number_sealed, bank_code, currency, exponent, state, "
    "position",
    "ledger_account": "id, owner_id, kind, name, masked_number, currency, exponent, "
    "state, opened_at",
    "ledger_balance": "account_id, committed, pending_out, pending_in, floor_minor, "
    "state, version, changed_at",
}


@dataclass(frozen=True, slots=True)
class Order(live_bank.Order):
    """What the bench asks for.

    Args:
        others: customers who never ask.
        rows: of history on each account, for each customer who asks.
    """

    others: int
    rows: list[int]

    @classmethod
    @override
    def read(cls, line: str) -> Self:
        """Read the first line."""
        raw, base = json.loads(line), live_bank.Order.read(line)
        return cls(base.jwks, base.owners, raw["others"], raw["rows"])


@dataclass(frozen=True, slots=True)
class Other:
    """A customer who never asks, with one account."""

    customer: UUID
    account: UUID

    def rows(self, now: datetime) -> dict[str, list[Scalar]]:
        """Write the rows by table, all but the balance, which is known last."""
        chance = secrets.token_bytes
        name, number = "Everyday", masked(f"6030{self.account.int % 10**8:08d}")
        sealed: list[Scalar] = [chance(48), chance(32), 1, chance(48)]
        sealed += [chance(32), 1, chance(48)]
        phone: list[Scalar] = [uuid7(), self.customer, secrets.token_urlsafe(32)]
        phone += ["{}", "ANDROID", "Phone", "NONE", "ACTIVE", now]
        account: list[Scalar] = [self.account, self.customer, "embedded"]
        account += [str(self.account), "CURRENT", name, number, chance(32), 1]
        account += [chance(48), "SIXP", "INR", 2, "OPEN", 1]
        book: list[Scalar] = [self.account, self.customer, "CURRENT", name, number]
        return {
            "customer": [self.customer, chance(32), *sealed, "en-IN", now],
            "device": phone,
            "account": account,
            "ledger_account": [*book, "INR", 2, "OPEN", now],
        }


async def others(count: int, now: datetime) -> None:
    """Add so many customers who never ask, ten rows of history each."""
    for start in range(0, count, AT_ONCE):
        some = [Other(uuid7(), uuid7()) for _ in range(min(AT_ONCE, count - start))]
        made = [one.rows(now) for one in some]
        for table in ("customer", "device", "account", "ledger_account"):
            await _insert(table, [rows[table] for rows in made])
        figures = [Figures(one.account, 0, 0) for one in some]
        if len(some) > 1:
            await filling.ring(figures, len(some) * ROWS // 2)
        await _insert("ledger_balance", [_balance(one, now) for one in figures])
        if start + len(some) in ANALYSED and database.dialect() == "postgres":
            await database.transaction(_analysed, name="bench.others")


async def _analysed(tx: Tx) -> None:
    """Do what autovacuum would do within a minute.

    Until then the guard of a journal is planned for a bank without accounts, and looks
    at all of them for each transfer.
    """
    await tx.rows("ANALYZE")


def _balance(one: Figures, now: datetime) -> list[Scalar]:
    return [one.account, one.committed, 0, 0, FLOOR, "OPEN", one.version, now]


async def _insert(table: str, rows: Sequence[Sequence[Scalar]]) -> None:
    head = f"INSERT INTO {table} ({_COLUMNS[table]}) VALUES "  # noqa: S608  -- our own names

    async def work(tx: Tx) -> None:
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = rows[start : start + _ROWS_AT_ONCE]
            marks = database.placeholders(len(part), len(part[0]))
            await tx.rows(head + marks, *(value for row in part for value in row))

    await database.transaction(work, name="bench.others")


async def seeded(bank: Bank, order: Order) -> tuple[list[Owner], list[list[str]]]:
    """Make everybody; gives those who ask and their tokens."""
    now = bank.clock.now()
    await others(order.others // 2, now)
    news, tokens = await live_bank.enrolled(bank, order.jwks)
    accounts = [
        [
            await bank.accounts.open_account(
                Opening(
                    customer=added.id,
                    kind=AccountKind.CURRENT,
                    name=name,
                    currency="INR",
                    number=f"6010{added.number}{place:02d}",
                    floor_minor=FLOOR,
                )
            )
            for place, name in enumerate(POTS, start=1)
        ]
        for added in news
    ]
    mine = [[one.id.value for one in row] for row in accounts]
    await _lengthened(zip(mine, order.rows, strict=True))
    await others(order.others - order.others // 2, now)
    await _prove(bank)
    owners = [
        Owner(str(added.id), str(row[0].id))
        for added, row in zip(news, accounts, strict=True)
    ]
    return owners, tokens


async def _lengthened(asked: Iterable[tuple[Sequence[UUID], int]]) -> None:
    """Give all accounts their history, those of the same length among themselves."""
    groups: dict[int, list[UUID]] = {}
    for accounts, rows in asked:
        groups.setdefault(rows, []).extend(accounts)
    for rows, accounts in groups.items():
        if rows:
            await filling.lengthen(accounts, rows)


async def _prove(bank: Bank) -> None:
    """End the bench where the filled book would not stand by itself."""
    assert isinstance(bank.core, CanProve)
    for proof in bank.core.proofs():
        if await database.read_whole(proof.full):
            raise SystemExit(f"the filled book is wrong: {proof.name}")


if __name__ == "__main__":
    sys.exit(uvloop.run(live_bank.run(Order, seeded)))
