"""Sentences about a limit that is chosen."""

from datetime import timedelta

from app.money import Money
from app.payments.limit import NAMES, LimitWindow, Rule


def summary(rule: Rule, most: Money, later: timedelta) -> str:
    """Say what a person approves.

    Args:
        rule: the limit as it is in force.
        most: what it shall be.
        later: how long a raise waits.
    """
    name = NAMES[LimitWindow(rule.period.value)]
    raised = most.minor > rule.max
    when = f", from {_hours(later)} after this approval" if raised else ""
    return f"{name}: at most {most.formatted()}{when}"


def title(rule: Rule, most: Money, later: timedelta | None) -> str:
    """Say what every phone is told; `later` is None when it counts at once."""
    name = NAMES[LimitWindow(rule.period.value)]
    when = "" if later is None else f", in {_hours(later)}"
    return f"{name}: the limit was set to {most.formatted()}{when}."


def _hours(later: timedelta) -> str:
    return f"{later.total_seconds() / 3600:g} hours"
