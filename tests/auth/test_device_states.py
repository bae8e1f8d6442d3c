"""The table of device states: what leads where, and random walks through it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.auth.actor import DeviceState, LockReason
from app.auth.device_states import DeviceEvent, Lock, Standing, moved
from app.ids import DeviceId

ACTIVE, COOLING = Standing(DeviceState.ACTIVE), Standing(DeviceState.COOLING)
GONE = Standing(DeviceState.REVOKED)
A, B = DeviceId.new(), DeviceId.new()
LOCKS = {DeviceEvent(reason.value): reason for reason in LockReason}
WALKS = st.lists(
    st.tuples(
        st.sampled_from(list(DeviceEvent)), st.sampled_from([A, B]), st.booleans()
    ),
    max_size=30,
)


def locked(
    base: Standing, *reasons: LockReason, by: DeviceId | None = None
) -> Standing:
    return Standing(base.base, tuple(Lock(reason, by) for reason in reasons))


@pytest.mark.parametrize(
    ("event", "usable", "under_lock"),
    [
        (DeviceEvent.FAILURES, True, False),
        (DeviceEvent.SUSPENDED, True, False),
        (DeviceEvent.STAFF, True, False),
        (DeviceEvent.REPLACED, True, True),
        (DeviceEvent.PANIC, True, True),
    ],
)
def test_what_locks_a_phone(
    event: DeviceEvent,
    usable: bool,  # noqa: FBT001  -- a column of the table
    under_lock: bool,  # noqa: FBT001  -- same
) -> None:
    reason = LOCKS[event]
    before = locked(ACTIVE, LockReason.FAILURES)

    assert (moved(ACTIVE, event, by=A) == locked(ACTIVE, reason, by=A)) is usable
    assert (moved(COOLING, event, by=A) == locked(COOLING, reason, by=A)) is usable
    assert (moved(before, event, by=A) is not None) is under_lock


@pytest.mark.parametrize(
    ("reason", "by_customer"),
    [
        (LockReason.FAILURES, True),
        (LockReason.SUSPENDED, True),
        (LockReason.REPLACED, True),
        (LockReason.PANIC, False),
        (LockReason.STAFF, False),
    ],
)
def test_who_unlocks_what(reason: LockReason, by_customer: bool) -> None:  # noqa: FBT001  -- a column
    before = locked(COOLING, reason)

    assert (moved(before, DeviceEvent.UNLOCKED) == ACTIVE) is by_customer
    assert moved(before, DeviceEvent.UNLOCKED_BY_STAFF) == ACTIVE
    assert moved(before, DeviceEvent.UNLOCKED_BY_STAFF, cools=True) == COOLING


def test_a_lock_of_the_bank_below_another_is_not_the_customers_either() -> None:
    before = locked(ACTIVE, LockReason.PANIC, LockReason.REPLACED, by=A)

    assert moved(before, DeviceEvent.UNLOCKED) is None
    back = moved(before, DeviceEvent.RETURNED, by=A)
    assert back == locked(ACTIVE, LockReason.PANIC, by=A)


def test_what_a_newcomer_did_is_taken_back_and_nothing_else() -> None:
    once = moved(ACTIVE, DeviceEvent.SUSPENDED, by=A)
    assert once is not None
    twice = moved(once, DeviceEvent.REPLACED, by=B)
    assert twice is not None

    assert moved(twice, DeviceEvent.RETURNED, by=B) == once
    assert moved(once, DeviceEvent.RETURNED, by=B) is None
    assert moved(once, DeviceEvent.RETURNED, by=A, cools=True) == ACTIVE
    below = moved(twice, DeviceEvent.RETURNED, by=A)
    assert below == locked(ACTIVE, LockReason.REPLACED, by=B)


def test_only_the_successor_ends_a_replaced_phone() -> None:
    replaced = locked(ACTIVE, LockReason.REPLACED, by=A)

    assert moved(replaced, DeviceEvent.SUCCEEDED, by=B) is None
    assert moved(replaced, DeviceEvent.SUCCEEDED, by=A) == GONE
    suspended = locked(ACTIVE, LockReason.SUSPENDED, by=A)
    assert moved(suspended, DeviceEvent.SUCCEEDED, by=A) is None


def test_time_alone_ends_cooling() -> None:
    assert moved(COOLING, DeviceEvent.COOLED) == ACTIVE
    assert moved(COOLING, DeviceEvent.COOLED, cools=True) is None
    assert moved(ACTIVE, DeviceEvent.COOLED) is None
    assert moved(COOLING, DeviceEvent.UNUSED) == GONE
    assert moved(ACTIVE, DeviceEvent.UNUSED) is None


def walk(events: list[tuple[DeviceEvent, DeviceId, bool]]) -> None:
    """Walk the table; whatever happens, the rules of auth.md 6.5 hold."""
    at = COOLING
    for event, by, cools in events:
        to = moved(at, event, by=by, cools=cools)
        if at == GONE:
            assert to is None
        if to is None:
            continue
        assert to != at
        if to.state is DeviceState.LOCKED and event in LOCKS:
            assert to.reason is LOCKS[event]
            assert to.base is at.base
        if at.was_active and to.state is not DeviceState.REVOKED:
            assert to.was_active
        if at.locks and to.state in {DeviceState.ACTIVE, DeviceState.COOLING}:
            hard = at.is_locked_for(LockReason.PANIC, LockReason.STAFF)
            assert not hard or event is DeviceEvent.UNLOCKED_BY_STAFF
        at = to
    # A way back always is: staff unlocks, or the same phone enrols anew.
    if at.state is DeviceState.LOCKED:
        assert moved(at, DeviceEvent.UNLOCKED_BY_STAFF) == ACTIVE
        assert moved(at, DeviceEvent.REPLACED, by=DeviceId.new()) is not None
    assert (moved(at, DeviceEvent.REVOKED) == GONE) is (at != GONE)


@settings(max_examples=200)
@given(WALKS)
def test_random_walks_keep_the_rules(
    events: list[tuple[DeviceEvent, DeviceId, bool]],
) -> None:
    walk(events)


@pytest.mark.chaos
@settings(max_examples=10_000)
@given(WALKS)
def test_ten_thousand_random_walks_keep_the_rules(
    events: list[tuple[DeviceEvent, DeviceId, bool]],
) -> None:
    walk(events)
