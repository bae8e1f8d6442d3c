"""Proof 7 of acceptance.md: only the untouched approval passes, and it passes once."""

import asyncio
from dataclasses import dataclass

from mock_mobile_client import documents
from mock_mobile_client.api import encode, unpack
from mock_mobile_client.enums import FactorKind, PaymentStatus
from mock_mobile_client.errors import FingerRefused, ProofFailed, Refused, expect
from mock_mobile_client.forgeries import FORGERIES, Forgery, answer
from mock_mobile_client.handset import Level, Setting
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.money import money
from mock_mobile_client.payments import Order
from mock_mobile_client.phone import Phone
from mock_mobile_client.signing import b64url
from mock_mobile_client.stage import Tell, asha_and_ben, everyday, present, silent
from mock_mobile_client.values import ChallengeValue, JsonObject, PaymentValue
from mock_mobile_client.world_clock import SKIPPED, WorldClock

HUNDRED = money("100.00 INR")
FACTORS = (FactorKind.MPIN, FactorKind.WEBAUTHN, FactorKind.BIOMETRIC)
SAME_ANSWERS, WRONG_ANSWERS = 50, 3
CHALLENGE_LIFE_S = 300
WRONG_PIN = "508143"
STRANGER = "a stranger's thumb"
WAITING = PaymentStatus.AWAITING_AUTHORISATION
UNTOUCHED = Forgery("nothing")


async def proof_07(
    url: str, sandbox: str, setting: Setting | None = None, tell: Tell = silent
) -> None:
    """Changed amount, changed payee: each forgery fails on a payment of its own."""
    async with (
        asha_and_ben(url, sandbox, setting) as (asha, ben),
        Phone("Asha-2", url, sandbox, asha.handset.setting) as other,
    ):
        await other.start()
        await asha.register_passkey()
        await asha.set_biometric()
        desk = _Desk(asha, tell)
        first = (await everyday(asha)).available
        for factor in FACTORS:
            paid = await asha.pay("Ben", HUNDRED, factor)
            expect(f"untouched, {factor}", PaymentStatus.SETTLED, paid.status)
        tell("untouched: passes with MPIN, with WEBAUTHN and with BIOMETRIC")
        await desk.foreign_finger()
        await desk.forged(other.handset.key)
        await desk.half_forged()
        await desk.foreign_body()
        expect(
            "after forgeries",
            first.minus(HUNDRED.times(len(FACTORS))),
            await _left(asha),
        )

        await desk.answered_twice()
        await desk.three_wrong()
        times = len(FACTORS) + 1 + await desk.too_late(WorldClock(sandbox))
        await desk.fifty_at_once()
        expect("debits", first.minus(HUNDRED.times(times + 1)), await _left(asha))
        tell("evidence: no field shows it; the server's own tests verify it offline")
        await ben.pay("Asha", HUNDRED.times(times + 1))
        expect("as at first", first, await _left(asha))


@dataclass(frozen=True, slots=True)
class _Desk:
    """One phone at which payments are made and answered wrongly."""

    phone: Phone
    tell: Tell

    async def forged(self, foreign: DeviceKey) -> None:
        """Every forgery, and another phone's signature, with each factor."""
        wishes: list[tuple[Forgery, DeviceKey | None]] = [(f, None) for f in FORGERIES]
        wishes.append((Forgery("another phone's signature"), foreign))
        for forgery, key in wishes:
            for factor in FACTORS:
                _, payment, challenge = await self._created()
                wrong = await answer(self.phone, challenge, forgery, factor, key)
                code = await self._code(wrong)
                expect(f"{forgery.name}, {factor}", "CHALLENGE_FAILED", code)
                await self._still_waits(payment)
            self.tell(f"{forgery.name}: CHALLENGE_FAILED, nothing moved")

    async def half_forged(self) -> None:
        """The phone's key signs the truth, the person's factor ten times as much."""
        for factor in FACTORS:
            _, payment, challenge = await self._created()
            true = await answer(self.phone, challenge, UNTOUCHED, factor)
            false = await answer(self.phone, challenge, FORGERIES[0], factor)
            mixed = {**true, "response": false["response"]}
            code = await self._code(mixed)
            expect(f"{factor} over more", "INVALID_CREDENTIAL", code)
            await self._still_waits(payment)
        self.tell("factor over another amount: INVALID_CREDENTIAL, nothing moved")

    async def foreign_finger(self) -> None:
        """The biometric key answers its owner's finger, and no other key."""
        _, payment, challenge = await self._created()
        session = self.phone.session
        owner, session.finger = session.finger, STRANGER
        try:
            await answer(self.phone, challenge, UNTOUCHED, FactorKind.BIOMETRIC)
        except FingerRefused:
            self.tell("a stranger's finger: the key stays shut, nothing moved")
        else:
            raise ProofFailed("a stranger's finger", "no signature", "one")
        finally:
            session.finger = owner
        other = {"deviceSignature": b64url(DeviceKey.generate().sign(b"anything"))}
        true = await answer(self.phone, challenge, UNTOUCHED, FactorKind.BIOMETRIC)
        code = await self._code({**true, "response": other})
        expect("another biometric key", "INVALID_CREDENTIAL", code)
        await self._still_waits(payment)
        self.tell("another biometric key: INVALID_CREDENTIAL, nothing moved")

    async def foreign_body(self) -> None:
        """A right answer under a proof that covers another body."""
        _, payment, challenge = await self._created()
        right = await self._right(challenge)
        handset, document = self.phone.handset, documents.load("challenge_respond")
        body = encode(document.text, {"input": right}, document.name)
        other = encode(document.text, {"input": {}}, document.name)
        credentials = handset.credentials(Level.LOGIN)
        reply = await handset.api.send_under(body, other, credentials)
        try:
            unpack(reply, document.field)
        except Refused as refused:
            expect("`bh` of another body", "DPOP_INVALID", refused.code)
        else:
            raise ProofFailed("`bh` of another body", "a refusal", "an approval")
        await self._still_waits(payment)
        self.tell("proof over another body: DPOP_INVALID, nothing moved")

    async def answered_twice(self) -> None:
        """Another answer, though right in itself, to a used challenge."""
        _, payment, challenge = await self._created()
        await self._respond(await self._right(challenge))
        code = await self._code(await self._right(challenge))
        expect("another answer to a used challenge", "CHALLENGE_EXPIRED", code)
        await self._settled(payment)
        self.tell("another answer to a used challenge: CHALLENGE_EXPIRED, one debit")

    async def three_wrong(self) -> None:
        """Three wrong answers end a payment; the right one comes too late then."""
        order, payment, challenge = await self._created()
        session, intent = self.phone.session, order.intent(payment.id)
        for _ in range(WRONG_ANSWERS):
            wrong = await session.answer(challenge, intent, WRONG_PIN)
            expect("a wrong mPIN", "INVALID_CREDENTIAL", await self._code(wrong))
        code = await self._code(await self._right(challenge))
        expect("the right one after three", "CHALLENGE_EXPIRED", code)
        end = await self.phone.payments.by_id(payment.id)
        expect("payment after three", PaymentStatus.DECLINED, end.status)
        self.tell("three wrong answers end a payment: DECLINED, nothing moved")

    async def too_late(self, clock: WorldClock) -> int:
        """After 300 s only a new challenge passes; answers how many debits."""
        order, payment, challenge = await self._created()
        right = await self._right(challenge)
        if not await clock.forward(CHALLENGE_LIFE_S + 1):
            await self._still_waits(payment)
            self.tell(f"after {CHALLENGE_LIFE_S} s: {SKIPPED}")
            return 0
        expect("after 300 s", "CHALLENGE_EXPIRED", await self._code(right))
        await self._renewed(order, payment)
        self.tell("after 300 s: CHALLENGE_EXPIRED; paymentChallenge's new one passes")
        return 1

    async def fifty_at_once(self) -> None:
        """Fifty parallel identical answers: one debit, fifty equal results."""
        _, payment, challenge = await self._created()
        right = await self._right(challenge)
        same = [self._respond(right) for _ in range(SAME_ANSWERS)]
        results = await asyncio.gather(*same)
        seen = {(one.id, one.status) for one in results}
        expect("results", {(payment.id, PaymentStatus.SETTLED)}, seen)
        self.tell(f"{SAME_ANSWERS} identical answers at once: equal results, one debit")

    async def _created(self) -> tuple[Order, PaymentValue, ChallengeValue]:
        """A payment of a hundred that waits for its approval."""
        order = await self.phone.order("Ben", HUNDRED)
        payment = await self.phone.payments.create(order)
        return order, payment, present(payment.challenge)

    async def _right(self, challenge: ChallengeValue) -> JsonObject:
        """The true answer; signed anew each time, so never twice the same bytes."""
        return await answer(self.phone, challenge, UNTOUCHED, FactorKind.MPIN)

    async def _respond(self, given: JsonObject) -> PaymentValue:
        """Send an answer."""
        call = self.phone.session.call
        return self.phone.payments.read_answer(
            await call("challenge_respond", {"input": given})
        )

    async def _code(self, given: JsonObject) -> str:
        """Why an answer was refused."""
        try:
            payment = await self._respond(given)
        except Refused as refused:
            return refused.code
        raise ProofFailed("an answer that must not pass", "a refusal", payment.status)

    async def _still_waits(self, payment: PaymentValue) -> None:
        """Nothing moved; the payment is refused, so that it troubles nobody later."""
        payments = self.phone.payments
        now = await payments.by_id(payment.id)
        expect("payment after a refused answer", WAITING, now.status)
        refused = await payments.refuse(await payments.renewed(now))
        expect("refused payment", PaymentStatus.CANCELLED, refused.status)

    async def _settled(self, payment: PaymentValue) -> None:
        """The payment came to its good end."""
        end = await self.phone.payments.final(payment)
        expect("status", PaymentStatus.SETTLED, end.status)

    async def _renewed(self, order: Order, payment: PaymentValue) -> None:
        """Approve the unchanged payment by a new challenge."""
        payments = self.phone.payments
        fresh = await payments.renewed(payment)
        await self._settled(await payments.approve(order, fresh))


async def _left(phone: Phone) -> object:
    """What can be spent now."""
    return (await everyday(phone)).available
