"""Rows of risk decisions: written with their payment, read for people and for renewals.

Append-only: what was known when a payment was judged stays as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from app import database
from app.database import Tx
from app.ids import PaymentId, uuid7
from app.integrations.fraud import (
    MalformedFacts,
    RiskAction,
    RiskDecision,
    RiskFacts,
    RiskReason,
)
from app.payments.screening import Judgement
from app.rows import Row

_COLUMNS = "action, score, reasons, features, ruleset, took_ms, at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A stored decision; without facts no rule decided, because none could in time."""

    decision: RiskDecision
    facts: RiskFacts | None
    took_ms: int
    at: datetime


async def store(tx: Tx, judgement: Judgement) -> None:
    """Write down what was decided, and all it takes to decide again."""
    decision, facts = judgement.decision, judgement.facts
    await tx.rows(
        "INSERT INTO risk_decision (id, payment_id, action, score, reasons, features, "
        "ruleset, took_ms, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        uuid7(),
        judgement.scope.payment,
        decision.action,
        decision.score,
        _json(list(decision.reasons)),
        None if facts is None else _json(facts.stored()),
        decision.ruleset,
        judgement.took_ms,
        judgement.scope.at,
    )


async def find(payment: PaymentId) -> Decided | None:
    """Read the decision about a payment; None: it is older than the rules.

    Raises:
        MalformedFacts: the row is not of this form.
    """
    row = await database.read_one(
        f"SELECT {_COLUMNS} FROM risk_decision WHERE payment_id = $1",  # noqa: S608  -- our own columns
        payment,
    )
    return None if row is None else _read(row)


async def several(payments: Sequence[PaymentId]) -> dict[PaymentId, Decided]:
    """Read the decisions about payments in one statement."""
    if not payments:
        return {}
    rows = await database.read(
        f"SELECT payment_id, {_COLUMNS} FROM risk_decision "  # noqa: S608  -- our own columns
        f"WHERE payment_id IN {database.placeholders(1, len(payments))}",
        *payments,
    )
    return {row.get("payment_id", PaymentId): _read(row) for row in rows}


async def is_risky(tx: Tx, payment: PaymentId) -> bool:
    """Tell whether an approval of a payment takes more than a passkey."""
    row = await tx.one(
        "SELECT action FROM risk_decision WHERE payment_id = $1", payment
    )
    return row is not None and row.get("action", RiskAction) is not RiskAction.ALLOW


def _read(row: Row) -> Decided:
    stored = row.find("features", dict)
    try:
        reasons = tuple(RiskReason(**one) for one in row.get("reasons", list))
    except TypeError as wrong:
        raise MalformedFacts(str(wrong)) from None
    return Decided(
        decision=RiskDecision(
            action=row.get("action", RiskAction),
            score=row.get("score", int),
            reasons=reasons,
            ruleset=row.get("ruleset", str),
        ),
        facts=None if stored is None else RiskFacts.read(stored),
        took_ms=row.get("took_ms", int),
        at=row.get("at", datetime),
    )


def _json(given: object) -> str:
    return orjson.dumps(given).decode()
