"""What every text gateway promises, faults of the line included."""

from dataclasses import replace
from itertools import count

from structlog.testing import capture_logs

from app.errors import Outage
from app.ids import uuid7
from app.integrations.outcome import (
    NotSent,
    Ok,
    OpRef,
    PortCode,
    Rejected,
    Unknown,
)
from tests.integrations.kit.held import all_let_go, open_things
from tests.integrations.kit.promises import Promise, kept
from tests.integrations.kit.rig import NEEDED, Fault
from tests.integrations.kit.sms_bench import SmsBench

PREFIX = "SIXPENCE_SMS_"
TEXT = "482913 adds a phone"
MANY = 1000
_phones = count(1)


def an_op() -> OpRef:
    """Name a new op."""
    return OpRef(uuid7(), b"f" * 32)


def a_phone(sms: SmsBench) -> str:
    """Give a number that no other test wrote to."""
    return sms.rig.number(next(_phones))


async def test_it_has_settings_of_its_own(sms: SmsBench) -> None:
    prefix = sms.module.Settings.model_config["env_prefix"]

    own = prefix.startswith(PREFIX) and prefix.endswith("_") and prefix != PREFIX
    kept(Promise.FORM, own, f"env_prefix {prefix!r}, not {PREFIX}<NAME>_")


async def test_a_text_arrives_once_however_often_it_is_sent(sms: SmsBench) -> None:
    op, phone = an_op(), a_phone(sms)

    answers = [await sms.sender.send(op, phone, TEXT) for _ in range(3)]

    kept(Promise.SAME_ANSWER, answers[0] == answers[1] == answers[2], answers)
    kept(Promise.ONCE, isinstance(answers[0], Ok), answers)
    await _arrived(sms, phone, [TEXT])


async def test_another_text_under_the_same_op_is_not_sent(sms: SmsBench) -> None:
    if not sms.rig.faults:
        return  # without a partner nobody remembers
    op, phone = an_op(), a_phone(sms)
    await sms.sender.send(op, phone, TEXT)

    other = await sms.sender.send(replace(op, fingerprint=b"x" * 32), phone, "two")

    mismatch = isinstance(other, Rejected) and other.code is PortCode.DUPLICATE_MISMATCH
    kept(Promise.OTHER_BODY, mismatch, other)
    await _arrived(sms, phone, [TEXT])


async def test_an_answer_that_does_not_come_is_unknown_and_a_repeat_is_no_second_text(
    sms: SmsBench,
) -> None:
    for fault in NEEDED:
        if fault not in sms.rig.faults:
            continue
        op, phone = an_op(), a_phone(sms)
        async with sms.anew(hasty=fault is Fault.SLOW) as hasty:
            await sms.rig.fault(fault)
            try:
                lost: object = await hasty.send(op, phone, TEXT)
            except Outage as raised:
                lost = raised
        await sms.rig.no_faults()

        kept(Promise.UNSURE, isinstance(lost, Unknown), f"{fault}: {lost!r}")
        again = await sms.sender.send(op, phone, TEXT)
        kept(Promise.ONCE, isinstance(again, Ok), f"{fault}, sent again: {again}")
        await _arrived(sms, phone, [TEXT])


async def test_what_was_surely_not_taken_raises_and_nothing_arrives(
    sms: SmsBench,
) -> None:
    for fault in (Fault.TURNED_AWAY, Fault.UNTRUSTED):
        if fault not in sms.rig.faults:
            continue
        phone = a_phone(sms)
        await sms.rig.fault(fault, MANY)
        try:
            said: object = await sms.sender.send(an_op(), phone, TEXT)
        except NotSent as raised:
            said = raised
        await sms.rig.no_faults()

        kept(Promise.NOT_SENT, isinstance(said, NotSent), f"{fault}: {said!r}")
        await _arrived(sms, phone, [])


async def test_a_gateway_that_is_away_was_surely_not_reached(sms: SmsBench) -> None:
    if not sms.rig.faults:
        return
    async with sms.anew(away=True) as nowhere:
        try:
            said: object = await nowhere.send(an_op(), a_phone(sms), TEXT)
        except NotSent as raised:
            said = raised

    kept(Promise.NOT_SENT, isinstance(said, NotSent), repr(said))
    component = getattr(said, "component", None)
    kept(Promise.NOT_SENT, component == "LOGIN", f"component {component}, not LOGIN")


async def test_close_lets_go_of_everything_and_no_code_is_told(sms: SmsBench) -> None:
    before, phone = open_things(), a_phone(sms)

    with capture_logs() as logged:
        async with sms.anew() as other:
            told = repr((await other.send(an_op(), phone, TEXT), other))

    left = await all_let_go(before)
    kept(Promise.CLOSE, not left, f"{left} still open")
    everything = repr((told, logged, sms.rig.settings()))
    for number, hidden in enumerate((*sms.rig.secrets, TEXT, phone)):
        kept(Promise.SECRETS, hidden not in everything, f"number {number} of the list")


async def _arrived(sms: SmsBench, phone: str, wanted: list[str]) -> None:
    found = await sms.rig.arrived(phone)
    kept(Promise.ONCE, found in (None, wanted), f"{found} arrived, not {wanted}")
