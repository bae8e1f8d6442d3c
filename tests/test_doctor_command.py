"""`doctor` and `customers link` at a terminal, where the book is ours."""

import pytest

from tests.terminal import WHO, Terminal, terminal

__all__ = ["terminal"]


@pytest.mark.only("sqlite")
def test_a_book_of_ours_is_well_and_has_nothing_to_link(terminal: Terminal) -> None:
    well = terminal.type("doctor")
    nobody = terminal.type("customers", "link", "10000009", *WHO)
    terminal.type(
        *("customers", "add", "--name", "Asha Rao", "--phone", "+919876543210"),
        *("--number", "10000009", *WHO),
    )
    refused = terminal.type("customers", "link", "10000009", *WHO)

    assert (well.code, well.out) == (0, "core  answers\n")
    assert (nobody.code, refused.code) == (1, 1)
    assert "No customer has that number" in nobody.error
    assert "opened here, not linked" in refused.error
