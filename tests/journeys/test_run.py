import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.journeys.bank_process import (
    a_bank,
    becomes_free,
    environment,
    free_port,
    ready,
    start,
    started,
)
from tests.journeys.books import Books

pytestmark = pytest.mark.slow

STATUS = {"query": "{ serviceStatus { component state } }"}


def test_however_a_bank_ends_nothing_is_left_and_the_next_one_opens(
    tmp_path: Path, books: Books
) -> None:
    ports = free_port(), free_port()
    bank, _table = started(tmp_path, *ports, books)
    try:
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            bank.send_signal(how)
            code = bank.wait(timeout=30)

            assert code == (-signal.SIGKILL if how is signal.SIGKILL else 0)
            assert [becomes_free(port) for port in ports] == [True, True]
            bank, _table = started(tmp_path, *ports, books)
            answer = httpx.post(f"http://localhost:{ports[0]}/graphql", json=STATUS)
            assert answer.status_code == 200
            assert answer.json()["data"]["serviceStatus"]
    finally:
        bank.send_signal(signal.SIGTERM)
        bank.wait(timeout=30)


def test_a_signal_that_comes_twice_at_once_still_closes_gently(
    tmp_path: Path, books: Books
) -> None:
    process = start(tmp_path, free_port(), free_port(), "--json", books=books)
    ready(process, tmp_path)

    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    code = process.wait(timeout=30)

    assert process.stdout is not None
    process.stdout.close()
    assert code == 0
    assert "Traceback" not in (tmp_path / "stderr.log").read_text()


def test_a_port_in_use_is_one_sentence_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]

        tried = subprocess.run(
            [sys.executable, "-m", "app", "demo"],
            cwd=tmp_path,
            env=environment(tmp_path, port, free_port()),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert tried.returncode == 2
    assert str(port) in tried.stderr
    assert "SIXPENCE_PORT" in tried.stderr
    assert "Traceback" not in tried.stderr
    assert tried.stderr.count("\n") == 1


def test_a_wrong_setting_is_one_sentence_with_the_nearest_name(tmp_path: Path) -> None:
    wrong = environment(tmp_path, free_port(), free_port()) | {"SIXPENCE_PROT": "1"}

    tried = subprocess.run(
        [sys.executable, "-m", "app", "demo"],
        cwd=tmp_path,
        env=wrong,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert tried.returncode == 2
    assert "did you mean SIXPENCE_PORT?" in tried.stderr
    assert "Traceback" not in tried.stderr


@pytest.mark.twice
def test_the_demo_scenario_passes_twice_on_one_database(
    tmp_path: Path, books: Books
) -> None:
    with a_bank(tmp_path, books) as bank:
        where = ("--url", bank.url, "--sandbox", bank.sandbox)
        played = [bank.command("mock_mobile_client", *where, "demo") for _ in range(2)]

    for turn in played:
        assert turn.returncode == 0, turn.stdout + turn.stderr
        last = turn.stdout.strip().splitlines()[-1]
        assert last.split()[1] == "passed"
