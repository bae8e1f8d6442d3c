"""What every push provider promises, faults of the line included."""

from dataclasses import replace
from itertools import count

from structlog.testing import capture_logs

from app.integrations.push import (
    AddressDead,
    ConfigError,
    PayloadError,
    PushKind,
    PushMessage,
    Retry,
    Sent,
    Unknown,
)
from tests.integrations.kit.held import all_let_go, open_things
from tests.integrations.kit.promises import Promise, kept
from tests.integrations.kit.push_bench import PushBench
from tests.integrations.kit.rig import Fault

PREFIX = "SIXPENCE_PUSH_"
BATCH, DEAD, LONG = 60, 20, 40
MANY = 1000
_apps = count(1)


def an_address(push: PushBench) -> str:
    """Give an address that no other test wrote to."""
    return push.rig.address(next(_apps))


async def test_it_says_what_it_reaches_and_has_settings_of_its_own(
    push: PushBench,
) -> None:
    prefix = push.module.Settings.model_config["env_prefix"]

    kinds = push.provider.kinds
    kept(Promise.FORM, kinds and kinds <= set(PushKind), kinds)
    own = prefix.startswith(PREFIX) and prefix.endswith("_") and prefix != PREFIX
    kept(Promise.FORM, own, f"env_prefix {prefix!r}, not {PREFIX}<NAME>_")
    kept(Promise.PLACES, await push.provider.send([]) == [], "an answer to nothing")


async def test_it_opens_with_its_defaults(push: PushBench) -> None:
    settings = push.module.Settings()

    opened = await push.module.connect(settings, clock=push.rig.clock)
    await opened.close()

    kept(Promise.FORM, opened.kinds == push.provider.kinds, opened.kinds)


async def test_each_message_has_its_outcome_in_its_place_and_arrives_once(
    push: PushBench,
) -> None:
    rig = push.rig
    batch = [rig.message(an_address(push)) for _ in range(BATCH)]
    wanted: list[type] = [Sent] * BATCH
    if rig.dead is not None:
        batch[DEAD], wanted[DEAD] = rig.message(rig.dead), AddressDead
    if rig.too_long is not None:
        long = replace(batch[LONG], data={"n": rig.too_long})
        batch[LONG], wanted[LONG] = long, PayloadError

    with capture_logs() as logged:
        found = await push.provider.send(batch)
        told = repr((push.provider, batch, found))

    kinds = [type(one) for one in found]
    kept(Promise.PLACES, kinds == wanted, [one.__name__ for one in kinds])
    for message, kind in zip(batch, wanted, strict=True):
        if kind is Sent:
            await _arrived(push, message, 1)
    kept(Promise.SECRETS, logged, "nothing was logged")
    everything = told + repr((logged, rig.settings()))
    hidden = [*rig.secrets, *(message.address for message in batch)]
    shown = [at for at, one in enumerate(hidden) if one in everything]
    kept(Promise.SECRETS, not shown, f"numbers {shown} of secrets and addresses")


async def test_a_lost_answer_is_unknown_and_a_repeat_is_the_same_message(
    push: PushBench,
) -> None:
    if Fault.DROP_AFTER_WORK not in push.rig.faults:
        return
    message = push.rig.message(an_address(push))
    await push.rig.fault(Fault.DROP_AFTER_WORK)

    lost = await push.provider.send([message])
    again = await push.provider.send([message])

    kept(Promise.UNSURE, isinstance(lost[0], Unknown), lost)
    kept(Promise.PLACES, isinstance(again[0], Sent), again)
    await _arrived(push, message, 2)


async def test_what_was_surely_not_taken_is_to_be_tried_again(
    push: PushBench,
) -> None:
    for fault in (Fault.TURNED_AWAY, Fault.UNTRUSTED):
        if fault not in push.rig.faults:
            continue
        message = push.rig.message(an_address(push))
        await push.rig.fault(fault, MANY)
        async with push.anew() as other:
            said = await other.send([message])
        await push.rig.no_faults()

        kept(Promise.NOT_SENT, isinstance(said[0], Retry | ConfigError), (fault, said))
        await _arrived(push, message, 0)


async def test_a_closed_provider_sends_nothing_and_holds_nothing(
    push: PushBench,
) -> None:
    message = push.rig.message(an_address(push))
    before = open_things()

    async with push.anew() as other:
        sent = await other.send([message])
    left = await all_let_go(before)

    kept(Promise.PLACES, isinstance(sent[0], Sent), sent)
    kept(Promise.CLOSE, not left, f"{left} still open")
    if push.rig.faults:
        closed = await other.send([message])
        kept(Promise.CLOSE, closed == [Retry()], closed)


async def _arrived(push: PushBench, message: PushMessage, wanted: int) -> None:
    found = await push.rig.arrived(message.address)
    kept(Promise.PLACES, found in (None, wanted), f"{found} arrived, not {wanted}")
