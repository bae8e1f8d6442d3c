"""Other people's clients, unchanged, against a demo bank: `make clients`.

A bank is started as `make run` does it, with a second web process whose tokens live for
seconds only. The mock phone enrols and signs in, then hands key and tokens to each
client as the file it keeps itself in. The last one meets a third web process, which
runs only the operations of the list that this client wrote. Prints one line per client.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import orjson

from mock_mobile_client import documents
from mock_mobile_client.handset import Setting
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.store import FileStore
from tests.attacks.second_web import a_second_web
from tests.journeys.bank_process import BankProcess, a_bank

HERE = Path(__file__).parent
CLIENTS = ("audits.js", "graphql-ws.js", "apollo.js")
TRUSTED = "trusted.js"
TOKEN_S = 5
LONGEST_S = 120


def main() -> int:
    """Run every client; gives 0 when all held."""
    if shutil.which("node") is None or not (HERE / "node_modules").is_dir():
        sys.stderr.write("The clients need Node 20 or newer: `make clients`.\n")
        return 2
    more = {"LIMIT_FACTOR": "1000", "ACCESS_TTL_S": str(TOKEN_S)}
    with (
        tempfile.TemporaryDirectory() as folder,
        a_bank(Path(folder)) as bank,
        a_second_web(bank, **more) as door,
    ):
        codes = [_ran(client, bank, door) for client in CLIENTS]
        lists = bank.folder / "documents"
        lists.mkdir()
        codes.append(_node(TRUSTED, str(lists / "1.0.0.json")))
        (lists / "2.0.0.json").write_bytes(orjson.dumps(documents.manifest()))
        only = {"DOCUMENTS": "trusted", "DOCUMENTS_DIR": str(lists)}
        with a_second_web(bank, **only) as door_of_listed:
            codes.append(_ran(TRUSTED, bank, door_of_listed))
    return max(codes)


def _ran(client: str, bank: BankProcess, door: str) -> int:
    store = FileStore(bank.folder / "clients")
    asyncio.run(_sign_in(bank, door, store))
    given = {
        "SIXPENCE_BANK": bank.url,
        "SIXPENCE_DOOR": door,
        "SIXPENCE_PHONE": str(store.place(bank.url, "Asha-1")),
    }
    return _node(client, **given)


def _node(*words: str, **given: str) -> int:
    sys.stdout.flush()
    return subprocess.run(
        ["node", *words],  # noqa: S607  -- the one on the path
        cwd=HERE,
        env=os.environ | given,
        timeout=LONGEST_S,
        check=False,
    ).returncode


async def _sign_in(bank: BankProcess, door: str, store: FileStore) -> None:
    setting = Setting(store, ITERATIONS_MIN, door=door)
    async with Phone("Asha-1", bank.url, bank.sandbox, setting) as phone:
        await phone.start()


if __name__ == "__main__":
    sys.exit(main())
