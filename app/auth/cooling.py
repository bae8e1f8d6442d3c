"""What a phone in its waiting time may not do, and how long it waits (auth.md 6.3).

A phone that is COOLING changes no security: it revokes and unlocks nobody, removes no
factor, raises no limit. An older ACTIVE phone of the customer does that instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

from app import audit, database
from app.auth.actor import Actor, AttestationGrade, DeviceState
from app.auth.device import state_at
from app.auth.errors import CoolingPeriod
from app.database import Tx
from app.ids import DeviceId
from app.rows import Row, Scalar
from app.settings import Settings

RESET = "RESET"
_WITHOUT_PAYEES = frozenset({"SG"})
TRUST = "d.state, d.cooling_until, d.attestation, d.attestation_until"
_STANDING = "SELECT state, cooling_until FROM device WHERE id = $1"
# Half lengths of `COOLING_S`: 24 hours, 12 in Singapore, 72 after a reset code.
_HALVES: Mapping[str, int] = MappingProxyType(
    {"standard": 2, "IN": 2, "SG": 1, RESET: 6}
)


class Statements(Protocol):
    """Whatever reads: a transaction, or the database outside of one."""

    async def __call__(self, sql: str, *args: Scalar) -> list[Row]:
        """Run one statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How far a phone is trusted with money (auth.md 5 and 6.3).

    Args:
        cooling_until: end of its waiting time; None when it is over.
        old: its statement aged under the policy `prefer`: it pays as one that cools.
        weak: the bank asks for statements, and this phone's says little or nothing.
    """

    cooling_until: datetime | None = None
    old: bool = False
    weak: bool = False


async def trust_of(
    ask: Statements, device: DeviceId, policy: str, now: datetime
) -> Trust:
    """Tell how far a phone is trusted with money now.

    Args:
        ask: reads, inside a transaction or outside.
        device: the phone.
        policy: the setting `ATTESTATION`; under `off` no phone is weak.
        now: the present.
    """
    rows = await ask(
        f"SELECT {TRUST} FROM device d WHERE d.id = $1",  # noqa: S608  -- our own columns
        device,
    )
    return trust_in(rows[0], policy, now)  # devices are never deleted


def trust_in(row: Row, policy: str, now: datetime) -> Trust:
    """Read `TRUST` of a row."""
    until = row.find("cooling_until", datetime)
    cools = state_at(row.get("state", DeviceState), until, now) is DeviceState.COOLING
    if policy == "off":
        return Trust(cooling_until=until if cools else None)
    aged = row.find("attestation_until", datetime)
    strong = row.get("attestation", AttestationGrade) is AttestationGrade.STRONG
    return Trust(
        cooling_until=until if cools else None,
        old=aged is not None and aged <= now,
        weak=not strong,
    )


def profile_of(proof_kind: str, settings: Settings) -> str:
    """Name the profile of a new binding, by what proved the person."""
    return RESET if proof_kind == RESET else settings.cooling_profile


def length(profile: str, settings: Settings) -> timedelta:
    """Give the waiting time of a profile."""
    return timedelta(seconds=settings.cooling_s * _HALVES[profile] // 2)


async def require_cooled(actor: Actor, operation: str, now: datetime) -> None:
    """Refuse a change of security that a COOLING phone asks for; before a step-up.

    The try stays in the audit: whoever enrolled a stranger's phone tries this first.

    Args:
        actor: who asks, from which phone.
        operation: name of the GraphQL field.
        now: the present.

    Raises:
        CoolingPeriod: says when its waiting time is over.
    """
    try:
        _require(await database.read_one(_STANDING, actor.known_device), now)
    except CoolingPeriod as refused:
        entry = actor.entry(
            "device.refused",
            now,
            object=str(actor.known_device),
            outcome=audit.Outcome.DENIED,
            code=refused.code,
            detail={"operation": operation},
        )
        await audit.denied(entry)
        raise


async def require_cooled_inside(tx: Tx, device: DeviceId, now: datetime) -> None:
    """Ask the same in the transaction of the effect.

    Raises:
        CoolingPeriod: says when its waiting time is over.
    """
    _require(await tx.one(_STANDING, device), now)


async def require_payees(actor: Actor, now: datetime) -> None:
    """Refuse a new payee to a COOLING phone whose profile allows none (SG).

    Raises:
        CoolingPeriod: says when its waiting time is over.
    """
    row = await database.read_one(
        "SELECT state, cooling_until, cooling_profile FROM device WHERE id = $1",
        actor.known_device,
    )
    if row is not None and row.find("cooling_profile", str) in _WITHOUT_PAYEES:
        _require(row, now)


def _require(row: Row | None, now: datetime) -> None:
    assert row is not None  # noqa: S101  -- devices are never deleted
    until = row.find("cooling_until", datetime)
    state = state_at(row.get("state", DeviceState), until, now)
    if state is DeviceState.COOLING and until is not None:
        raise CoolingPeriod(until)
