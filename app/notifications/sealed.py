"""What this room keeps under ring keys; `app/sealed.py` moves and counts it."""

from uuid import UUID

from app.sealed import Kept, Lookup, Seal

SEALED = (
    Kept(
        table="push_address",
        kind=UUID,
        seals=(Seal(column="value", purpose="push_address"),),
        lookups=(
            Lookup(
                column="value_hash",
                key_id=None,
                purpose="mac/push-address",
                of="value",
            ),
        ),
    ),
)
