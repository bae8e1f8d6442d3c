"""Rules in force: the bank's rows with the customer's choices in them.

A choice in force has no date, so a clock that is put back brings no higher limit back;
a raise has the date from which it counts (banking.md section 4.5).
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from app import database
from app.auth.cooling import Statements
from app.database import Tx
from app.ids import CustomerId, uuid7
from app.payments.limit import ALWAYS, Period, Rule, Scope

_COLUMNS = (
    "id, scope, rail, period, currency, base_id, max_minor, ceiling_minor, effective_at"
)
Choices = list[tuple[datetime, int]]


async def in_force(
    ask: Statements, customer: CustomerId, currencies: Sequence[str], now: datetime
) -> list[Rule]:
    """Read the rules about payments of a customer in some currencies.

    Args:
        ask: reads, inside a transaction or outside.
        customer: whose choices count.
        currencies: of which the rules are.
        now: rules and choices of later are not in force yet.
    """
    if not currencies:
        return []
    named = database.placeholders(1, len(currencies), 3)
    rows = await ask(
        f"SELECT {_COLUMNS} FROM limit_rule WHERE scope <> 'CUSTOMER' "  # noqa: S608  -- our own columns
        f"AND effective_at <= $2 AND currency IN {named} UNION ALL "
        f"SELECT {_COLUMNS} FROM limit_rule WHERE scope = 'CUSTOMER' "
        "AND customer_id = $1",
        customer,
        now,
        *currencies,
    )
    rules: list[Rule] = []
    choices: dict[UUID, Choices] = defaultdict(list)
    for row in rows:
        base = row.find("base_id", UUID)
        if base is not None:
            choice = (row.get("effective_at", datetime), row.get("max_minor", int))
            choices[base].append(choice)
            continue
        rules.append(
            Rule(
                id=row.get("id", UUID),
                scope=row.get("scope", Scope),
                period=row.get("period", Period),
                rail=row.find("rail", str),
                currency=row.get("currency", str),
                max=row.get("max_minor", int),
                ceiling=row.get("ceiling_minor", int),
            )
        )
    return [_with_choice(rule, choices[rule.id], now) for rule in rules]


def _with_choice(rule: Rule, choices: Choices, now: datetime) -> Rule:
    made = [(at, minor) for at, minor in choices if at <= now]
    waiting = [(minor, at) for at, minor in choices if at > now]
    return rule.chosen(max(made)[1] if made else None, waiting[0] if waiting else None)


async def choose(
    tx: Tx, customer: CustomerId, rule: Rule, minor: int, counts_from: datetime | None
) -> None:
    """Write a customer's choice; the newest wish replaces a raise that still waits.

    Args:
        tx: the transaction; the customer's turn is taken.
        customer: whose choice.
        rule: the bank's rule, as it is in force.
        minor: the new `max`.
        counts_from: when a raise counts; None: at once.
    """
    await tx.rows(
        "DELETE FROM limit_rule WHERE scope = 'CUSTOMER' AND customer_id = $1 "
        "AND base_id = $2 RETURNING id",
        customer,
        rule.id,
    )
    if counts_from is None:
        await _insert(tx, customer, rule, minor, ALWAYS)
        return
    if rule.choice is not None:
        await _insert(tx, customer, rule, min(rule.choice, rule.ceiling), ALWAYS)
    await _insert(tx, customer, rule, minor, counts_from)


async def _insert(
    tx: Tx, customer: CustomerId, rule: Rule, minor: int, at: datetime
) -> None:
    await tx.rows(
        "INSERT INTO limit_rule (id, scope, rail, period, currency, customer_id, "
        "base_id, max_minor, ceiling_minor, effective_at) "
        "VALUES ($1, 'CUSTOMER', $2, $3, $4, $5, $6, $7, $8, $9)",
        uuid7(),
        rule.rail,
        rule.period,
        rule.currency,
        customer,
        rule.id,
        minor,
        rule.ceiling,
        at,
    )
