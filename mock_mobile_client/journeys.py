"""The numbered scenario of `demo`: two customers, two phones.

One run spends at most 100.00 INR, and the last steps bring back what stays in the bank;
what goes to another one is 1.13 INR. So it works any number of times on one database.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from mock_mobile_client.enums import PaymentStatus
from mock_mobile_client.errors import PhoneError, ProofFailed, Refused, expect
from mock_mobile_client.following import (
    components_now,
    components_told,
    settle_watched,
)
from mock_mobile_client.journeys_abroad import (
    pay_abroad,
    see_it_settled,
    see_the_hold,
)
from mock_mobile_client.journeys_inbox import read_the_inbox
from mock_mobile_client.journeys_limits import meet_a_limit
from mock_mobile_client.journeys_live import (
    listen_for_pushes,
    lose_the_line,
    sleep_and_wake,
)
from mock_mobile_client.journeys_sign_in import (
    copy_refresh_token,
    pay_with_passkey,
    refresh_tokens,
    register_passkey,
    set_biometric_key,
    sign_in_with_passkey,
    use_biometric_key,
)
from mock_mobile_client.journeys_wishes import (
    choose_what_is_told,
    show_before_sign_in,
)
from mock_mobile_client.money import money
from mock_mobile_client.phone import EVERYDAY, Phone, introduce
from mock_mobile_client.stage import SAVINGS, Stage, everyday, moved, present

PAID, LOST, MOVED = money("25.00 INR"), money("10.00 INR"), money("5.00 INR")
ENDED_SESSION = 4401
WRONG_PIN = "508143"


async def enrol(stage: Stage) -> str:
    """Activation code, SMS, device key."""
    told = []
    for phone in (stage.asha, stage.ben):
        device = await phone.bind()
        jkt = phone.handset.key.jkt[:8]
        state = "already bound" if device is None else f"bound, {device.state}"
        told.append(f"{phone.name} {state} (key {jkt}…)")
    return ", ".join(told)


async def set_mpin(stage: Stage) -> str:
    """The PIN stays on the phone, a secret goes to the bank once."""
    fresh = [await phone.set_mpin() for phone in (stage.asha, stage.ben)]
    return ", ".join("set" if one else "already set" for one in fresh)


async def login(stage: Stage) -> str:
    """Device key and mPIN over one challenge."""
    tokens = [await phone.login() for phone in (stage.asha, stage.ben)]
    return f"access until {tokens[0].expires_at[11:19]} UTC"


async def home(stage: Stage) -> str:
    """Everything a home screen shows, from one query."""
    stage.asha_at_first = await stage.asha.home()
    shown = [
        f"{one.name} {one.balance.available.formatted}"
        for one in stage.asha_at_first.accounts
        if one.balance is not None
    ]
    return f"{stage.asha_at_first.display_name}: {', '.join(shown)}"


async def watch(stage: Stage) -> str:
    """Open `events` and `balanceChanged` on one socket per phone."""
    position = present(stage.asha_at_first).stream_position
    opened = stage.open_streams
    stage.asha_live = await opened.enter_async_context(stage.asha.live(after=position))
    stage.ben_live = await opened.enter_async_context(stage.ben.live())
    numbers = [live.picture.sequence for live in stage.streams]
    return f"Asha-1 at event {numbers[0]}, Ben-1 at event {numbers[1]}"


async def befriend(stage: Stage) -> str:
    """A payee, approved by step-up; Ben reads his number to Asha."""
    payee, fresh = await introduce(stage.asha, stage.ben)
    state = "saved" if fresh else "already saved"
    return f"{payee.nickname} {payee.masked_account or ''} {state}"


async def pay(stage: Stage) -> str:
    """The mPIN approves amount and payee as the payload names them."""
    stage.asha_before = await everyday(stage.asha)
    stage.ben_before = await everyday(stage.ben)
    asha, told = stage.asha, list[str]()
    order = await asha.order(stage.ben.owner.name, PAID)
    paid = await settle_watched(
        asha.payments, asha.handset, order, lambda state: told.append(state.status)
    )
    expect("status of the payment", PaymentStatus.SETTLED, paid.status)
    first_and_last = (PaymentStatus.AWAITING_AUTHORISATION, PaymentStatus.SETTLED)
    expect("told by paymentProgress", first_and_last, (told[0], told[-1]))
    states = " → ".join(dict.fromkeys(told))
    return f"{paid.amount.formatted} to {paid.payee_name}: {states}"


async def hear_the_status(stage: Stage) -> str:
    """How the bank is, told to a phone that shows no token."""
    asked = await components_now(stage.ben.handset)
    told = await components_told(stage.ben.handset, len(asked))
    expect("components", [one.name for one in asked], [one.name for one in told])
    return ", ".join(f"{one.name} {one.state}" for one in told)


async def see_it(stage: Stage) -> str:
    """Nobody asks, both phones show it; a fresh query says the same."""
    asha = await moved(stage.asha, stage.asha_before, PAID.times(-1))
    ben = await moved(stage.ben, stage.ben_before, PAID)
    for phone, live, fresh in zip(
        (stage.asha, stage.ben), stage.streams, (asha, ben), strict=True
    ):
        await live.until_shown((await phone.account(EVERYDAY)).id, fresh)
    return f"Asha-1 {asha.available.formatted}, Ben-1 {ben.available.formatted}"


async def lose_replies(stage: Stage) -> str:
    """Two answers are lost, the same variables are sent again: one debit."""
    payments = stage.asha.payments
    before = await everyday(stage.asha)
    order = await stage.asha.order(stage.ben.owner.name, LOST)
    lost = await payments.create_losing_reply(order)
    created = await payments.send_again(lost)
    expect("replayed", expected=True, seen=created.replayed)
    answer = await payments.approval(order, created)
    lost = await payments.respond_losing_reply(order.key, answer)
    paid = await payments.final(await payments.send_again(lost))
    expect("payment", (created.id, PaymentStatus.SETTLED), (paid.id, paid.status))
    await moved(stage.asha, before, LOST.times(-1))
    return "paymentCreate replayed, challengeRespond repeated, one debit"


async def move_own(stage: Stage) -> str:
    """Between own accounts, and back."""
    before = await everyday(stage.asha)
    for source, target in ((EVERYDAY, SAVINGS), (SAVINGS, EVERYDAY)):
        paid = await stage.asha.pay(target, MOVED, source=source)
        expect(f"{source} to {target}", PaymentStatus.SETTLED, paid.status)
    await moved(stage.asha, before, MOVED.times(0))
    return f"{MOVED} to {SAVINGS} and back"


async def mistype(stage: Stage) -> str:
    """A wrong PIN costs a try; the right one gives the tries back."""
    live, _ = stage.streams
    try:
        await stage.asha.session.login(WRONG_PIN)
    except Refused as refused:
        expect("code of a wrong PIN", "INVALID_CREDENTIAL", refused.code)
        left = refused.attempts_left
    else:
        raise ProofFailed("a wrong PIN", "a refusal", "a session")
    connections = live.connections
    await stage.asha.login(pin=stage.asha.owner.pin)
    await live.until(lambda: live.connections > connections, "the stream to resume")
    return f"{left} tries left, then signed in; the stream resumed by itself"


async def pay_back(stage: Stage) -> str:
    """Ben returns everything, so both end as they began."""
    await introduce(stage.ben, stage.asha)
    back = await stage.ben.pay(stage.asha.owner.name, PAID.plus(LOST))
    expect("status of Ben's payment", PaymentStatus.SETTLED, back.status)
    first = present(stage.asha_at_first).accounts
    last = (await stage.asha.home()).accounts
    for was, now in zip(first, last, strict=True):
        left = present(was.balance).available
        if stage.gone is not None and was.name == SAVINGS:
            left = left.minus(stage.gone)
        expect(f"{was.name} after all", left, present(now.balance).available)
    live, _ = stage.streams
    await live.until_shown(first[0].id, await everyday(stage.asha))
    return f"{back.amount.formatted}, balances as at the start"


async def sign_out(stage: Stage) -> str:
    """The session ends, its token and its socket with it."""
    for phone, live in zip((stage.asha, stage.ben), stage.streams, strict=True):
        token = phone.handset.token
        await phone.logout()
        closed = await live.until_closed()
        expect(f"close code of {phone.name}", ENDED_SESSION, closed.code)
        phone.handset.keep(token=token)
        try:
            await phone.handset.call("home", {})
        except Refused as refused:
            expect("code of an ended session", "UNAUTHENTICATED", refused.code)
        else:
            raise ProofFailed("a token after logout", "a refusal", "the home screen")
        finally:
            phone.handset.keep(token=None)
    return "tokens refused, sockets closed 4401"


Step = Callable[[Stage], Awaitable[str]]
SCENARIO: tuple[tuple[str, Step], ...] = (
    ("Asha-1 and Ben-1 enrol by activation code and SMS", enrol),
    ("set an mPIN", set_mpin),
    ("sign in with it", login),
    ("Asha registers a passkey by step-up", register_passkey),
    ("sets a biometric key by step-up", set_biometric_key),
    ("home screen in one query", home),
    ("anybody hears how the bank is", hear_the_status),
    ("open the live streams", watch),
    ("Asha adds Ben as payee by step-up", befriend),
    ("asks for more than a limit lets through", meet_a_limit),
    ("pays Ben, approves amount and payee", pay),
    ("both balances moved on both phones, unasked", see_it),
    ("pays another bank: name check, quote, approval", pay_abroad),
    ("its rail does not know: the money stays held", see_the_hold),
    ("loses two replies, sends the same again", lose_replies),
    ("moves money between own accounts", move_own),
    ("signs in with the passkey", sign_in_with_passkey),
    ("approves a payment with it", pay_with_passkey),
    ("signs in and approves with a finger", use_biometric_key),
    ("the socket is cut, 20 changes happen, it resumes", lose_the_line),
    ("both tell where their pushes arrive", listen_for_pushes),
    ("each sleeps, is paid, and APNs and FCM wake it", sleep_and_wake),
    ("Ben reads it in the inbox, with its figures", read_the_inbox),
    ("Asha is told of a low balance, security stays on", choose_what_is_told),
    ("shows a balance before sign-in, here only", show_before_sign_in),
    ("Asha mistypes the mPIN", mistype),
    ("refreshes her tokens", refresh_tokens),
    ("a copied refresh token is refused", copy_refresh_token),
    ("the other bank's rail settles, by its own word", see_it_settled),
    ("Ben pays everything back", pay_back),
    ("both sign out", sign_out),
)


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step as it went; `error` is None when it passed."""

    number: int
    title: str
    took_ms: int
    note: str
    error: Exception | None = None


async def play(
    asha: Phone, ben: Phone, tell: Callable[[StepReport], None]
) -> list[StepReport]:
    """Play the scenario; ends at the first step that fails, which is the last told.

    Only what a phone or a proof raises on purpose counts as failed; anything else is
    a mistake of this program and is raised.
    """
    reports = []
    async with asha, ben, AsyncExitStack() as open_streams:
        stage = Stage(asha, ben, open_streams)
        for number, (title, step) in enumerate(SCENARIO, start=1):
            report = await _timed(number, title, step, stage)
            reports.append(report)
            tell(report)
            if report.error is not None:
                break
    return reports


async def _timed(number: int, title: str, step: Step, stage: Stage) -> StepReport:
    """Run one step and take its time."""
    began = time.perf_counter()
    note, error = "", None
    try:
        note = await step(stage)
    except (PhoneError, ProofFailed) as failure:
        error = failure
    took_ms = round((time.perf_counter() - began) * 1000)
    return StepReport(number, title, took_ms, note, error)
