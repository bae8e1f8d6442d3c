"""What customers have, and money on its way: the accounts' and payments' services.

`bank.py` joins them with the others; nothing here is opened or closed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from app.accounts.accounts import Accounts
from app.accounts.balances import Balances
from app.accounts.feed import Feed
from app.accounts.linking import Links
from app.accounts.quick_balance import QuickBalances
from app.accounts.screen import Screens
from app.accounts.sheet import Sheet
from app.accounts.transactions import Transactions
from app.auth.panic import Panics
from app.identity import Ground, Identity
from app.integrations.core_banking import CoreBank
from app.integrations.fraud import RiskEngine
from app.integrations.rails import PaymentRail
from app.partners import Partners
from app.payments.address_book import AddressBook
from app.payments.callbacks import Callbacks
from app.payments.doubts import Doubts
from app.payments.intake import Intake
from app.payments.jobs import Jobs as PaymentJobs
from app.payments.limits import Limits
from app.payments.name_checks import NameChecks
from app.payments.offers import Offers
from app.payments.passage import Passage
from app.payments.payee_changes import PayeeChanges
from app.payments.payees import Payees
from app.payments.quotes import Quotes
from app.payments.reviews import Reviews
from app.payments.screening import Screening
from app.payments.transfers import Transfers
from app.status.health import Component, Health


@dataclass(frozen=True, kw_only=True)
class Books:
    """What customers have."""

    core: CoreBank
    accounts: Accounts
    sheet: Sheet
    feed: Feed | None
    links: Links | None
    balances: Balances
    quick_balances: QuickBalances
    transactions: Transactions
    screens: Screens


@dataclass(frozen=True, kw_only=True)
class MoneyRoom:
    """Money on its way."""

    payees: Payees
    payee_changes: PayeeChanges
    limits: Limits
    name_checks: NameChecks
    quotes: Quotes
    transfers: Transfers
    payment_jobs: PaymentJobs
    doubts: Doubts
    reviews: Reviews
    callbacks: Callbacks
    panics: Panics


def books_of(ground: Ground, partners: Partners) -> Books:
    """Wire the accounts room."""
    accounts, sheet = partners.accounts, partners.sheet
    balances = Balances(sheet=sheet)
    return Books(
        core=partners.core,
        accounts=accounts,
        sheet=sheet,
        feed=partners.feed,
        links=partners.links,
        balances=balances,
        quick_balances=QuickBalances(
            clock=ground.clock, accounts=accounts, balances=balances
        ),
        transactions=Transactions(sheet=sheet, accounts=accounts),
        screens=Screens(accounts=accounts, sheet=sheet),
    )


def money_of(
    ground: Ground,
    people: Identity,
    books: Books,
    rails: Mapping[str, PaymentRail],
    risk: RiskEngine,
    health: Health,
) -> MoneyRoom:
    """Wire the payments room."""
    settings, clock = ground.settings, ground.clock
    book = AddressBook(ground.vault)
    checks = NameChecks(
        clock=clock,
        throttle=people.throttle,
        rails=rails,
        bank_code=settings.bank_code,
    )
    offers = Offers(clock=clock, vault=ground.vault)
    payees, payee_changes = _payees_of(ground, people, books, book, checks)
    limits = _limits_of(ground, people, books)
    passage = Passage(
        clock=clock, accounts=books.accounts, book=book, core=books.core, rails=rails
    )
    intake = Intake(
        accounts=books.accounts,
        balances=books.balances,
        customers=people.customers,
        payees=payees,
        rails=rails,
        offers=offers,
        gate=partial(health.require, Component.TRANSFERS),
    )
    screening = Screening(settings=settings, clock=clock, engine=risk)
    transfers = _transfers_of(ground, people, intake, screening, limits, passage)
    quotes = Quotes(
        clock=clock,
        intake=intake,
        screening=screening,
        limits=limits,
        checks=checks,
        challenges=people.challenges,
        offers=offers,
    )
    jobs = PaymentJobs(clock=clock, transfers=transfers, passage=passage)
    return MoneyRoom(
        payees=payees,
        payee_changes=payee_changes,
        limits=limits,
        name_checks=checks,
        quotes=quotes,
        transfers=transfers,
        payment_jobs=jobs,
        doubts=Doubts(clock=clock, passage=passage),
        reviews=Reviews(settings=settings, clock=clock, passage=passage, engine=risk),
        callbacks=Callbacks(
            clock=clock, vault=ground.vault, rails=rails, hears=passage
        ),
        panics=Panics(clock=clock, moves=people.device_moves, money=transfers),
    )


def _limits_of(ground: Ground, people: Identity, books: Books) -> Limits:
    """Wire what counts how much a customer may pay."""
    return Limits(
        settings=ground.settings,
        clock=ground.clock,
        accounts=books.accounts,
        step_ups=people.step_ups,
        outcomes=people.outcomes,
    )


def _payees_of(
    ground: Ground,
    people: Identity,
    books: Books,
    book: AddressBook,
    checks: NameChecks,
) -> tuple[Payees, PayeeChanges]:
    """Wire what keeps payees and what changes them."""
    kept = Payees(
        settings=ground.settings,
        clock=ground.clock,
        checks=checks,
        book=book,
        accounts=books.accounts,
        sessions=people.sessions,
        step_ups=people.step_ups,
    )
    changes = PayeeChanges(
        settings=ground.settings,
        clock=ground.clock,
        book=book,
        accounts=books.accounts,
        sessions=people.sessions,
        step_ups=people.step_ups,
    )
    return kept, changes


def _transfers_of(
    ground: Ground,
    people: Identity,
    intake: Intake,
    screening: Screening,
    limits: Limits,
    passage: Passage,
) -> Transfers:
    """Wire what makes payments and has them approved."""
    return Transfers(
        settings=ground.settings,
        clock=ground.clock,
        intake=intake,
        screening=screening,
        limits=limits,
        passage=passage,
        challenges=people.challenges,
        sessions=people.sessions,
        throttle=people.throttle,
    )
