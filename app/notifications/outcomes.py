"""What a provider's answers do to dispatches and addresses, in few statements.

Where one connection writes, payments wait while a batch is recorded: so answers alike
are written together, and addresses that end a few at a time. A dispatch only moves
forward: a receipt that came before our own record wins. An address dies on the
provider's definite word alone, and never by a word about a value that was set anew
meanwhile (realtime.md section 12 of the design).
"""

import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app import database, telemetry
from app.clock import Clock
from app.database import Tx
from app.integrations.push import (
    AddressDead,
    AddressSuspect,
    ConfigError,
    PayloadError,
    PushOutcome,
    Retry,
    Sent,
    Unknown,
)
from app.notifications.due import ATTEMPTS_MAX, Address, Due
from app.rows import Scalar

_FIRST_S = 2
_PAUSE_MAX_S = 600
_REST_MIN_S = 1.0  # a provider that says "at once" is not asked in a circle
_REF_MAX = 200
_SUSPECTS_MIN = 3
_SUSPECTED_FOR = timedelta(hours=24)
_SUSPECT_SHARE = 100  # one in so many sends, and the fault is ours
_MOMENTS = 8  # into so many a storm's next tries are spread
_AT_ONCE = 20  # addresses that are judged in one transaction


_NAMES: dict[type[PushOutcome], str] = {
    Sent: "SENT",
    AddressDead: "ADDRESS_DEAD",
    AddressSuspect: "ADDRESS_SUSPECT",
    Retry: "RETRY",
    ConfigError: "CONFIG",
    PayloadError: "PAYLOAD",
    Unknown: "UNKNOWN",
}


_OF_ADDRESSES = (AddressDead, AddressSuspect)


@dataclass(frozen=True, slots=True)
class Answered:
    """A dispatch with what became of it."""

    due: Due
    outcome: PushOutcome


def name_of(outcome: PushOutcome) -> str:
    """Name an outcome for metrics and for the reason of a dispatch."""
    return _NAMES[type(outcome)]


def pause_s(attempts: int, outcome: PushOutcome) -> float:
    """Give the wait until the next try, in seconds.

    Two seconds, doubled with each try up to ten minutes, of which a random part is
    taken; a provider's Retry-After wins.
    """
    if isinstance(outcome, Retry) and outcome.after_s is not None:
        return max(outcome.after_s, _REST_MIN_S)
    most = min(_PAUSE_MAX_S, _FIRST_S << max(attempts - 1, 0))
    return most * (1 + secrets.randbelow(1000)) / 1000


async def record(clock: Clock, answers: Sequence[Answered]) -> None:
    """Write what a batch of answers means.

    A worker that dies in between leaves the others to their lease: they go again.
    """
    now = clock.now()
    doubts = [one for one in answers if isinstance(one.outcome, _OF_ADDRESSES)]
    plain = [one for one in answers if not isinstance(one.outcome, _OF_ADDRESSES)]

    async def work(tx: Tx) -> None:
        await _sent(tx, plain, now)
        await _failed(tx, [one for one in plain if _is_ours(one.outcome)])
        await _later(tx, [one for one in plain if _may_go_again(one.outcome)], now)

    if plain:
        await database.transaction(work, name="notifications.record")
    for start in range(0, len(doubts), _AT_ONCE):
        await _doubted(doubts[start : start + _AT_ONCE], now)
    for one in plain:
        if isinstance(one.outcome, Sent):
            age_s = (now - one.due.told_at).total_seconds()
            telemetry.push_latency.observe(max(age_s, 0.0))


def _is_ours(outcome: PushOutcome) -> bool:
    return isinstance(outcome, PayloadError)


def _may_go_again(outcome: PushOutcome) -> bool:
    return isinstance(outcome, (Retry, ConfigError, Unknown))


async def _doubted(answers: Sequence[Answered], now: datetime) -> None:
    """Judge addresses that a provider would not send to."""

    async def work(tx: Tx) -> None:
        for one in answers:
            if isinstance(one.outcome, AddressDead):
                await _dead(tx, one.due, one.outcome.since, now)
            else:
                await _suspected(tx, one, now)

    await database.transaction(work, name="notifications.record")


async def give_up(due: Sequence[Due], reason: str) -> None:
    """End dispatches that cannot be sent at all."""

    async def work(tx: Tx) -> None:
        await _fail(tx, due, reason)

    await database.transaction(work, name="notifications.give_up")


# ------------------------------------------------------------------ dispatches


async def _sent(tx: Tx, answers: Sequence[Answered], now: datetime) -> None:
    """Mark everything that was accepted, in one statement, and its addresses as good.

    Where the phone's own receipt was faster, only the provider's name is kept.
    """
    took = [(one.due, one.outcome) for one in answers if isinstance(one.outcome, Sent)]
    if not took:
        return
    refs: list[Scalar] = []
    for due, outcome in took:
        refs += [due.id, outcome.ref[:_REF_MAX]]
    cases = " ".join(
        f"WHEN ${place} THEN ${place + 1}" for place in range(2, len(refs) + 2, 2)
    )
    ids = ",".join(f"${place}" for place in range(2, len(refs) + 2, 2))
    await tx.rows(
        "UPDATE push_dispatch SET sent_at = COALESCE(sent_at, $1), lease_until = NULL, "  # noqa: S608  -- placeholders only
        "reason = NULL, "
        "state = CASE WHEN state = 'QUEUED' THEN 'SENT' ELSE state END, "
        f"provider_ref = CASE id {cases} END "
        "WHERE state IN ('QUEUED', 'SENT', 'DELIVERED', 'OPENED') "
        f"AND id IN ({ids}) RETURNING id",
        now,
        *refs,
    )
    good = sorted({due.address.id for due, _ in took if due.address})
    await tx.rows(
        "UPDATE push_address SET last_ok_at = $1, suspects = 0, suspect_since = NULL, "  # noqa: S608  -- placeholders only
        "state = CASE WHEN state = 'SUSPECT' THEN 'ACTIVE' ELSE state END "
        "WHERE state <> 'DEAD' "
        f"AND id IN {database.placeholders(1, len(good), start=2)} RETURNING id",
        now,
        *good,
    )
    for due, outcome in took:
        if due.address and outcome.environment:
            await _found_at(tx, due.address, outcome.environment)


async def _found_at(tx: Tx, address: Address, environment: str) -> None:
    """Note where an address is taken, if that is elsewhere than the phone said."""
    await tx.rows(
        "UPDATE push_address SET environment = $2 WHERE id = $1 AND state <> 'DEAD' "
        "AND value_hash = $3 RETURNING id",
        address.id,
        environment,
        address.value_hash,
    )


async def _failed(tx: Tx, answers: Sequence[Answered]) -> None:
    """End what a provider will never take, one statement for each reason."""
    alike: defaultdict[str, list[Due]] = defaultdict(list)
    for one in answers:
        alike[name_of(one.outcome)].append(one.due)
    for reason, due in alike.items():
        await _fail(tx, due, reason)


async def _fail(tx: Tx, due: Sequence[Due], reason: str) -> None:
    await tx.rows(
        "UPDATE push_dispatch SET state = 'FAILED', reason = $1, lease_until = NULL "  # noqa: S608  -- placeholders only
        "WHERE state = 'QUEUED' "
        f"AND id IN {database.placeholders(1, len(due), start=2)} RETURNING id",
        reason,
        *(one.id for one in due),
    )


async def _later(tx: Tx, answers: Sequence[Answered], now: datetime) -> None:
    """Try again later: at most eight times, and never past the end of its life.

    Where the provider said when, as one that rests does, the try does not count. Those
    of one reason and as many tries share a few moments: a statement for each.
    """
    moments: dict[tuple[object, ...], datetime] = {}
    again: defaultdict[tuple[str, int, datetime], list[Due]] = defaultdict(list)
    over: list[Answered] = []
    for place, one in enumerate(answers):
        tries, reason = one.due.attempts, name_of(one.outcome)
        told_s = one.outcome.after_s if isinstance(one.outcome, Retry) else None
        pause = timedelta(seconds=pause_s(tries, one.outcome))
        moment = reason, tries, told_s, place % _MOMENTS
        next_at = moments.setdefault(moment, now + pause)
        attempts = tries if told_s is None else tries - 1
        if attempts >= ATTEMPTS_MAX or next_at >= one.due.expires_at:
            over.append(one)
        else:
            again[reason, attempts, next_at].append(one.due)
    await _failed(tx, over)
    for (reason, attempts, next_at), due in again.items():
        await _wait(tx, due, reason, attempts, next_at)


async def _wait(
    tx: Tx, due: Sequence[Due], reason: str, attempts: int, next_at: datetime
) -> None:
    await tx.rows(
        "UPDATE push_dispatch SET due_at = $1, reason = $2, attempts = $3, "  # noqa: S608  -- placeholders only
        "lease_until = NULL WHERE state = 'QUEUED' "
        f"AND id IN {database.placeholders(1, len(due), start=4)} RETURNING id",
        next_at,
        reason,
        attempts,
        *(one.id for one in due),
    )


# ------------------------------------------------------------------ addresses


async def _dead(tx: Tx, due: Due, since: datetime | None, now: datetime) -> None:
    """End an address; if it was set anew, the dispatch goes to the new one."""
    address = due.address
    assert address is not None  # noqa: S101  -- it was sent somewhere
    if await _end(tx, address, since, "ADDRESS_DEAD") or await _is_over(tx, address):
        await _fail(tx, [due], "ADDRESS_DEAD")
    else:
        await _later(tx, [Answered(due, Retry())], now)


async def _end(tx: Tx, address: Address, since: datetime | None, reason: str) -> bool:
    """End an address unless its value was set after the provider's news."""
    if since is not None and address.set_at >= since:
        return False
    row = await tx.one(
        "UPDATE push_address SET state = 'DEAD', value = NULL, dead_reason = $4 "
        "WHERE id = $1 AND state <> 'DEAD' AND value_hash = $2 AND set_at = $3 "
        "RETURNING id",
        address.id,
        address.value_hash,
        address.set_at,
        reason,
    )
    if row is not None:
        telemetry.addresses_pruned.labels(reason).inc()
    return row is not None


async def _is_over(tx: Tx, address: Address) -> bool:
    """Tell whether another answer of the same kind ended the address already."""
    row = await tx.one(
        "SELECT 1 AS there FROM push_address "
        "WHERE id = $1 AND dead_reason = 'ADDRESS_DEAD'",
        address.id,
    )
    return row is not None


async def _suspected(tx: Tx, one: Answered, now: datetime) -> None:
    """Doubt an address: dead after 3 doubts over 24 h, unless we are to blame.

    Where more than one in a hundred of our addresses are doubted, or nobody's push
    came through, our own project is wrong: then nothing is pruned.
    """
    address = one.due.address
    assert address is not None  # noqa: S101  -- it was sent somewhere
    row = await tx.one(
        "UPDATE push_address SET suspects = suspects + 1, "
        "suspect_since = COALESCE(suspect_since, $2), "
        "state = CASE WHEN state = 'ACTIVE' THEN 'SUSPECT' ELSE state END "
        "WHERE id = $1 AND state <> 'DEAD' RETURNING suspects, suspect_since",
        address.id,
        now,
    )
    old = (
        row is not None
        and row.get("suspects", int) >= _SUSPECTS_MIN
        and now - row.get("suspect_since", datetime) >= _SUSPECTED_FOR
    )
    if old and not await _we_are_wrong(tx, address, now):
        await _end(tx, address, None, "ADDRESS_SUSPECT")
        await _fail(tx, [one.due], "ADDRESS_SUSPECT")
    else:
        await _later(tx, [one], now)


async def _we_are_wrong(tx: Tx, address: Address, now: datetime) -> bool:
    row = await tx.one(
        "SELECT count(*) AS there, "
        "sum(CASE WHEN suspects > 0 THEN 1 ELSE 0 END) AS doubted, "
        "sum(CASE WHEN last_ok_at >= $3 THEN 1 ELSE 0 END) AS good "
        "FROM push_address WHERE kind = $1 AND state <> 'DEAD' AND id <> $2",
        address.kind,
        address.id,
        now - _SUSPECTED_FOR,
    )
    assert row is not None  # noqa: S101  -- an aggregate always gives a row
    good, doubted = row.find("good", int) or 0, row.find("doubted", int) or 0
    wrong = good == 0 or doubted * _SUSPECT_SHARE > row.get("there", int)
    if wrong:
        telemetry.log.error("push_project_in_doubt", kind=address.kind.value)
    return wrong
