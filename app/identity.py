"""The auth room wired: who is holding which phone.

Part of the composition root, beside `bank.py`, because this room has the most services.
"""

from dataclasses import dataclass

from app.auth.attestation.grading import Attestations
from app.auth.biometric import Biometrics
from app.auth.bound import BoundDevices
from app.auth.caller import Callers
from app.auth.challenges import Challenges
from app.auth.customer_factors import CustomerFactors
from app.auth.device_changes import DeviceChanges
from app.auth.device_moves import DeviceMoves
from app.auth.devices import Devices
from app.auth.directory import Directory
from app.auth.dpop import Proofs
from app.auth.enrolment import Enrolments
from app.auth.factor_changes import FactorChanges
from app.auth.failures import Failures
from app.auth.identification import Identification
from app.auth.identity_proofs import IdentityProofs
from app.auth.locales import Locales
from app.auth.lockout import Lockout
from app.auth.login import Logins
from app.auth.mpin import Mpins
from app.auth.otp import Otps
from app.auth.outbox import Outbox
from app.auth.outcomes import Outcomes
from app.auth.passkeys import Passkeys
from app.auth.recovery import RecoveryCodes
from app.auth.refresh import Refreshes
from app.auth.revocations import Revocations
from app.auth.sessions import Bell, Sessions
from app.auth.signing_ring import SigningRing
from app.auth.standing import Customers
from app.auth.step_up import StepUps
from app.auth.throttle import Throttle
from app.auth.tokens import AccessTokens
from app.auth.totp import Totps
from app.auth.totp_check import TotpCheck
from app.auth.vouching import Vouching
from app.clock import Clock
from app.partners import Partners
from app.settings import Settings
from app.vault import Vault


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What every room stands on."""

    settings: Settings
    clock: Clock
    vault: Vault


@dataclass(frozen=True, kw_only=True)
class Doors:
    """What this room shares with those above and beside it."""

    ring: SigningRing
    bound: BoundDevices
    revocations: Revocations
    throttle: Throttle
    bell: Bell


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who is holding which phone."""

    ring: SigningRing
    callers: Callers
    enrolments: Enrolments
    vouching: Vouching
    devices: Devices
    device_moves: DeviceMoves
    device_changes: DeviceChanges
    mpins: Mpins
    biometrics: Biometrics
    factor_changes: FactorChanges
    customer_factors: CustomerFactors
    passkeys: Passkeys
    totps: Totps
    recovery: RecoveryCodes
    logins: Logins
    sessions: Sessions
    refreshes: Refreshes
    challenges: Challenges
    step_ups: StepUps
    outcomes: Outcomes
    revocations: Revocations
    customers: Customers
    outbox: Outbox
    throttle: Throttle


def wired(ground: Ground, partners: Partners, doors: Doors) -> Identity:
    """Wire the auth room."""
    settings, clock, vault = ground.settings, ground.clock, ground.vault
    tokens = AccessTokens(clock=clock, settings=settings, ring=doors.ring)
    revocations, throttle = doors.revocations, doors.throttle
    sessions = Sessions(
        clock=clock,
        settings=settings,
        vault=vault,
        tokens=tokens,
        revocations=revocations,
        bell=doors.bell,
    )
    moves = DeviceMoves(
        clock=clock, sessions=sessions, bell=doors.bell, forget=doors.bound.forget
    )
    outbox = Outbox(clock=clock, vault=vault)
    challenges, step_ups = _approving(ground, doors, sessions, outbox)
    logins, refreshes = _signing_in(ground, doors, sessions, challenges)
    outcomes = Outcomes(clock=clock, vault=vault, kept_s=settings.outcome_s)
    recovery = RecoveryCodes(
        clock=clock,
        settings=settings,
        vault=vault,
        step_ups=step_ups,
        outcomes=outcomes,
    )
    enrolments, vouching, devices = _enrolling(
        ground, partners, moves, recovery, (throttle, outbox, challenges, sessions)
    )
    proofs = Proofs(
        clock=clock, settings=settings, vault=vault, counters=partners.counters
    )
    passkeys, totps = _personal(
        ground, partners.customers, sessions, step_ups, (outcomes, recovery)
    )
    return Identity(
        ring=doors.ring,
        callers=_callers(ground, proofs, doors, tokens),
        enrolments=enrolments,
        vouching=vouching,
        devices=devices,
        device_moves=moves,
        device_changes=_changes(ground, moves, sessions, step_ups),
        mpins=Mpins(clock=clock, settings=settings, vault=vault, step_ups=step_ups),
        biometrics=_biometrics(ground, proofs, step_ups),
        factor_changes=FactorChanges(
            clock=clock, sessions=sessions, step_ups=step_ups, outcomes=outcomes
        ),
        customer_factors=CustomerFactors(clock=clock, settings=settings, totps=totps),
        passkeys=passkeys,
        totps=totps,
        recovery=recovery,
        logins=logins,
        sessions=sessions,
        refreshes=refreshes,
        challenges=challenges,
        step_ups=step_ups,
        outcomes=outcomes,
        revocations=revocations,
        customers=partners.customers,
        outbox=outbox,
        throttle=throttle,
    )


def _approving(
    ground: Ground, doors: Doors, sessions: Sessions, outbox: Outbox
) -> tuple[Challenges, StepUps]:
    """Wire what asks people and judges their answers."""
    settings, clock, vault = ground.settings, ground.clock, ground.vault
    lockout = Lockout(
        sessions=sessions,
        device_tries=settings.device_tries,
        failures=Failures(settings=settings, directory=Directory(vault), outbox=outbox),
    )
    challenges = Challenges(
        clock=clock, settings=settings, vault=vault, lockout=lockout
    )
    step_ups = StepUps(
        clock=clock,
        settings=settings,
        challenges=challenges,
        sessions=sessions,
        throttle=doors.throttle,
    )
    return challenges, step_ups


def _signing_in(
    ground: Ground, doors: Doors, sessions: Sessions, challenges: Challenges
) -> tuple[Logins, Refreshes]:
    """Wire the ways to tokens."""
    settings, clock, vault = ground.settings, ground.clock, ground.vault
    logins = Logins(
        clock=clock,
        settings=settings,
        vault=vault,
        bound=doors.bound,
        challenges=challenges,
        sessions=sessions,
        throttle=doors.throttle,
    )
    refreshes = Refreshes(
        clock=clock,
        settings=settings,
        vault=vault,
        sessions=sessions,
        throttle=doors.throttle,
    )
    return logins, refreshes


def _changes(
    ground: Ground, moves: DeviceMoves, sessions: Sessions, step_ups: StepUps
) -> DeviceChanges:
    """Wire what a customer changes about the phones."""
    return DeviceChanges(
        clock=ground.clock,
        settings=ground.settings,
        moves=moves,
        sessions=sessions,
        step_ups=step_ups,
    )


def _personal(
    ground: Ground,
    customers: Customers,
    sessions: Sessions,
    step_ups: StepUps,
    kept: tuple[Outcomes, RecoveryCodes],
) -> tuple[Passkeys, Totps]:
    """Wire the factors that belong to a person, not to one phone."""
    passkeys = Passkeys(
        clock=ground.clock,
        settings=ground.settings,
        customers=customers,
        sessions=sessions,
        step_ups=step_ups,
    )
    outcomes, recovery = kept
    totps = Totps(
        clock=ground.clock,
        settings=ground.settings,
        vault=ground.vault,
        customers=customers,
        sessions=sessions,
        step_ups=step_ups,
        outcomes=outcomes,
        recovery=recovery,
    )
    return passkeys, totps


def _biometrics(ground: Ground, proofs: Proofs, step_ups: StepUps) -> Biometrics:
    """Wire the second key of phones."""
    return Biometrics(
        clock=ground.clock,
        settings=ground.settings,
        proofs=proofs,
        attestations=Attestations(clock=ground.clock, settings=ground.settings),
        step_ups=step_ups,
    )


def _callers(
    ground: Ground, proofs: Proofs, doors: Doors, tokens: AccessTokens
) -> Callers:
    """Wire what recognises people."""
    return Callers(
        proofs=proofs,
        tokens=tokens,
        bound=doors.bound,
        revocations=doors.revocations,
        throttle=doors.throttle,
        locales=Locales(ground.clock),
    )


def _enrolling(
    ground: Ground,
    partners: Partners,
    moves: DeviceMoves,
    recovery: RecoveryCodes,
    shared: tuple[Throttle, Outbox, Challenges, Sessions],
) -> tuple[Enrolments, Vouching, Devices]:
    """Wire what a phone meets before it is bound."""
    settings, clock, vault = ground.settings, ground.clock, ground.vault
    throttle, outbox, challenges, sessions = shared
    directory = Directory(vault)
    otps = Otps(clock=clock, settings=settings, vault=vault)
    proofs = IdentityProofs(
        clock=clock,
        identity=partners.identity,
        totp=TotpCheck(vault=vault, settings=settings),
        recovery=recovery,
    )
    identification = Identification(
        clock=clock, vault=vault, directory=directory, proofs=proofs
    )
    enrolments = Enrolments(
        clock=clock,
        settings=settings,
        directory=directory,
        otps=otps,
        outbox=outbox,
        proofs=proofs,
        identification=identification,
        throttle=throttle,
    )
    vouching = Vouching(
        clock=clock,
        settings=settings,
        directory=directory,
        identification=identification,
        challenges=challenges,
        sessions=sessions,
        throttle=throttle,
    )
    devices = Devices(
        clock=clock,
        settings=settings,
        directory=directory,
        otps=otps,
        outbox=outbox,
        proofs=proofs,
        attestations=Attestations(clock=clock, settings=settings),
        moves=moves,
    )
    return enrolments, vouching, devices
