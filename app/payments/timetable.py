"""When a payment that nobody is sure of is asked about, and when asking ends. Pure.

Instants follow from the first sending, so a worker that was away asks at once and then
goes on where the timetable stands (banking.md section 4.4).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.integrations.rails import ASK_EVERY_S, ASK_PLAN

GIVEN_UP = timedelta(hours=48)  # then staff finds out; the hold stays
BELIEVED = timedelta(minutes=15)  # "never seen" of a partner that keeps no op ids
PASSES = 2  # and how often it must have said so
NOBODY = "timetable"  # holder of the lease of a payment that waits for its next asking


def next_ask(
    first: datetime,
    now: datetime,
    plan: Sequence[int] = ASK_PLAN,
    every_s: int = ASK_EVERY_S,
) -> datetime:
    """Give the next instant at which an operation is asked about.

    Args:
        first: when it was first sent.
        now: the bank's clock.
        plan: seconds after the first sending.
        every_s: seconds between the askings after that.
    """
    for seconds in plan:
        at = first + timedelta(seconds=seconds)
        if at > now:
            return at
    last = first + timedelta(seconds=max(plan, default=0))
    rounds = (now - last) // timedelta(seconds=every_s) + 1
    return last + timedelta(seconds=every_s) * rounds


def is_given_up(first: datetime, now: datetime) -> bool:
    """Tell whether the worker asks no more."""
    return now - first >= GIVEN_UP


def is_believed(first: datetime, now: datetime, said: int) -> bool:
    """Tell whether a partner without native idempotency truly never saw an op."""
    return said >= PASSES and now - first >= BELIEVED
