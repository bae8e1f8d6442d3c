"""Trusted documents: the lists that the apps' own compilers wrote, read and checked.

One list per app version lies in the folder of `DOCUMENTS_DIR`, in any of three forms:
Apollo's `apollo-persisted-query-manifest` (version 1), a JSON object of id and text, or
a folder of `*.graphql`. Lists are only added, so an old app finds its operations as
long as its list lies there. Nothing a client sends enters a list. Source: graphql.md
section 9; Apollo's persisted query manifest; GraphQL over HTTP, appendix on persisted
documents.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from graphql import DefinitionNode, DocumentNode, print_ast

from app.settings import Misconfigured

MANIFEST = "apollo-persisted-query-manifest"
BESIDE = ".operations.json"  # what `python -m app documents` writes beside a list
_ROOT = Path(__file__).resolve().parents[2]  # a relative folder starts at the clone
_HASH = re.compile(r"(?:sha256:)?(?P<hex>[0-9a-f]{64})")
_PREFIX = "sha256:"


@dataclass(frozen=True, slots=True)
class Listed:
    """One operation of a list.

    Args:
        version: of the app; the name of the list's file or folder.
        place: list and operation, for a sentence about it.
        text: the exact text.
        id: as the list names it; None in a folder, where the hash is the id.
        name: of the operation, if the list tells it.
        kind: query, mutation or subscription, if the list tells it.
    """

    version: str
    place: str
    text: str
    id: str | None = None
    name: str | None = None
    kind: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return digest_of(self.text)


class Lists:
    """Every list of a folder, by id and by hash.

    Args:
        listed: the operations, in the order of their lists.

    Raises:
        Misconfigured: an id that is a hash of something else, or one id of two texts.
    """

    def __init__(self, listed: Iterable[Listed]) -> None:
        self.listed = tuple(listed)
        self.texts: dict[str, str] = {}
        self._named: dict[str, str] = {}
        for one in self.listed:
            digest = one.digest
            self.texts[digest] = one.text
            if one.id is None:
                continue
            hashed = _HASH.fullmatch(one.id)
            if hashed is not None and hashed["hex"] != digest:
                raise Misconfigured(f"{one.place}: the id is not the hash of its text")
            if ":" in one.id and hashed is None:
                raise Misconfigured(f"{one.place}: an id with a colon is sha256:<hex>")
            if self._named.setdefault(one.id, digest) != digest:
                raise Misconfigured(f"{one.place}: its id belongs to another text too")

    def digest_of(self, document_id: str) -> str | None:
        """Give the hash of the text that an id names; None when it is on no list."""
        hashed = _HASH.fullmatch(document_id)
        if hashed is not None and hashed["hex"] in self.texts:
            return hashed["hex"]
        return self._named.get(document_id)

    def by_version(self) -> Mapping[str, list[Listed]]:
        """Give the operations of each app version."""
        found: dict[str, list[Listed]] = {}
        for one in self.listed:
            found.setdefault(one.version, []).append(one)
        return found


def digest_of(text: str) -> str:
    """Give the SHA-256 of a text in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_hash_of(document_id: str, text: str) -> bool | None:
    """Tell whether an id is the hash of a text; None when the id is no hash."""
    hashed = _HASH.fullmatch(document_id)
    if hashed is None:
        return None
    return hashed["hex"] == digest_of(text)


def plain(document: DocumentNode) -> str:
    """Give the hash of a document as it is printed, its definitions in order.

    A socket link prints the document again, and a manifest's generator sorts it: what
    differs only in that is the same operation.
    """
    ordered = sorted(document.definitions, key=_rank)
    return digest_of("\n".join(map(print_ast, ordered)))


def folder_of(folder: Path) -> Path:
    """Give the folder of the lists; a relative one starts at the clone."""
    return _ROOT / folder


def read(folder: Path) -> Lists:
    """Read every list of a folder.

    Raises:
        Misconfigured: no such folder, or a list that is none; names file and operation.
    """
    if not folder.is_dir():
        raise Misconfigured(f"DOCUMENTS_DIR {folder} is no folder")
    return Lists(_all(folder))


def _all(folder: Path) -> Iterator[Listed]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            for file in sorted(path.glob("*.graphql")):
                place = f"{path.name}/{file.name}"
                yield Listed(path.name, place, _text(file, place))
        elif path.suffix == ".json" and not path.name.endswith(BESIDE):
            yield from _of_file(path)


def _of_file(path: Path) -> Iterator[Listed]:
    text = _text(path, path.name)
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError:
        raise Misconfigured(f"{path.name} is not JSON") from None
    except KeyError as twice:
        raise Misconfigured(f"{path.name}: {twice.args[0]} is there twice") from None
    if not isinstance(found, dict):
        raise Misconfigured(f"{path.name} is neither a manifest nor ids with texts")
    if "format" in found:
        yield from _of_manifest(path, found)
        return
    for name, body in found.items():
        if not isinstance(body, str):
            raise Misconfigured(f"{path.name}: {name[:80]} has no text")
        yield Listed(path.stem, f"{path.name}: {name[:80]}", body, id=name)


def _of_manifest(path: Path, found: Mapping[str, object]) -> Iterator[Listed]:
    operations = found.get("operations")
    known = found["format"] == MANIFEST and found.get("version") == 1
    if not known or not isinstance(operations, list):
        raise Misconfigured(f"{path.name} is not version 1 of {MANIFEST}")
    for number, one in enumerate(operations, start=1):
        parts = one if isinstance(one, dict) else {}
        told = [parts.get(name) for name in ("id", "name", "type", "body")]
        id_, name, kind, body = (part if isinstance(part, str) else "" for part in told)
        if not (id_ and name and kind and body):
            raise Misconfigured(
                f"{path.name}: operation {number} needs id, name, type and body"
            )
        place = f"{path.name}: {name[:80]}"
        if is_hash_of(id_, body) is not True:
            raise Misconfigured(f"{place}: the id is not the hash of its text")
        yield Listed(path.stem, place, body, id_, name, kind)


def _text(path: Path, place: str) -> str:
    try:
        return path.read_bytes().decode()  # as it lies there: the hash is of the bytes
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(f"{place} cannot be read as UTF-8 text") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make an object, but not of a name that comes twice."""
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise KeyError(name[:80])
        found[name] = value
    return found


def _rank(node: DefinitionNode) -> tuple[str, str]:
    name = getattr(node, "name", None)
    return node.kind, "" if name is None else name.value
