import contextlib
import io

import orjson
import pytest
import structlog

from app import telemetry

PLANTED = "482913"


class Journal(io.StringIO):
    """Where the logs of one test go."""

    def lines(self) -> list[str]:
        """Give what was written."""
        return self.getvalue().splitlines()


def opened(form: str, level: str) -> Journal:
    """Send the logs into a journal from now on."""
    journal = Journal()
    with contextlib.redirect_stderr(journal):
        telemetry.configure(form, level)
    return journal


@pytest.fixture
def journal() -> Journal:
    """Write logs as JSON into a journal."""
    return opened("json", "debug")


def dropped() -> float:
    found = telemetry.registry.get_sample_value("sixpence_log_keys_dropped_total")
    assert found is not None
    return found


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_begins_with_a_log_that_nobody_set_up(turn: int) -> None:
    # Once a test left its journal to the next, which then missed its own lines.
    assert not structlog.is_configured()
    telemetry.configure()


def test_an_event_is_one_line_with_its_facts(journal: Journal) -> None:
    telemetry.log.info("payment_settled", payment="pay_1", duration_ms=12)

    (line,) = journal.lines()

    written = orjson.loads(line)
    assert written.pop("timestamp").endswith("Z")
    assert written == {
        "event": "payment_settled",
        "level": "info",
        "payment": "pay_1",
        "duration_ms": 12,
    }


@pytest.mark.parametrize(
    "key", ["pin", "otp", "token", "authorization", "variables", "phone", "name2"]
)
def test_a_fact_that_is_not_on_the_list_is_dropped_and_counted(
    journal: Journal, key: str
) -> None:
    before = dropped()

    telemetry.log.info("code_sent", device="dev_1", **{key: PLANTED})

    (line,) = journal.lines()
    assert PLANTED not in line
    assert orjson.loads(line)["device"] == "dev_1"
    assert dropped() == before + 1


def test_a_bound_fact_off_the_list_is_dropped_too(
    journal: Journal,
) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1", pin=PLANTED):
        telemetry.log.warning("slow")

    (line,) = journal.lines()
    assert PLANTED not in line
    assert orjson.loads(line)["request_id"] == "r1"


def test_the_lines_for_people_drop_the_same_facts(journal: Journal) -> None:
    people = opened("console", "info")

    telemetry.log.info("code_sent", device="dev_1", otp=PLANTED)
    telemetry.log.debug("not_written")

    written = people.getvalue()
    assert "code_sent" in written
    assert "dev_1" in written
    assert PLANTED not in written
    assert "not_written" not in written
    assert journal.lines() == []


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_is_written_without_a_local_value(
    journal: Journal, form: str
) -> None:
    told = opened(form, "info")

    def refuse(pin: str) -> None:
        assert pin
        raise ValueError("malformed")

    try:
        refuse(PLANTED)
    except ValueError:
        telemetry.log.exception("unexpected", where="test")

    assert "ValueError: malformed" in told.getvalue()
    assert "in refuse" in told.getvalue()
    assert PLANTED not in told.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_the_database_tells_of_a_row_is_cut_out_of_a_whole_chain(
    journal: Journal, form: str
) -> None:
    told = opened(form, "info")
    row = f"violates a check\nDETAIL:  Failing row contains (Asha,\n{PLANTED})."
    argument = f"invalid input for query argument $1: '{PLANTED}' (a date was wanted)"

    def refuse() -> None:
        raise LookupError(argument) from ValueError(row)

    try:
        refuse()
    except LookupError:
        telemetry.log.exception("unexpected", cause=row)

    for kept in ("ValueError: violates a check", "in refuse", "argument $1"):
        assert kept in told.getvalue()
    for cut in (PLANTED, "Asha", "a date was wanted"):
        assert cut not in told.getvalue()
