"""What every resolver can reach: the bank, the caller, this request's loaders."""

from dataclasses import dataclass, field
from typing import TypeAlias

import strawberry

from app.auth.actor import Actor, Origin
from app.bank import Bank


@dataclass(slots=True)
class Context:
    """One operation of one caller. Lives as long as the operation, never longer.

    Args:
        bank: every service; resolvers make one call on one of them.
        actor: who asks, and how strongly that is known.
        request_id: shown as `extensions.requestId`, sent back as `X-Request-Id`.
        loaders: the batches of this operation, by definition (see `loaders.Batch`).
    """

    bank: Bank
    actor: Actor
    request_id: str
    loaders: dict[object, object] = field(default_factory=dict)

    @property
    def origin(self) -> Origin:
        """Where the request came from: address, language, agent, app version."""
        return self.actor.origin

    def sign_in(self, actor: Actor) -> None:
        """Go on as the session this very operation made (`loginFinish.me`).

        What was loaded for the caller before is forgotten.
        """
        self.actor = actor
        self.loaders.clear()


Info: TypeAlias = strawberry.Info[Context, None]
