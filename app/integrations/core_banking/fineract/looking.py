"""Looking at accounts: who they are, their figures, their rows, in few calls."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from heapq import nlargest
from typing import NamedTuple

from app.clock import Clock
from app.errors import Outage
from app.integrations.core_banking import CoreBalance, CoreTxn, Look, OlderRows
from app.integrations.core_banking.fineract import questions, wire
from app.integrations.core_banking.fineract.questions import UNTAKEN, Questions
from app.integrations.core_banking.fineract.recent import Recent
from app.integrations.core_banking.fineract.rows import (
    NOTHING_MORE,
    Book,
    Detail,
    Row,
    detail_of,
    row_of,
)
from app.integrations.http import TOO_LONG
from app.money import Money

ROWS_MAX = 100
PAGE = 100
_PAGES_MAX = 50
_KEPT = 20_000
HISTORY_MAX = 2_000  # rows; of an account with more, pages are asked for


class Card(NamedTuple):
    """What never changes of an account, and its other name, if it has one."""

    ref: str
    client: int
    currency: str
    external: str | None


class Seen(NamedTuple):
    """One row with its details."""

    row: Row
    detail: Detail


class _Page(NamedTuple):
    """Rows, newest first, and how many there are on all pages."""

    rows: list[Row]
    total: int


_Found = dict[str, tuple[wire.Json, _Page]]


class Looking:
    """Reads accounts and rows; remembers what can never change.

    Args:
        questions: asks the core.
        book: names rows and knows the core's days.
        clock: when figures were read.
    """

    def __init__(self, questions: Questions, book: Book, clock: Clock) -> None:
        self._ask = questions
        self._book = book
        self._clock = clock
        self._details: Recent[tuple[str, int], Detail] = Recent(_KEPT)
        self._cards: Recent[str, Card] = Recent(_KEPT)
        self._lists_tell = False  # more than their contract: then it is all there is
        self._batches_search = True  # until one answers 501
        self._long: Recent[str, bool] = Recent(_KEPT)

    async def accounts(self, refs: Sequence[str]) -> dict[str, wire.Json]:
        """Give accounts as the core keeps them, in one call; unknown ones left out.

        Raises:
            Outage: the core does not answer, or not by its contract.
        """
        wanted = _wanted(refs)
        told = await self._ask.several([questions.account(ref) for ref in wanted])
        found = {
            ref: wire.record(one, "an account")
            for ref, one in zip(wanted, told, strict=True)
            if one is not None
        }
        for ref, one in found.items():
            self._cards.put(ref, _card(ref, one))
        return found

    async def cards(self, refs: Sequence[str]) -> dict[str, Card]:
        """Give what never changes of accounts, mostly without asking.

        An account without external id is asked about again: it may get one.

        Raises:
            Outage: as above.
        """
        kept = {ref: self._cards.get(ref) for ref in _wanted(refs)}
        if lacking := [ref for ref, one in kept.items() if not one or not one.external]:
            await self.accounts(lacking)
        return {ref: one for ref in kept if (one := self._cards.get(ref)) is not None}

    async def balances(self, refs: Sequence[str]) -> list[CoreBalance]:
        """Give the balances of accounts in one call; unknown ones left out.

        Raises:
            Outage: as above.
        """
        return [
            self._balance(ref, one) for ref, one in (await self.accounts(refs)).items()
        ]

    async def look(self, refs: Sequence[str], rows: int) -> list[Look]:
        """Look at accounts and their newest rows, in at most two calls.

        A batch that takes no search is asked for accounts with all their rows instead;
        only of accounts with too many of them the pages are asked for one by one.

        Raises:
            Outage: as above.
        """
        wanted, most = _wanted(refs), max(1, min(rows, ROWS_MAX))
        found = await self._searched(wanted, most) if self._batches_search else None
        if found is None:
            found = await self._through_histories(wanted, most)
        return [
            self._look(ref, account, page) for ref, (account, page) in found.items()
        ]

    async def older(self, ref: str, after: str) -> OlderRows:
        """Give the rows that follow a place.

        The core counts from its newest row, so rows that came since push the place
        back; those that were given already are skipped. That also bears a core whose
        `offset` counts rows: its pages overlap, and none is left out.

        Raises:
            Outage: as above, or the place is none of ours.
        """
        consumed, last = _place(after)
        number = consumed // PAGE
        for _ in range(_PAGES_MAX):
            page = await self._page(ref, number, None)
            fresh = [row for row in page.rows if row.id < last]
            is_last = len(page.rows) < PAGE
            if fresh or is_last:
                break
            number += 1
        else:
            raise wire.silent("rows come faster than they can be read")
        if not fresh:
            return OlderRows((), None)
        await self._learn({ref: fresh})
        end = (number + 1) * PAGE
        place = None if is_last else f"{end}.{fresh[-1].id}"
        return OlderRows(self._shown(ref, fresh), place)

    async def since(self, ref: str, day: date) -> list[Seen]:
        """Give all rows of an account that were written since a day, with details.

        Raises:
            Outage: as above, or they are too many to look through.
        """
        found: dict[int, Row] = {}
        for number in range(_PAGES_MAX):
            page = await self._page(ref, number, day)
            found |= {row.id: row for row in page.rows}
            if len(page.rows) < PAGE:
                break
        else:
            raise wire.silent("there are too many rows to look through")
        rows = [*found.values()]
        await self._learn({ref: rows})
        return [Seen(row, self._detail(ref, row)) for row in rows]

    # ------------------------------------------------------------------ parts

    async def _searched(self, refs: Sequence[str], most: int) -> _Found | None:
        """Search for the newest rows, all in one batch; None: batches do not search."""
        cards = [questions.account(ref) for ref in refs]
        pages = [questions.page(ref, 0, most) for ref in refs]
        told = await self._ask.together([*cards, *pages])
        if any(one is UNTAKEN for one in told):
            self._batches_search = False
            return None
        found = _joined(refs, told[: len(refs)], told[len(refs) :])
        await self._learn({ref: page.rows for ref, (_one, page) in found.items()})
        return found

    async def _through_histories(self, refs: Sequence[str], most: int) -> _Found:
        """Take the newest rows from all rows; who is too long is remembered as such."""
        long = {ref for ref in refs if self._long.get(ref)}
        try:
            return await self._mixed(refs, long, most)
        except Outage as failure:
            if failure.cause != TOO_LONG:
                raise
        for ref in refs:
            self._long.put(ref, value=True)
        return await self._mixed(refs, {*refs}, most)

    async def _mixed(self, refs: Sequence[str], long: set[str], most: int) -> _Found:
        told = await self._ask.several(
            [
                questions.account(ref) if ref in long else questions.history(ref)
                for ref in refs
            ]
        )
        told_of = {
            ref: wire.record(one, "an account")
            for ref, one in zip(refs, told, strict=True)
            if one is not None
        }
        pages: dict[str, _Page] = {}
        for ref, one in told_of.items():
            newest = None if ref in long else _newest(one, most)
            if newest is not None:
                pages[ref] = newest
            if newest is None or newest.total > HISTORY_MAX:
                self._long.put(ref, value=True)
            await asyncio.sleep(0)  # they may be many: others come first now
        every = [row for page in pages.values() for row in page.rows]
        self._lists_tell = self._lists_tell or any(row.detail for row in every)
        apart = [ref for ref in told_of if ref not in pages]
        asked = await self._ask.apart([questions.page(ref, 0, most) for ref in apart])
        searched = _joined(apart, [told_of[ref] for ref in apart], asked)
        await self._learn({ref: page.rows for ref, (_one, page) in searched.items()})
        pages |= {ref: page for ref, (_one, page) in searched.items()}
        return {ref: (told_of[ref], pages[ref]) for ref in told_of if ref in pages}

    async def _page(self, ref: str, number: int, day: date | None) -> _Page:
        """Read a page; of an unknown account: an empty one."""
        told = await self._ask.one(questions.page(ref, number, PAGE, day))
        return _Page([], 0) if told is None else _page(told)

    async def _learn(self, pages: Mapping[str, Sequence[Row]]) -> None:
        """Read the details of rows that are not remembered, in one call."""
        every = [row for page in pages.values() for row in page]
        self._lists_tell = self._lists_tell or any(row.detail for row in every)
        lacking = [
            (ref, row)
            for ref, page in pages.items()
            for row in page
            if row.has_more and self._details.get((ref, row.id)) is None
            if not self._lists_tell
        ]
        told = await self._ask.several(
            [questions.row(ref, row.id) for ref, row in lacking]
        )
        for (ref, row), one in zip(lacking, told, strict=True):
            if one is None:
                raise wire.broken("a listed row is not there")
            self._details.put((ref, row.id), detail_of(one))
        await asyncio.sleep(0)  # many rows were read: others come first now

    def _detail(self, ref: str, row: Row) -> Detail:
        return row.detail or self._details.get((ref, row.id)) or NOTHING_MORE

    def _shown(self, ref: str, page: Sequence[Row]) -> tuple[CoreTxn, ...]:
        return tuple(
            self._book.shown(ref, row, self._detail(ref, row))
            for row in page
            if row.is_shown
        )

    def _look(self, ref: str, account: wire.Json, page: _Page) -> Look:
        self._cards.put(ref, _card(ref, account))
        end = len(page.rows)
        return Look(
            ref=ref,
            state=wire.state_of(account),
            balance=self._balance(ref, account),
            rows=self._shown(ref, page.rows),
            older=f"{end}.{page.rows[-1].id}" if 0 < end < page.total else None,
        )

    def _balance(self, ref: str, account: wire.Json) -> CoreBalance:
        summary = wire.record(account.get("summary"), "a summary")
        currency = wire.currency_of(account.get("currency"))
        on_hold = account.get("savingsAmountOnHold")
        booked = wire.money(summary.get("accountBalance"), currency, "a balance")
        free = summary.get("availableBalance")
        held = (
            Money(0, currency)
            if on_hold is None
            else wire.money(on_hold, currency, "an amount on hold")
        )
        return CoreBalance(
            ref=ref,
            committed=booked,
            held=held,
            available=booked - held
            if free is None
            else wire.money(free, currency, "an available balance"),
            as_of=self._clock.now(),
            version=0,
        )


def _wanted(refs: Sequence[str]) -> list[str]:
    """Give the references that this core can have given, each once."""
    return list(dict.fromkeys(ref for ref in refs if wire.named(ref)))


def _card(ref: str, account: wire.Json) -> Card:
    return Card(
        ref=ref,
        client=wire.number(account.get("clientId"), "a client's id"),
        currency=wire.currency_of(account.get("currency")),
        external=wire.external_id(account.get("externalId")),
    )


def _page(value: object) -> _Page:
    page = wire.record(value, "a page of rows")
    content = page.get("content")
    if not isinstance(content, list):
        raise wire.broken("a page without rows")
    total = wire.number(page.get("total"), "the number of rows")
    return _Page([row_of(one) for one in content], total)


def _joined(
    refs: Sequence[str], accounts: Sequence[object], pages: Sequence[object]
) -> _Found:
    """Put accounts and their pages together; what has not both is left out."""
    return {
        ref: (wire.record(account, "an account"), _page(page))
        for ref, account, page in zip(refs, accounts, pages, strict=True)
        if account is not None and page is not None
    }


def _newest(account: wire.Json, most: int) -> _Page | None:
    """Take the newest rows of an account told with all of them; None: it was not.

    They come by the day for which they count; the search, and so we, have them in the
    order in which they were written. Where there are no rows the list is left out.
    """
    told = account.get("transactions")
    if told is None:
        summary = wire.record(account.get("summary"), "a summary")
        has_moved = summary.get("accountBalance") or summary.get("totalDeposits")
        return None if has_moved else _Page([], 0)
    if not isinstance(told, list):
        raise wire.broken("rows that are no list")
    every = [wire.record(one, "a row") for one in told]
    newest = nlargest(most, every, key=lambda one: wire.number(one.get("id"), "an id"))
    return _Page([row_of(one) for one in newest], len(every))


def _place(text: str) -> tuple[int, int]:
    offset, _, last = text.partition(".")
    if not (offset.isdecimal() and last.isdecimal()):
        raise wire.broken("a place that was never given")
    return int(offset), int(last)
