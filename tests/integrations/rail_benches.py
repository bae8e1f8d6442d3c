"""Words that the tests of single rails share."""

from datetime import UTC, datetime
from uuid import UUID, uuid5

from app.integrations.core_banking import OpContext
from app.integrations.outcome import OpRef
from app.money import Money

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
KNOWN = "409900000001"


def an_op(name: str) -> OpRef:
    """Name an operation; the same name is the same operation."""
    return OpRef(uuid5(UUID(int=7), name), b"f" * 32)


def context(minor: int = 250_00) -> OpContext:
    """Say what helps to find an operation again."""
    return OpContext("payer", "payee", Money(minor, "INR"), AT)
