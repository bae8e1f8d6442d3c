"""The code is read from the SMS, and never from an old one."""

import asyncio

import pytest

from mock_mobile_client.errors import Unreachable
from mock_mobile_client.notifications import Inbox, Sms
from tests.phone.conftest import Fake


def test_the_code_stands_after_the_autofill_mark() -> None:
    text = '<#> 482913 adds phone "Pixel 9" to your bank.\n@localhost #482913'

    assert Sms(1, "", text).otp == "482913"


@pytest.mark.parametrize("text", ["482913 adds", "<#> 48291 x", "<#> 4829133", "hello"])
def test_other_messages_carry_no_code(text: str) -> None:
    assert Sms(1, "", text).otp is None


async def test_a_message_is_read_once_and_an_old_one_never(fake: Fake) -> None:
    asha = fake.bank.customers[0]
    arrive(fake, "<#> 111111 old")
    inbox = Inbox(fake.url, asha.phone)

    await inbox.skip()
    arrive(fake, "<#> 222222 new")

    assert await inbox.otp(wait_s=0) == "222222"
    with pytest.raises(Unreachable, match="no SMS"):
        await inbox.otp(wait_s=0)


async def test_a_notice_that_comes_before_the_code_is_passed_over(fake: Fake) -> None:
    inbox = Inbox(fake.url, fake.bank.customers[0].phone)
    await inbox.skip()
    arrive(fake, "A phone was added to your bank.")
    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(inbox.otp(wait_s=5))
        await asyncio.sleep(0.05)
        arrive(fake, "<#> 333333 new")

    assert asked.result() == "333333"


async def test_a_sandbox_that_is_not_there_is_named() -> None:
    with pytest.raises(Unreachable, match="--sandbox"):
        await Inbox("http://127.0.0.1:1", "+9155500001").skip()


def arrive(fake: Fake, text: str) -> None:
    sms = fake.bank.customers[0].sms
    row = {"id": len(sms) + 1, "kind": "sms", "at": "now", "body": {"text": text}}
    sms.append(row)
