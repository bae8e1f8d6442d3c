"""Looking at accounts: who they are, their figures, their rows, in few calls."""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from app.clock import Clock
from app.errors import Outage
from app.integrations.core_banking import CoreBalance, CoreTxn, Look, OlderRows
from app.integrations.core_banking.fineract import questions, wire
from app.integrations.core_banking.fineract.pages import (
    Found,
    Page,
    joined,
    longest,
    newest_of,
    page_of,
    place_of,
)
from app.integrations.core_banking.fineract.questions import UNTAKEN, Questions
from app.integrations.core_banking.fineract.rows import (
    NOTHING_MORE,
    Book,
    Detail,
    Row,
    detail_of,
)
from app.integrations.core_banking.fineract.stretches import (
    SEARCH_S,
    Reached,
    Search,
    Seen,
    Stretch,
)
from app.integrations.http import TOO_LONG, TOO_SLOW
from app.money import Money
from app.shelf import Shelf

ROWS_MAX = 100
PAGE = 100
_PAGES_MAX = 50
_KEPT = 20_000
HISTORY_MAX = 2_000  # rows; of an account with more, pages are asked for
_SEARCHES = 200  # of which is remembered how far they came
DETAILS_MAX = 200  # rows in a call: a batch answers when all of it is done
_BEYOND = frozenset({"notes", "transfers"})  # what the contract of lists leaves out


class Card(NamedTuple):
    """What never changes of an account, and its other name, if it has one.

    `places`: to so many decimal places the core rounds there; None: it does not say.
    """

    ref: str
    client: int
    currency: str
    places: int | None
    external: str | None


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
        self._details = Shelf[tuple[str, int], Detail](_KEPT)
        self._cards = Shelf[str, Card](_KEPT)
        self._beyond: set[str] = set()  # what lists told of all that is _BEYOND
        self._batches_search = True  # until one answers 501
        self._long = Shelf[str, bool](_KEPT)
        self._reached = Shelf[Hashable, Reached](_SEARCHES)

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
            self._cards.keep(ref, _card(ref, one))
        return found

    async def cards(self, refs: Sequence[str]) -> dict[str, Card]:
        """Give what never changes of accounts, mostly without asking.

        An account without external id is asked about again: it may get one.

        Raises:
            Outage: as above.
        """
        kept = {ref: self._cards.of(ref) for ref in _wanted(refs)}
        if lacking := [ref for ref, one in kept.items() if not one or not one.external]:
            await self.accounts(lacking)
        return {ref: one for ref in kept if (one := self._cards.of(ref)) is not None}

    async def balances(self, refs: Sequence[str]) -> list[CoreBalance]:
        """Give the balances of accounts in one call; unknown ones left out.

        Raises:
            Outage: as above.
        """
        return [
            self._balance(ref, one) for ref, one in (await self.accounts(refs)).items()
        ]

    async def look(self, refs: Sequence[str], rows: int) -> list[Look]:
        """Look at accounts and their newest rows, in one call for all of them.

        Details that lists do not tell are a call for each DETAILS_MAX new rows. A batch
        that takes no search is asked for accounts with all their rows instead; only of
        accounts with too many of them the pages are asked for one by one.

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
        consumed, last = place_of(after)
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

    async def since(
        self, ref: str, day: date, until: Callable[[Seen], bool], search: Search
    ) -> Stretch:
        """Give the rows of an account that were written since a day, with details.

        They come oldest first: what somebody looks for is mostly near the start, and
        rows that come meanwhile move no page. The rest of the pages is not read once a
        row is what he wants, or his time is up.

        Args:
            ref: the account.
            day: of the core.
            until: tells that row; of one that is not it, it never says so later.
            search: for how long.

        Raises:
            Outage: as above.
        """
        name = (ref, day, search.name)
        first, ids = self._came_to(name, search)
        found: list[Seen] = []
        for number in range(first, first + _PAGES_MAX):
            page = await self._page(ref, number, day)
            fresh = [row for row in page.rows if row.id not in ids]
            await self._learn({ref: fresh})
            some = [Seen(row, self._detail(ref, row)) for row in fresh]
            found += some
            if any(until(one) for one in some):
                break
            ids |= {row.id for row in fresh}
            is_last = len(page.rows) < PAGE
            if is_last and len(ids) >= page.total:
                return Stretch(found, is_whole=True)
            if not fresh:  # a row is missing in between, or pages do not turn
                self._reached.drop(name)
                break
            if search.name is not None and not is_last:
                self._reached.keep(name, Reached(number + 1, ids))
            if self._clock.monotonic() >= search.ends_at:
                break
        return Stretch(found, is_whole=False)

    def search(self, name: Hashable | None) -> Search:
        """Begin a search that leaves its caller time for more."""
        return Search(self._clock.monotonic() + SEARCH_S, name)

    # ------------------------------------------------------------------ parts

    async def _searched(self, refs: Sequence[str], most: int) -> Found | None:
        """Search for the newest rows, all in one batch; None: batches do not search."""
        cards = [questions.account(ref) for ref in refs]
        pages = [questions.page(ref, 0, most) for ref in refs]
        told = await self._ask.together([*cards, *pages])
        if any(one is UNTAKEN for one in told):
            self._batches_search = False
            return None
        found = joined(refs, told[: len(refs)], told[len(refs) :])
        await self._learn({ref: page.rows for ref, (_one, page) in found.items()})
        return found

    async def _through_histories(self, refs: Sequence[str], most: int) -> Found:
        """Take the newest rows from all rows, where these are not too many.

        Where the answer is too long or too slow, all are looked at by their pages, and
        these tell how many rows there are. The longest, with half of all rows, are
        remembered as too long: where the others still are, the next look halves them
        again. So one account takes the look from no other, and few lose the short way.
        """
        long = {ref for ref in refs if self._long.of(ref)}
        try:
            return await self._mixed(refs, long, most)
        except Outage as failure:
            if failure.cause not in {TOO_LONG, *TOO_SLOW} or long.issuperset(refs):
                raise
            # A core that was slow with no more than a page was slow for other reasons.
            least = 0 if failure.cause == TOO_LONG else PAGE
        found = await self._mixed(refs, {*refs}, most)
        tried = {ref: one for ref, one in found.items() if ref not in long}
        for ref in longest(tried, least):
            self._long.keep(ref, value=True)
        return found

    async def _mixed(self, refs: Sequence[str], long: set[str], most: int) -> Found:
        """Take the newest rows from all rows; of those too long from a page of each."""
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
        pages: dict[str, Page] = {}
        for ref, one in told_of.items():
            newest = None if ref in long else newest_of(one, most)
            if newest is not None:
                pages[ref] = newest
            is_too_long = newest is None or newest.total > HISTORY_MAX
            if is_too_long and ref not in long:
                self._long.keep(ref, value=True)
            await asyncio.sleep(0)  # they may be many: others come first now
        self._heed(row for page in pages.values() for row in page.rows)
        apart = [ref for ref in told_of if ref not in pages]
        asked = await self._ask.apart([questions.page(ref, 0, most) for ref in apart])
        searched = joined(apart, [told_of[ref] for ref in apart], asked)
        await self._learn({ref: page.rows for ref, (_one, page) in searched.items()})
        pages |= {ref: page for ref, (_one, page) in searched.items()}
        return {ref: (told_of[ref], pages[ref]) for ref in told_of if ref in pages}

    def _came_to(self, name: Hashable, search: Search) -> Reached:
        """Give where a search goes on."""
        known = None if search.name is None else self._reached.of(name)
        return known or Reached(0, frozenset())

    async def _page(self, ref: str, number: int, day: date | None) -> Page:
        """Read a page; of an unknown account: an empty one."""
        told = await self._ask.one(questions.page(ref, number, PAGE, day))
        return Page([], 0) if told is None else page_of(told)

    async def _learn(self, pages: Mapping[str, Sequence[Row]]) -> None:
        """Read the details of rows that are not remembered, many in a call.

        A batch that takes no such question is that of the published source, which makes
        its lists and its details alike: the lists have told all there is. Source:
        SavingsAccountTransactionsMapper of Apache Fineract.
        """
        self._heed(row for page in pages.values() for row in page)
        lacking = [
            (ref, row)
            for ref, page in pages.items()
            for row in page
            if row.has_more and self._details.of((ref, row.id)) is None
        ]
        for start in range(0, len(lacking), DETAILS_MAX):
            if self._beyond >= _BEYOND:
                break
            some = lacking[start : start + DETAILS_MAX]
            asks = [questions.row(ref, row.id) for ref, row in some]
            told = await self._ask.together(asks)
            if any(one is UNTAKEN for one in told):
                self._beyond |= _BEYOND
                break
            for (ref, row), one in zip(some, told, strict=True):
                if one is None:
                    raise wire.broken("a listed row is not there")
                self._details.keep((ref, row.id), detail_of(one))
        await asyncio.sleep(0)  # many rows were read: others come first now

    def _heed(self, rows: Iterable[Row]) -> None:
        """Note what lists tell beyond their contract; a note says nothing of transfers.

        Once they told both they tell all there is, and no details are asked for.
        """
        for row in rows:
            if row.detail is not None:
                is_transfer = row.detail.transfer is not None
                self._beyond.add("transfers" if is_transfer else "notes")

    def _detail(self, ref: str, row: Row) -> Detail:
        return row.detail or self._details.of((ref, row.id)) or NOTHING_MORE

    def _shown(self, ref: str, page: Sequence[Row]) -> tuple[CoreTxn, ...]:
        return tuple(
            self._book.shown(ref, row, self._detail(ref, row))
            for row in page
            if row.is_shown
        )

    def _look(self, ref: str, account: wire.Json, page: Page) -> Look:
        self._cards.keep(ref, _card(ref, account))
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
    currency = wire.record(account.get("currency"), "currency")
    places = currency.get("decimalPlaces")
    return Card(
        ref=ref,
        client=wire.number(account.get("clientId"), "a client's id"),
        currency=wire.currency_of(currency),
        places=places if isinstance(places, int) else None,
        external=wire.external_id(account.get("externalId")),
    )
