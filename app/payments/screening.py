"""Facts of a payment, measured in one statement, and what the engine makes of them.

Fail-closed: an engine that is late, fails or talks nonsense means STEP_UP, never ALLOW.
How often a customer pays is looked at once more in the transaction that writes the
payment, when no other payment of the customer can slip in: fifty at once are counted
like fifty one after the other. Source: banking.md sections 4.3 and 6.6.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app import database, telemetry
from app.auth import failures
from app.auth.actor import Actor
from app.clock import Clock
from app.database import Tx
from app.errors import Outage
from app.ids import AccountId, CustomerId, PaymentId
from app.integrations.fraud import (
    MalformedFacts,
    RiskAction,
    RiskDecision,
    RiskEngine,
    RiskFacts,
    RiskReason,
    Velocity,
)
from app.payments.draft import Draft
from app.payments.payment import DestinationKind
from app.rows import Row
from app.settings import Settings

_USUAL = timedelta(days=90)
_DAY, _HOUR, _MINUTES = timedelta(days=1), timedelta(hours=1), timedelta(minutes=5)
_RULESET_MAX = 40
_ENGINE = "bank.engine"
UNJUDGED = "none"  # ruleset of a decision that no rule made
_MOST = 200  # newest rows that are looked at: edges of counts stay below

# Three looks at the payments of one customer, each by an index, so that what is made in
# masses and never signed fills only the look that counts it. The payment itself never
# counts, and one between own accounts only where it waits for the account's money.
_MINE = "customer_id = $1 AND id <> $3"
_NEWEST = f"ORDER BY created_at DESC, id DESC LIMIT {_MOST}"
_RECENT = (
    "WITH recent AS (SELECT amount, currency, created_at FROM payment "  # noqa: S608  -- our own words
    f"WHERE {_MINE} AND created_at > $6 AND dest_kind <> 'OWN_ACCOUNT' {_NEWEST})"
)
_SETTLED = (
    "SELECT amount FROM payment "  # noqa: S608  -- our own words
    f"WHERE {_MINE} AND state = 'SETTLED' AND created_at > $2 "
    f"AND dest_kind <> 'OWN_ACCOUNT' AND currency = $7 {_NEWEST}"
)
_WAITING = (
    "SELECT CAST(coalesce(sum(amount), 0) AS BIGINT) FROM payment "  # noqa: S608  -- our own words
    f"WHERE {_MINE} AND state IN ('HELD_FOR_REVIEW', 'AWAITING_AUTHORISATION', "
    "'APPROVED') AND created_at > $2 AND from_account_id = $8"
)


def _count(since: str, name: str) -> str:
    counted = f"CASE WHEN created_at > {since} THEN 1 ELSE 0 END"
    summed = f"CASE WHEN created_at > {since} AND currency = $7 THEN amount END"
    return (
        f"CAST(coalesce(sum({counted}), 0) AS BIGINT) AS count_{name}, "
        f"CAST(coalesce(sum({summed}), 0) AS BIGINT) AS sum_{name}, "
    )


_VELOCITY = (
    _count("$4", "5m")
    + _count("$5", "1h")
    + _count("$6", "24h")
    + f"({_WAITING}) AS waiting FROM recent"
)
_AGAIN = f"{_RECENT} SELECT {_VELOCITY}"
_ALL = (
    f"{_RECENT}, settled AS (SELECT amount, row_number() OVER (ORDER BY amount) "  # noqa: S608  -- our own words
    f"AS place, count(*) OVER () AS n FROM ({_SETTLED}) newest) "
    "SELECT (SELECT amount FROM settled WHERE place = (n + 1) / 2) AS usual, "
    "(SELECT count(*) FROM settled) AS settled, "
    "(SELECT count(*) FROM (SELECT id FROM payment WHERE payee_key = $9 "
    "AND customer_id = $1 AND state = 'SETTLED' LIMIT 1) paid) AS paid, "
    "(SELECT cooling_until FROM beneficiary WHERE id = $10) AS payee_cooling, "
    f"{failures.measured('$1', '$11', '$6')}, {_VELOCITY}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose payments are counted, from which account, for which payment, until when."""

    payment: PaymentId
    customer: CustomerId
    account: AccountId
    currency: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A decision, and the facts behind it; None where they could not be had in time."""

    scope: Scope
    facts: RiskFacts | None
    decision: RiskDecision
    took_ms: int

    @property
    def action(self) -> RiskAction:
        """What is done with the payment."""
        return self.decision.action

    @property
    def is_risky(self) -> bool:
        """Whether the approval takes more than a passkey."""
        return self.action is not RiskAction.ALLOW

    @property
    def failure(self) -> str:
        """Why no rule could decide: late, failed, outrun; empty where one did."""
        ours = (one for one in self.decision.reasons if one.rule == _ENGINE)
        return next((str(one.value) for one in ours), "")

    def held(self) -> "Judgement":
        """Give the same, held: no factor of the phone is left that could approve it."""
        reason = RiskReason(
            rule="bank.factors", band=".01", value=None, weight=0, key="no_factor_left"
        )
        reasons = (*self.decision.reasons, reason)
        decision = replace(self.decision, action=RiskAction.HOLD, reasons=reasons)
        return replace(self, decision=decision)


class Outrun(Exception):
    """Other payments of the customer came in between, and now more is asked for."""

    def __init__(self, judgement: Judgement) -> None:
        super().__init__()
        self.judgement = judgement


class Screening:
    """Measures payments and has them judged.

    Args:
        settings: the deadline, and how long a payee waits.
        clock: the bank's clock.
        engine: judges.
    """

    def __init__(self, *, settings: Settings, clock: Clock, engine: RiskEngine) -> None:
        self._deadline_s = settings.fraud_deadline_s
        self._payee_waits = timedelta(seconds=settings.payee_cooling_s)
        self._clock = clock
        self._engine = engine

    async def judged(self, actor: Actor, payment: PaymentId, draft: Draft) -> Judgement:
        """Judge a payment that does not exist yet; waits for nobody who is late.

        Raises:
            Outage: our own database is away, so no payment can be made either.
        """
        began = self._clock.monotonic()
        scope = Scope(
            payment=payment,
            customer=actor.known_customer,
            account=draft.account.id,
            currency=draft.amount.currency,
            at=self._clock.now(),
        )
        facts: RiskFacts | None = None
        try:
            async with asyncio.timeout(self._deadline_s):
                facts = await self._measured(actor, scope, draft)
                decision = _whole(await self._engine.assess(facts, self._deadline_s))
            if self._clock.monotonic() - began > self._deadline_s:
                decision = _unjudged("late")
        except TimeoutError:
            decision = _unjudged("late")
        except Exception as failure:
            if facts is None and isinstance(failure, Outage):
                raise
            telemetry.log.warning("risk_engine_failed", exc_info=failure)
            decision = _unjudged("failed")
        took_ms = int((self._clock.monotonic() - began) * 1000)
        return Judgement(scope=scope, facts=facts, decision=decision, took_ms=took_ms)

    async def confirmed(self, tx: Tx, judgement: Judgement) -> Judgement:
        """Count once more: the customer's limits are held, so nobody can slip in.

        Raises:
            Outrun: others came in between, and more is asked for now; begin again.
        """
        facts = judgement.facts
        if facts is None or judgement.action is RiskAction.BLOCK:
            return judgement
        row = await tx.one(_AGAIN, *_arguments(judgement.scope))
        assert row is not None  # noqa: S101  -- sums always give a row
        velocity = _velocity(row, own=facts.own_account, amount=facts.amount)
        if velocity == facts.velocity:
            return judgement
        facts = replace(facts, velocity=velocity)
        found = replace(judgement, facts=facts, decision=await self._again(facts))
        if found.action.strictness < judgement.action.strictness:
            return judgement
        if found.action is not judgement.action:
            raise Outrun(found)
        return found

    async def _again(self, facts: RiskFacts) -> RiskDecision:
        """Ask once more inside the transaction, if the engine asks nobody else."""
        if not self._engine.local:
            return _unjudged("outrun")
        try:
            return _whole(await self._engine.assess(facts, self._deadline_s))
        except Exception as failure:  # noqa: BLE001  -- fail closed, whatever an engine does
            telemetry.log.warning("risk_engine_failed", exc_info=failure)
            return _unjudged("failed")

    async def _measured(self, actor: Actor, scope: Scope, draft: Draft) -> RiskFacts:
        destination, at = draft.destination, scope.at
        own = destination.kind is DestinationKind.OWN_ACCOUNT
        row = await database.read_one(
            _ALL,
            *_arguments(scope),
            draft.payee_key,
            destination.beneficiary,
            actor.known_device,
        )
        assert row is not None  # noqa: S101  -- scalars always give a row
        saved = row.find("payee_cooling", datetime)
        bound = row.find("bound_at", datetime)
        amount = draft.amount.minor
        return RiskFacts(
            currency=scope.currency,
            amount=amount,
            available=draft.available.minor,
            own_account=own,
            usual=row.find("usual", int),
            settled=row.get("settled", int),
            velocity=_velocity(row, own=own, amount=amount),
            payee_age_s=_age(saved and saved - self._payee_waits, at),
            first_to_payee=row.get("paid", int) == 0,
            name_check=None if draft.check is None else draft.check.match,
            device_age_s=_age(bound, at),
            failed_logins=row.get("failed", int),
        )


def _arguments(
    scope: Scope,
) -> tuple[
    CustomerId, datetime, PaymentId, datetime, datetime, datetime, str, AccountId
]:
    at = scope.at
    windows = (at - _MINUTES, at - _HOUR, at - _DAY)
    return (
        scope.customer,
        at - _USUAL,
        scope.payment,
        *windows,
        scope.currency,
        scope.account,
    )


def _velocity(row: Row, *, own: bool, amount: int) -> Velocity:
    """Count the payment itself among the others, where it goes to somebody else."""
    one, amount = (0, 0) if own else (1, amount)
    return Velocity(
        count_5m=row.get("count_5m", int) + one,
        count_1h=row.get("count_1h", int) + one,
        count_24h=row.get("count_24h", int) + one,
        sum_5m=row.get("sum_5m", int) + amount,
        sum_1h=row.get("sum_1h", int) + amount,
        sum_24h=row.get("sum_24h", int) + amount,
        waiting=row.get("waiting", int),
    )


def _age(since: datetime | None, now: datetime) -> int | None:
    return None if since is None else max(0, int((now - since).total_seconds()))


def _whole(given: object) -> RiskDecision:
    """Take nothing but a decision from an engine."""
    if not isinstance(given, RiskDecision):
        raise MalformedFacts("not a decision")
    parts: list[tuple[object, type]] = [
        (given.action, RiskAction),
        (given.score, int),
        (given.ruleset, str),
        *((reason, RiskReason) for reason in given.reasons),
    ]
    whole = all(isinstance(part, kind) for part, kind in parts)
    if not whole or given.score < 0 or not 0 < len(given.ruleset) <= _RULESET_MAX:
        raise MalformedFacts("a decision with parts that are none")
    return given


def _unjudged(why: str) -> RiskDecision:
    """Ask for more where no rule could decide."""
    reason = RiskReason(
        rule=_ENGINE, band=".err", value=why, weight=0, key="engine_failed"
    )
    return RiskDecision(
        action=RiskAction.STEP_UP, score=0, reasons=(reason,), ruleset=UNJUDGED
    )
