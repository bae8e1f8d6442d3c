"""The customer's own security log: every act around the access, refused ones too."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry
from strawberry import UNSET

from app import audit
from app.ids import AuditId, DeviceId
from app.realtime.shots import AuditShot
from app.schema import paging
from app.schema.auth.devices import Device, device_node
from app.schema.context import Context, Info
from app.schema.paging import PageInfo, Position
from app.schema.scalars import SENSITIVE, Node, field

_FILTER = "securityLog"


@strawberry.type(
    description=(
        "One entry of the append-only audit chain. The hashes that link the entries "
        "are in the export and the audit command."
    )
)
class AuditEntry(Node):
    """One act, as the customer may see it."""

    at: datetime
    actor: str = strawberry.field(
        description="customer, staff, system or third party; staff without a name."
    )
    action: str = strawberry.field(
        description="Name of the field or job, for example deviceRevoke."
    )
    object: str | None = strawberry.field(description="Id of the object.")
    ip: str | None = strawberry.field(directives=SENSITIVE)
    outcome: str = strawberry.field(description="ok, refused:<code> or failed.")
    device_id: strawberry.Private[str | None] = None

    @field()
    async def device(self, info: Info) -> Device | None:
        """Read the phone it was done on."""
        if self.device_id is None:
            return None
        return await device_node(info.context, DeviceId.parse(self.device_id))

    @classmethod
    def of(cls, shot: AuditShot) -> "AuditEntry":
        """Show the entry of a fact."""
        return cls(
            id=strawberry.ID(shot.id),
            at=shot.at,
            actor=shot.actor,
            action=shot.action,
            object=shot.object,
            ip=shot.address,
            outcome=shot.outcome,
            device_id=shot.device,
        )

    @classmethod
    def from_row(cls, found: audit.Logged) -> "AuditEntry":
        """Show an entry of the chain."""
        return cls(
            id=strawberry.ID(str(found.id)),
            at=found.at,
            actor=found.actor,
            action=found.action,
            object=found.object,
            ip=found.address,
            outcome=found.outcome,
            device_id=None if found.device is None else str(found.device),
        )


@strawberry.type
class AuditEdge:
    """One entry and its cursor."""

    cursor: str
    node: AuditEntry


@strawberry.type
class AuditConnection:
    """One page."""

    edges: list[AuditEdge]
    nodes: list[AuditEntry]
    page_info: PageInfo


@strawberry.type
class CustomerFields:
    """What the customer's own object shows of this room."""

    @field(
        description=(
            "Security part of the audit chain: sign-ins, refusals, device and limit "
            "changes, staff reads."
        )
    )
    async def security_log(
        self, info: Info, first: int | None = 50, after: str | None = UNSET
    ) -> AuditConnection:
        """Read one page, the newest first."""
        cursor = None if after is UNSET else after
        size = paging.size(first, 50)
        position = paging.decode(cursor, _FILTER)
        rows: Sequence[audit.Logged] = await audit.page(
            info.context.actor.known_customer,
            before=None if position is None else position.id.int,
            limit=size + 1,
        )
        page = paging.page(
            rows[:size],
            shape=AuditEntry.from_row,
            at=lambda row: Position(row.at, UUID(int=row.seq)),
            has_next=len(rows) > size,
            after=cursor,
            filtered_by=_FILTER,
        )
        return AuditConnection(
            edges=[AuditEdge(cursor=one.cursor, node=one.node) for one in page.edges],
            nodes=page.nodes,
            page_info=page.page_info,
        )


async def audit_node(context: Context, entry: AuditId) -> AuditEntry | None:
    """Give one entry of the caller; null for anybody else's."""
    found = await audit.find(context.actor.known_customer, entry)
    return None if found is None else AuditEntry.from_row(found)
