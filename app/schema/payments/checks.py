"""Whether a payee's name is the name at the payee's bank, as the phone sees it."""

from datetime import datetime

import strawberry

from app.payments import payee_check
from app.payments.errors import PayeeNameMismatch
from app.payments.payee_check import PayeeMatch
from app.realtime.shots import PayeeCheckShot
from app.schema import scalars
from app.schema.refusals import UserError, facts, kind

scalars.enum(PayeeMatch, "PayeeMatch")


@strawberry.type
class PayeeCheck:
    """What a name check found."""

    match: PayeeMatch
    suggested_name: str | None = strawberry.field(
        description=(
            "Name at the payee's bank, masked by that bank's rules; only with "
            "CLOSE_MATCH and where allowed."
        )
    )
    checked_at: datetime

    @classmethod
    def of(cls, shot: PayeeCheckShot) -> "PayeeCheck":
        """Show the check of a fact."""
        return cls(
            match=PayeeMatch(shot.match),
            suggested_name=shot.suggested_name,
            checked_at=shot.checked_at,
        )

    @classmethod
    def from_room(cls, found: payee_check.PayeeCheck) -> "PayeeCheck":
        """Show a check of the room."""
        return cls.of(found.shot())


@strawberry.type
class PayeeNameMismatchError(UserError):
    """The account is held under another name."""

    check: PayeeCheck = strawberry.field(
        description=(
            "Show `suggestedName`; to go on anyway send the input again with "
            "`riskAcknowledged: true`."
        )
    )


@kind(PayeeNameMismatch)
def _payee_name_mismatch(no: PayeeNameMismatch) -> UserError:
    return PayeeNameMismatchError(**facts(no), check=PayeeCheck.from_room(no.check))


KINDS = (PayeeNameMismatchError,)
