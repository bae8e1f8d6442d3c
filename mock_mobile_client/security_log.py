"""The customer's own security log: who did what on which phone (auth.md §10)."""

from dataclasses import dataclass
from typing import Self

from mock_mobile_client.session import Session
from mock_mobile_client.values import JsonObject

PAGE = 50
OK = "ok"


@dataclass(frozen=True, slots=True)
class LogRow:
    """One act, as the bank shows it to the customer.

    Attributes:
        id: Names the entry.
        action: What was done, for example `device.revoked`.
        object: Id of what it was done to.
        outcome: `ok`, `refused:<code>` or `failed`.
        device: Id of the phone it was done on; None where it was none of the customer.
    """

    id: str
    action: str
    object: str | None
    outcome: str
    device: str | None

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read a node of the operation SecurityLog."""
        device = node["device"]
        return cls(
            id=node["id"],
            action=node["action"],
            object=node["object"],
            outcome=node["outcome"],
            device=None if device is None else device["id"],
        )


async def newest(session: Session) -> list[LogRow]:
    """One page of the log, the newest first."""
    answer = await session.call("security_log", {"first": PAGE})
    return [LogRow.read(node) for node in answer["securityLog"]["nodes"]]


async def since(session: Session, entry: LogRow) -> list[LogRow]:
    """What was written after an entry, the newest first; a page at most."""
    rows = await newest(session)
    names = [row.id for row in rows]
    return rows[: names.index(entry.id)] if entry.id in names else rows
