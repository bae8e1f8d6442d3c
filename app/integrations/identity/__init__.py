"""The IdentityProof port: the second proof of a person at enrolment."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from app.database import Tx
from app.ids import CustomerId


class CodeKind(StrEnum):
    """What a printed code is for; a reset stands in for every other proof."""

    ACTIVATION = "ACTIVATION"
    RESET = "RESET"


@dataclass(frozen=True, slots=True)
class ProofRef:
    """A proof that verified and is reserved until the device is bound.

    Args:
        kind: ACTIVATION or RESET.
        id: the code's row; it is used up by `consume`.
    """

    kind: str
    id: UUID


class IdentityProof(Protocol):
    """Activation codes by letter or branch; other banks plug in their own."""

    async def issue(
        self,
        tx: Tx,
        customer: CustomerId,
        *,
        by: str,
        at: datetime,
        code: str | None,
        kind: CodeKind = CodeKind.ACTIVATION,
    ) -> str:
        """Make the one live code of a customer; a given one only outside production.

        Returns:
            The code as it is printed, for example `7Q2M-K9XT-4HWA`.
        """
        ...

    async def check(
        self, customer: CustomerId, code: str, *, at: datetime, charge: bool
    ) -> ProofRef | None:
        """Compare a code; a wrong one is counted when `charge` is set."""
        ...

    async def consume(self, tx: Tx, proof: ProofRef, *, at: datetime) -> bool:
        """Use a proof up; False when another enrolment was faster."""
        ...
