"""The close-code table of graphql.md §11, row by row."""

import pytest

from mock_mobile_client.closing import BACKOFF_MAX_S, Reaction, verdict


@pytest.mark.parametrize(
    ("code", "reaction"),
    [
        (1000, Reaction.STOP),
        (1001, Reaction.STOP),
        (1006, Reaction.RECONNECT),
        (1009, Reaction.STOP),
        (1012, Reaction.RECONNECT),
        (1013, Reaction.RECONNECT),
        (4400, Reaction.STOP),
        (4401, Reaction.SIGN_IN),
        (4403, Reaction.RENEW),
        (4406, Reaction.STOP),
        (4408, Reaction.RECONNECT),
        (4409, Reaction.STOP),
        (4410, Reaction.RECONNECT),
        (4413, Reaction.STOP),
        (4419, Reaction.RENEW),
        (4429, Reaction.STOP),
        (4499, Reaction.RECONNECT),
        (4555, Reaction.RECONNECT),
    ],
)
def test_each_close_code_has_its_reaction(code: int, reaction: Reaction) -> None:
    assert verdict(code, "", 0).reaction is reaction


def test_a_restart_names_the_time_and_the_phone_keeps_it() -> None:
    told = verdict(1012, '{"retryAfterMs":1400}', 0)

    assert (told.wait_max_s, told.exact) == (1.4, True)


@pytest.mark.parametrize("reason", ["", "restart", "[]", '{"retryAfterMs":-5}'])
def test_a_restart_without_a_time_waits_half_a_second(reason: str) -> None:
    assert verdict(1012, reason, 0).wait_max_s == 0.5


def test_overload_waits_longer_each_time_and_at_most_thirty_seconds() -> None:
    waits = [verdict(1013, "", attempt).wait_max_s for attempt in range(8)]

    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert verdict(1013, "", 1000).wait_max_s == BACKOFF_MAX_S


def test_an_expired_token_is_renewed_at_once_but_not_in_a_loop() -> None:
    assert verdict(4419, "", 0).wait_max_s == 0
    assert verdict(4403, "", 1).wait_max_s == 1
