"""What the accounts room adds to facts of the book, in the transaction of the posting.

The book knows no nickname and no alert; both are the customer's and stand in our table.
An alert is due when `available` falls below it, so once for each crossing: the figure
before the posting was not below, the figure after it is (banking.md section 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app import database
from app.database import Tx
from app.ids import AccountId
from app.realtime.facts import (
    BalanceChanged,
    Fact,
    TransactionPosted,
    TransactionUpdated,
)
from app.realtime.shots import AccountShot

Row = TransactionPosted | TransactionUpdated


@dataclass(frozen=True, slots=True)
class _Own:
    """What the customer chose for an account."""

    nickname: str | None
    alert: int | None


async def complete(tx: Tx, found: Sequence[Fact]) -> list[Fact]:
    """Give the facts with nicknames, and balances with the alert they crossed."""
    shots = [shot for fact in found if (shot := _account_of(fact)) is not None]
    if not shots:
        return list(found)
    own = await _chosen(tx, sorted({shot.id for shot in shots}))
    return [_completed(fact, own) for fact in found] if own else list(found)


async def _chosen(tx: Tx, accounts: Sequence[str]) -> dict[str, _Own]:
    rows = await tx.rows(
        "SELECT id, nickname, low_balance_minor FROM account "  # noqa: S608  -- placeholders only
        f"WHERE id IN {database.placeholders(1, len(accounts))} "
        "AND (nickname IS NOT NULL OR low_balance_minor IS NOT NULL)",
        *(AccountId.parse(one) for one in accounts),
    )
    return {
        str(row.get("id", AccountId)): _Own(
            row.find("nickname", str), row.find("low_balance_minor", int)
        )
        for row in rows
    }


def _account_of(fact: Fact) -> AccountShot | None:
    if isinstance(fact, BalanceChanged):
        return fact.account
    return fact.transaction.account if isinstance(fact, Row) else None


def _completed(fact: Fact, own: dict[str, _Own]) -> Fact:
    shot = _account_of(fact)
    chosen = None if shot is None else own.get(shot.id)
    if shot is None or chosen is None:
        return fact
    named = replace(shot, nickname=chosen.nickname)
    if isinstance(fact, BalanceChanged):
        crossed = _crossed(fact, chosen.alert)
        return replace(fact, account=named, low=chosen.alert if crossed else None)
    assert isinstance(fact, Row)  # noqa: S101  -- `_account_of` knows no other
    return replace(fact, transaction=replace(fact.transaction, account=named))


def _crossed(fact: BalanceChanged, alert: int | None) -> bool:
    if alert is None or fact.moved is None:
        return False
    after = fact.balance.available
    return after < alert <= after - fact.moved
