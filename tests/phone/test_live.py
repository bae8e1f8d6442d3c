"""The live stream over a real socket: resume, renew, stop."""

import asyncio

import pytest

from mock_mobile_client.errors import (
    NotReady,
    NotSeen,
    Refused,
    SocketClosed,
    Unreachable,
)
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone
from tests.phone.conftest import Fake
from tests.phone.fake_parts import Account, Caller, Fault, Node


async def signed_in(fake: Fake) -> Phone:
    phone = fake.phone("asha")
    await phone.start()
    return phone


def change(fake: Fake) -> Account:
    """One more minor unit on Asha's first account."""
    account = fake.bank.customers[0].accounts[0]
    account.minor += 1
    account.version += 1
    fake.bank.publish(account)
    return account


async def test_a_change_is_shown_by_both_subscriptions_unasked(fake: Fake) -> None:
    async with await signed_in(fake) as phone, phone.live() as live:
        shown = await live.balance("Everyday")
        assert shown.available == money("48250.00 INR")

        account = change(fake)

        fresh = (await phone.account("Everyday")).balance
        assert fresh is not None
        await live.until_shown(account.id, fresh)
        assert (await live.balance("Everyday")).available == money("48250.01 INR")
        assert phone.handset.state.cursor == live.picture.cursor


@pytest.mark.parametrize("code", [4410, 4499, 4408, 1012])
async def test_a_closed_socket_resumes_without_a_hole(fake: Fake, code: int) -> None:
    async with await signed_in(fake) as phone, phone.live() as live:
        change(fake)
        await live.until(lambda: live.picture.sequence == 1, "the first change")
        fake.edge.close(phone.handset.token, code, '{"retryAfterMs":10}')
        await live.until(lambda: len(live.closings) == 1, "the close")
        for _ in range(5):
            change(fake)

        await live.until(lambda: live.picture.sequence == 6, "everything missed")

        numbers = [one.sequence for one in live.picture.applied if one.kind == BALANCE]
        assert numbers == [1, 2, 3, 4, 5, 6]
        assert [closed.code for closed in live.closings] == [code]


async def test_a_line_that_breaks_resumes_too(fake: Fake) -> None:
    async with await signed_in(fake) as phone, phone.live() as live:
        await live.cut()
        await live.until(lambda: live.connections == 2, "the second connection")
        change(fake)

        await live.until(lambda: live.picture.sequence == 1, "the change")

        assert live.closings[0].code == 1006


async def test_an_expired_token_is_renewed_and_the_stream_goes_on(fake: Fake) -> None:
    async with await signed_in(fake) as phone, phone.live() as live:
        before = phone.handset.token
        fake.edge.close(before, 4419)
        await live.until(lambda: live.connections == 2, "the second connection")
        change(fake)

        await live.until(lambda: live.picture.sequence == 1, "the change")

        assert phone.handset.token != before


async def test_a_renewal_that_reaches_nobody_is_tried_again_and_ends_nothing(
    fake: Fake,
) -> None:
    async with await signed_in(fake) as phone, phone.live() as live:
        phone.handset.api.offline = True
        fake.edge.close(phone.handset.token, 4419)
        await live.until(lambda: live.connections == 2, "the second connection")
        phone.handset.api.offline = False
        change(fake)

        await live.until(lambda: live.picture.sequence == 1, "the change")

        assert live.ended is None


async def test_a_signed_out_phone_stops(fake: Fake) -> None:
    async with await signed_in(fake) as phone, phone.live() as live:
        await phone.logout()

        closed = await live.until_closed()

        assert closed.code == 4401
        assert live.connections == 1
        with pytest.raises(SocketClosed):
            await live.until(lambda: False, "anything")


async def test_without_resume_every_close_is_the_end(fake: Fake) -> None:
    async with await signed_in(fake) as phone, phone.live(resume=False) as live:
        fake.edge.close(phone.handset.token, 4410)

        assert (await live.until_closed()).code == 4410
        assert live.connections == 1


async def test_a_hole_in_the_numbers_is_asked_for_again(fake: Fake) -> None:
    async with await signed_in(fake) as phone, phone.live() as live:
        (_, _, queue) = fake.edge.sockets[0]
        fake.bank.on_event = lambda _customer, _event: None
        change(fake)
        fake.bank.on_event = lambda _customer, event: queue.put_nowait({"event": event})
        change(fake)

        await live.until(lambda: live.picture.sequence == 2, "both changes")

        numbers = [one.sequence for one in live.picture.applied if one.kind == BALANCE]
        assert numbers == [1, 2]
        assert live.connections == 1


async def test_a_ping_is_answered_and_an_unknown_event_is_passed_over(
    fake: Fake,
) -> None:
    async with await signed_in(fake) as phone, phone.live() as live:
        asha = fake.bank.customers[0]
        (_, _, queue) = fake.edge.sockets[0]
        queue.put_nowait({"raw": {"type": "ping"}})
        fake.bank.append(asha, {"__typename": "SomethingNew"})

        await live.until(lambda: live.picture.sequence == 1, "the unknown event")

        assert live.picture.applied[-1].kind == "SomethingNew"


async def test_an_error_of_an_operation_is_a_refusal(fake: Fake) -> None:
    async with await signed_in(fake) as phone, phone.live() as live:
        (_, _, queue) = fake.edge.sockets[0]
        extensions = {"code": "BAD_REQUEST", "requestId": "req-7"}
        error: Node = {"message": "no such cursor", "extensions": extensions}
        frame = {"id": "events-1", "type": "error", "payload": [error]}
        queue.put_nowait({"raw": frame})

        with pytest.raises(Refused) as told:
            await live.until(lambda: False, "anything")

    assert (told.value.code, told.value.request_id) == ("BAD_REQUEST", "req-7")


async def test_what_does_not_come_is_named(fake: Fake) -> None:
    async with await signed_in(fake) as phone, phone.live() as live:
        with pytest.raises(NotSeen, match="for a miracle"):
            await live.until(lambda: False, "a miracle", timeout_s=0.05)


async def test_a_bank_without_a_socket_is_unreachable(fake: Fake) -> None:
    async with await signed_in(fake) as phone:
        phone.handset.api.door = "http://127.0.0.1:1/graphql"
        with pytest.raises(Unreachable):
            async with phone.live():
                await asyncio.sleep(0)


async def test_a_sleeping_phone_resumes_where_it_was(fake: Fake) -> None:
    async with await signed_in(fake) as phone, phone.live() as live:
        change(fake)
        await live.until(lambda: live.picture.sequence == 1, "the first change")
        await phone.sleep()
        for _ in range(20):
            change(fake)
        assert live.picture.sequence == 1

        await phone.wake()

        resume = live.picture.resume
        assert resume.opening.body["missed"] == 20
        assert [one.sequence for one in resume.missed] == list(range(2, 22))
        assert resume.caught_up is not None
        assert live.picture.repeated == []
        with pytest.raises(NotReady, match="awake"):
            await live.wake()


async def test_a_cut_that_lasts_has_no_close_frame_and_no_second_try(
    fake: Fake,
) -> None:
    async with await signed_in(fake) as phone, phone.live() as live:
        await live.cut(stay_away=True)
        await asyncio.sleep(0.7)  # longer than the first pause before a new try
        assert live.connections == 1
        change(fake)

        await live.wake()

        assert [one.sequence for one in live.picture.resume.missed] == [1]


async def test_a_program_started_anew_goes_on_from_its_store(fake: Fake) -> None:
    async with await signed_in(fake) as phone:
        async with phone.live() as live:
            account = change(fake)
            await live.until(lambda: live.picture.sequence == 1, "the change")
        shown = live.picture.by_event
        await phone.restart()
        fake.bank.append(fake.bank.customers[0], {"__typename": "SomethingNew"})

        async with phone.live_again() as live:
            await live.until(live.is_caught_up, "the past")

            assert live.picture.by_event == shown
            assert account.id in shown
            assert [one.kind for one in live.picture.resume.missed] == ["SomethingNew"]


async def test_after_a_reset_the_snapshot_is_loaded_and_the_stream_goes_on(
    fake: Fake,
) -> None:
    async with await signed_in(fake) as phone:
        account = change(fake)
        for _ in range(500):
            account = change(fake)
        asha = fake.bank.customers[0]
        async with phone.live(after=asha.cursor(0)) as live:
            assert live.picture.resume.opening.body["reason"] == "TOO_FAR_BEHIND"
            fresh = (await phone.account("Everyday")).balance
            assert live.picture.by_event[account.id] == fresh
            assert phone.handset.state.cursor == asha.cursor(501)
            assert phone.handset.state.shown[account.id]["version"] == 502

            change(fake)

            await live.until(lambda: live.picture.sequence == 502, "the next change")
            assert live.picture.by_event[account.id].version == 503


async def test_a_reset_without_its_snapshot_leaves_the_old_place(fake: Fake) -> None:
    async with await signed_in(fake) as phone:
        for _ in range(501):
            change(fake)
        asha = fake.bank.customers[0]
        old = asha.cursor(0)
        phone.handset.keep(cursor=old)
        phone.handset.api.offline = True

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1), phone.live(after=old):
                await asyncio.sleep(0)

        assert phone.handset.state.cursor == old


async def test_what_was_shown_is_told_to_the_bank_once_a_second(fake: Fake) -> None:
    async with await signed_in(fake) as phone, phone.live() as live:
        for _ in range(5):
            change(fake)
        asha = fake.bank.customers[0]

        await live.until(
            lambda: live.acks.acknowledged == asha.cursor(5), "the acknowledgement"
        )

        assert fake.bank.acked == [asha.cursor(5)]
        assert live.acks.sent == 1


async def test_a_refused_acknowledgement_does_not_end_the_stream(fake: Fake) -> None:
    def never(caller: Caller, given: Node) -> Node:
        raise Fault("NOT_SUPPORTED", 200)

    fake.bank.eventsAck = never  # type: ignore[method-assign]  # a bank without it
    async with await signed_in(fake) as phone, phone.live() as live:
        change(fake)
        await live.until(lambda: live.acks.sent == 1, "the acknowledgement", 3)
        change(fake)

        await live.until(lambda: live.picture.sequence == 2, "the second change")

        assert live.acks.acknowledged is None
        assert live.ended is None


BALANCE = "BalanceChanged"
