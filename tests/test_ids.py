from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ids import AccountId, CustomerId, MalformedId, PaymentId, request_id, uuid7

LATEST_MS = 2**48 - 1


def test_an_id_shows_its_prefix_and_32_hex_digits() -> None:
    payment = PaymentId(UUID("0193f0a1-c2d3-7e4f-8a5b-6c7d8e9fa0b1"))

    assert str(payment) == "pay_0193f0a1c2d37e4f8a5b6c7d8e9fa0b1"
    assert PaymentId.parse(str(payment)) == payment


def test_ids_sort_by_the_time_they_were_made() -> None:
    older, newer = uuid7(1_700_000_000_000), uuid7(1_700_000_000_001)

    assert older < newer
    assert str(older) < str(newer)


def test_a_uuid7_says_so_in_its_bits() -> None:
    made = uuid7(1_700_000_000_000)

    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == 1_700_000_000_000


def test_ten_thousand_ids_of_one_millisecond_are_all_different() -> None:
    assert len({uuid7(1) for _ in range(10_000)}) == 10_000


@given(st.integers(min_value=0, max_value=LATEST_MS))
def test_every_millisecond_gives_an_id_that_is_read_back(at: int) -> None:
    made = AccountId(uuid7(at))

    assert AccountId.parse(str(made)) == made
    assert made.value.int >> 80 == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pay_",
        "pay",
        "acc_0193f0a1c2d37e4f8a5b6c7d8e9fa0b1",
        "pay-0193f0a1c2d37e4f8a5b6c7d8e9fa0b1",
        "pay_0193F0A1C2D37E4F8A5B6C7D8E9FA0B1",
        "pay_0193f0a1-c2d3-7e4f-8a5b-6c7d8e9fa0b1",
        "pay_0193f0a1c2d37e4f8a5b6c7d8e9fa0b",
        "pay_0193f0a1c2d37e4f8a5b6c7d8e9fa0b11",
        "pay_0193f0a1c2d37e4f8a5b6c7d8e9fa0b1\n",
        " pay_0193f0a1c2d37e4f8a5b6c7d8e9fa0b1",
        "pay_" + "٣" * 32,
    ],
)
def test_another_text_is_not_a_payment_id(text: str) -> None:
    with pytest.raises(MalformedId) as refused:
        PaymentId.parse(text)

    assert str(refused.value) == "PaymentId"  # never the text that was sent


@given(st.text())
def test_no_text_at_all_breaks_the_parser(text: str) -> None:
    try:
        found = CustomerId.parse(text)
    except MalformedId:
        return
    assert str(found) == text


def test_ids_of_two_kinds_are_never_equal() -> None:
    value = uuid7()

    assert len({AccountId(value), PaymentId(value)}) == 2


def test_a_request_id_is_16_hex_digits() -> None:
    made = request_id()

    assert len(made) == 16
    assert int(made, 16) >= 0
    assert made != request_id()
