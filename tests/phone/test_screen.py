"""What a terminal shows."""

import io

import pytest
from typing_extensions import override

from mock_mobile_client.screen import Screen


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    @override
    def isatty(self) -> bool:
        return True


def test_columns_are_aligned_and_money_stands_right() -> None:
    out = io.StringIO()

    Screen.of(out).table([("Everyday", "5.00"), ("S", "1,000.00")], "<>")

    assert out.getvalue() == "Everyday      5.00\nS         1,000.00\n"


def test_no_line_is_wider_than_a_hundred_columns() -> None:
    out = io.StringIO()

    Screen.of(out).line("x" * 300)

    assert out.getvalue() == "x" * 99 + "…\n"


def test_colours_only_on_a_terminal_that_wants_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Screen.of(Terminal()).coloured
    assert not Screen.of(io.StringIO()).coloured

    monkeypatch.setenv("NO_COLOR", "1")
    assert not Screen.of(Terminal()).coloured


def test_a_tick_is_green_only_where_colours_are() -> None:
    plain, painted = io.StringIO(), io.StringIO()

    Screen(plain, coloured=False).passed("done")
    Screen(painted, coloured=True).passed("done")

    assert plain.getvalue() == "✓ done\n"
    assert painted.getvalue() == "\x1b[32m✓\x1b[0m done\n"
