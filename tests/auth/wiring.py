"""The auth room wired by hand, as `identity.py` wires it for the bank."""

from typing import Any

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
from app.auth.sessions import Sessions
from app.auth.standing import Customers
from app.auth.step_up import StepUps
from app.auth.throttle import Throttle
from app.auth.tokens import AccessTokens
from app.clock import StoppedClock
from app.integrations.counters.memory import MemoryCounters
from app.integrations.identity.embedded import EmbeddedIdentity
from app.settings import Settings
from app.vault import Vault
from tests.auth.attestation.vendors import ROOTS
from tests.auth.room import KeptSms, Room


async def open_room(settings: Settings, clock: StoppedClock, vault: Vault) -> Room:
    """Wire the room as `bank.py` does."""
    ground: dict[str, Any] = {"clock": clock, "settings": settings, "vault": vault}
    counters = MemoryCounters(clock)
    ring, tokens = await _signing(settings, clock, vault)
    closed: list[tuple[Any, int]] = []
    bound = BoundDevices(clock)
    revocations = Revocations(
        clock=clock,
        settings=settings,
        closer=lambda session, code: closed.append((session, code)),
        forget=bound.forget,
    )
    throttle = Throttle(settings=settings, counters=counters)
    sessions = Sessions(**ground, tokens=tokens, revocations=revocations)
    lockout = Lockout(sessions=sessions, device_tries=settings.device_tries)
    challenges = Challenges(**ground, lockout=lockout)
    step_ups = StepUps(
        clock=clock,
        settings=settings,
        challenges=challenges,
        sessions=sessions,
        throttle=throttle,
    )
    proofs = Proofs(clock=clock, settings=settings, vault=vault, counters=counters)
    front_desk = _front_desk(settings, clock, vault, throttle)
    return Room(
        settings=settings,
        clock=clock,
        vault=vault,
        sms=KeptSms(),
        closed=closed,
        counters=counters,
        tokens=tokens,
        proofs=proofs,
        bound=bound,
        revocations=revocations,
        sessions=sessions,
        refreshes=Refreshes(**ground, sessions=sessions, throttle=throttle),
        callers=Callers(
            proofs=proofs,
            tokens=tokens,
            bound=bound,
            revocations=revocations,
            throttle=throttle,
        ),
        challenges=challenges,
        step_ups=step_ups,
        mpins=Mpins(**ground, step_ups=step_ups),
        passkeys=Passkeys(
            clock=clock,
            settings=settings,
            customers=front_desk["customers"],
            sessions=sessions,
            step_ups=step_ups,
        ),
        logins=Logins(
            **ground,
            bound=bound,
            challenges=challenges,
            sessions=sessions,
            throttle=throttle,
        ),
        ring=ring,
        **front_desk,
    )


async def _signing(
    settings: Settings, clock: StoppedClock, vault: Vault
) -> tuple[SigningRing, AccessTokens]:
    ring = SigningRing(clock, vault)
    await ring.open()
    return ring, AccessTokens(clock=clock, settings=settings, ring=ring)


def _front_desk(
    settings: Settings, clock: StoppedClock, vault: Vault, throttle: Throttle
) -> dict[str, Any]:
    """Wire what brings people in."""
    directory = Directory(vault)
    otps = Otps(clock=clock, settings=settings, vault=vault)
    outbox = Outbox(clock=clock, vault=vault)
    identity = EmbeddedIdentity(settings=settings, vault=vault)
    return {
        "outbox": outbox,
        "enrolments": Enrolments(
            clock=clock,
            settings=settings,
            vault=vault,
            directory=directory,
            otps=otps,
            outbox=outbox,
            identity=identity,
            throttle=throttle,
        ),
        "devices": Devices(
            clock=clock,
            settings=settings,
            directory=directory,
            otps=otps,
            outbox=outbox,
            identity=identity,
            attestations=Attestations(clock=clock, settings=settings, roots=ROOTS),
        ),
        "customers": Customers(
            clock=clock, vault=vault, directory=directory, identity=identity
        ),
    }
