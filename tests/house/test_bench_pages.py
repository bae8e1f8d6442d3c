"""What pages say of speed is what results.json says, and the chart hides no miss."""

import json
from typing import Any

import pytest

from bench import chart, report

DAY = "2026-11-22T10:00:00+00:00"


def a_result(*rows: tuple[str, float, str]) -> dict[str, Any]:
    listed = [
        {
            "measure": measure,
            "unit": "x",
            "median": median,
            "least": median,
            "most": median,
            "target": target,
        }
        for measure, median, target in rows
    ]
    return {"title": "", "at": DAY, "machine": "", "python": "", "rows": listed}


def test_every_page_of_the_bench_is_made_from_the_committed_results() -> None:
    known = json.loads((report.FOLDER / "results.json").read_text())

    for path, page in report.pages(known).items():
        assert path.read_text() == page, (
            f"{path.name}: run `python -c 'from bench import report; report.renew()'`"
        )


def test_a_broken_promise_stands_in_the_chart_as_short_as_it_is() -> None:
    known = {
        "home-postgres": a_result(
            ("ours over theirs (S1)", 0.3, ">= 1.5: missed"),
            ("of no target", 1.0, ""),
        ),
        "auth-sqlite": a_result(("p99 over idle (S10)", 1.0, "<= 2: met")),
    }

    lines = chart.drawn(known)

    assert lines[0].startswith("1 of 2 promises are kept")
    missed, met = lines[-3:-1]
    assert missed.startswith("S1  ##........|...... missed            0.3 x   >= 1.5  ")
    assert missed.endswith("ours over theirs, PostgreSQL (2026-11-22)")
    assert met.startswith("S10 ##########|###### met                 1 x     <= 2  ")
    assert met.endswith("p99 over idle, SQLite (2026-11-22)")


def test_of_tenfold_steps_the_chart_shows_the_worst_of_each_kind() -> None:
    known = {
        "scale-sqlite": a_result(
            ("home screen, 100 customers over 10 (S11)", 1.0, "<= 1.2: met"),
            ("home screen, 1,000 customers over 100 (S11)", 1.5, "<= 1.2: missed"),
            ("event to its frames, 20 sockets over 2 (S11)", 1.1, "<= 1.2: met"),
        )
    }

    found = [(one.measure, one.verdict) for one in chart.promises(known)]

    assert found == [
        ("event to its frames, 20 sockets over 2", "met"),
        ("home screen, 1,000 customers over 100", "missed"),
    ]


def test_a_page_that_lost_its_marks_is_not_written() -> None:
    with pytest.raises(SystemExit, match="marks"):
        chart.renewed("# A page\n", "promises", ["a line"])
