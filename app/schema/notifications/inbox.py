"""The inbox as the phone sees it: items in its language, and what became of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import strawberry
from strawberry import UNSET

from app.errors import NotFound, ValidationFailed
from app.ids import DeviceId, MalformedId, NotificationId
from app.notifications import catalogue
from app.notifications import inbox as room
from app.notifications.catalogue import Args, Show, Words
from app.notifications.fates import Fate
from app.notifications.inbox import IDS_MAX, Place
from app.realtime.shots import InboxShot
from app.schema import guards, paging
from app.schema.auth.devices import DEVICE, Device
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel
from app.schema.loaders import Batch
from app.schema.notifications.enums import Category, Channel, DeliveryState
from app.schema.paging import PageInfo, Position
from app.schema.refusals import UserError, answered
from app.schema.scalars import SENSITIVE, Needs, Node, field

_FIRST = 25
_FILTER = "inbox"


@strawberry.type
class Delivery:
    """One item on one phone."""

    channel: Channel
    state: DeliveryState
    at: datetime
    reason: str | None
    device_id: strawberry.Private[DeviceId]

    @field()
    async def device(self, info: Info) -> Device | None:
        """Read the phone, together with those of the other deliveries."""
        found = await DEVICE.find(info.context, self.device_id)
        return None if found is None else Device.from_row(found)

    @classmethod
    def of(cls, fate: Fate) -> "Delivery":
        """Show what became of one push."""
        return cls(
            channel=fate.channel,
            state=fate.state,
            at=fate.at,
            reason=fate.reason,
            device_id=fate.device,
        )


@strawberry.type(
    description=(
        "The lasting copy of everything that was announced; pushes are only hints to "
        "it."
    )
)
class InboxItem(Node):
    """One thing the customer was told, with its figures."""

    category: Category
    deep_link: str | None = strawberry.field(
        description="App link to the object, for example sixpence://payment/pay_..."
    )
    created_at: datetime
    read_at: datetime | None
    template: strawberry.Private[str]
    args: strawberry.Private[Args]

    @field(needs=Needs.LANGUAGE)
    def title(self, info: Info) -> str:
        """Say it in two or three words."""
        return self._words(info).title

    @field(needs=Needs.LANGUAGE, directives=SENSITIVE)
    def body(self, info: Info) -> str:
        """Say it in a sentence, with every figure: the reader has signed in."""
        return self._words(info).body

    @field(
        description=(
            "At most 6: each phone that was bound then, by push and, where its open "
            "stream was faster, in the app."
        )
    )
    async def deliveries(self, info: Info) -> list[Delivery]:
        """Read what became of its pushes, together with the other items'."""
        found = await FATES.load(info.context, NotificationId.parse(self.id))
        return [Delivery.of(one) for one in found]

    def _words(self, info: Info) -> Words:
        locale = info.context.actor.locale
        return catalogue.told(self.template, self.args, locale, Show.ALL)

    @classmethod
    def of(cls, shot: InboxShot) -> "InboxItem":
        """Show the item of a fact."""
        return cls(
            id=strawberry.ID(shot.id),
            category=Category(shot.category),
            deep_link=shot.deep_link,
            created_at=shot.created_at,
            read_at=shot.read_at,
            template=shot.template,
            args=shot.args,
        )

    @classmethod
    def from_room(cls, found: room.Item) -> "InboxItem":
        """Show an item of the room."""
        return cls.of(found.shot())


@strawberry.type
class InboxEdge:
    """One item and its cursor."""

    cursor: str
    node: InboxItem


@strawberry.type
class InboxConnection:
    """One page."""

    edges: list[InboxEdge]
    nodes: list[InboxItem]
    page_info: PageInfo


@strawberry.type
class CustomerFields:
    """What the customer's own object shows of this room.

    Args:
        unread: the count, where it was read with the stream's position.
    """

    unread: strawberry.Private[int | None] = None

    @field()
    async def inbox(
        self, info: Info, first: int | None = _FIRST, after: str | None = UNSET
    ) -> InboxConnection:
        """Read one page, the newest first."""
        cursor = None if after is UNSET else after
        position = paging.decode(cursor, _FILTER)
        found, more = await info.context.bank.inbox.page(
            info.context.actor.known_customer,
            first=paging.size(first, _FIRST),
            after=None
            if position is None
            else Place(position.at, NotificationId(position.id)),
        )
        page = paging.page(
            found,
            shape=InboxItem.from_room,
            at=lambda one: Position(one.created_at, one.id.value),
            has_next=more,
            after=cursor,
            filtered_by=_FILTER,
        )
        return InboxConnection(
            edges=[InboxEdge(cursor=one.cursor, node=one.node) for one in page.edges],
            nodes=page.nodes,
            page_info=page.page_info,
        )

    @field()
    async def unread_count(self, info: Info) -> int:
        """Count what is not read, as of the stream's position where that was asked."""
        if self.unread is not None:
            return self.unread
        context = info.context
        return await context.bank.inbox.unread(context.actor.known_customer)


# ------------------------------------------------------------------ reading


@strawberry.input(description="At most 100 ids.")
class InboxMarkReadInput:
    """What the customer has read."""

    ids: list[strawberry.ID]


@strawberry.type
class InboxMarkReadPayload:
    """The items as they are now, in the order of the ids."""

    items: list[InboxItem] = strawberry.field(default_factory=list)
    user_errors: list[UserError] = strawberry.field(default_factory=list)
    left: strawberry.Private[int | None] = None

    @field()
    async def unread_count(self, info: Info) -> int:
        """Give the count right after; as it is where the call was refused."""
        if self.left is not None:
            return self.left
        context = info.context
        return await context.bank.inbox.unread(context.actor.known_customer)


@strawberry.type
class Mutation:
    """Reads the inbox."""

    @guards.mutation(
        level=AuthLevel.LOGIN,
        cost=100,
        description=(
            "Marks items read, and their pushes on this device opened; the customer's "
            "other phones get InboxAdded. One id that is not the caller's is NOT_FOUND "
            "and none is marked. Allowed over the socket too. Counts as activity of "
            "the user."
        ),
    )
    async def inbox_mark_read(
        self,
        info: Info,
        input: InboxMarkReadInput,  # noqa: A002  -- the contract's name
    ) -> InboxMarkReadPayload:
        """Mark items read; repeated, it changes nothing."""
        return await answered(InboxMarkReadPayload, _read(info.context, input))


async def _read(context: Context, given: InboxMarkReadInput) -> InboxMarkReadPayload:
    ids = _ids(given.ids)
    found = await context.bank.inbox.mark_read(context.actor, ids)
    return InboxMarkReadPayload(
        items=[InboxItem.from_room(one) for one in found.items], left=found.unread
    )


def _ids(given: Sequence[str]) -> list[NotificationId]:
    """Read the ids; what is none is answered as one that nobody ever had."""
    if len(given) > IDS_MAX:
        raise ValidationFailed(field=["ids"])
    try:
        return [NotificationId.parse(one) for one in given]
    except MalformedId:
        raise NotFound(field=["ids"]) from None


# ------------------------------------------------------------------ look-ups by id


async def inbox_node(context: Context, item: NotificationId) -> InboxItem | None:
    """Give one item of the caller; null for anybody else's."""
    found = await ITEM.find(context, item)
    return None if found is None else InboxItem.from_room(found)


async def _items(
    context: Context, keys: Sequence[NotificationId]
) -> Mapping[NotificationId, room.Item]:
    return await context.bank.inbox.by_ids(context.actor.known_customer, keys)


async def _fates(
    context: Context, keys: Sequence[NotificationId]
) -> Mapping[NotificationId, list[Fate]]:
    return await context.bank.fates.of(context.actor.known_customer, keys)


ITEM = Batch("inbox item", _items)
FATES = Batch("deliveries", _fates)
