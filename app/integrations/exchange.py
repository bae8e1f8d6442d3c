"""What goes to a partner and comes back: one ask, one answer, JSON without floats."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from uuid import UUID

import orjson

READ_S = 10.0


@dataclass(frozen=True, slots=True)
class Ask:
    """One call.

    Attributes:
        method: GET, POST and so on.
        route: path template from the base URL on, `/phones/{address}/inbox`; logged.
        path: what fills the template; quoted, never logged.
        body: sent as JSON if not None; Decimals keep their digits.
        op_id: id of the stored write, for the log.
        read_s: longest silence of the partner, seconds.
    """

    method: str
    route: str
    path: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: object = field(default=None, repr=False)
    op_id: UUID | None = None
    read_s: float = READ_S


@dataclass(frozen=True, slots=True)
class Answer:
    """What the partner said, 2xx or 4xx; body is parsed JSON, None if there is none."""

    status: int
    body: object = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_success(self) -> bool:
        """Tell whether the partner said yes."""
        return HTTPStatus(200) <= self.status < HTTPStatus(300)


def to_json(body: object) -> bytes:
    """Write JSON; a Decimal becomes a number with exactly its digits."""
    return orjson.dumps(body, default=_digits)


def from_json(raw: bytes) -> object:
    """Read JSON; a number with a point becomes a Decimal with exactly its digits.

    Raises:
        ValueError: not JSON, or nested beyond all reason.
    """
    try:
        return json.loads(raw, parse_float=Decimal, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except InvalidOperation:
        raise ValueError("a number beyond all reason") from None


def _digits(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(format(value, "f"))
    raise TypeError(f"{type(value).__name__} has no JSON form here")


def _no_number(text: str) -> object:
    raise ValueError(f"{text} is no JSON number")
