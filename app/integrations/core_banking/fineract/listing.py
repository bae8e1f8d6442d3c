"""Which accounts a customer has: the core's list, and the other names of each."""

from app.integrations.core_banking import CoreAccount
from app.integrations.core_banking.fineract import wire
from app.integrations.core_banking.fineract.looking import Looking
from app.integrations.core_banking.fineract.questions import Questions
from app.integrations.core_banking.fineract.rows import masked
from app.integrations.exchange import Ask

CLIENT = "/v1/clients/external-id/{number}/accounts"


class Listing:
    """Lists accounts.

    Args:
        questions: asks the core.
        looking: reads accounts.
    """

    def __init__(self, questions: Questions, looking: Looking) -> None:
        self._ask = questions
        self._looking = looking

    async def accounts(self, number: str) -> list[CoreAccount]:
        """List the savings accounts of the customer with this number; nobody's: none.

        Raises:
            Outage: the core does not answer, or not by its contract.
        """
        told = await self._ask.one(Ask("GET", CLIENT, path={"number": number}))
        if told is None:
            return []
        listed = wire.record(told, "a client's accounts").get("savingsAccounts")
        mine = {
            str(wire.number(one.get("id"), "an account's id")): one
            for value in (listed if isinstance(listed, list) else ())
            if wire.is_shown(one := wire.record(value, "a listed account"))
        }
        found = await self._looking.accounts([*mine])
        return [
            _account(ref, one, found[ref]) for ref, one in mine.items() if ref in found
        ]


def _account(ref: str, listed: wire.Json, account: wire.Json) -> CoreAccount:
    number = wire.words(listed.get("accountNo"))
    name = wire.words(listed.get("productName"))
    if number is None or name is None:
        raise wire.broken("a listed account without number or product")
    external = wire.external_id(account.get("externalId"))
    return CoreAccount(
        ref=ref,
        kind=wire.kind_of(listed),
        name=name,
        masked_number=masked(number),
        currency=wire.currency_of(account.get("currency")),
        state=wire.state_of(account),
        number=number,
        external_ref=external,
        can_hold=external is not None,
    )
