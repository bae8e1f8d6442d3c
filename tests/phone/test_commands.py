"""The command line: what it prints, and how it exits."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mock_mobile_client import documents
from mock_mobile_client.__main__ import app
from mock_mobile_client.journeys import SCENARIO
from tests.phone.conftest import Fake

pytestmark = pytest.mark.slow  # begun first: waits long


def invoke(arguments: list[str]) -> Result:
    return CliRunner().invoke(app, arguments)


async def run(fake: Fake, folder: Path, *words: str) -> Result:
    """Run one command as a program would, beside the fake bank's loop."""
    options = ["--url", fake.url, "--sandbox", fake.url, "--phones", str(folder)]
    arguments = [*options, *words]
    return await asyncio.to_thread(invoke, arguments)


async def test_the_demo_prints_its_steps_and_a_last_line(
    fake: Fake, tmp_path: Path
) -> None:
    ran = await run(fake, tmp_path, "demo")

    lines = ran.output.splitlines()
    assert ran.exit_code == 0, ran.output
    assert lines[-1].startswith(f"{len(SCENARIO)} passed in ")
    assert sum(line.startswith("✓") for line in lines) == len(SCENARIO)
    assert "\x1b" not in ran.output
    assert max(map(len, lines)) <= 100


async def test_a_failed_demo_exits_one_with_the_request_id(
    fake: Fake, tmp_path: Path
) -> None:
    fake.bank.customers[0].code = "AAAA-AAAA-AAAA"

    ran = await run(fake, tmp_path, "demo")

    assert ran.exit_code == 1
    assert "INVALID_CREDENTIAL" in ran.output
    assert "request req-1" in ran.output


@pytest.mark.twice
async def test_the_demo_speaks_json_to_scripts(fake: Fake, tmp_path: Path) -> None:
    ran = await run(fake, tmp_path, "demo", "--json")

    told = json.loads(ran.output)
    whole = len(SCENARIO)
    assert (told["ok"], told["passed"], len(told["steps"])) == (True, whole, whole)


def test_the_list_of_the_apps_operations_is_printed_for_the_bank() -> None:
    printed = invoke(["manifest"])

    assert json.loads(printed.output) == documents.manifest()


async def test_a_day_at_the_bank_by_hand(fake: Fake, tmp_path: Path) -> None:
    asha = fake.bank.customers[0]
    steps = [
        ("status",),
        ("enrol", "asha"),
        ("login", "--with", "mpin"),
        ("accounts",),
        ("beneficiary", "add", "Ben", "Ben", "50100000002001"),
        ("pay", "ben", "250.00", "INR"),
        ("statement", "Everyday", "--last", "3"),
        ("query", "query Home { me { displayName } }"),
        ("watch", "--for", "0.2"),
        ("logout",),
        ("status", "--watch", "--for", "0.2"),
    ]

    printed = {}
    for words in steps:
        ran = await run(fake, tmp_path, *words)
        assert ran.exit_code == 0, (words, ran.output)
        printed[words[0]] = ran.output

    figures = "Everyday ••••1001 48,250.00 INR 48,250.00 INR 0.00 INR"
    assert figures in " ".join(printed["accounts"].split())
    states = [line.split()[0] for line in printed["pay"].splitlines()]
    assert list(dict.fromkeys(states)) == [
        *("AWAITING_AUTHORISATION", "sign:", "SUBMITTED", "SETTLED", "balance"),
    ]
    assert "LOGIN            OPERATIONAL      since 20" in printed["status"]
    assert "Everyday 48,000.00 INR" in printed["pay"]
    assert "-250.00 INR  48,000.00 INR" in printed["statement"]
    assert json.loads(printed["query"]) == {"data": {"me": {"displayName": "Asha"}}}
    assert "ready     seq 6" in printed["watch"]
    assert asha.accounts[0].minor == 4_800_000


async def test_the_same_key_again_is_replayed_and_moves_nothing(
    fake: Fake, tmp_path: Path
) -> None:
    await run(fake, tmp_path, "enrol", "asha")
    await run(fake, tmp_path, "login")
    key = "3f0c2a52-7f7e-4c6b-9d5c-0c8f5b0f2c11"
    words = ("pay", "savings", "5.00", "INR", "--key", key)
    await run(fake, tmp_path, *words)

    ran = await run(fake, tmp_path, *words)

    assert ran.exit_code == 0
    assert "already done (replayed)" in ran.output
    assert fake.bank.customers[0].accounts[0].minor == 4_824_500


async def test_a_refusal_exits_one_and_says_how_many_tries_are_left(
    fake: Fake, tmp_path: Path
) -> None:
    await run(fake, tmp_path, "enrol", "asha")

    ran = await run(fake, tmp_path, "--pin", "508143", "login")

    assert ran.exit_code == 1
    assert "INVALID_CREDENTIAL" in ran.output
    assert "4 attempts left on this phone" in ran.output


async def test_usage_exits_two(fake: Fake, tmp_path: Path) -> None:
    for words in (
        ("login",),
        ("enrol", "eve"),
        ("proof", "11"),
        ("query", "no-such-file"),
        ("query", "{ me { id } }", "--variables", "[]"),
        ("login", "--with", "passkey"),
        ("login", "--with", "biometric"),
        ("pay", "ben", "lots", "INR"),
        ("fly",),
    ):
        ran = await run(fake, tmp_path, *words)
        assert ran.exit_code == 2, (words, ran.output)


async def test_proof_and_doctor_exit_zero_when_all_is_well(
    fake: Fake, tmp_path: Path
) -> None:
    proof = await run(fake, tmp_path, "proof", "1")
    doctor = await run(fake, tmp_path, "doctor")

    assert (proof.exit_code, doctor.exit_code) == (0, 0), proof.output + doctor.output
    assert proof.output.splitlines()[-1] == "proof 1 holds"


async def test_a_bank_that_is_not_there_exits_three(tmp_path: Path) -> None:
    options = ["--url", "http://127.0.0.1:1", "--phones", str(tmp_path)]

    for word in ("doctor", "demo"):
        arguments = [*options, "--sandbox", "http://127.0.0.1:1", word]
        ran = await asyncio.to_thread(invoke, arguments)

        assert ran.exit_code == 3, (word, ran.output)


def test_help_answers_without_loading_the_phone() -> None:
    program = [sys.executable, "-X", "importtime", "-m", "mock_mobile_client", "--help"]
    began = time.perf_counter()

    ran = subprocess.run(program, capture_output=True, text=True, check=True)

    assert time.perf_counter() - began < 5  # generous: the promise is bench/cold_start
    for heavy in ("httpx", "cryptography", "websockets", "rich.console", "app."):
        assert f" {heavy}" not in ran.stderr
    assert "demo" in ran.stdout


async def test_a_watched_phone_is_sent_to_sleep_and_cut_off_from_elsewhere(
    fake: Fake, tmp_path: Path
) -> None:
    await run(fake, tmp_path, "enrol", "asha")
    await run(fake, tmp_path, "login")
    asha = fake.bank.customers[0]

    async with asyncio.TaskGroup() as both:
        watched = both.create_task(run(fake, tmp_path, "watch", "--for", "4"))
        while not fake.edge.sockets:
            await asyncio.sleep(0.01)
        slept = await run(fake, tmp_path, "sleep")
        while fake.edge.sockets:
            await asyncio.sleep(0.01)
        row = {"direction": "IN", "account": {"id": "acc_1", "name": "Everyday"}}
        fake.bank.append(asha, {"__typename": "TransactionPosted", "transaction": row})
        await run(fake, tmp_path, "wake")
        while not fake.edge.sockets:
            await asyncio.sleep(0.01)
        cut = await run(fake, tmp_path, "airplane", "on")
        while fake.edge.sockets:
            await asyncio.sleep(0.01)
        offline = await run(fake, tmp_path, "accounts")
        await run(fake, tmp_path, "airplane", "off")
        while not fake.edge.sockets:
            await asyncio.sleep(0.01)

    lines = [line[9:] for line in watched.result().output.splitlines()]
    assert lines[:2] == ["ready     seq 0  0 missed", "asleep    the socket is closed"]
    assert any(
        line.startswith('push      FCM "Money received" seq 1') for line in lines
    )
    assert "ready     seq 0  1 missed" in lines
    assert "airplane  on" in lines
    assert "airplane  off" in lines
    assert slept.output == "Asha-1 sleeps: no socket, pushes still come\n"
    assert cut.output == "Asha-1 is in airplane mode\n"
    assert (offline.exit_code, offline.output) == (
        3,
        "unreachable  the phone is in airplane mode\n",
    )


async def test_a_passkey_is_registered_signs_in_and_approves(
    fake: Fake, tmp_path: Path
) -> None:
    enrolled = await run(fake, tmp_path, "enrol", "asha", "--passkey")
    signed_in = await run(fake, tmp_path, "login", "--with", "passkey")
    words = ("pay", "savings", "5.00", "INR", "--approve", "passkey")
    paid = await run(fake, tmp_path, *words)

    assert "passkey" in enrolled.output
    assert "device key, WEBAUTHN" in signed_in.output
    assert "device key and WEBAUTHN" in paid.output
    assert fake.bank.customers[0].accounts[0].minor == 4_824_500


async def test_a_finger_signs_in_and_approves_until_another_one_is_added(
    fake: Fake, tmp_path: Path
) -> None:
    login = ("login", "--with", "biometric")
    pay = ("pay", "savings", "5.00", "INR", "--approve", "biometric")
    steps = [
        (("enrol", "asha", "--biometric"), 0, "biometric  key set"),
        (("biometric", "on"), 0, "Asha-1 has a biometric key already"),
        (login, 0, "device key, BIOMETRIC"),
        (pay, 0, "device key and BIOMETRIC"),
        (("--finger", "Eve's thumb", *login), 1, "does not know this finger"),
        (("biometric", "add-finger", "Eve's thumb"), 0, "key is destroyed"),
        (login, 2, "this phone has no BIOMETRIC"),
        (("biometric", "on"), 0, "Asha-1 has a biometric key\n"),
        (("biometric", "off"), 0, "Asha-1 has no biometric key any more"),
        (login, 2, "this phone has no BIOMETRIC"),
    ]

    for words, code, said in steps:
        ran = await run(fake, tmp_path, *words)
        assert (ran.exit_code, said in ran.output) == (code, True), (words, ran.output)

    assert fake.bank.customers[0].accounts[0].minor == 4_824_500


async def test_a_proof_without_a_movable_clock_holds_partly(
    fake: Fake, tmp_path: Path
) -> None:
    fake.bank.movable = False

    ran = await run(fake, tmp_path, "proof", "5")

    assert ran.exit_code == 0, ran.output
    assert ran.output.splitlines()[-1] == "proof 5 holds partly"


async def test_words_that_name_nothing_are_refused(fake: Fake, tmp_path: Path) -> None:
    for words in (("login", "--with", "face"), ("airplane", "maybe"), ("proof", "11")):
        ran = await run(fake, tmp_path, *words)

        assert ran.exit_code == 2, words
    assert fake.bank.calls == []


def test_the_help_says_each_command_in_one_whole_line() -> None:
    shown = invoke(["--help"]).output.partition("Commands:")[2]

    assert "..." not in shown
    groups = ("biometric", "totp", "recovery")
    for word in ("demo", "devices", "revoke", "panic", "thief", *groups):
        assert f"  {word} " in shown
