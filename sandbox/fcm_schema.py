"""Checks a message against the published schema of FCM, as its server does.

Source: the discovery document of Firebase Cloud Messaging v1; `fcm_messages.json` holds
what a message reaches in it. Names may be written in snake_case as well, and values of
an enumeration in lower case: the protobuf reader behind the real server takes both, and
the Admin SDK sends them so.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).with_name("fcm_messages.json")
_DURATION: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?s", re.ASCII)
_FITS: Final[dict[str, Callable[[object], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool)
    ),
    "any": lambda _value: True,
}


@cache
def schemas() -> dict[str, dict[str, object]]:
    """Give the published schemas by name."""
    found: dict[str, dict[str, object]] = json.loads(_FILE.read_text())["schemas"]
    return found


class Wrong(Exception):
    """A body that the schema does not allow.

    Args:
        path: dotted path of the field.
        sentence: what is wrong, in the words of the real server.
    """

    def __init__(self, path: str, sentence: str) -> None:
        super().__init__(sentence)
        self.path = path
        self.sentence = sentence


def read_request(body: Mapping[str, object]) -> dict[str, object]:
    """Give the body of a send request with every name as the schema writes it.

    Raises:
        Wrong: an unknown name, a name given twice, or a value of another type.
    """
    return _named(body, "SendMessageRequest", "")


def _named(value: object, schema: str, path: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise Wrong(path, f"Invalid value at '{path}'")
    known = schemas()[schema]["properties"]
    assert isinstance(known, dict)  # noqa: S101  -- so it is in the file
    found: dict[str, object] = {}
    for name, inner in value.items():
        camel = _camel(str(name))
        if camel not in known:
            raise Wrong(
                path,
                f'Invalid JSON payload received. Unknown name "{name}" at '
                f"'{path}': Cannot find field.",
            )
        if camel in found:
            raise Wrong(path, f"Invalid value at '{path}' ({name}), is set twice")
        found[camel] = _read(inner, known[camel], f"{path}.{camel}".lstrip("."))
    return found


def _read(value: object, rule: Mapping[str, object], path: str) -> object:
    if "$ref" in rule:
        return _named(value, str(rule["$ref"]), path)
    kind = rule["type"]
    if kind == "array":
        return _items(value, rule["items"], path)
    if kind == "object":
        return _entries(value, rule["additionalProperties"], path)
    if not _FITS[str(kind)](value):
        raise Wrong(path, f"Invalid value at '{path}' (TYPE_{str(kind).upper()})")
    if "enum" in rule:
        return _word(value, rule["enum"], path)
    if rule.get("format") == "google-duration" and not _DURATION.fullmatch(str(value)):
        raise Wrong(path, f"Invalid value at '{path}' (duration)")
    return value


def _items(value: object, rule: object, path: str) -> list[object]:
    assert isinstance(rule, dict)  # noqa: S101  -- so it is in the file
    if not isinstance(value, list):
        raise Wrong(path, f"Invalid value at '{path}' (list)")
    return [_read(one, rule, f"{path}[{at}]") for at, one in enumerate(value)]


def _entries(value: object, rule: object, path: str) -> dict[str, object]:
    assert isinstance(rule, dict)  # noqa: S101  -- so it is in the file
    if not isinstance(value, dict):
        raise Wrong(path, f"Invalid value at '{path}' (map)")
    return {str(key): _read(one, rule, f"{path}.{key}") for key, one in value.items()}


def _word(value: object, words: object, path: str) -> str:
    assert isinstance(words, list)  # noqa: S101  -- so it is in the file
    word = str(value).upper()
    if word not in words:
        raise Wrong(path, f"Invalid value at '{path}' (enum), \"{value}\"")
    return word


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
