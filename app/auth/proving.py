"""What a factor must be able to do to answer a challenge: charge, check, refund.

A factor is one small file with one class that fits `Factor`; `Answers` does the rest:
the challenge, the device key's signature, the device's own counter, the evidence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from app.auth.actor import Actor, FactorKind
from app.auth.challenge import Challenge, FactorResponse
from app.database import Tx
from app.errors import Refusal
from app.ids import CustomerId

C = TypeVar("C")
P = TypeVar("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is answered, by whom, with what.

    Args:
        challenge: what is answered.
        customer: whose it is.
        given: the answer.
        now: when it is judged.
    """

    challenge: Challenge
    customer: CustomerId
    given: FactorResponse
    now: datetime


class Factor(Protocol[C, P]):
    """One kind of factor. `C` is what a charge gives, `P` what a check proves."""

    kind: FactorKind

    async def ready(self) -> None:
        """Load what checking needs, before any transaction."""

    async def charge(self, tx: Tx, actor: Actor, asked: Asked) -> C:
        """Count one try of this factor before it is compared.

        Raises:
            InvalidCredential: the device has no such factor.
            CredentialLocked: no try is left.
        """

    def check(self, charged: C, asked: Asked) -> P | None:
        """Compare, outside any transaction; None when it is wrong."""

    async def refund(
        self, tx: Tx, actor: Actor, asked: Asked, charged: C, proven: P
    ) -> Refusal | None:
        """Forget the wrong tries; a refusal when the proof is not good after all."""

    async def wrong(self, tx: Tx, actor: Actor, asked: Asked, charged: C) -> Refusal:
        """Do what a wrong answer leads to: tell, erase, pause."""

    async def again(self, tx: Tx, actor: Actor, asked: Asked) -> Refusal:
        """Refuse the byte-identical wrong answer again, without counting (3.3)."""

    def evidence(self, charged: C, proven: P) -> Mapping[str, object]:
        """Give the public part of the proof: what verifies offline years later."""
