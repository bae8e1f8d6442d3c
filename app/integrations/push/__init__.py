"""The PushProvider port: hints to phones that something waits in the app.

A hint carries no amount, name or account; the phone fetches the rest after unlock. The
caller alone decides what follows an outcome: an adapter never sends a message again
beyond one fresh sign-in at its provider (realtime.md section 12).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from app.telemetry import log


class PushKind(StrEnum):
    """What a phone's address is: FCM is moving from tokens to installation ids."""

    FCM_FID = "FCM_FID"
    FCM_TOKEN = "FCM_TOKEN"  # noqa: S105  -- the name of a kind
    APNS = "APNS"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushMessage:
    """One hint to one phone.

    `id` names the dispatch in our log; `data` is the whole payload. `title_key` and
    `body_key` are sentence keys that an iPhone looks up in its own language. A later
    message of the same `thread` replaces the earlier one on the phone; messages of one
    `collapse_key` replace each other at the provider. `environment` and `app_id` say
    which build of the app listens, where the provider must know; `proven` says that
    the provider took a message for this address before.
    """

    id: str
    kind: PushKind
    address: str = field(repr=False)
    data: Mapping[str, str]
    title_key: str
    body_key: str
    thread: str
    collapse_key: str | None = None
    ttl_s: int
    high: bool
    environment: str | None = None
    app_id: str | None = None
    proven: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it; `ref` is its name for the message.

    `environment` is where it took it, where that is another than the message named.
    """

    ref: str
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class AddressDead:
    """No app listens there any more, since then if the provider says so."""

    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class AddressSuspect:
    """The address belongs to another project: it is wrong, or our project id is."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Surely not delivered; try again, where given not before `after_s` seconds."""

    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class ConfigError:
    """Our own set-up at the provider is wrong: a matter for operations, then retry."""

    what: str


@dataclass(frozen=True, slots=True)
class PayloadError:
    """The provider will never take this message: our bug."""

    what: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have been delivered; sending it again harms nothing."""

    what: str


PushOutcome = (
    Sent | AddressDead | AddressSuspect | Retry | ConfigError | PayloadError | Unknown
)


def tell(
    partner: str, route: str, outcomes: Sequence[PushOutcome], took_s: float
) -> None:
    """Log a chunk as one call, and each mistake of our set-up at the provider once."""
    counts = Counter(type(one).__name__ for one in outcomes)
    log.info(
        "partner_called",
        partner=partner,
        route=route,
        count=len(outcomes),
        outcome=", ".join(f"{name} {count}" for name, count in counts.items()),
        duration_ms=round(took_s * 1000),
    )
    for what in sorted({one.what for one in outcomes if isinstance(one, ConfigError)}):
        log.error("partner_misconfigured", partner=partner, reason=what)


class PushProvider(Protocol):
    """One way to phones. `kinds` are the addresses it can reach."""

    kinds: frozenset[PushKind]

    async def send(self, batch: Sequence[PushMessage]) -> list[PushOutcome]:
        """Send every message once; one outcome each, in the same order.

        Never raises for what the provider does; a batch of any length is allowed and
        takes at most some ten seconds for each 200 messages.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and threads; sends under way end as Unknown."""
        ...
