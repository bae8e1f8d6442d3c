"""The auth room wired by hand, as `identity.py` wires it for the bank."""

from typing import Any

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
from app.auth.sessions import Sessions
from app.auth.signing_ring import SigningRing
from app.auth.standing import Customers
from app.auth.step_up import StepUps
from app.auth.throttle import Throttle
from app.auth.tokens import AccessTokens
from app.auth.totp import Totps
from app.auth.totp_check import TotpCheck
from app.auth.vouching import Vouching
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
    outbox = Outbox(clock=clock, vault=vault)
    challenges = Challenges(
        **ground, lockout=_lockout(settings, vault, sessions, outbox)
    )
    step_ups = StepUps(
        clock=clock,
        settings=settings,
        challenges=challenges,
        sessions=sessions,
        throttle=throttle,
    )
    proofs = Proofs(clock=clock, settings=settings, vault=vault, counters=counters)
    moves = DeviceMoves(clock=clock, sessions=sessions, forget=bound.forget)
    outcomes = Outcomes(clock=clock, vault=vault, kept_s=settings.outcome_s)
    recovery = RecoveryCodes(**ground, step_ups=step_ups, outcomes=outcomes)
    shared = (throttle, challenges, sessions)
    front_desk = _front_desk(ground, moves, shared, recovery=recovery, outbox=outbox)
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
            locales=Locales(clock),
        ),
        challenges=challenges,
        step_ups=step_ups,
        **_own_factors(ground, proofs, step_ups),
        logins=Logins(
            **ground,
            bound=bound,
            challenges=challenges,
            sessions=sessions,
            throttle=throttle,
        ),
        ring=ring,
        **_changes(settings, clock, moves, sessions, step_ups),
        **_more_factors(
            ground, front_desk["customers"], sessions, step_ups, (outcomes, recovery)
        ),
        **front_desk,
    )


def _own_factors(
    ground: dict[str, Any], proofs: Proofs, step_ups: StepUps
) -> dict[str, Any]:
    """Wire the factors that belong to a phone."""
    unsealed = {"clock": ground["clock"], "settings": ground["settings"]}
    return {
        "mpins": Mpins(**ground, step_ups=step_ups),
        "biometrics": Biometrics(
            **unsealed,
            proofs=proofs,
            attestations=Attestations(**unsealed, roots=ROOTS),
            step_ups=step_ups,
        ),
    }


def _more_factors(
    ground: dict[str, Any],
    customers: Customers,
    sessions: Sessions,
    step_ups: StepUps,
    kept: tuple[Outcomes, RecoveryCodes],
) -> dict[str, Any]:
    """Wire the factors that belong to a person."""
    parts: dict[str, Any] = {
        "customers": customers,
        "sessions": sessions,
        "step_ups": step_ups,
    }
    unsealed: dict[str, Any] = {
        "clock": ground["clock"],
        "settings": ground["settings"],
    }
    totps = Totps(**ground, **parts, outcomes=kept[0], recovery=kept[1])
    return {
        "recovery": kept[1],
        "passkeys": Passkeys(**unsealed, **parts),
        "totps": totps,
        "customer_factors": CustomerFactors(**unsealed, totps=totps),
        "factor_changes": FactorChanges(
            clock=ground["clock"],
            sessions=sessions,
            step_ups=step_ups,
            outcomes=kept[0],
        ),
    }


def _lockout(
    settings: Settings, vault: Vault, sessions: Sessions, outbox: Outbox
) -> Lockout:
    return Lockout(
        sessions=sessions,
        device_tries=settings.device_tries,
        failures=Failures(settings=settings, directory=Directory(vault), outbox=outbox),
    )


def _changes(
    settings: Settings,
    clock: StoppedClock,
    moves: DeviceMoves,
    sessions: Sessions,
    step_ups: StepUps,
) -> dict[str, Any]:
    """Wire what changes phones."""
    return {
        "moves": moves,
        "device_changes": DeviceChanges(
            clock=clock,
            settings=settings,
            moves=moves,
            sessions=sessions,
            step_ups=step_ups,
        ),
    }


async def _signing(
    settings: Settings, clock: StoppedClock, vault: Vault
) -> tuple[SigningRing, AccessTokens]:
    ring = SigningRing(clock, vault)
    await ring.open()
    return ring, AccessTokens(clock=clock, settings=settings, ring=ring)


def _front_desk(
    ground: dict[str, Any],
    moves: DeviceMoves,
    shared: tuple[Throttle, Challenges, Sessions],
    *,
    recovery: RecoveryCodes,
    outbox: Outbox,
) -> dict[str, Any]:
    """Wire what brings people in."""
    throttle, challenges, sessions = shared
    clock, settings, vault = ground["clock"], ground["settings"], ground["vault"]
    directory = Directory(vault)
    otps = Otps(clock=clock, settings=settings, vault=vault)
    identity = EmbeddedIdentity(settings=settings, vault=vault)
    proofs = IdentityProofs(
        clock=clock,
        identity=identity,
        totp=TotpCheck(vault=vault, settings=settings),
        recovery=recovery,
    )
    identification = Identification(
        clock=clock, vault=vault, directory=directory, proofs=proofs
    )
    return {
        "outbox": outbox,
        "enrolments": Enrolments(
            clock=clock,
            settings=settings,
            directory=directory,
            otps=otps,
            outbox=outbox,
            proofs=proofs,
            identification=identification,
            throttle=throttle,
        ),
        "vouching": Vouching(
            clock=clock,
            settings=settings,
            directory=directory,
            identification=identification,
            challenges=challenges,
            sessions=sessions,
            throttle=throttle,
        ),
        "devices": Devices(
            clock=clock,
            settings=settings,
            directory=directory,
            otps=otps,
            outbox=outbox,
            proofs=proofs,
            attestations=Attestations(clock=clock, settings=settings, roots=ROOTS),
            moves=moves,
        ),
        "customers": Customers(
            clock=clock, vault=vault, directory=directory, identity=identity
        ),
    }
