"""The peers of the home screen: how each is started, and which can run here."""

import json
import sys
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import node, servers
from bench.load import Request, ask
from bench.servers import ROOT, Engine, Server

NODE_FILES = ROOT / "bench/peers/graphql_node"
_PYTHON = sys.executable, "-m"


@dataclass(frozen=True, slots=True)
class Rival:
    """A peer of the home screen.

    Args:
        name: as the tables call it.
        command: what starts it, before the words that every peer is told.
        target: which of the design's targets it is of.
        floor: how many times as many home screens a second we promise.
        bare: it signs nobody in and trusts the header that names the customer.
    """

    name: str
    command: tuple[str, ...]
    target: str
    floor: float
    bare: bool = False

    @property
    def on_node(self) -> bool:
        """Whether it needs Node and its packages."""
        return self.command[0] == "node"


RIVALS = {
    "sqlite": (
        Rival(
            "raw sqlite3 + orjson",
            (*_PYTHON, "bench.peers.raw_sqlite"),
            "S4",
            0.6,
            bare=True,
        ),
    ),
    "postgres": (
        Rival(
            "raw asyncpg + orjson",
            (*_PYTHON, "bench.peers.raw_asyncpg"),
            "S2",
            0.8,
            bare=True,
        ),
        Rival("Mercurius with JIT", ("node", "mercurius.js"), "S1", 1.5),
        Rival("Apollo Server 5", ("node", "apollo.js"), "S3", 5.0),
        Rival("GraphQL Yoga", ("node", "yoga.js"), "S3", 5.0),
        Rival(
            "Strawberry and Tortoise by their tutorials",
            (*_PYTHON, "bench.peers.strawberry_home"),
            "S3",
            20.0,
        ),
    ),
}


def able(engine: str, *, smoke: bool) -> Sequence[Rival]:
    """Give the peers that can run here; says which cannot.

    A smoke run, which is part of the check, goes without Node.
    """
    found = RIVALS[engine]
    rest = [one for one in found if not one.on_node]
    if smoke or len(rest) == len(found):
        return rest
    why = node.missing(NODE_FILES)
    if why is None:
        return found
    names = ", ".join(one.name for one in found if one.on_node)
    print(f"{names}: skipped, {why}", file=sys.stderr)
    return rest


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens the peers take: those the bank signed for its phones.

    Args:
        url: of the bank, as it stands in a token.
        key_file: its public key, a JWK.
    """

    url: str
    key_file: Path

    @classmethod
    async def of(cls, bank: Server, token: str, folder: Path) -> "Issuer":
        """Read the key that signed a token where the bank publishes its keys."""
        head = token.partition(".")[0]
        kid = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
        url = f"localhost:{bank.port}"
        wish = f"GET /.well-known/jwks.json HTTP/1.1\r\nhost: {url}\r\n\r\n"
        keys = json.loads(await ask(bank.port, Request(wish.encode())))["keys"]
        (key,) = (one for one in keys if one["kid"] == kid)
        file = folder / "token-key.json"
        file.write_text(json.dumps(key))
        return cls(f"http://{url}", file)


@contextmanager
def started(
    rival: Rival, below: Engine, issuer: Issuer, core: frozenset[int]
) -> Iterator[Server]:
    """Start a peer on the database of the bank."""
    port = servers.free_port()
    told = [below.where, str(port)]
    if not rival.bare:
        told += [str(issuer.key_file), issuer.url]
    folder = node.home(NODE_FILES) if rival.on_node else ROOT
    with servers.peer([*rival.command, *told], folder, port, core) as server:
        yield server
