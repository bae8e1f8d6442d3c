"""The enums of this room as the contract shows them.

They are taken from here, so that they are registered before a type names them.
"""

from app.notifications.channels import Channel
from app.notifications.fates import DeliveryState
from app.realtime.facts import Category
from app.schema import scalars

__all__ = ["Category", "Channel", "DeliveryState"]

scalars.enum(
    Category,
    "EventCategory",
    "What an event, inbox item or preference is about.",
    SECURITY="Cannot be switched off.",
    SERVICE="Outages and their end.",
    LOGIN_APPROVAL="A new phone asks to be let in; cannot be switched off.",
)
scalars.enum(Channel, "Channel")
scalars.enum(
    DeliveryState,
    "DeliveryState",
    "SUPPRESSED: a live socket acknowledged first, or the preferences say no; `reason` "
    "tells which.",
)
