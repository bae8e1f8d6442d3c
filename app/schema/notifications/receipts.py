"""What a phone says it has shown, and the texts it may show for its pushes."""

from contextlib import suppress
from datetime import datetime

import strawberry
from strawberry import UNSET

from app.errors import BadRequest
from app.ids import MalformedId, NotificationId
from app.notifications import acknowledgements as room
from app.notifications.acknowledgements import Receipt, ReceiptState
from app.realtime import cursor
from app.schema import guards, scalars
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel
from app.schema.notifications.enums import Category
from app.schema.refusals import UserError, answered
from app.schema.scalars import SENSITIVE, EventCursor

scalars.enum(ReceiptState, "ReceiptState")


@strawberry.input(description="`id` is the `n` of the push, an InboxItem id.")
class PushReceiptInput:
    """The fate of one push."""

    id: strawberry.ID
    state: ReceiptState
    at: datetime


@strawberry.input(
    description=(
        "At least one of the two; at most 100 receipts. `upTo` needs a signed-in "
        "session, receipts do not."
    )
)
class EventsAckInput:
    """What was shown."""

    up_to: EventCursor | None = UNSET
    receipts: list[PushReceiptInput] | None = UNSET


@strawberry.type(
    description=(
        "What the phone may show for a push: never more than the customer allowed in "
        "pushes (`hideAmountsInPush`)."
    )
)
class PushText:
    """Words without a figure or a name."""

    id: strawberry.ID = strawberry.field(
        description=(
            "The InboxItem behind the push; it can be fetched after signing in."
        )
    )
    category: Category
    title: str
    body: str = strawberry.field(directives=SENSITIVE)
    deep_link: str | None

    @classmethod
    def of(cls, text: room.PushText) -> "PushText":
        """Show a text of the room."""
        return cls(
            id=strawberry.ID(str(text.id)),
            category=text.category,
            title=text.words.title,
            body=text.words.body,
            deep_link=text.deep_link,
        )


@strawberry.type
class EventsAckPayload:
    """What was noted."""

    acknowledged: EventCursor | None = None
    items: list[PushText] = strawberry.field(
        default_factory=list,
        description=(
            "For each of `receipts` that exists, so that a background handler can "
            "write a richer text with the same request."
        ),
    )
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class Mutation:
    """Takes what a phone reports."""

    @guards.mutation(
        level=AuthLevel.DEVICE,
        cost=20,
        description=(
            "Tells the server what this device has shown: events up to a cursor "
            "(within 3 s of the event that stops its push) and the fate of pushes. "
            "Debounce to once a second. Allowed over the socket too. Does not count "
            "as activity of the user."
        ),
    )
    async def events_ack(
        self,
        info: Info,
        input: EventsAckInput,  # noqa: A002  -- the contract's name
    ) -> EventsAckPayload:
        """Note a position and receipts."""
        return await answered(EventsAckPayload, _ack(info.context, input))


async def _ack(context: Context, given: EventsAckInput) -> EventsAckPayload:
    noted = await context.bank.acknowledgements.take(
        context.actor, _position(given.up_to), _receipts(given.receipts or [])
    )
    at = noted.position
    return EventsAckPayload(
        acknowledged=None if at is None else EventCursor(str(at)),
        items=[PushText.of(text) for text in noted.texts],
    )


def _position(sent: EventCursor | None) -> cursor.EventCursor | None:
    if not sent:
        return None
    try:
        return cursor.EventCursor.parse(sent)
    except cursor.MalformedCursor:
        raise BadRequest("`upTo` is not a cursor of this server.") from None


def _receipts(given: list[PushReceiptInput]) -> list[Receipt]:
    """Read the receipts; what is no id has no notification."""
    found = []
    for one in given:
        with suppress(MalformedId):
            item = NotificationId.parse(one.id)
            found.append(Receipt(id=item, state=one.state, at=one.at))
    return found
