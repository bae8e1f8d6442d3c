"""A browser's own authenticator registers and signs in: the check that is not ours.

Chromium's virtual authenticator makes and uses the passkey, on a page of the bank's
origin, through the browser's own JSON functions; the mock phone does the rest. Skipped
with one line where Playwright or a Chromium is missing.
"""

import json
import shutil
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from mock_mobile_client.enums import FactorKind
from mock_mobile_client.handset import Level, Setting
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.signing import b64url, challenge_message, sha256
from mock_mobile_client.values import ChallengeValue, JsonObject
from tests.journeys.bank_process import BankProcess, a_bank
from tests.journeys.books import books_of

if TYPE_CHECKING:
    from tests.postgres import Server

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PAGE = "<!doctype html><title>passkeys</title>"
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
CREATE = """async (options) => {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return JSON.stringify(await navigator.credentials.create({publicKey}));
}"""
GET = """async (options) => {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return JSON.stringify(await navigator.credentials.get({publicKey}));
}"""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def bank(
    tmp_path_factory: pytest.TempPathFactory,
    program: str,
    postgres: "Server | None",
) -> Iterator[BankProcess]:
    folder = tmp_path_factory.mktemp("browsed")
    with books_of(folder, postgres) as books, a_bank(folder, books) as opened:
        yield opened


@pytest.fixture(scope="module")
def program() -> str:
    """Find a Chromium."""
    pytest.importorskip("playwright", reason="no browser test: no Playwright here")
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        pytest.skip("no browser test: no Chromium on the path")
    return found


@pytest.fixture
async def page(bank: BankProcess, program: str) -> AsyncIterator[Any]:
    """Give a page of the bank's origin, and a passkey provider that says yes."""
    playwright: Any = pytest.importorskip("playwright.async_api")
    address = f"{bank.url}/a-page-of-this-test"
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=program, args=["--no-sandbox"]
        )
        context = await browser.new_context()
        opened = await context.new_page()
        wire = await context.new_cdp_session(opened)
        await wire.send("WebAuthn.enable")
        await wire.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        await opened.route(
            address, lambda route: route.fulfill(body=PAGE, content_type="text/html")
        )
        await opened.goto(address)
        yield opened
        await browser.close()


@pytest.fixture
async def phone(bank: BankProcess) -> AsyncIterator[Phone]:
    """Give Asha's phone, bound, without any factor."""
    setting = Setting(iterations=ITERATIONS_MIN)
    async with Phone("asha", bank.url, bank.sandbox, setting) as bound:
        await bound.bind()
        yield bound


async def test_a_browsers_passkey_registers_and_signs_in(
    page: Any, phone: Phone
) -> None:
    registered = await _register(page, phone)

    first = await _sign_in(page, phone)
    second = await _sign_in(page, phone)  # the browser's counter has grown

    assert registered["label"] == phone.name
    assert first["accessToken"] != second["accessToken"]


async def _register(page: Any, phone: Phone) -> JsonObject:
    handset = phone.handset
    started = await handset.call("passkey_register_start", {}, Level.DEVICE)
    given: JsonObject = {
        "registrationId": started["registrationId"],
        "credential": json.loads(await page.evaluate(CREATE, started["options"])),
        "label": phone.name,
    }
    finished = await handset.call(
        "passkey_register_finish", {"input": given}, Level.DEVICE
    )
    passkey: JsonObject = finished["passkey"]
    return passkey


async def _sign_in(page: Any, phone: Phone) -> JsonObject:
    handset = phone.handset
    asked: JsonObject = {"deviceId": handset.device_id, "factor": FactorKind.WEBAUTHN}
    started = await handset.call("login_start", {"input": asked}, Level.DEVICE)
    challenge = ChallengeValue.read(started["challenge"])
    message = challenge_message(challenge.purpose, challenge.nonce, challenge.payload)
    options = challenge.webauthn_options or {}
    assert options["challenge"] == b64url(sha256(message))
    answer = {
        "challengeId": challenge.id,
        "deviceSignature": b64url(handset.key.sign(message)),
        "response": {"webauthn": json.loads(await page.evaluate(GET, options))},
    }
    done = await handset.call("login_finish", {"input": answer}, Level.DEVICE)
    tokens: JsonObject = done["tokens"]
    return tokens
