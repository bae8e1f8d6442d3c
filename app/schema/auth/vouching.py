"""A new phone that asks to be let in, as the phones that may vouch for it see it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime

import strawberry

from app.auth import approval
from app.auth.actor import DeviceState
from app.auth.revocations import CLOSE_ENDED
from app.ids import DeviceId
from app.realtime.facts import Category, DeviceChanged, SecurityEvent
from app.realtime.logged import LoggedEvent
from app.realtime.stream import CaughtUp, StreamItem
from app.schema import guards
from app.schema.auth.challenges import Challenge
from app.schema.auth.enums import Platform
from app.schema.context import Info
from app.schema.guards import AuthLevel
from app.schema.scalars import SENSITIVE

_ASKED = frozenset({Category.LOGIN_APPROVAL, Category.SECURITY})
_SHUT_OUT = frozenset({DeviceState.LOCKED, DeviceState.REVOKED})


@strawberry.type(
    description=(
        "A new phone that asks this device to vouch for it "
        "(IdentityMethod.OTHER_DEVICE). Answer `challenge` with challengeRespond after "
        "signing in."
    )
)
class LoginApproval:
    """What the person looks at before answering."""

    challenge: Challenge
    device_name: str
    platform: Platform
    model: str | None
    ip: str | None = strawberry.field(directives=SENSITIVE)
    requested_at: datetime

    @classmethod
    def of(cls, found: approval.Asking) -> "LoginApproval":
        """Show what waits."""
        return cls(
            challenge=Challenge.of(found.challenge),
            device_name=found.name,
            platform=found.platform,
            model=found.model,
            ip=found.address,
            requested_at=found.asked_at,
        )


@strawberry.type
class Subscription:
    """What a phone hears before anybody signed in on it."""

    @guards.subscription(
        level=AuthLevel.DEVICE,
        cost=20,
        description=(
            "New phones that this device may vouch for: those that wait at once, then "
            "each new one. A suspended device gets none."
        ),
    )
    async def login_approval(self, info: Info) -> AsyncGenerator[LoginApproval, None]:
        """Follow what is asked; the stream only says when to look.

        It does not count as being live: pushes to this phone wait for nothing. A phone
        that is suspended or removed meanwhile loses its sockets (graphql.md 11).
        """
        bank, actor = info.context.bank, info.context.actor
        shown: set[object] = set()
        found = bank.hub.subscribe(actor.known_customer, None, _ASKED)
        async with aclosing(found) as items:
            async for item in items:
                if _is_shut_out(item, actor.known_device):
                    bank.sockets.close_device(
                        actor.known_device, CLOSE_ENDED, "DEVICE_LOCKED"
                    )
                    return
                if not _is_worth_a_look(item, actor.known_device):
                    continue
                for one in await bank.vouching.waiting(actor):
                    if one.challenge.id not in shown:
                        shown.add(one.challenge.id)
                        yield LoginApproval.of(one)


def _is_worth_a_look(item: StreamItem, device: DeviceId) -> bool:
    """Look at the beginning, after a gap, and when this phone was asked."""
    if isinstance(item, LoggedEvent):
        fact = item.fact
        return isinstance(fact, SecurityEvent) and str(device) in fact.asked
    return not isinstance(item, CaughtUp)


def _is_shut_out(item: StreamItem, device: DeviceId) -> bool:
    """Tell whether this phone was suspended or removed just now."""
    if not isinstance(item, LoggedEvent) or not isinstance(item.fact, DeviceChanged):
        return False
    changed = item.fact.device
    return changed.id == str(device) and changed.state in _SHUT_OUT
