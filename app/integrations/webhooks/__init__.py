"""The WebhookVerifier port: is it really the partner who calls us, and just now."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

BODY_BYTES_MAX = 64 * 1024


class Untrusted(Exception):
    """A call that is not believed; `cause` is for the log and the counter."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class Forged(Untrusted):
    """Not signed by the partner, or not in the form agreed upon."""


class Expired(Untrusted):
    """Signed by the partner, but too long ago or too far ahead: maybe a replay."""


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """A call that is believed: the sender's id of it, and the signed bytes."""

    id: str
    body: bytes = field(repr=False)


class WebhookVerifier(Protocol):
    """Judges who calls.

    `is_deaf`: nothing is shared with the partner, so nobody is believed.
    """

    is_deaf: bool

    def verify(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> InboundEvent:
        """Believe or refuse a call; header names come in lower case.

        Raises:
            Forged: not signed by the partner, or not in the form agreed upon.
            Expired: signed too long ago, or in the future.
        """
        ...


class Connect(Protocol):
    """What an adapter's `connect` looks like; without secrets it believes nobody."""

    def __call__(self, secrets: Path | None) -> WebhookVerifier:
        """Read the secrets shared with a partner.

        Raises:
            Misconfigured: they cannot be read.
        """
        ...
