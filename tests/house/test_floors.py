from pathlib import Path

from tests.house.floors import (
    ROOT,
    Floors,
    Part,
    asked,
    below,
    incomplete,
    measured,
    named_after,
)

FLOORS = Floors(overall=90, per_room=95, complete=["app/ledger/posting.py"])
WHOLE = {"app/ledger/posting.py": Part(40, 40), "sandbox/app.py": Part(90, 100)}


def test_nothing_below_its_floor_is_named() -> None:
    assert below(FLOORS, WHOLE) == []


def test_a_complete_file_with_a_hole_is_named_with_its_lines() -> None:
    files = WHOLE | {
        "app/ledger/posting.py": Part(399, 400, "lines [12], branches ['20->22']")
    }

    (fault,) = below(FLOORS, files)

    assert fault == (
        "app/ledger/posting.py has 99.8 %, needs 100 %: "
        "lines [12], branches ['20->22']."
    )


def test_the_quick_look_sees_only_what_must_be_complete() -> None:
    holes = {"app/ledger/posting.py": Part(3, 4), "app/auth/otp.py": Part(1, 9)}

    (fault,) = incomplete(FLOORS, holes)

    assert fault.startswith("app/ledger/posting.py has 75.0 %")


def test_each_complete_file_has_named_after_its_name() -> None:
    found = named_after(asked(ROOT / "pyproject.toml"))

    assert "tests/ledger/test_posting.py" in found
    assert [name for name in found if not (ROOT / name).is_file()] == []


def test_a_complete_file_that_does_not_exist_is_named() -> None:
    assert below(FLOORS, {"sandbox/app.py": Part(9, 10)}) == [
        "app/ledger/posting.py must be complete but was not found."
    ]


def test_a_room_is_the_sum_of_its_files_and_files_beside_the_rooms_are_none() -> None:
    files = WHOLE | {
        "app/auth/keys.py": Part(95, 100),
        "app/auth/attestation/der.py": Part(94, 100),
        "app/main.py": Part(100, 110),
        "app/clock.py": Part(900, 900),
    }

    assert below(FLOORS, files) == ["app/auth has 94.5 %, needs 95 %."]


def test_everything_together_has_a_floor_too() -> None:
    files = WHOLE | {"app/main.py": Part(10, 100)}

    assert below(FLOORS, files) == ["everything has 58.3 %, needs 90 %."]


def test_the_floors_stand_in_pyproject() -> None:
    floors = asked(ROOT / "pyproject.toml")

    assert (floors.overall, floors.per_room) == (90, 95)
    assert "app/payments/lifecycle.py" in floors.complete


def test_a_report_of_coverage_is_read(tmp_path: Path) -> None:
    report = tmp_path / "coverage.json"
    report.write_text(
        '{"files": {"app\\\\money.py": {"summary": {"covered_lines": 7,'
        ' "num_statements": 8, "covered_branches": 1, "num_branches": 2},'
        ' "missing_lines": [5], "missing_branches": [[4, 5], [9, -1]]}}}'
    )

    assert measured(report) == {
        "app/money.py": Part(8, 10, "lines [5], branches ['4->5', '9->-1']")
    }
