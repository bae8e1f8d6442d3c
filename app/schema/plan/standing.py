"""How a plan fared lately: one that keeps failing is not tried each time."""

from collections.abc import Callable

from graphql import GraphQLError

from app.errors import Refusal, RequestFault
from app.schema.plan.support import Unprojectable

_REST_S = 5  # after an outage: what is away shall be asked once, not twice
_FAILED_MAX = 3  # in a row
_TRIED_EACH = 20
# What a caller does wrong tells nothing of the plan.
_OF_THE_CALLER = (RequestFault, Refusal, GraphQLError)


class Standing:
    """What came of the last attempts of one plan.

    One that met an outage rests for five seconds; one that failed three times in a row
    is tried every 20th time, until it succeeds.
    """

    __slots__ = ("_failed", "_rests_until", "_skipped")

    def __init__(self) -> None:
        self._failed = 0
        self._skipped = 0
        self._rests_until: float = 0

    def why_not(self, now: Callable[[], float]) -> str | None:
        """Say in one word why the plan is not tried; None: it is.

        Args:
            now: tells seconds that only grow.
        """
        if not self._failed:
            return None
        if now() < self._rests_until:
            return "resting"
        if self._failed < _FAILED_MAX:
            return None
        self._skipped = (self._skipped + 1) % _TRIED_EACH
        return "failing" if self._skipped else None

    def succeeded(self) -> None:
        """Note that it answered."""
        self._failed = 0

    def failed(self, failure: Unprojectable, now: Callable[[], float]) -> None:
        """Note why it did not answer."""
        cause = failure.__cause__
        if failure.why == "argument" or isinstance(cause, _OF_THE_CALLER):
            return
        self._failed += 1
        if failure.why == "outage":
            self._rests_until = now() + _REST_S
