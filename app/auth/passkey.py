"""A passkey as a value, and which ones may answer on a phone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from app.auth import signing
from app.auth.cooling import Statements
from app.ids import CustomerId, DeviceId, PasskeyId
from app.rows import Row

COLUMNS = "id, credential_id, transports, label, bs, created_at, last_used_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One passkey of a customer.

    Args:
        id: its id.
        credential_id: the authenticator's name of it, at most 1,023 bytes.
        transports: how a browser may reach it, as it said itself.
        label: chosen by the customer.
        backed_up: whether its provider keeps a copy; proves the person, not a phone.
        created_at: when it was registered.
        last_used_at: when it last proved the person.
    """

    id: PasskeyId
    credential_id: bytes
    transports: tuple[str, ...]
    label: str
    backed_up: bool
    created_at: datetime
    last_used_at: datetime | None

    @property
    def descriptor(self) -> Mapping[str, object]:
        """Name it as WebAuthn does in `allowCredentials` and `excludeCredentials`."""
        named = {"type": "public-key", "id": signing.b64u(self.credential_id)}
        if not self.transports:
            return named
        return named | {"transports": list(self.transports)}


def read_passkey(row: Row) -> Passkey:
    """Read a row of `COLUMNS`."""
    return Passkey(
        id=row.get("id", PasskeyId),
        credential_id=row.get("credential_id", bytes),
        transports=tuple(filter(None, row.get("transports", str).split(","))),
        label=row.get("label", str),
        backed_up=row.get("bs", bool),
        created_at=row.get("created_at", datetime),
        last_used_at=row.find("last_used_at", datetime),
    )


async def usable_on(
    ask: Statements,
    customer: CustomerId,
    device: DeviceId,
    now: datetime,
    *,
    paused: bool = False,
) -> list[Passkey]:
    """Give the passkeys that can answer on a phone now, oldest first.

    One that a COOLING phone registered works only there until that phone is ACTIVE
    (auth.md 4); a phone that was removed leaves its passkeys to the person. `paused`
    gives those that pause, too. `ask` reads, inside a transaction or outside.
    """
    columns = ", ".join(f"p.{name}" for name in COLUMNS.split(", "))
    rows = await ask(
        f"SELECT {columns} FROM passkey p JOIN device d ON d.id = p.device_id "  # noqa: S608  -- our own column list
        "WHERE p.customer_id = $1 AND p.state = 'ACTIVE' "
        "AND ($4 = 1 OR p.paused_until IS NULL OR p.paused_until <= $3) "
        "AND (p.device_id = $2 OR d.state IN ('ACTIVE', 'REVOKED') "
        "OR (d.state = 'COOLING' AND d.cooling_until <= $3) "
        "OR (d.state = 'LOCKED' AND d.lock_before = 'ACTIVE')) "
        "ORDER BY p.created_at, p.id",
        customer,
        device,
        now,
        int(paused),
    )
    return [read_passkey(row) for row in rows]
