"""Starts `python -m ...` in a tenth of the time: a process that has imported the bank.

`python -m tests.journeys.warm` imports once and then forks for every line of JSON it
reads, so that a killed bank is back at once. The child runs the module by its name with
its own arguments, folder and surroundings, as the shell would. When the input ends,
whatever still runs is killed.
"""

import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Warm:
    """The other end: asks the warm process for new ones. Close it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.journeys.warm"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._say({})

    def start(self, words: Sequence[str], folder: Path, env: dict[str, str]) -> int:
        """Start `python -m WORDS`; what it writes goes to stderr.log of its folder.

        Returns:
            The number of the process.
        """
        return self._say({"words": [*words], "folder": str(folder), "env": env})

    def kill(self, pid: int, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal, and wait until the process is gone."""
        os.kill(pid, how)
        self._say({"gone": pid})

    def close(self) -> None:
        """End everything that was started here."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait(timeout=30)

    def _say(self, wish: dict[str, object]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wish) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def _serve() -> None:
    """Fork for every wish, until nobody asks any more."""
    children: set[int] = set()
    try:
        for line in sys.stdin:
            wish = json.loads(line)
            if "words" in wish:
                pid = os.fork()
                if pid == 0:
                    _become(wish)
                children.add(pid)
            else:
                pid = wish.get("gone", 0)
                children.discard(_ended(pid))
            sys.stdout.write(f"{pid}\n")
            sys.stdout.flush()
    finally:
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            _ended(pid)


def _ended(pid: int) -> int:
    if pid:
        os.waitpid(pid, 0)
    return pid


def _become(wish: dict[str, object]) -> None:
    """Be `python -m ...` from here on."""
    words, folder, env = wish["words"], wish["folder"], wish["env"]
    assert isinstance(words, list)
    assert isinstance(env, dict)
    os.chdir(str(folder))
    os.environ.clear()
    os.environ.update(env)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open("stderr.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for kept, end in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(kept, end)
    sys.argv = [str(words[0]), *map(str, words[1:])]
    code = 1
    try:
        runpy.run_module(str(words[0]), run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    import app.demo
    import app.main
    import app.worker  # noqa: F401  -- imported once for everybody

    _serve()
