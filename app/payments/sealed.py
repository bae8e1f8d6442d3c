"""What this room keeps under ring keys; `app/sealed.py` moves and counts it."""

from uuid import UUID

from app.ids import BeneficiaryId
from app.sealed import Kept, Lookup, Seal

SEALED = (
    Kept(
        table="beneficiary",
        kind=BeneficiaryId,
        seals=(Seal(column="address_enc", purpose="beneficiary"),),
        lookups=(
            Lookup(
                column="address_hash",
                key_id=None,
                purpose="mac/payee",
                of="address_enc",
            ),
        ),
    ),
    Kept(
        table="inbound_event",
        kind=UUID,
        seals=(Seal(column="body_enc", purpose="inbound_event"),),
    ),
)
