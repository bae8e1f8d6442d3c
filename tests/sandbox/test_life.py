"""The life of the process: its end with the parent, its start on a used port."""

import os
import select
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.sandbox.world import ROOT, address_in

pytestmark = pytest.mark.slow  # begun first: waits long

# A parent that starts the sandbox as the bank does and then waits to be ended.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen(
    [sys.executable, "-m", "sandbox", "--port", "0", "--exit-with-parent"],
    stdin=subprocess.PIPE,
)
time.sleep(60)
"""


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("waiting", [False, True], ids=["idle", "with a phone waiting"])
def test_a_parent_that_ends_leaves_no_child_and_a_free_port(
    way: signal.Signals, *, waiting: bool
) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    with parent:
        port = int(address_in(parent.stdout.readline().decode()).rsplit(":", 1)[1])
        phone = socket.create_connection(("127.0.0.1", port))
        if waiting:
            phone.sendall(
                b"GET /phones/+915550000001/inbox?wait=25 HTTP/1.1\r\n"
                b"host: 127.0.0.1\r\n\r\n"
            )
            time.sleep(0.3)

        parent.send_signal(way)
        parent.wait(timeout=5)
        ended = time.monotonic()
        # Parent and child hold the write end of this pipe; its end is the end of both.
        ready, _, _ = select.select([parent.stdout], [], [], 5)
        rest = os.read(parent.stdout.fileno(), 1) if ready else None
        took_s = time.monotonic() - ended
        phone.close()

    assert rest == b""
    assert took_s < 2
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))


def test_an_interrupt_of_the_terminal_leaves_the_child_to_its_parent() -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0", "--exit-with-parent"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdin is not None
    with child:
        address_in(child.stdout.readline().decode())
        child.send_signal(signal.SIGINT)
        time.sleep(0.5)
        lived = child.poll() is None

        child.stdin.close()
        code = child.wait(timeout=5)

    assert lived
    assert code == 0


def test_a_used_port_is_one_sentence_and_code_two() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = subprocess.run(
            [sys.executable, "-m", "sandbox", "--port", str(port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    assert found.returncode == 2
    assert found.stdout == ""
    assert found.stderr == (
        f"Port {port} on 127.0.0.1 cannot be opened (Address already in use): "
        "end the program that holds it, or choose another with --port.\n"
    )


def test_a_port_that_is_none_is_refused_as_usage() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "sandbox", "--port", "70000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert found.returncode == 2
    assert "must be a whole number from 0 to 65535" in found.stderr


def test_it_listens_on_this_machine_only() -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    with child:
        port = int(address_in(child.stdout.readline().decode()).rsplit(":", 1)[1])
        with socket.socket() as other, pytest.raises(ConnectionRefusedError):
            other.connect(("127.0.0.2", port))
        child.send_signal(signal.SIGINT)
        code = child.wait(timeout=5)

    assert code == 0
