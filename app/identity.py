"""The auth room wired: who is holding which phone.

Part of the composition root, beside `bank.py`, because this room has the most services.
"""

from dataclasses import dataclass

from app.auth.attestation.grading import Attestations
from app.auth.bound import BoundDevices
from app.auth.caller import Callers
from app.auth.challenges import Challenges
from app.auth.devices import Devices
from app.auth.directory import Directory
from app.auth.dpop import Proofs
from app.auth.enrolment import Enrolments
from app.auth.keys import SigningRing
from app.auth.lockout import Lockout
from app.auth.login import Logins
from app.auth.mpin import Mpins
from app.auth.otp import Otps
from app.auth.outbox import Outbox
from app.auth.passkeys import Passkeys
from app.auth.refresh import Refreshes
from app.auth.revocations import Revocations
from app.auth.sessions import Bell, Sessions
from app.auth.standing import Customers
from app.auth.step_up import StepUps
from app.auth.throttle import Throttle
from app.auth.tokens import AccessTokens
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
    devices: Devices
    mpins: Mpins
    passkeys: Passkeys
    logins: Logins
    sessions: Sessions
    refreshes: Refreshes
    challenges: Challenges
    step_ups: StepUps
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
    lockout = Lockout(sessions=sessions, device_tries=settings.device_tries)
    challenges = Challenges(
        clock=clock, settings=settings, vault=vault, lockout=lockout
    )
    step_ups = StepUps(
        clock=clock,
        settings=settings,
        challenges=challenges,
        sessions=sessions,
        throttle=throttle,
    )
    logins = Logins(
        clock=clock,
        settings=settings,
        vault=vault,
        bound=doors.bound,
        challenges=challenges,
        sessions=sessions,
        throttle=throttle,
    )
    enrolments, devices, customers, outbox = _enrolling(ground, partners, throttle)
    return Identity(
        ring=doors.ring,
        callers=_callers(ground, partners, doors, tokens),
        enrolments=enrolments,
        devices=devices,
        mpins=Mpins(clock=clock, settings=settings, vault=vault, step_ups=step_ups),
        passkeys=Passkeys(
            clock=clock,
            settings=settings,
            customers=customers,
            sessions=sessions,
            step_ups=step_ups,
        ),
        logins=logins,
        sessions=sessions,
        refreshes=Refreshes(
            clock=clock,
            settings=settings,
            vault=vault,
            sessions=sessions,
            throttle=throttle,
        ),
        challenges=challenges,
        step_ups=step_ups,
        revocations=revocations,
        customers=customers,
        outbox=outbox,
        throttle=throttle,
    )


def _callers(
    ground: Ground, partners: Partners, doors: Doors, tokens: AccessTokens
) -> Callers:
    """Wire what recognises people."""
    proofs = Proofs(
        clock=ground.clock,
        settings=ground.settings,
        vault=ground.vault,
        counters=partners.counters,
    )
    return Callers(
        proofs=proofs,
        tokens=tokens,
        bound=doors.bound,
        revocations=doors.revocations,
        throttle=doors.throttle,
    )


def _enrolling(
    ground: Ground, partners: Partners, throttle: Throttle
) -> tuple[Enrolments, Devices, Customers, Outbox]:
    """Wire what a phone meets before it is bound."""
    settings, clock, vault = ground.settings, ground.clock, ground.vault
    directory = Directory(vault)
    outbox = Outbox(clock=clock, vault=vault)
    otps = Otps(clock=clock, settings=settings, vault=vault)
    enrolments = Enrolments(
        clock=clock,
        settings=settings,
        vault=vault,
        directory=directory,
        otps=otps,
        outbox=outbox,
        identity=partners.identity,
        throttle=throttle,
    )
    devices = Devices(
        clock=clock,
        settings=settings,
        directory=directory,
        otps=otps,
        outbox=outbox,
        identity=partners.identity,
        attestations=Attestations(clock=clock, settings=settings),
    )
    customers = Customers(
        clock=clock, vault=vault, directory=directory, identity=partners.identity
    )
    return enrolments, devices, customers, outbox
