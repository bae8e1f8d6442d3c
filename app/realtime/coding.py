"""Facts as the log keeps them: JSON text of their own fields, read back for ever."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from functools import cache
from types import NoneType
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson

from app.ids import CustomerId
from app.realtime.facts import FACTS, Fact

_ENVELOPE = frozenset(("customer", "occurred_at", "dedupe_key"))


def encode(fact: Fact) -> str:
    """Write a fact's own fields as JSON text; the envelope is in columns."""
    own = {
        part.name: getattr(fact, part.name)
        for part in fields(fact)
        if part.name not in _ENVELOPE
    }
    return orjson.dumps(own, option=orjson.OPT_UTC_Z).decode()


def decode(kind: str, text: str, customer: CustomerId, occurred_at: datetime) -> Fact:
    """Read a fact back. Fields it did not have yet take their defaults.

    Raises:
        KeyError: an unknown kind; an older process never reads a newer log.
    """
    found: Fact = _built(
        FACTS[kind],
        orjson.loads(text) | {"customer": customer, "occurred_at": occurred_at},
    )
    return found


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {part.name: hints[part.name] for part in fields(kind)}


def _built(kind: type, raw: Mapping[str, Any]) -> Any:  # noqa: ANN401  -- any dataclass
    known = _hints(kind)
    return kind(
        **{name: _value(known[name], raw[name]) for name in known if name in raw}
    )


def _value(hint: Any, raw: Any) -> Any:  # noqa: ANN401  -- a typed walk over plain JSON
    if get_origin(hint) in {Union, type(int | None)}:
        if raw is None:
            return None
        hint = next(part for part in get_args(hint) if part is not NoneType)
    if is_dataclass(hint) and isinstance(hint, type) and isinstance(raw, dict):
        return _built(hint, raw)
    if hint is datetime and isinstance(raw, str):
        return datetime.fromisoformat(raw)
    if hint is date and isinstance(raw, str):
        return date.fromisoformat(raw)
    return raw
