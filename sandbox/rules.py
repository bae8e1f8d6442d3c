"""One rule of the fault plan: read, checked, thrown for, counted."""

import math
import random
from collections.abc import Collection
from dataclasses import dataclass, field

from starlette.responses import JSONResponse, Response

from sandbox.intake import Refused, only, whole

KINDS = (
    "latency",
    "refuse-connection",
    "drop-before-work",
    "drop-after-work",
    "http-status",
    "malformed-json",
    "slow-body",
    "429",
    "duplicate-callback",
    "late-callback",
    "callback-out-of-order",
    "contradicting-callback",
)
CALLBACK_KINDS = frozenset(kind for kind in KINDS if "callback" in kind)
LATENCY_MS_MAX = 60_000
COUNT_MAX = 1_000_000
SEED_MAX = 2**63 - 1
STATUS_MIN, STATUS_MAX = 400, 599
ANY_ROUTE = "*"

_NAMES = ("route", "address", "kind", "reply", "rate", "count", "latency_ms", "seed")


@dataclass(slots=True)
class Rule:
    """What goes wrong where.

    `route` is the template of a partner route, or `*` for all of them; `address` is
    the telephone number or device a request names, None for any. `rate` is the share
    of matching requests it hits, thrown with dice seeded by `seed`, so a failing run
    repeats. `left` is how many more it may hit, None for no end.
    """

    route: str
    kind: str
    address: str | None
    reply: int
    rate: float
    left: int | None
    latency_ms: int
    seed: int
    hits: int = 0
    _dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311  -- repeatable, no secret

    def subject(self) -> tuple[str, str | None, str]:
        """Give what a rule is about; of one subject there is one rule."""
        return self.route, self.address, self.kind

    def meets(self, route: str, address: str | None) -> bool:
        """Say whether the rule hits this request, and count it if so."""
        if self.left == 0 or self.route not in {route, ANY_ROUTE}:
            return False
        if self.address not in {None, address}:
            return False
        if self._dice.random() >= self.rate:
            return False
        self.hits += 1
        self.left = None if self.left is None else self.left - 1
        return True

    def refusal(self) -> Response:
        """Answer in place of the work: `reply`, or 429 with a Retry-After."""
        if self.kind == "429":
            headers = {"retry-after": str(max(1, math.ceil(self.latency_ms / 1000)))}
            return JSONResponse(
                {"code": "BUSY", "message": "Too many requests."}, 429, headers
            )
        return JSONResponse(
            {"code": "FAULT", "message": "Set at /_faults."}, self.reply
        )

    def shown(self) -> dict[str, object]:
        """Give the rule as `GET /_faults` lists it."""
        return {
            "route": self.route,
            "address": self.address,
            "kind": self.kind,
            "reply": self.reply,
            "rate": self.rate,
            "count": self.left,
            "latency_ms": self.latency_ms,
            "seed": self.seed,
            "hits": self.hits,
        }


def read_rule(body: dict[str, object], routes: Collection[str]) -> Rule:
    """Read a rule from the body of `PUT /_faults`.

    Raises:
        Refused: 422 naming the field and what it may hold.
    """
    only(body, _NAMES)
    count, kind = body.get("count"), body.get("kind")
    if kind not in KINDS:
        raise Refused(422, "KIND_UNKNOWN", f"kind must be one of {', '.join(KINDS)}.")
    return Rule(
        route=_route(body.get("route"), str(kind), routes),
        kind=str(kind),
        address=_address(body.get("address"), str(kind)),
        reply=whole(body.get("reply", 503), "reply", STATUS_MIN, STATUS_MAX),
        rate=_rate(body.get("rate", 1)),
        left=None if count is None else whole(count, "count", 1, COUNT_MAX),
        latency_ms=whole(body.get("latency_ms", 1000), "latency_ms", 0, LATENCY_MS_MAX),
        seed=whole(body.get("seed", 0), "seed", 0, SEED_MAX),
    )


def _route(value: object, kind: str, routes: Collection[str]) -> str:
    if kind == "refuse-connection" and value != ANY_ROUTE:
        raise Refused(
            422,
            "ROUTE_UNKNOWN",
            "route must be * for refuse-connection: a connection is refused "
            "before it can name a route.",
        )
    if isinstance(value, str) and value in {*routes, ANY_ROUTE}:
        return value
    known = ", ".join([ANY_ROUTE, *routes])
    raise Refused(422, "ROUTE_UNKNOWN", f"route must be one of {known}.")


def _address(value: object, kind: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and kind != "refuse-connection":
        return value
    raise Refused(
        422, "ADDRESS_INVALID", "address must be text; refuse-connection takes none."
    )


def _rate(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        rate = float(value)
        if 0 < rate <= 1:
            return rate
    raise Refused(422, "OUT_OF_RANGE", "rate must be above 0 and at most 1.")
