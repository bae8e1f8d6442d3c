"""Starts `python -m ...` in a tenth of the time: a process that has imported the bank.

`python -m tests.journeys.warm` imports once and then forks for every line of JSON it
reads, so that a bank is there at once. The child runs the module by its name with its
own arguments, folder and surroundings, as the shell would. When the input ends,
whatever still runs is killed.

Under coverage every process starts cold: what is forked does not write down what ran.
"""

import atexit
import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).parents[2]
LOG = "stderr.log"
LOOK_EVERY_S = 0.01


class Process(Protocol):
    """What a test asks of a process that it started, warm or cold."""

    def poll(self) -> int | None:
        """Give the exit code, or None while it runs."""

    def send_signal(self, sig: int) -> None:
        """Send a signal."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; gives the exit code."""


class Started:
    """A warm process; see `Process`."""

    def __init__(self, warm: "Warm", pid: int) -> None:
        self._warm = warm
        self._pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Give the exit code, or None while it runs."""
        if self._code is None:
            self._code = self._warm.ended(self._pid)
        return self._code

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless the end was seen."""
        if self.poll() is None:
            os.kill(self._pid, sig)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; gives the exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs after so many seconds.
        """
        began = time.monotonic()
        while (code := self.poll()) is None:
            if timeout is not None and time.monotonic() - began > timeout:
                raise subprocess.TimeoutExpired(f"process {self._pid}", timeout)
            time.sleep(LOOK_EVERY_S)
        return code


class Warm:
    """The other end: asks the warm process for new ones. Close it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.journeys.warm"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._say({})

    def start(
        self, words: Sequence[str], folder: Path, env: dict[str, str], *said: Path
    ) -> int:
        """Start `python -m WORDS`.

        Args:
            words: the module and its arguments.
            folder: where it runs.
            env: its surroundings.
            said: files for what it prints and for its errors; all goes to stderr.log
                of its folder if left out.

        Returns:
            The number of the process.
        """
        out, errors = map(str, said or (LOG, LOG))
        wish: dict[str, object] = {"words": [*words], "folder": str(folder)}
        return int(self._say(wish | {"env": env, "out": out, "errors": errors}))

    def kill(self, pid: int, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal, and wait until the process is gone."""
        os.kill(pid, how)
        self._say({"gone": pid})

    def ended(self, pid: int) -> int | None:
        """Give the exit code of a process, or None while it runs."""
        said = self._say({"ended": pid})
        return None if said == "runs" else int(said)

    def close(self) -> None:
        """End everything that was started here."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait(timeout=30)

    def _say(self, wish: dict[str, object]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(json.dumps(wish) + "\n")
            self._process.stdin.flush()
            return self._process.stdout.readline().strip()


@cache
def shared() -> Warm:
    """Give the warm process of this run; it ends with the run."""
    warm = Warm()
    atexit.register(warm.close)
    return warm


def launch(
    words: Sequence[str], folder: Path, env: dict[str, str], out: Path, errors: Path
) -> Process:
    """Start `python -m WORDS` in a folder; what it says is appended to files."""
    if "COVERAGE_RUN" not in os.environ:
        warm = shared()
        return Started(warm, warm.start(words, folder, env, out, errors))
    with out.open("ab") as told, errors.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=log,
        )


def _serve() -> None:
    """Fork for every wish, until nobody asks any more."""
    children: set[int] = set()
    try:
        for line in sys.stdin:
            wish = json.loads(line)
            said: object = 0
            if "words" in wish:
                said = os.fork()
                if said == 0:
                    _become(wish)
                children.add(said)
            elif pid := wish.get("gone", 0) or wish.get("ended", 0):
                code = _end_of(pid, os.WNOHANG if "ended" in wish else 0)
                said = "runs" if code is None else code
                if code is not None:
                    children.discard(pid)
            sys.stdout.write(f"{said}\n")
            sys.stdout.flush()
    finally:
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            _end_of(pid, 0)


def _end_of(pid: int, how: int) -> int | None:
    """Give the exit code of a child, as `subprocess` says it; None while it runs."""
    found, status = os.waitpid(pid, how)
    return os.waitstatus_to_exitcode(status) if found else None


def _become(wish: dict[str, object]) -> None:
    """Be `python -m ...` from here on."""
    words, env = wish["words"], wish["env"]
    assert isinstance(words, list)
    assert isinstance(env, dict)
    os.chdir(str(wish["folder"]))
    os.environ.clear()
    os.environ.update(env)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for name, end in (("out", 1), ("errors", 2)):
        kind = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        os.dup2(os.open(str(wish[name]), kind, 0o600), end)
    sys.argv = [str(words[0]), *map(str, words[1:])]
    code = 1
    try:
        runpy.run_module(str(words[0]), run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else int(done.code is not None)
    except BaseException:  # noqa: BLE001  -- the outermost frame of this process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    import app.demo
    import app.main
    import app.worker  # noqa: F401  -- imported once for everybody

    _serve()
