"""What the app does after each close code (graphql.md §11); pure."""

import json
from dataclasses import dataclass
from enum import Enum

BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 30.0
DOUBLINGS_MAX = 10


class Reaction(Enum):
    """What follows the end of a socket."""

    STOP = "stop"
    SIGN_IN = "stop, the person must sign in"
    RENEW = "get a newer token, then connect again"
    RECONNECT = "connect again"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reaction, and the longest wait before it; the phone draws 0 up to that."""

    reaction: Reaction
    wait_max_s: float = 0.0
    exact: bool = False


LINE_BROKEN = 1006
STOPS = frozenset({1000, 1001, 1009, 4400, 4406, 4409, 4413, 4429})
AT_ONCE = frozenset({4408, 4410, 4499})
RENEWALS = frozenset({4403, 4419})
RESTART, REVOKED = 1012, 4401


def verdict(code: int, reason: str, attempt: int) -> Verdict:
    """Judge a close code.

    `attempt` counts connections since the last one that worked, from 0: a code that
    comes again and again waits longer, with full jitter between 0.5 and 30 s.
    """
    backoff = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(attempt, DOUBLINGS_MAX))
    again = 0.0 if attempt == 0 else backoff
    if code in STOPS or code == REVOKED:
        return Verdict(Reaction.STOP if code in STOPS else Reaction.SIGN_IN)
    if code in RENEWALS or code in AT_ONCE:
        renew = code in RENEWALS
        return Verdict(Reaction.RENEW if renew else Reaction.RECONNECT, again)
    if code == RESTART:
        return Verdict(Reaction.RECONNECT, _retry_after_s(reason, backoff), exact=True)
    return Verdict(Reaction.RECONNECT, backoff)


def _retry_after_s(reason: str, otherwise_s: float) -> float:
    """Read `{"retryAfterMs": n}` of a restarting bank."""
    try:
        wait_ms = json.loads(reason)["retryAfterMs"]
    except (ValueError, KeyError, TypeError):
        return otherwise_s
    known = isinstance(wait_ms, int) and wait_ms >= 0
    return min(BACKOFF_MAX_S, wait_ms / 1000) if known else otherwise_s
