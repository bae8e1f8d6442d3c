"""`python -m sandbox`: the outside world in a process of its own, on this machine."""

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn
from typing_extensions import override

from sandbox.apns_key import UPDATES_MAX, Signers, write_key
from sandbox.app import create_app
from sandbox.calls import Listener, shared_key
from sandbox.clock import WorldClock
from sandbox.fcm_account import TOKEN_S, Tokens, write_account
from sandbox.fineract.double import Fineract
from sandbox.fineract.start import open_double
from sandbox.line import HOST, Line, listen

PORT: Final = 8001
PORT_MAX: Final = 65_535
SET_UP: Final = 2  # exit code: usage or set-up
GRACE_S: Final = 1.0  # for answers under way, after which they are cut off


class World(uvicorn.Server):
    """The server of the outside world.

    Args:
        config: of uvicorn.
        line: is told when the server closes.
        stays: ignore the interrupt that a terminal sends to parent and child alike;
            the parent may still need its partners while it closes.
    """

    def __init__(self, config: uvicorn.Config, line: Line, *, stays: bool) -> None:
        super().__init__(config)
        self._line = line
        self._stays = stays

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGINT and self._stays:
            return
        super().handle_exit(sig, frame)

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._line.close()
        await super().shutdown(sockets)


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop; gives the exit code (0 done, 2 set-up)."""
    asked = _parser().parse_args(arguments)
    if asked.exit_with_parent:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # until uvicorn takes over
    try:
        port = listen(asked.port)
    except OSError as error:
        sys.stderr.write(
            f"Port {asked.port} on {HOST} cannot be opened ({error.strerror}): "
            "end the program that holds it, or choose another with --port.\n"
        )
        return SET_UP
    try:
        fineract = _fineract(asked)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        port.close()
        return SET_UP
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(port, asked, fineract))
    return 0


async def _serve(
    port: socket.socket, asked: argparse.Namespace, fineract: Fineract
) -> None:
    line = Line()
    config = uvicorn.Config(
        create_app(
            line,
            asked.clock_file,
            _tokens(port, asked),
            _signers(asked),
            _listener(asked),
            fineract,
        ),
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=int(GRACE_S),
    )
    server = World(config, line, stays=asked.exit_with_parent)
    line.belongs_to(server)
    if asked.exit_with_parent:
        threading.Thread(target=_watch_parent, args=(server,), daemon=True).start()
    sys.stdout.write(f"The world is open on http://{HOST}:{port.getsockname()[1]}/\n")
    sys.stdout.flush()
    await server.serve(sockets=[port])


def _tokens(port: socket.socket, asked: argparse.Namespace) -> Tokens:
    if asked.fcm_account is not None:
        write_account(asked.fcm_account, f"http://{HOST}:{port.getsockname()[1]}")
    return Tokens(asked.fcm_account, asked.fcm_token_s)


def _signers(asked: argparse.Namespace) -> Signers:
    if asked.apns_key is not None:
        write_key(asked.apns_key)
    return Signers(asked.apns_key, asked.apns_updates)


def _listener(asked: argparse.Namespace) -> Listener:
    key = b"" if asked.imps_key is None else shared_key(asked.imps_key)
    return Listener(asked.imps_callbacks if key else None, key)


def _fineract(asked: argparse.Namespace) -> Fineract:
    clock = WorldClock(asked.clock_file)
    files = asked.fineract_book, asked.fineract_seed, asked.fineract_password
    return open_double(clock, *files)


def _watch_parent(server: World) -> None:
    """End the server when stdin ends, which the kernel sees to however a parent dies.

    A loop that hangs cannot hold the process: after the grace it ends hard.
    """
    while os.read(0, 4096):
        pass
    server.should_exit = True
    threading.Event().wait(GRACE_S + 0.5)
    os._exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="The outside world of a bank on a laptop: partners, inboxes, "
        "faults and a movable clock, on 127.0.0.1 only.",
    )
    parser.add_argument(
        "--port", type=_port, default=PORT, help="to listen on; 0 takes a free one"
    )
    parser.add_argument(
        "--clock-file", type=Path, help="offset file that the server's clock reads"
    )
    parser.add_argument(
        "--fcm-account",
        type=Path,
        help="service account file to write; its key is made once and then kept",
    )
    parser.add_argument(
        "--fcm-token-s", type=int, default=TOKEN_S, help="life of a bearer token"
    )
    parser.add_argument(
        "--apns-key", type=Path, help="key file of Apple's; made once and then kept"
    )
    parser.add_argument(
        "--apns-updates",
        type=int,
        default=UPDATES_MAX,
        help="other provider tokens that Apple takes within 20 minutes",
    )
    parser.add_argument(
        "--imps-callbacks", help="where the bank hears of payments; needs --imps-key"
    )
    parser.add_argument(
        "--imps-key", type=Path, help="file of the key they are signed with, once made"
    )
    parser.add_argument(
        "--fineract-seed", type=Path, help="JSON of the core bank's clients, accounts"
    )
    parser.add_argument(
        "--fineract-book", type=Path, help="file that keeps the core bank over restarts"
    )
    parser.add_argument(
        "--fineract-password", type=Path, help="file of its user's password, once made"
    )
    parser.add_argument(
        "--exit-with-parent",
        action="store_true",
        help="end when stdin ends; the parent holds its other end and never writes",
    )
    return parser


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= PORT_MAX:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number from 0 to {PORT_MAX}")


if __name__ == "__main__":
    sys.exit(main())
