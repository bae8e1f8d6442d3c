"""What this room keeps under ring keys; `app/sealed.py` moves and counts it."""

from app.ids import AccountId
from app.sealed import Kept, Lookup, Seal

SEALED = (
    Kept(
        table="account",
        kind=AccountId,
        seals=(Seal(column="number_sealed", purpose="account.number"),),
        lookups=(
            Lookup(
                column="number_lookup",
                key_id="key_id",
                purpose="lookup/account",
                of="number_sealed",
            ),
        ),
    ),
)
