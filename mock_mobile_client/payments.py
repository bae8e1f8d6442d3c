"""Paying: create, check, approve, and what to do when an answer is lost."""

import asyncio
import uuid
from dataclasses import dataclass, field

from mock_mobile_client.enums import FactorKind, PaymentStatus
from mock_mobile_client.errors import NotReady, NotSeen
from mock_mobile_client.factors import require_held
from mock_mobile_client.intents import PaymentIntent, last_digits
from mock_mobile_client.money import MoneyValue
from mock_mobile_client.session import Session
from mock_mobile_client.store import Unanswered
from mock_mobile_client.values import (
    AccountValue,
    BeneficiaryValue,
    ChallengeValue,
    JsonObject,
    PaymentValue,
)

FINAL_S = 30.0
COMMITTED_S = 3.0
LOSSES_MAX = 10
PAUSE_S = 0.05


def new_key() -> str:
    """An idempotency key: one per intent of the person, made once."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Order:
    """One intent to pay, as the confirm screen shows it.

    Attributes:
        source: The account the money leaves.
        payee: An own account, or a saved payee.
        amount: With the exponent of the account's currency.
        key: The idempotency key; kept over every retry.
        quote: Id of the quote whose fee and rail count.
    """

    source: AccountValue
    payee: AccountValue | BeneficiaryValue
    amount: MoneyValue
    key: str = field(default_factory=new_key)
    quote: str | None = None

    def variables(self) -> JsonObject:
        """The variables of paymentCreate; the same at every send."""
        own = isinstance(self.payee, AccountValue)
        kind = "ownAccountId" if own else "beneficiaryId"
        quoted = {} if self.quote is None else {"quoteId": self.quote}
        return {
            "input": quoted
            | {
                "idempotencyKey": self.key,
                "fromAccountId": self.source.id,
                "to": {kind: self.payee.id},
                "amount": self.amount.as_input(),
            }
        }

    def intent(self, payment_id: str) -> PaymentIntent:
        """What the challenge of this payment must say."""
        if isinstance(self.payee, AccountValue):
            name, address = None, self.payee.id
        else:
            name, address = self.payee.name, last_digits(self.payee.masked_account)
        return PaymentIntent(payment_id, self.amount, self.source.id, name, address)


def factor_for(challenge: ChallengeValue, wished: FactorKind) -> FactorKind:
    """What the person is asked for: a risky payment takes more than a passkey."""
    is_risky = wished not in challenge.allowed and FactorKind.MPIN in challenge.allowed
    return FactorKind.MPIN if is_risky else wished


class Payments:
    """The payments of one signed-in phone."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def create(self, order: Order) -> PaymentValue:
        """Create the payment; the same order again answers the same payment.

        Raises:
            Refused: nothing exists then, for example INSUFFICIENT_FUNDS.
        """
        answer = await self._session.call("payment_create", order.variables())
        return PaymentValue.read(answer["payment"], replayed=answer["replayed"])

    async def approval(
        self,
        order: Order,
        payment: PaymentValue,
        factor: FactorKind = FactorKind.MPIN,
    ) -> JsonObject:
        """Sign the challenge of a payment: the input of challengeRespond.

        Asks for a new challenge where the payment waits without one.

        Raises:
            NotAsIntended: the payload pays somebody else, or another amount.
        """
        challenge = payment.challenge
        if challenge is None:
            challenge = (await self.renewed(payment)).challenge
        if challenge is None:
            raise NotReady(f"{payment.id} cannot be approved on this phone now")
        intent = order.intent(payment.id)
        chosen = factor_for(challenge, factor)
        return await self._session.answer(challenge, intent, factor=chosen)

    async def approve(
        self,
        order: Order,
        payment: PaymentValue,
        factor: FactorKind = FactorKind.MPIN,
    ) -> PaymentValue:
        """Approve with the mPIN or a passkey; the payment as it is right after.

        A risky payment is approved with the mPIN, whatever the person wished for.

        Raises:
            Refused: INVALID_CREDENTIAL, CHALLENGE_EXPIRED and the like.
        """
        answer = {"input": await self.approval(order, payment, factor)}
        return self.read_answer(await self._session.call("challenge_respond", answer))

    async def renewed(self, payment: PaymentValue) -> PaymentValue:
        """A waiting payment with a new challenge; the former one is over.

        Raises:
            Refused: the payment does not wait any more.
        """
        asked = {"input": {"id": payment.id}}
        answer = await self._session.call("payment_challenge", asked)
        return PaymentValue.read(answer["payment"])

    async def cancel(self, payment_id: str) -> PaymentValue:
        """Stop a payment before its approval, also one that is under review.

        Raises:
            Refused: TOO_LATE, or no such payment of this customer.
        """
        asked = {"input": {"id": payment_id}}
        answer = await self._session.call("payment_cancel", asked)
        return PaymentValue.read(answer["payment"])

    async def refuse(self, payment: PaymentValue) -> PaymentValue:
        """Say no to a waiting payment: it is CANCELLED, without key or factor.

        Raises:
            NotReady: it has no challenge any more; ask for a new one first.
        """
        if payment.challenge is None:
            raise NotReady(f"{payment.id} cannot be refused on this phone now")
        no = {"challengeId": payment.challenge.id, "approve": False}
        answer = await self._session.call("challenge_respond", {"input": no})
        return self.read_answer(answer)

    async def settle(
        self, order: Order, approve: FactorKind = FactorKind.MPIN
    ) -> PaymentValue:
        """Create, approve, and wait until the payment moves no more.

        One that the bank looks at first is given as it is: held.
        """
        require_held(self._session.handset, approve)
        payment = await self.create(order)
        if payment.status is PaymentStatus.AWAITING_AUTHORISATION:
            payment = await self.approve(order, payment, approve)
        if payment.status is PaymentStatus.HELD_FOR_REVIEW:
            return payment
        return await self.final(payment)

    async def final(self, payment: PaymentValue) -> PaymentValue:
        """Ask for a payment until its state is final.

        Raises:
            NotSeen: it still moves after 30 s.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + FINAL_S
        while not payment.status.final:
            if loop.time() > end:
                raise NotSeen(f"{payment.id} is {payment.status} after {FINAL_S:.0f} s")
            await asyncio.sleep(PAUSE_S)
            payment = await self.by_id(payment.id)
        return payment

    async def by_id(self, payment_id: str) -> PaymentValue:
        """The payment as it is now.

        Raises:
            NotSeen: there is none of that id.
        """
        answer = await self._session.call("payment", {"id": payment_id})
        if not answer:
            raise NotSeen(f"the bank knows no payment {payment_id}")
        return PaymentValue.read(answer)

    async def challenge(self, challenge_id: str) -> ChallengeValue:
        """A challenge of this phone as it is now, used or not.

        Raises:
            NotSeen: there is none of that id on this phone.
        """
        answer = await self._session.call("challenge", {"id": challenge_id})
        if not answer:
            raise NotSeen(f"the bank shows no challenge {challenge_id}")
        return ChallengeValue.read(answer)

    async def by_key(self, key: str) -> PaymentValue | None:
        """What happened to an intent whose answer was lost; None when nothing."""
        answer = await self._session.call("payment", {"idempotencyKey": key})
        return PaymentValue.read(answer) if answer else None

    async def create_losing_reply(self, order: Order) -> Unanswered:
        """Send paymentCreate, lose the answer, and wait until the bank has it.

        Sends again where the request itself was lost with its line; the key makes
        that safe.

        Raises:
            NotSeen: the payment never came to be.
        """
        call = Unanswered("payment_create", order.variables())
        for _ in range(LOSSES_MAX):
            await self._session.handset.lose_reply(call)
            if await self._committed(order.key, None):
                return call
        raise NotSeen("the bank never saw a paymentCreate whose line closed")

    async def respond_losing_reply(self, key: str, answer: JsonObject) -> Unanswered:
        """The same with challengeRespond: waits until the payment has moved on."""
        call = Unanswered("challenge_respond", {"input": answer})
        for _ in range(LOSSES_MAX):
            await self._session.handset.lose_reply(call)
            if await self._committed(key, PaymentStatus.AWAITING_AUTHORISATION):
                return call
        raise NotSeen("the bank never saw a challengeRespond whose line closed")

    async def send_again(self, call: Unanswered) -> PaymentValue:
        """Send the same variables once more under a new proof, and read the answer."""
        answer = await self._session.call(call.operation, call.variables)
        self._session.handset.answered(call)
        return self.read_answer(answer)

    @staticmethod
    def read_answer(answer: JsonObject) -> PaymentValue:
        """The payment in the payload of paymentCreate or challengeRespond."""
        replayed = bool(answer.get("replayed", False))
        return PaymentValue.read(answer["payment"], replayed=replayed)

    async def _committed(self, key: str, waiting: PaymentStatus | None) -> bool:
        """Look by a second connection whether the bank has acted."""
        loop = asyncio.get_running_loop()
        end = loop.time() + COMMITTED_S
        while loop.time() < end:
            payment = await self.by_key(key)
            if payment is not None and payment.status is not waiting:
                return True
            await asyncio.sleep(PAUSE_S)
        return False
