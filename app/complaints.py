"""What an engine complains of: worth another try, an outage, or a bug of ours.

Both drivers' words become one short state: the sqlstate where there is one, else
SQLITE_BUSY or TIMEOUT. What has none is not the engine's and stays a bug.
"""

import secrets
import sqlite3

from app.errors import Outage

AGAIN = frozenset({"40001", "40P01", "SQLITE_BUSY"})  # the engine asks for another try
LOST = frozenset({"08003", "08006", "25P03", "57P01", "57P02"})  # it was there before
UNREACHABLE = "08001"
UNSURE = "08007"  # the answer to COMMIT got lost: nobody knows the outcome
# Refused connections, no memory or place, cancelled by us or by an operator.
_OUTAGES = frozenset({"08", "28", "40", "53", "55", "57", "58"})
_BUSY = AGAIN | {"TIMEOUT", "53300", "55P03", "57014"}
_PAUSE_MS = (5, 80)


class ConnectionGone(Exception):
    """The connection died, or none could be made.

    Args:
        sqlstate: of class 08; what the driver itself does not always say.
    """

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


def state_of(failure: BaseException) -> str | None:
    """Name what the engine complains of, or None where it is not the engine."""
    for cause in (failure, failure.__cause__, *failure.args):
        state = getattr(cause, "sqlstate", None)
        if isinstance(state, str):
            known = state[:2] in _OUTAGES or state in LOST
            return state if known else None
        if isinstance(cause, sqlite3.OperationalError) and "locked" in str(cause):
            return "SQLITE_BUSY"
    return "TIMEOUT" if isinstance(failure, TimeoutError) else None


def outage(state: str) -> Outage:
    """Say it so that the customer is told to come again.

    Args:
        state: as `state_of` names it.
    """
    if state == UNSURE:
        return Outage("DATABASE_UNSURE", component="ACCOUNTS")
    cause = "DATABASE_BUSY" if state in _BUSY else "DATABASE_LOST"
    return Outage(cause, component="ACCOUNTS")


def pause_s() -> float:
    """Draw how long to wait before another try: full jitter, so that twins part."""
    low, high = _PAUSE_MS
    return (low + secrets.randbelow(high - low + 1)) * 0.001
