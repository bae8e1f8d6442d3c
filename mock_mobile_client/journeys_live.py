"""Steps of the scenario about a lost line, and about a phone that sleeps.

Together they leave the balances as they were: what Ben pays in the one, Asha pays back
in the other.
"""

from datetime import datetime

from mock_mobile_client.drawer import Note
from mock_mobile_client.enums import PaymentStatus
from mock_mobile_client.errors import ProofFailed, expect
from mock_mobile_client.live import Live
from mock_mobile_client.money import MoneyValue, money
from mock_mobile_client.phone import EVERYDAY, Phone, introduce
from mock_mobile_client.push import Push
from mock_mobile_client.stage import SAVINGS, Stage, everyday, moved, present
from mock_mobile_client.stream import Resume
from mock_mobile_client.world_clock import WorldClock

CHANGES = 20
SHARE = money("1.00 INR")
SHARES = 2
MONEY_IN = "MONEY_IN"


async def listen_for_pushes(stage: Stage) -> str:
    """Both phones tell the bank their addresses at the providers, and listen there."""
    told = []
    for phone in (stage.asha, stage.ben):
        await phone.drawer.open()
        address = phone.drawer.installation
        told.append(f"{phone.name} {phone.drawer.carrier.name} {address[:6]}…")
    return f"{', '.join(told)}, under the device key alone"


async def lose_the_line(stage: Stage) -> str:
    """The socket dies without a close frame; what happens meanwhile comes exactly."""
    asha, (live, _) = stage.asha, stage.streams
    await introduce(stage.ben, asha)
    before, start = await everyday(asha), present(live.picture.sequence)
    await live.cut(stay_away=True)
    for source, target in ((EVERYDAY, SAVINGS), (SAVINGS, EVERYDAY)):
        paid = await asha.pay(target, SHARE, source=source)
        expect(f"{source} to {target}", PaymentStatus.SETTLED, paid.status)
    for _ in range(SHARES):
        await stage.ben.pay(asha.owner.name, SHARE)
    await live.wake()
    missed = _exact(live.picture.resume, start)
    expect("what came twice", [], live.picture.repeated)
    if missed < CHANGES:
        raise ProofFailed("changes meanwhile", f"{CHANGES} or more", missed)
    fresh = await moved(asha, before, SHARE.times(SHARES))
    await live.until_shown((await asha.account(EVERYDAY)).id, fresh)
    return f"{missed} missed, {missed} told in order, none twice, then live"


async def sleep_and_wake(stage: Stage) -> str:
    """Phones that sleep get pushes, and nothing about money is in them."""
    asha_live, ben_live = stage.streams
    wakes = (
        (stage.ben, ben_live, stage.asha, SHARE.times(SHARES + 1)),
        (stage.asha, asha_live, stage.ben, SHARE),
    )
    told = [await _woken(*one) for one in wakes]
    return f"{', '.join(told)}; no amount in them; caught up"


async def _woken(phone: Phone, live: Live, payer: Phone, amount: MoneyValue) -> str:
    """One phone sleeps, is paid, hears of it by its provider, and resumes."""
    before, start = await everyday(phone), present(live.picture.sequence)
    await phone.sleep()
    await payer.pay(phone.owner.name, amount)

    def is_news(push: Push) -> bool:
        return push.category == MONEY_IN and push.sequence > start

    note = await phone.drawer.until_note(is_news, "the push")
    note.push.expect_bare()
    _expect_no_figure(note)
    expect("times shown", 1, note.came)
    await phone.wake()
    _exact(live.picture.resume, start)
    lag_ms = await _lag_ms(phone, note, live.picture.resume)
    await phone.drawer.tap(note.push.id)
    fresh = await moved(phone, before, amount)
    await live.until_shown((await phone.account(EVERYDAY)).id, fresh)
    return f"{note.push.service} wakes {phone.name} after {lag_ms:.0f} ms"


def _exact(resume: Resume, start: int) -> int:
    """Everything after `start`, once, in order, then the end of it; gives how many."""
    expect("opening", "StreamReady", resume.opening.kind)
    count = int(resume.opening.body["missed"])
    numbers = [event.sequence for event in resume.missed]
    expect("events", list(range(start + 1, start + count + 1)), numbers)
    expect("caught up at", start + count, present(resume.caught_up).sequence)
    return count


async def _lag_ms(phone: Phone, note: Note, resume: Resume) -> float:
    """From when it happened to when the provider's message was there.

    Raises:
        ProofFailed: the push is about no event that the resume told.
    """
    ahead_s = await WorldClock(phone.sandbox).offset_s()
    for event in resume.missed:
        if event.sequence == note.push.sequence:
            happened = datetime.fromisoformat(event.occurred_at).timestamp()
            return (note.push.came_at + ahead_s - happened) * 1000
    raise ProofFailed("the event of the push", note.push.sequence, "not told")


def _expect_no_figure(note: Note) -> None:
    """The words for a locked screen hold no figure either."""
    text = present(note.text)
    shown = f"{text.title} {text.body}"
    if any(letter.isdigit() for letter in shown):
        raise ProofFailed("text of a push", "no figure", shown)
