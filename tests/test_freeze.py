"""Books that are wrong are found in one round; postings stop, and phones are told why.

B12: every proof from C1 to C12 is broken by hand, and mended by hand.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from app import database, proving, telemetry
from app.accounts.account import Account
from app.auth.actor import Actor
from app.auth.keys import jwk_of
from app.auth.standing import Staff
from app.bank import Bank, open_bank
from app.database import Tx
from app.ids import CustomerId, uuid7
from app.integrations.core_banking import Hold, Narrative
from app.integrations.outcome import Ok, OpRef
from app.money import Money
from app.payments import records
from app.payments.lifecycle import State
from app.payments.payment import Payment, PaymentRequest
from app.proving import Prover
from app.schema import root
from app.schema.context import Context
from app.schema.execution import Call, Engine
from app.schema.masking import Answer
from app.schema.transport.operations import SocketOperations
from app.settings import Settings
from tests.ledger.world import off
from tests.payments.binding import Standing, bind
from tests.payments.handset import Phone
from tests.payments.world import a_key
from tests.realtime.patience import within
from tests.test_statements import a_customer, signed_in, text_of

DESK = Staff(name="Meera", reason="the sums were put right")
STATUS = "subscription { serviceStatusChanged { component state } }"
REFUSED = """
  userErrors { __typename code ... on ServiceUnavailableError {
    component retryAfterSeconds } }
"""
CREATE = f"""
mutation Create($input: PaymentCreateInput!) {{
  paymentCreate(input: $input) {{ payment {{ id }} {REFUSED} }} }}
"""
RESPOND = f"""
mutation Respond($input: ChallengeRespondInput!) {{
  challengeRespond(input: $input) {{ payment {{ status }} {REFUSED} }} }}
"""
AWAY = {
    "__typename": "ServiceUnavailableError",
    "code": "SERVICE_UNAVAILABLE",
    "component": "TRANSFERS",
    "retryAfterSeconds": None,
}


@dataclass(frozen=True, kw_only=True)
class Town:
    """A whole bank, and Asha with two accounts and a phone."""

    bank: Bank
    phone: Phone
    everyday: Account
    savings: Account

    @property
    def actor(self) -> Actor:
        """Who asks."""
        return self.phone.actor

    async def ask(self, text: str, **variables: object) -> dict[str, Any]:
        """Ask as Asha's phone does, and give the data."""
        engine = Engine(
            root.SCHEMA, self.bank.settings, self.bank.clock, self.bank.callers.charge
        )
        context = Context(self.bank, self.actor, "0" * 16)
        answer = await engine.run(context, Call(text, variables=variables))
        assert "errors" not in answer.body, answer.body
        return cast("dict[str, Any]", answer.body["data"])

    def wish(self, minor: int) -> PaymentRequest:
        """Ask to move money to the own savings."""
        return PaymentRequest(
            key=a_key(),
            from_account=str(self.everyday.id),
            own_account=str(self.savings.id),
            amount=Money(minor, "INR"),
        )

    async def waiting(self, minor: int) -> Payment:
        """Create a payment that waits for its approval."""
        created = await self.bank.transfers.create(self.actor, self.wish(minor))
        return created.payment

    async def answer(self, payment: Payment) -> dict[str, object]:
        """Sign what the bank shows of a payment."""
        challenge = await self.bank.transfers.challenge_of(self.actor, payment)
        assert challenge is not None
        signature, response = self.phone.answer(challenge)
        return {
            "challengeId": str(challenge.id),
            "deviceSignature": signature,
            "response": {"mpinProof": response.mpin_proof},
        }

    async def state(self, payment: Payment) -> State:
        """Tell where a payment stands."""
        found = await records.find(payment.id)
        assert found is not None
        return found.state


@pytest.fixture
async def town(settings: Settings) -> AsyncIterator[Town]:
    """Open a whole bank and give Asha."""
    async with open_bank(settings) as bank:
        customer = await a_customer(bank, accounts=2, rows=2)
        phone = await a_phone(bank, customer)
        everyday, savings = await bank.accounts.of_customer(customer)
        yield Town(bank=bank, phone=phone, everyday=everyday, savings=savings)


async def a_phone(bank: Bank, customer: CustomerId) -> Phone:
    """Bind a phone with an mPIN and sign in on it."""
    key, secret = ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(32)
    actor, now = signed_in(customer), bank.clock.now()
    sealed = bank.vault.seal("mpin_secret", str(actor.device), secret)
    standing = Standing(cooling_until=None, grade="NONE", good_until=None)
    jwk = jwk_of(key.public_key())
    await database.transaction(
        lambda tx: bind(tx, actor, now, jwk, sealed, standing), name="tests.bind"
    )
    return Phone(actor=actor, key=key, secret=secret)


async def run(*statements: str) -> None:
    """Change the books by hand, as nobody should."""

    async def work(tx: Tx) -> None:
        for sql in statements:
            word, _, guard = sql.partition(" ")
            await tx.rows(off(guard) if word == "off" else sql)

    await database.transaction(work, name="test.break")


@dataclass(frozen=True)
class Wrong:
    """What is done to the books, how it is undone, and which proof is to find it."""

    proof: str
    breaks: str
    mends: str
    freezes: bool = True


# One for every proof that the first build has.
WRONGS = (
    Wrong(
        "C1 journals sum to 0",
        "UPDATE ledger_posting SET amount = amount + 1 WHERE no = 1",
        "UPDATE ledger_posting SET amount = amount - 1 WHERE no = 1",
    ),
    Wrong(
        "C2 balances are their postings",
        "UPDATE ledger_balance SET committed = committed + 1 WHERE version = 4",
        "UPDATE ledger_balance SET committed = committed - 1 WHERE version = 4",
    ),
    Wrong(
        "C3 versions have no hole",
        "UPDATE ledger_balance SET version = 5 WHERE version = 4",
        "UPDATE ledger_balance SET version = 4 WHERE version = 5",
    ),
    Wrong(
        "C4 pending is the open holds",
        "UPDATE ledger_hold SET amount = 21",
        "UPDATE ledger_hold SET amount = 20",
    ),
    Wrong(
        "payments.holds",
        "INSERT INTO payment_op (id, payment_id, kind, attempt, fingerprint, "
        "outcome, first_sent_at, resolved_at) "
        "SELECT o.op_id, p.id, 'HOLD', 1, o.fingerprint, 'OK', o.at, o.at "
        "FROM payment p, ledger_op o "
        "WHERE p.state = 'CANCELLED' AND o.kind = 'HOLD'",
        "DELETE FROM payment_op WHERE kind = 'HOLD'",
        freezes=False,
    ),
    Wrong(
        "payments.booked_once",
        "UPDATE payment_op SET outcome = 'REJECTED' WHERE kind = 'TRANSFER'",
        "UPDATE payment_op SET outcome = 'OK' WHERE kind = 'TRANSFER'",
    ),
    Wrong(
        "payments.limits",
        "UPDATE limit_use SET used = used + 1",
        "UPDATE limit_use SET used = used - 1",
    ),
    Wrong(
        "C7 holds end once",
        "UPDATE ledger_hold SET state = 'RELEASED'",
        "UPDATE ledger_hold SET state = 'OPEN'",
    ),
    Wrong(
        "realtime.numbers",
        "UPDATE stream_head SET seq = seq + 1",
        "UPDATE stream_head SET seq = seq - 1",
        freezes=False,
    ),
    Wrong(
        "payments.carried_on",
        "INSERT INTO payment_op (id, payment_id, kind, attempt, fingerprint, "
        "outcome, first_sent_at) "
        "SELECT o.op_id, p.id, 'RELEASE', 1, o.fingerprint, 'PENDING', o.at "
        "FROM payment p, ledger_op o "
        "WHERE p.state = 'CANCELLED' AND o.kind = 'HOLD'",
        "DELETE FROM payment_op WHERE kind = 'RELEASE'",
        freezes=False,
    ),
    Wrong(
        "audit.chain",
        "UPDATE audit_head SET seq = seq + 1",
        "UPDATE audit_head SET seq = seq - 1",
        freezes=False,
    ),
    Wrong(
        "payments.concord",
        "UPDATE ledger_op SET outcome = 'REJECTED', code = 'VALIDATION' "
        "WHERE kind = 'TRANSFER'",
        "UPDATE ledger_op SET outcome = 'OK', code = NULL WHERE kind = 'TRANSFER'",
    ),
)


_GUARDS = (
    "posting_append_only",
    "audit_head_forward",
    "stream_head_forward",
)


async def a_day_of_books(town: Town) -> None:
    """Leave a settled, a cancelled and a waiting payment, and an open hold."""
    paid = await town.waiting(10)
    await town.ask(RESPOND, input=await town.answer(paid))
    ended = await town.waiting(20)
    await town.bank.transfers.cancel(town.actor, str(ended.id))
    held = await town.bank.core.hold(
        OpRef(uuid7(), b"hold".ljust(32)),
        town.everyday.ref,
        Money(20, "INR"),
        Narrative("Shop"),
    )
    assert isinstance(held, Ok)
    assert isinstance(held.value, Hold)
    assert await town.state(paid) is State.SETTLED


async def test_whatever_is_broken_by_hand_is_found_in_one_round_and_stops_what_it_must(
    town: Town,
) -> None:
    await a_day_of_books(town)
    prover = Prover(town.bank)
    await prover.round()  # from here on nothing wrong is new
    await run(*(f"off {guard}" for guard in _GUARDS))

    for wrong in WRONGS:
        await run(wrong.breaks)
        assert holds(wrong.proof), wrong
        await prover.round()
        found = holds(wrong.proof)
        frozen = not (await town.bank.core.health()).posts
        balances = await town.bank.balances.of([town.everyday])
        await run(wrong.mends)

        assert not found, wrong
        assert frozen is wrong.freezes, wrong
        assert town.everyday.id in balances
        assert await proving.let_go(town.bank, DESK) == [], wrong
        await prover.round()
        assert holds(wrong.proof), wrong


def holds(proof: str) -> bool:
    """Read the gauge of a proof."""
    found = telemetry.registry.get_sample_value("sixpence_coherent", {"proof": proof})
    return found == 1


async def test_a_stop_is_told_to_the_phone_and_ends_when_the_bank_says_so(
    town: Town,
) -> None:
    waiting = await town.waiting(30)
    answer = await town.answer(waiting)
    before = await rows_of("payment")
    operations = SocketOperations(
        Engine(
            root.SCHEMA, town.bank.settings, town.bank.clock, town.bank.callers.charge
        ),
        town.bank,
    )
    async with aclosing(operations.run(town.actor, {"query": STATUS})) as stream:
        first = dict([await told(stream) for _ in range(4)])
        await run("UPDATE ledger_balance SET committed = committed + 1")
        await Prover(town.bank).round()
        stopped = await told(stream)
        refused = [await tried(town), await approved(town, answer)]
        home = await town.ask(text_of("home"), first=5)
        kept = await rows_of("payment"), await town.state(waiting)

        await run("UPDATE ledger_balance SET committed = committed - 1")
        broken = await proving.let_go(town.bank, DESK)
        going = await told(stream)
    paid = await approved(town, answer)

    assert set(first.values()) == {"OPERATIONAL"}
    assert stopped == ("TRANSFERS", "MAJOR_OUTAGE")
    assert refused == [{"payment": None, "userErrors": [AWAY]}] * 2
    assert len(home["me"]["accounts"]) == 2
    assert kept == (before, State.AWAITING_AUTHORISATION)
    assert (broken, going) == ([], ("TRANSFERS", "OPERATIONAL"))
    assert paid == {"payment": {"status": "SETTLED"}, "userErrors": []}
    assert await audited() == [
        ("ledger.frozen", "SYSTEM", None),
        ("ledger.unfrozen", "STAFF", "Meera"),
    ]


async def told(stream: AsyncIterator[Answer]) -> tuple[str, str]:
    """Give the next component that the phone hears of."""
    body = cast("dict[str, Any]", (await within(anext(stream))).body)
    found = body["data"]["serviceStatusChanged"]
    return found["component"], found["state"]


async def tried(town: Town) -> dict[str, Any]:
    """Try to create a payment."""
    wish = {
        "idempotencyKey": a_key(),
        "fromAccountId": str(town.everyday.id),
        "to": {"ownAccountId": str(town.savings.id)},
        "amount": {"minorUnits": 5, "currency": "INR"},
    }
    answer = (await town.ask(CREATE, input=wish))["paymentCreate"]
    return cast("dict[str, Any]", answer)


async def approved(town: Town, answer: dict[str, object]) -> dict[str, Any]:
    """Answer the challenge of a payment."""
    found = (await town.ask(RESPOND, input=answer))["challengeRespond"]
    return cast("dict[str, Any]", found)


async def rows_of(table: str) -> int:
    [row] = await database.read(f"SELECT count(*) AS n FROM {table}")  # noqa: S608  -- our own names
    return row.get("n", int)


async def audited() -> list[tuple[str, str, str | None]]:
    """Give what the audit log keeps of stops, oldest first."""
    rows = await database.read(
        "SELECT action, actor_kind, actor_id FROM audit_entry "
        "WHERE action LIKE 'ledger.%' ORDER BY at, seq"
    )
    return [
        (
            row.get("action", str),
            row.get("actor_kind", str),
            row.find("actor_id", str),
        )
        for row in rows
    ]
