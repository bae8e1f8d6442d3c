"""The rooms below the payments, wired as `cashier.py` does, for the payments' tests."""

from dataclasses import dataclass

from app.accounts.accounts import Accounts
from app.accounts.balances import Balances
from app.accounts.sheet import LocalSheet
from app.auth.challenges import Challenges
from app.auth.directory import Directory
from app.auth.lockout import Lockout
from app.auth.outcomes import Outcomes
from app.auth.revocations import Revocations
from app.auth.sessions import Sessions
from app.auth.signing_ring import SigningRing
from app.auth.standing import Customers
from app.auth.step_up import StepUps
from app.auth.throttle import Throttle
from app.auth.tokens import AccessTokens
from app.clock import StoppedClock
from app.errors import Outage
from app.integrations.core_banking.embedded import EmbeddedCore
from app.integrations.counters.memory import MemoryCounters
from app.integrations.identity.embedded import EmbeddedIdentity
from app.integrations.rails import PayeeAddress, PayeeName, PaymentRail
from app.integrations.rails.on_us import OnUs
from app.payments.address_book import AddressBook
from app.payments.intake import Intake
from app.payments.limits import Limits
from app.payments.name_checks import NameChecks
from app.payments.offers import Offers
from app.payments.payee_changes import PayeeChanges
from app.payments.payees import Payees
from app.settings import Settings
from app.vault import Vault
from tests.payments.binding import payees_of
from tests.payments.faults import Outside
from tests.payments.line import Line

BANK_CODE = "SIXP0000001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """The services that payments stand on, and those that only look."""

    clock: StoppedClock
    settings: Settings
    vault: Vault
    core: EmbeddedCore
    line: Line
    rails: dict[str, PaymentRail]
    accounts: Accounts
    balances: Balances
    customers: Customers
    sessions: Sessions
    challenges: Challenges
    step_ups: StepUps
    throttle: Throttle
    book: AddressBook
    name_checks: NameChecks
    payees: Payees
    payee_changes: PayeeChanges
    limits: Limits
    offers: Offers
    intake: Intake


async def _nobody(address: PayeeAddress) -> PayeeName | None:
    """Tell no names, so that no check of these payees finds anything."""
    del address
    raise Outage("names are not told here")


def _auth(
    settings: Settings, clock: StoppedClock, vault: Vault
) -> tuple[Sessions, Challenges, StepUps, Throttle]:
    """Wire the room that knows who holds which phone."""
    ring = SigningRing(clock, vault)
    tokens = AccessTokens(clock=clock, settings=settings, ring=ring)
    revocations = Revocations(clock=clock, settings=settings)
    sessions = Sessions(
        clock=clock,
        settings=settings,
        vault=vault,
        tokens=tokens,
        revocations=revocations,
    )
    lockout = Lockout(sessions=sessions, device_tries=settings.device_tries)
    challenges = Challenges(
        clock=clock, settings=settings, vault=vault, lockout=lockout
    )
    throttle = Throttle(settings=settings, counters=MemoryCounters(clock))
    step_ups = StepUps(
        clock=clock,
        settings=settings,
        challenges=challenges,
        sessions=sessions,
        throttle=throttle,
    )
    return sessions, challenges, step_ups, throttle


def rooms_of(
    settings: Settings, clock: StoppedClock, vault: Vault, outside: Outside | None
) -> Rooms:
    """Wire them over the test's own database."""
    core = EmbeddedCore(clock)
    line = Line(OnUs(core, clock, _nobody))
    sessions, challenges, step_ups, throttle = _auth(settings, clock, vault)
    accounts = Accounts(
        core=core, core_name="embedded", vault=vault, bank_code=BANK_CODE
    )
    sheet = LocalSheet(core, clock)
    balances = Balances(sheet=sheet)
    customers = Customers(
        clock=clock,
        vault=vault,
        directory=Directory(vault),
        identity=EmbeddedIdentity(settings=settings, vault=vault),
    )
    book, offers = AddressBook(vault), Offers(clock=clock, vault=vault)
    rails: dict[str, PaymentRail] = {} if outside is None else dict(outside.rails)
    rails.setdefault(line.caps.rail, line)  # after those that reach it first
    checks = NameChecks(
        clock=clock, throttle=throttle, rails=rails, bank_code=BANK_CODE
    )
    payees, payee_changes = payees_of(
        settings, clock, book, accounts, (sessions, step_ups), checks
    )
    outcomes = Outcomes(clock=clock, vault=vault, kept_s=settings.outcome_s)
    return Rooms(
        clock=clock,
        settings=settings,
        vault=vault,
        core=core,
        line=line,
        rails=rails,
        accounts=accounts,
        balances=balances,
        customers=customers,
        sessions=sessions,
        challenges=challenges,
        step_ups=step_ups,
        throttle=throttle,
        book=book,
        name_checks=checks,
        payees=payees,
        payee_changes=payee_changes,
        limits=Limits(
            settings=settings,
            clock=clock,
            accounts=accounts,
            step_ups=step_ups,
            outcomes=outcomes,
        ),
        offers=offers,
        intake=Intake(
            accounts=accounts,
            balances=balances,
            customers=customers,
            payees=payees,
            rails=rails,
            offers=offers,
        ),
    )
