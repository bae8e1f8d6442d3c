"""Who may open a socket now: buckets, the line, and what an address counts as."""

import asyncio

import pytest

from app import settings as app_settings
from app.clock import Clock, StoppedClock
from app.realtime import admission
from app.realtime.admission import Admission, Bucket, Turned, network_of
from app.written import Rate


def test_a_bucket_gives_back_its_tokens_evenly() -> None:
    bucket = Bucket(size=2, per_s=4, at=0)

    assert [bucket.take(0) for _ in range(3)] == [True, True, False]
    assert bucket.wait_s(0) == pytest.approx(0.25)
    assert bucket.take(0.25)
    assert not bucket.take(0.3)
    assert [bucket.take(100) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("2001:db8:0:1::7", "2001:db8:0:1::/64"),
        ("not an address", "not an address"),
    ],
)
def test_an_ipv6_address_counts_by_its_64(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_each_address_has_its_own_bucket(clock: StoppedClock) -> None:
    chosen = app_settings.load(env="test").model_copy(
        update={"limit_factor": 1, "limit_address_handshakes": Rate(2, 60)}
    )
    judge = Admission(chosen, clock).judge

    assert [await judge("192.0.2.1") for _ in range(2)] == [None, None]
    assert await judge("192.0.2.1") == Turned(429, 31)
    assert await judge("192.0.2.2") is None
    clock.move(seconds=30)
    assert await judge("192.0.2.1") is None


async def test_a_storm_waits_in_line_and_what_is_over_the_line_comes_back_later() -> (
    None
):
    chosen = app_settings.load(env="test").model_copy(update={"socket_admit_per_s": 10})
    door = Admission(chosen, Clock())
    began = asyncio.get_running_loop().time()

    answers = await asyncio.gather(*(door.judge("192.0.2.1") for _ in range(12)))
    took_s = asyncio.get_running_loop().time() - began
    storm = [asyncio.ensure_future(door.judge("192.0.2.1")) for _ in range(80)]
    await asyncio.sleep(0.01)
    turned = [one.result() for one in storm if one.done()]
    for one in storm:
        one.cancel()
    await asyncio.gather(*storm, return_exceptions=True)

    assert answers == [None] * 12
    assert 0.15 <= took_s < 2
    assert turned
    assert all(isinstance(one, Turned) and one.status == 503 for one in turned)
    assert all(2 <= one.retry_after_s <= 20 for one in turned if one is not None)


async def test_idle_addresses_are_forgotten_before_the_table_is_full(
    clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_ADDRESSES_MAX", 3)
    chosen = app_settings.load(env="test").model_copy(
        update={"limit_factor": 1, "limit_address_handshakes": Rate(1, 60)}
    )
    door = Admission(chosen, clock)
    for number in range(3):
        await door.judge(f"192.0.2.{number}")
    clock.move(seconds=60)
    busy = await door.judge("192.0.2.1")
    fourth = await door.judge("192.0.2.9")

    assert (busy, fourth) == (None, None)
    assert set(door._addresses) == {"192.0.2.1", "192.0.2.9"}  # noqa: SLF001  -- the table
    assert isinstance(await door.judge("192.0.2.1"), Turned)
