"""Which factors a device has: for screens, for `allowed`, for first factors."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app import database
from app.auth.actor import Actor, FactorKind, FactorState
from app.auth.cooling import Statements
from app.auth.passkey import Passkey, usable_on
from app.database import Tx
from app.ids import CustomerId, DeviceId, PasskeyId, SessionId
from app.rows import Row
from app.settings import Settings

# One row when a phone ever set a factor of its own.
ANY = (
    "SELECT device_id FROM mpin_secret WHERE device_id = $1 "
    "UNION ALL SELECT device_id FROM passkey WHERE device_id = $1 "
    "UNION ALL SELECT id FROM device WHERE id = $1 AND bio_jkt IS NOT NULL LIMIT 1"
)

# What can answer on the phone `d` at the instant $2, and the join it takes: $3 tries.
THERE = (
    "m.full_from, CASE WHEN d.bio_jkt IS NOT NULL "
    "AND (d.bio_paused_until IS NULL OR d.bio_paused_until <= $2) "
    "THEN d.bio_full_from END AS bio_full_from, EXISTS (SELECT 1 FROM passkey p "
    "WHERE p.customer_id = d.customer_id AND p.state = 'ACTIVE') AS passkeys"
)
MPIN = (
    "LEFT JOIN mpin_secret m ON m.device_id = d.id AND m.state = 'ACTIVE' "
    "AND m.failed < $3"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorStatus:
    """One factor as its owner sees it.

    Args:
        kind: which one.
        state: whether it can be used; LOCKED without `locked_until` must be set again.
        attempts_left: wrong tries before it locks; None where nothing is counted.
        locked_until: end of a pause.
        set_at: when it was set.
    """

    kind: FactorKind
    state: FactorState
    attempts_left: int | None = None
    locked_until: datetime | None = None
    set_at: datetime | None = None


async def of_devices(
    devices: Sequence[DeviceId], settings: Settings, now: datetime
) -> dict[DeviceId, list[FactorStatus]]:
    """Give mPIN and biometric key of each device, in one query."""
    if not devices:
        return {}
    names = database.placeholders(1, len(devices))
    rows = await database.read(
        "SELECT d.id, d.bio_jkt, d.bio_failed, d.bio_paused_until, d.bio_set_at, "  # noqa: S608  -- placeholders only
        "m.state, m.failed, m.set_at FROM device d "
        f"LEFT JOIN mpin_secret m ON m.device_id = d.id WHERE d.id IN {names}",
        *devices,
    )
    return {
        row.get("id", DeviceId): [_mpin(row, settings), _biometric(row, settings, now)]
        for row in rows
    }


def _biometric(row: Row, settings: Settings, now: datetime) -> FactorStatus:
    if row.find("bio_jkt", str) is None:
        return FactorStatus(kind=FactorKind.BIOMETRIC, state=FactorState.NOT_SET)
    return counted(
        FactorKind.BIOMETRIC,
        failed=row.get("bio_failed", int),
        paused_until=row.find("bio_paused_until", datetime),
        set_at=row.find("bio_set_at", datetime),
        at=(settings, now),
    )


def counted(
    kind: FactorKind,
    *,
    failed: int,
    paused_until: datetime | None,
    set_at: datetime | None,
    at: tuple[Settings, datetime],
) -> FactorStatus:
    """Show a factor that pauses after a row of wrong tries.

    Args:
        kind: which one.
        failed: wrong tries since its last success.
        paused_until: end of its latest pause.
        set_at: when it was set.
        at: how many tries a row has, and the instant.
    """
    settings, now = at
    paused = paused_until is not None and paused_until > now
    left = settings.factor_tries - failed % settings.factor_tries
    return FactorStatus(
        kind=kind,
        state=FactorState.LOCKED if paused else FactorState.ACTIVE,
        attempts_left=0 if paused else left,
        locked_until=paused_until if paused else None,
        set_at=set_at,
    )


def _mpin(row: Row, settings: Settings) -> FactorStatus:
    if row.find("state", FactorState) is None:
        return FactorStatus(kind=FactorKind.MPIN, state=FactorState.NOT_SET)
    left = settings.mpin_tries - row.get("failed", int)
    usable = row.get("state", FactorState) is FactorState.ACTIVE and left > 0
    return FactorStatus(
        kind=FactorKind.MPIN,
        state=FactorState.ACTIVE if usable else FactorState.LOCKED,
        attempts_left=left if usable else 0,
        set_at=row.get("set_at", datetime),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Usable:
    """What can answer on a phone now.

    Args:
        kinds: factors that exist, are ACTIVE and not paused.
        full: those that count in full: no passkey, and no factor a passkey alone set
            and that is still young (auth.md 1.3).
        full_from: when a young factor counts in full; None without one.
        passkeys: those that may answer on this phone, oldest first.
    """

    kinds: tuple[FactorKind, ...]
    full: tuple[FactorKind, ...]
    full_from: datetime | None
    passkeys: tuple[Passkey, ...]

    def among(
        self, wished: Sequence[FactorKind], *, full: bool
    ) -> tuple[FactorKind, ...]:
        """Give those of the wished kinds that are there, in the order of the wish."""
        there = self.full if full else self.kinds
        return tuple(kind for kind in wished if kind in there)


async def usable(
    ask: Statements, actor: Actor, settings: Settings, now: datetime
) -> Usable:
    """Give what can answer on the caller's phone now.

    Args:
        ask: reads, inside a transaction or outside.
        actor: whose phone.
        settings: tries of an mPIN.
        now: the present.
    """
    rows = await ask(
        f"SELECT {THERE} FROM device d {MPIN} WHERE d.id = $1",  # noqa: S608  -- our own words
        actor.known_device,
        now,
        settings.mpin_tries,
    )
    return await usable_in(rows[0], ask, actor, now)  # devices are never deleted


async def usable_in(row: Row, ask: Statements, actor: Actor, now: datetime) -> Usable:
    """Read `THERE` of a row; a person's passkeys are asked for where there are some."""
    device = actor.known_device
    found = {
        FactorKind.BIOMETRIC: row.find("bio_full_from", datetime),
        FactorKind.MPIN: row.find("full_from", datetime),
    }
    there = {kind: full_from for kind, full_from in found.items() if full_from}
    passkeys: tuple[Passkey, ...] = ()
    if row.get("passkeys", bool):
        passkeys = tuple(await usable_on(ask, actor.known_customer, device, now))
    young = [full_from for full_from in there.values() if full_from > now]
    return Usable(
        kinds=(*there, *((FactorKind.WEBAUTHN,) if passkeys else ())),
        full=tuple(kind for kind, full_from in there.items() if full_from <= now),
        full_from=min(young, default=None),
        passkeys=passkeys,
    )


async def full_from(
    tx: Tx, device: DeviceId, by: FactorKind, now: datetime, young: timedelta
) -> datetime:
    """Tell when a factor counts in full that another one has just approved (1.3).

    One approved by a passkey is young; one approved by a young factor ripens with it.
    Otherwise one passkey prompt would buy an mPIN, and the mPIN everything else.

    Args:
        tx: the transaction that sets the factor, before it is written.
        device: the phone.
        by: what approved it.
        now: when it is set.
        young: how long a factor is young.
    """
    if by is FactorKind.WEBAUTHN:
        return now + young
    row = await tx.one(
        "SELECT d.bio_full_from, m.full_from FROM device d "
        "LEFT JOIN mpin_secret m ON m.device_id = d.id WHERE d.id = $1",
        device,
    )
    assert row is not None  # noqa: S101  -- devices are never deleted
    column = "bio_full_from" if by is FactorKind.BIOMETRIC else "full_from"
    ripe = row.find(column, datetime)
    return now if ripe is None else max(now, ripe)


async def hold_wishes(tx: Tx, session: SessionId) -> None:
    """Let a change of a factor and a new wish of its session take turns.

    Taken before the change is written, so that no wish is made by what was there before
    and missed by `void_wishes`.
    """
    await tx.rows("UPDATE session SET jkt = jkt WHERE id = $1 RETURNING id", session)


async def void_wishes(
    tx: Tx, device: DeviceId, full_from: datetime, now: datetime
) -> None:
    """Cancel what a young factor must not answer: what its former self was asked.

    A wish names the factors that may answer it when it is made. A passkey would
    otherwise wait for a sensitive one, buy an mPIN, and answer it with that. A risky
    payment is such a wish too: it waits, and its owner asks for a new challenge.

    Args:
        tx: the transaction that sets the factor; the wishes are held.
        device: the phone.
        full_from: when the factor counts in full; one that does already voids nothing.
        now: when it is set.
    """
    if full_from <= now:
        return
    await tx.rows(
        "UPDATE challenge SET state = 'CANCELLED' WHERE device_id = $1 "
        "AND state = 'PENDING' AND (purpose IN ('step-up', 'login-approval') "
        "OR (purpose = 'payment' AND allowed NOT LIKE '%WEBAUTHN%')) RETURNING id",
        device,
    )


async def has_any(tx: Tx, device: DeviceId) -> bool:
    """Tell whether a phone ever set a factor of its own; a locked one counts.

    Otherwise five wrong guesses within the first minutes would open the free first set
    again. Passkeys that other phones registered belong to the person and do not count.
    """
    return await tx.one(ANY, device) is not None


async def take_turn(tx: Tx, customer: CustomerId) -> None:
    """Let two changes of one customer's factors come one after the other."""
    await tx.rows(
        "UPDATE customer SET block_step = block_step WHERE id = $1 RETURNING id",
        customer,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OfPhone:
    """What lets a person in on one phone; a pause takes nothing away.

    Args:
        kinds: factors that are set, an mPIN that is locked too.
        signing_in: those that let the person in, now or when a pause ends.
        passkeys: those of the customer that work there.
    """

    kinds: frozenset[FactorKind]
    signing_in: frozenset[FactorKind]
    passkeys: frozenset[PasskeyId]


async def of_phone(
    tx: Tx, customer: CustomerId, device: DeviceId, now: datetime
) -> OfPhone:
    """Give what lets a person in on one phone."""
    row = await tx.one(
        "SELECT d.bio_jkt, m.state FROM device d "
        "LEFT JOIN mpin_secret m ON m.device_id = d.id WHERE d.id = $1",
        device,
    )
    assert row is not None  # noqa: S101  -- devices are never deleted
    found = await usable_on(tx.rows, customer, device, now, paused=True)
    pin = row.find("state", FactorState)
    bio = {FactorKind.BIOMETRIC} if row.find("bio_jkt", str) else set()
    kinds = bio | ({FactorKind.MPIN} if pin else set())
    kinds |= {FactorKind.WEBAUTHN} if found else set()
    dead = set() if pin is FactorState.ACTIVE else {FactorKind.MPIN}
    return OfPhone(
        kinds=frozenset(kinds),
        signing_in=frozenset(kinds - dead),
        passkeys=frozenset(one.id for one in found),
    )


async def without_passkey(
    tx: Tx, customer: CustomerId, passkey: PasskeyId, now: datetime
) -> bool:
    """Tell whether every phone keeps a factor when a passkey goes."""
    rows = await tx.rows(
        "SELECT id FROM device WHERE customer_id = $1 AND state <> 'REVOKED'", customer
    )
    for row in rows:
        there = await of_phone(tx, customer, row.get("id", DeviceId), now)
        others = there.signing_in - {FactorKind.WEBAUTHN}
        if there.passkeys == {passkey} and not others:
            return False
    return True
