"""The table of legal moves: whole, closed, and never back from an end."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.payments import lifecycle
from app.payments.lifecycle import FINAL, MOVES, Event, IllegalMove, State, Status

STEPS = Path(__file__).resolve().parents[2] / "app/migrations"


def test_a_payment_inside_the_bank_goes_from_creation_to_settled() -> None:
    state = lifecycle.moved(None, Event.CREATED)
    path = [state]

    for event in (Event.APPROVED, Event.TRANSFER_STARTED, Event.TRANSFER_MADE):
        state = lifecycle.moved(state, event)
        path.append(state)

    assert path == [
        State.AWAITING_AUTHORISATION,
        State.APPROVED,
        State.SUBMITTING,
        State.SETTLED,
    ]


def test_a_payment_over_a_rail_holds_sends_captures() -> None:
    state = State.APPROVED

    for event in (
        Event.HOLD_STARTED,
        Event.HOLD_MADE,
        Event.RAIL_ACCEPTED,
        Event.RAIL_SETTLED,
        Event.CAPTURED,
    ):
        state = lifecycle.moved(state, event)

    assert state is State.SETTLED


def test_a_refused_rail_payment_fails_only_after_the_money_is_free() -> None:
    state = lifecycle.moved(State.IN_FLIGHT, Event.RAIL_REJECTED)

    assert state is State.RELEASING
    assert lifecycle.shown(state, unsure=False) is Status.PENDING_CONFIRMATION
    assert lifecycle.moved(state, Event.HOLD_RELEASED) is State.FAILED


@pytest.mark.parametrize("state", [None, *State])
@pytest.mark.parametrize("event", list(Event))
def test_every_move_outside_the_table_is_a_bug(
    state: State | None, event: Event
) -> None:
    expected = MOVES.get((state, event))

    if expected is not None:
        assert lifecycle.moved(state, event) is expected
        return
    with pytest.raises(IllegalMove):
        lifecycle.moved(state, event)


def test_the_table_has_no_move_beside_those_that_were_decided() -> None:
    assert len(MOVES) == 30
    assert {event for _, event in MOVES} == set(Event)


def test_only_a_settled_payment_leaves_its_end_and_only_to_be_given_back() -> None:
    leaving = {(state, event): to for (state, event), to in MOVES.items() if state}

    out_of_the_end = {move: to for move, to in leaving.items() if move[0] in FINAL}

    assert out_of_the_end == {(State.SETTLED, Event.CREDITED_BACK): State.REVERSED}


def test_working_states_show_as_submitted_and_as_pending_when_unsure() -> None:
    working = (
        State.APPROVED,
        State.HOLDING,
        State.SUBMITTING,
        State.IN_FLIGHT,
        State.CAPTURING,
    )

    assert {lifecycle.shown(state, unsure=False) for state in working} == {
        Status.SUBMITTED
    }
    assert {lifecycle.shown(state, unsure=True) for state in working} == {
        Status.PENDING_CONFIRMATION
    }


@pytest.mark.parametrize("state", sorted(FINAL))
@pytest.mark.parametrize("unsure", [True, False])
def test_an_end_shows_as_itself_whatever_else_is_open(
    state: State,
    unsure: bool,  # noqa: FBT001  -- pytest parameter
) -> None:
    assert lifecycle.shown(state, unsure=unsure).value == state.value


@pytest.mark.parametrize("unsure", [True, False])
def test_every_state_belongs_to_exactly_one_status(
    unsure: bool,  # noqa: FBT001  -- pytest parameter
) -> None:
    groups = [lifecycle.states_shown_as(status, unsure=unsure) for status in Status]

    assert sum(map(len, groups)) == len(State)
    assert frozenset().union(*groups) == frozenset(State)


def test_the_status_list_is_closed_over_the_contract() -> None:
    assert [status.value for status in Status] == [
        "AWAITING_AUTHORISATION",
        "HELD_FOR_REVIEW",
        "SUBMITTED",
        "PENDING_CONFIRMATION",
        "SETTLED",
        "DECLINED",
        "FAILED",
        "REVERSED",
        "CANCELLED",
        "EXPIRED",
    ]


@given(st.lists(st.sampled_from(list(Event)), max_size=40))
def test_no_order_of_events_settles_and_frees_the_same_money(
    events: list[Event],
) -> None:
    state: State | None = None
    seen: list[Event] = []

    for event in events:
        try:
            state = lifecycle.moved(state, event)
        except IllegalMove:
            continue
        seen.append(event)

    kept = {Event.CAPTURED, Event.TRANSFER_MADE} & set(seen)
    freed = {
        Event.HOLD_RELEASED,
        Event.HOLD_REJECTED,
        Event.TRANSFER_REJECTED,
    } & set(seen)
    assert not (kept and freed)
    assert sum(event in {Event.CAPTURED, Event.TRANSFER_MADE} for event in seen) <= 1
    if state in FINAL and state not in {State.SETTLED, State.REVERSED}:
        assert not kept


@given(st.lists(st.integers(min_value=0, max_value=10), max_size=30))
def test_from_every_open_state_an_end_is_reachable(choices: list[int]) -> None:
    state: State | None = None
    for choice in choices:
        options = [move for move in MOVES if move[0] is state]
        if not options:
            break
        state = MOVES[options[choice % len(options)]]

    reachable, frontier = {state}, [state]
    while frontier:
        here = frontier.pop()
        for (start, _event), end in MOVES.items():
            if start is here and end not in reachable:
                reachable.add(end)
                frontier.append(end)

    assert reachable & FINAL


def test_an_sql_list_has_the_words_of_the_partial_indexes_in_their_order() -> None:
    words = lifecycle.listed(FINAL)

    assert words == (
        "'SETTLED', 'DECLINED', 'FAILED', 'REVERSED', 'CANCELLED', 'EXPIRED'"
    )
    for engine in ("sqlite", "postgres"):
        guards = (STEPS / f"{engine}.sql").read_text()
        assert f"WHERE state NOT IN ({words})" in guards
    assert lifecycle.listed(lifecycle.BOOKED) == "'SETTLED', 'REVERSED'"
    assert lifecycle.BOOKED | lifecycle.NOTHING_MOVED == FINAL
    assert lifecycle.listed(()) == ""
