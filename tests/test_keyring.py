"""`keys ...` and the desk's codes at a terminal: printed, refused, written down."""

import re

import pytest

from tests.behind import ask, run
from tests.terminal import WHO, Terminal, terminal

__all__ = ["terminal"]

CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}")
ASHA = ("customers", "add", "--name", "Asha Rao", "--phone", "+919876543210")
DAMAGE = f"UPDATE customer SET name_sealed = x'01{'00' * 40}'"  # noqa: S608  -- a test's own text


def acts(terminal: Terminal, action: str) -> list[tuple[object, ...]]:
    """Give who did something, to what, and why."""
    sql = "SELECT actor_kind, actor_id, object, detail FROM audit_entry "
    return ask(terminal.settings, f"{sql} WHERE action = '{action}' ORDER BY id")


def a_customer(terminal: Terminal) -> str:
    """Add Asha at the desk; gives her number."""
    added = terminal.type(*ASHA, "--number", "10000001", *WHO)
    assert (added.code, added.out) == (0, "added 10000001\n")
    return "10000001"


def signing_keys(terminal: Terminal) -> list[tuple[str, str]]:
    """Give id and state of the signing keys that `keys list` shows."""
    lines = [line.split() for line in terminal.type("keys", "list").lines]
    return [(line[1], line[2]) for line in lines if line[0] == "signing"]


def test_a_signing_key_waits_for_its_turn_unless_the_one_in_use_leaked(
    terminal: Terminal,
) -> None:
    (following, _), (current, _) = signing_keys(terminal)

    early = terminal.type("keys", "rotate", *WHO)
    assert (early.code, early.out) == (1, "")
    assert early.error == "NOT_ALLOWED: The next key is not published long enough.\n"
    assert signing_keys(terminal) == [(following, "NEXT"), (current, "CURRENT")]
    assert acts(terminal, "signing_key.rotated") == []

    done = terminal.type("keys", "rotate", "--at-once", *WHO)

    assert (done.code, done.out) == (0, f"{following} signs from now on\n")
    (_, newest), *old = signing_keys(terminal)
    assert newest == "NEXT"
    assert old == [(following, "CURRENT"), (current, "RETIRED")]
    why = f'{{"reason":"ticket 4711","retired":"{current}"}}'
    assert acts(terminal, "signing_key.rotated") == [("STAFF", "Meera", following, why)]


@pytest.mark.parametrize("option", ["--by", "--reason"])
def test_who_and_why_are_asked_for_before_anything_is_done(
    terminal: Terminal, option: str
) -> None:
    blank = [" " if WHO[at - 1] == option else word for at, word in enumerate(WHO)]
    words = ("keys", "rotate", "--at-once")

    silent, left_out = terminal.type(*words, *blank), terminal.type(*words)
    kept = terminal.type("keys", "retire", "sealing", "1", *blank)
    frozen = terminal.type("unfreeze", *blank)

    assert (silent.code, kept.code, frozen.code, left_out.code) == (1, 1, 1, 2)
    told = f"VALIDATION_FAILED: Say {option}: it stands in the audit entry.\n"
    assert (silent.error, kept.error, frozen.error) == (told, told, told)
    assert "Missing option" in left_out.error
    assert ask(terminal.settings, "SELECT 1 FROM audit_entry") == []


@pytest.mark.slow
def test_both_rings_turn_at_the_terminal_and_nothing_is_lost(
    terminal: Terminal,
) -> None:
    number = a_customer(terminal)
    assert terminal.type("customers", "code", number, *WHO).code == 0
    terminal.rings(2, 1)
    listed = terminal.type("keys", "list").lines
    assert "sealing 2 current, named by 0 rows" in listed
    assert [line for line in listed if line.startswith("sealing 1 old, named by ")]

    refused = terminal.type("keys", "retire", "sealing", "1", *WHO)
    assert (refused.code, refused.out) == (1, "")
    assert re.fullmatch(
        r"NOT_ALLOWED: Rows still name this key: .*customer\.phone_sealed 1.*\.\n",
        refused.error,
    )
    moved = terminal.type("keys", "reseal")
    assert re.fullmatch(r"moved [1-9]\d* rows; 0 do not open\n", moved.out)
    assert terminal.type("keys", "reseal").out == "moved 0 rows; 0 do not open\n"
    done = terminal.type("keys", "retire", "sealing", "1", *WHO)
    assert (done.code, done.out) == (
        0,
        "No row names sealing 1: take its line out of the file.\n",
    )
    held = terminal.type("keys", "retire", "pepper", "1", *WHO)
    assert held.error == (
        "NOT_ALLOWED: Rows still name this key: activation_code.key_id 1.\n"
    )

    again = terminal.type("customers", "code", number, *WHO)  # the one before it dies
    free = terminal.type("keys", "retire", "pepper", "1", *WHO)
    assert (again.code, free.code) == (0, 0)
    terminal.rings(2)
    assert terminal.type("customers", "unlock", number, *WHO).code == 0
    why = '{"reason":"ticket 4711"}'
    assert acts(terminal, "ring_key.retired") == [
        ("STAFF", "Meera", "sealing.1", why),
        ("STAFF", "Meera", "pepper.1", why),
    ]


def test_a_key_that_may_not_go_is_refused_in_one_sentence(terminal: Terminal) -> None:
    wishes = {
        ("sealing", "1"): "NOT_ALLOWED: This key is the current one of its ring.",
        ("pepper", "9"): "NOT_FOUND: ",
        ("copper", "1"): "VALIDATION_FAILED: The ring is sealing or pepper.",
    }

    for words, told in wishes.items():
        refused = terminal.type("keys", "retire", *words, *WHO)

        assert (refused.code, refused.out) == (1, "")
        assert refused.error.startswith(told)
        assert refused.error.count("\n") == 1
    assert ask(terminal.settings, "SELECT 1 FROM audit_entry") == []


def test_a_key_that_was_taken_out_too_early_stops_the_start_in_one_sentence(
    terminal: Terminal,
) -> None:
    a_customer(terminal)
    terminal.rings(2)

    stopped = terminal.type("keys", "list")

    assert (stopped.code, stopped.out) == (2, "")
    assert stopped.error == (
        "Sixpence cannot start: the signing key does not open: give "
        "SIXPENCE_SEALING_KEYS_FILE the line back that was taken out too early\n"
    )


def test_a_damaged_value_is_counted_and_holds_its_key(terminal: Terminal) -> None:
    a_customer(terminal)
    terminal.rings(2, 1)
    run(terminal.settings, DAMAGE)

    moved = terminal.type("keys", "reseal")
    held = terminal.type("keys", "retire", "sealing", "1", *WHO)

    assert re.fullmatch(r"moved [1-9]\d* rows; 1 do not open\n", moved.out)
    assert "customer.name_sealed 1" in held.error
    assert acts(terminal, "ring_key.retired") == []


def test_a_reset_code_is_printed_once_and_nowhere_written(terminal: Terminal) -> None:
    number = a_customer(terminal)

    codes = [terminal.type("customers", "reset-factors", number, *WHO) for _ in "12"]

    assert [one.code for one in codes] == [0, 0]
    assert all(CODE.fullmatch(one.out.strip()) for one in codes)
    assert codes[0].out != codes[1].out
    live = "SELECT count(*) FROM activation_code WHERE kind = 'RESET'"
    assert ask(terminal.settings, f"{live} AND used_at IS NULL") == [(1,)]
    ((asha,),) = ask(terminal.settings, "SELECT DISTINCT chain FROM audit_entry")
    act = ("STAFF", "Meera", asha, '{"reason":"ticket 4711"}')
    assert acts(terminal, "staff.reset_factors") == [act, act]
    details = str(ask(terminal.settings, "SELECT detail FROM audit_entry"))
    assert [one for one in codes if one.out.strip() in details] == []


def test_nobody_has_an_unknown_number(terminal: Terminal) -> None:
    for command in ("reset-factors", "code", "unlock"):
        refused = terminal.type("customers", command, "99999999", *WHO)

        assert (refused.code, refused.out) == (1, "")
        assert refused.error == "NOT_FOUND: No customer has that number.\n"
    assert ask(terminal.settings, "SELECT 1 FROM audit_entry") == []
