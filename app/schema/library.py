"""Which documents this process runs: those on its lists, or any that may run.

In trusted mode every listed document is prepared when the process starts, and a request
is a look-up. In open mode, and for a text that is only printed otherwise, what came of
it is remembered, good or bad, under its SHA-256. Source: graphql.md section 9;
performance.md section 3.1.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from graphql import GraphQLError, GraphQLSchema

from app.errors import BadRequest, PersistedQueryNotFound, RequestFault
from app.schema import trusted
from app.schema.budget import parsed
from app.schema.prepare import Examiner, Prepared, Rejection
from app.schema.trusted import Listed, digest_of, is_hash_of
from app.schema.values import require_flat_literals
from app.settings import Misconfigured, Settings

# Of good texts together: a tree takes up to 100 bytes for each character of its text.
_CHARS_KEPT = 500_000
_BAD_KEPT = 500  # of up to 12 KiB: what is said of them, never their texts

_OTHER_TEXT = "The text is not the one that its id names."


@dataclass(frozen=True, slots=True)
class Row:
    """One listed operation: what it is, what it costs at least and who may ask it."""

    id: str
    name: str
    kind: str
    level: str
    price: int
    priced_late: bool

    def shown(self) -> dict[str, object]:
        """Give it as the JSON beside the list has it."""
        return {
            "id": self.id,
            "name": self.name,
            "kind": self.kind,
            "level": self.level,
            "price": self.price,
            "priceGrows": self.priced_late,
        }


class Remembered:
    """What came of the newest texts; good ones do not make room for bad ones.

    Args:
        most: good texts.
        chars: length of all good texts together.
    """

    def __init__(self, most: int, chars: int = _CHARS_KEPT) -> None:
        self._most = most
        self._chars = chars
        self._length = 0
        self._good: OrderedDict[str, tuple[Prepared, int]] = OrderedDict()
        self._bad: OrderedDict[str, Rejection] = OrderedDict()

    def get(self, digest: str) -> Prepared | Rejection | None:
        """Give what came of a text."""
        if digest in self._good:
            self._good.move_to_end(digest)
            return self._good[digest][0]
        if digest in self._bad:
            self._bad.move_to_end(digest)
        return self._bad.get(digest)

    def keep(self, digest: str, found: Prepared | Rejection, length: int) -> None:
        """Remember what came of a text of this length; the oldest make room."""
        if isinstance(found, Rejection):
            self._bad[digest] = found
            if len(self._bad) > _BAD_KEPT:
                self._bad.popitem(last=False)
            return
        self._good[digest] = found, length
        self._length += length
        while len(self._good) > self._most or self._length > self._chars:
            _, (_, freed) = self._good.popitem(last=False)
            self._length -= freed


class Documents:
    """Every document this process may run, and those it has refused.

    Args:
        schema: the built contract.
        settings: limits, the mode and the folder of the lists.

    Raises:
        Misconfigured: a list that cannot be read; in trusted mode also one with a
            document that may not run.
    """

    def __init__(self, schema: GraphQLSchema, settings: Settings) -> None:
        self.examiner = Examiner(schema, settings)
        self._settings = settings
        self._remembered = Remembered(settings.max_documents)
        self._turn = asyncio.Lock()
        self._fixed: dict[str, Prepared] = {}
        self._printed: dict[str, Prepared] = {}
        self._is_open = settings.documents == "open"
        self.lists = trusted.read(trusted.folder_of(settings.documents_dir))
        if not self._is_open:
            self.load()

    def load(self) -> None:
        """Prepare every listed document.

        Raises:
            Misconfigured: one may not run, or there is none; says which, and why.
        """
        for one in self.lists.listed:
            digest = one.digest
            found = self._fixed.get(digest) or self.examiner.examine(one.text, digest)
            if isinstance(found, Rejection):
                raise Misconfigured(f"{one.place}: {_why(found.faults[0][0])}")
            _require_as_told(one, found)
            self._fixed[digest] = found
            self._printed[trusted.plain(found.document)] = found
        if not self._fixed:
            folder = self._settings.documents_dir
            raise Misconfigured(
                f"DOCUMENTS is trusted, but {folder} lists no operation"
            )

    def sheet(self) -> dict[str, list[Row]]:
        """Give every listed operation by app version, in the order of its name.

        Raises:
            Misconfigured: see `load`.
        """
        self.load()
        return {
            version: sorted(
                (row for one in listed for row in self._rows(one)),
                key=lambda row: (row.name, row.id),
            )
            for version, listed in self.lists.by_version().items()
        }

    def _rows(self, one: Listed) -> Iterator[Row]:
        prepared = self._fixed[one.digest]
        for name, planned in prepared.operations.items():
            yield Row(
                id=one.id or f"sha256:{one.digest}",
                name=name,
                kind=planned.kind.value,
                level=planned.demand.level.name,
                price=planned.price,
                priced_late=planned.priced_late,
            )

    async def in_turn(
        self, text: str | None, document_id: str | None
    ) -> Prepared | Rejection:
        """Give the document; a new text waits for its turn.

        One text is examined at a time and the loop goes round after each, so that a
        flood of new ones holds nobody up for longer than one of them takes.
        """
        known = None if text is None else self._known(text)
        if known is not None and document_id is None:
            return known
        if known is not None or text is None:
            return self.find(text, document_id)
        async with self.turn():
            return self.find(text, document_id)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the turn of something long that is done once for a document."""
        async with self._turn:
            yield
            await asyncio.sleep(0)

    def find(self, text: str | None, document_id: str | None) -> Prepared | Rejection:
        """Give the document that a request names, brings, or both."""
        if document_id is None:
            return self._brought(text or "")
        digest = self.lists.digest_of(document_id)
        if digest is None:
            return self._unlisted(text, document_id)
        if text is not None and digest_of(text) != digest:
            return Rejection.of(digest, BadRequest(_OTHER_TEXT))
        return self._fixed.get(digest) or self._brought(self.lists.texts[digest])

    def _unlisted(self, text: str | None, document_id: str) -> Prepared | Rejection:
        """Answer an id of no list; the text beside it may run all the same."""
        fits = None if text is None else is_hash_of(document_id, text)
        if fits is False:
            return Rejection.of(digest_of(document_id), BadRequest(_OTHER_TEXT))
        if text is not None and (fits or self._is_open):
            return self._brought(text)
        return Rejection.of(digest_of(document_id), PersistedQueryNotFound())

    def _known(self, text: str) -> Prepared | Rejection | None:
        digest = digest_of(text)
        return self._fixed.get(digest) or self._remembered.get(digest)

    def _brought(self, text: str) -> Prepared | Rejection:
        known = self._known(text)
        if known is not None:
            return known
        digest = digest_of(text)
        if self._is_open:
            found = self.examiner.examine(text, digest)
        else:
            found = self._alike(text) or Rejection.of(digest, PersistedQueryNotFound())
        self._remembered.keep(digest, found, len(text))
        return found

    def _alike(self, text: str) -> Prepared | None:
        """Find the listed document that a text is, printed otherwise."""
        try:
            document = parsed(text, self._settings)
            require_flat_literals(document, self._settings)
        except (RequestFault, GraphQLError):
            return None
        return self._printed.get(trusted.plain(document))


def _require_as_told(one: Listed, found: Prepared) -> None:
    """Refuse a list that tells another operation than its text holds.

    Raises:
        Misconfigured: says what it tells.
    """
    if not found.operations:
        raise Misconfigured(f"{one.place}: the document holds no operation")
    if one.name is None:
        return
    planned = found.operations.get(one.name)
    if planned is None or planned.kind.value != one.kind:
        raise Misconfigured(f"{one.place}: the text holds no {one.kind} of that name")


def _why(fault: RequestFault) -> str:
    """Give the one thing that is wrong with a listed document."""
    if isinstance(fault, BadRequest) and fault.why:
        return fault.why
    return f"{fault.sentence} {fault.facts.get('budget', '')}".strip()
