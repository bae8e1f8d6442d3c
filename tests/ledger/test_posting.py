"""Legs sum to nothing, and a refusal names the rule, the payer's first."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ledger import posting
from app.ledger.posting import (
    AMOUNT_MAX,
    Effect,
    Leg,
    No,
    Phase,
    Side,
    Standing,
    State,
)

A, B = UUID(int=1), UUID(int=2)
AMOUNTS = st.integers(1, AMOUNT_MAX)


@given(AMOUNTS, AMOUNTS)
def test_every_journal_sums_to_zero_in_total_and_in_what_is_committed(
    one: int, other: int
) -> None:
    held, taken = max(one, other), min(one, other)
    journals = [
        posting.transfer(A, B, one),
        posting.hold(A, B, one),
        posting.release(A, B, one),
        posting.capture(A, B, held, taken),
        posting.reversal(posting.capture(A, B, held, taken)),
    ]

    for legs in journals:
        assert sum(leg.amount for leg in legs) == 0
        committed = [leg.amount for leg in legs if leg.phase is Phase.COMMITTED]
        assert sum(committed) == 0


@given(AMOUNTS, AMOUNTS)
def test_a_hold_and_its_capture_leave_what_a_transfer_leaves(
    one: int, other: int
) -> None:
    held, taken = max(one, other), min(one, other)

    legs = posting.hold(A, B, held) + posting.capture(A, B, held, taken)

    wanted = posting.effects(posting.transfer(A, B, taken))
    assert posting.effects(legs) == wanted


@given(AMOUNTS)
def test_a_hold_and_its_release_leave_nothing(amount: int) -> None:
    legs = posting.hold(A, B, amount) + posting.release(A, B, amount)

    moved = posting.effects(legs)

    assert [(one.committed, one.pending_out, one.pending_in) for one in moved] == [
        (0, 0, 0),
        (0, 0, 0),
    ]


@given(AMOUNTS)
def test_a_reversal_undoes_a_transfer(amount: int) -> None:
    legs = posting.transfer(A, B, amount)

    both = posting.effects(legs + posting.reversal(legs))

    assert [one.committed for one in both] == [0, 0]


def test_a_hold_and_an_undone_transfer_read_like_this() -> None:
    assert posting.hold(A, B, 500) == (
        Leg(A, Phase.PENDING_OUT, -500),
        Leg(B, Phase.PENDING_IN, 500),
    )
    assert posting.reversal(posting.capture(A, B, 500, 200)) == (
        Leg(A, Phase.COMMITTED, 200),
        Leg(B, Phase.COMMITTED, -200),
    )


def test_legs_that_do_not_sum_to_zero_are_our_mistake() -> None:
    with pytest.raises(AssertionError, match="sum to 0"):
        posting.balanced([Leg(A, Phase.COMMITTED, -1), Leg(B, Phase.COMMITTED, 2)])
    with pytest.raises(AssertionError, match="sum to 0"):
        posting.balanced([Leg(A, Phase.COMMITTED, -1), Leg(B, Phase.PENDING_IN, 1)])


def test_a_leg_that_moves_nothing_is_left_out() -> None:
    legs = [
        Leg(A, Phase.COMMITTED, 0),
        Leg(A, Phase.COMMITTED, -1),
        Leg(B, Phase.COMMITTED, 1),
    ]

    assert posting.balanced(legs) == tuple(legs[1:])


@pytest.mark.parametrize(
    ("amount", "no"),
    [
        (-1, No.VALIDATION),
        (0, No.VALIDATION),
        (1, None),
        (AMOUNT_MAX, None),
        (AMOUNT_MAX + 1, No.VALIDATION),
    ],
)
def test_an_amount_is_positive_and_not_absurd(amount: int, no: No | None) -> None:
    assert posting.amount_refusal(amount) is no


def test_effects_come_in_id_order_with_the_rule_each_has_to_pass() -> None:
    moved = posting.effects(posting.transfer(B, A, 7))

    assert moved == [
        Effect(A, 7, 0, 0, Side.CREDIT),
        Effect(B, -7, 0, 0, Side.DEBIT),
    ]


def test_what_ends_a_hold_was_promised() -> None:
    moved = posting.effects(posting.capture(A, B, 9, 4), promised=True)

    assert moved == [
        Effect(A, -4, 9, 0, Side.PROMISED),
        Effect(B, 4, 0, -9, Side.PROMISED),
    ]
    assert [one.spendable for one in moved] == [5, 4]


def standing(
    spendable: int = 0,
    *,
    state: State = State.OPEN,
    floor: int | None = 0,
    currency: str = "INR",
) -> Standing:
    return Standing(currency, state, spendable, floor)


SEVEN = posting.effects(posting.transfer(A, B, 7))


@pytest.mark.parametrize(
    ("payer", "payee", "no"),
    [
        (standing(7), standing(), None),
        (standing(6), standing(), No.INSUFFICIENT_FUNDS),
        (standing(0, floor=-7), standing(), None),
        (standing(0, floor=None), standing(), None),
        (standing(7, currency="EUR"), standing(), No.CURRENCY_MISMATCH),
        (standing(7), standing(currency="EUR"), No.CURRENCY_MISMATCH),
        (None, standing(), No.ACCOUNT_NOT_FOUND),
        (standing(7), None, No.ACCOUNT_NOT_FOUND),
        (standing(7, state=State.CLOSED), standing(), No.ACCOUNT_CLOSED),
        (standing(7), standing(state=State.CLOSED), No.ACCOUNT_CLOSED),
        (standing(7, state=State.BLOCK_DEBIT), standing(), No.ACCOUNT_BLOCKED),
        (standing(7, state=State.BLOCKED), standing(), No.ACCOUNT_BLOCKED),
        (standing(7, state=State.BLOCK_CREDIT), standing(), None),
        (standing(7), standing(state=State.BLOCK_CREDIT), No.ACCOUNT_BLOCKED),
        (standing(7), standing(state=State.BLOCKED), No.ACCOUNT_BLOCKED),
        (standing(7), standing(state=State.BLOCK_DEBIT), None),
        (standing(6), standing(state=State.CLOSED), No.INSUFFICIENT_FUNDS),
    ],
)
def test_a_refusal_names_the_first_rule_that_stands_in_the_way(
    payer: Standing | None, payee: Standing | None, no: No | None
) -> None:
    known = {A: payer, B: payee}
    standings = {key: found for key, found in known.items() if found}

    assert posting.refusal(SEVEN, standings, "INR") is no


def test_a_block_does_not_stop_what_was_promised() -> None:
    moved = posting.effects(posting.capture(A, B, 9, 9), promised=True)
    blocked = {
        A: standing(0, state=State.BLOCKED),
        B: standing(0, state=State.BLOCKED, floor=None),
    }

    assert posting.refusal(moved, blocked, "INR") is None
