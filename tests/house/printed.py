"""The pages made from code: `python -m tests.house.printed` writes them anew.

`make schema` calls it after `python -m app schema`, which prints the contract itself.
"""

import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import orjson

import app
from app import errors
from app import settings as app_settings
from app.access import Access
from app.commands import documents as listing
from app.errors import ErrorCode, Refusal, RequestFault
from app.limits import Limits
from app.settings import PREFIX, Settings
from app.written import Rate
from mock_mobile_client import documents as shipped
from mock_mobile_client.enrolment import APP_VERSION

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ROOT / "app/schema/documents"
SECTION = re.compile(r"^    # -{4} (.+)$")

ADAPTER_DEPTH = 3  # app.integrations.sms.http

# What a phone does about each code. The rest of the page is read from the classes.
ADVICE = {
    "VALIDATION_FAILED": "Mark `field`.",
    "NOT_FOUND": "Drop the cached object and load again.",
    "NOT_ALLOWED": "Drop the cached object and load again.",
    "CONFLICT": "Drop the cached object and load again.",
    "RATE_LIMITED": "Wait `retryAfterSeconds`; keep the button off until then.",
    "IDEMPOTENCY_KEY_REUSED": "A bug of the app: it kept a key over a changed form.",
    "SERVICE_UNAVAILABLE": "Keep the form; send the same key again later.",
    "NOT_SUPPORTED": "Hide the function.",
    "STEP_UP_REQUIRED": "Show `payload`, call challengeRespond, repeat the same input.",
    "APP_UPDATE_REQUIRED": "Ask appPolicy and open the store.",
    "INVALID_CREDENTIAL": "Clear the entry; below 3 tries left say so.",
    "CREDENTIAL_LOCKED": "Without `lockedUntil`: set the factor again.",
    "DEVICE_BLOCKED": "Erase the local keys and enrol.",
    "DEVICE_LOCKED": "Keep the keys; enrol again.",
    "SESSION_LOCKED": "Show the lock screen and sign in.",
    "SESSION_ENDED": "Sign in from the start.",
    "ATTESTATION_REJECTED": "Say why and restart the flow.",
    "TOO_MANY_DEVICES": "Say why and restart the flow.",
    "PASSKEY_REJECTED": "Say why and restart the flow.",
    "ENROLMENT_EXPIRED": "Say why and restart the flow.",
    "CHALLENGE_EXPIRED": "Ask for a new challenge; for a payment: paymentChallenge.",
    "CHALLENGE_FAILED": "Never send the same bytes again; show the facts again.",
    "INSUFFICIENT_FUNDS": "Offer another account or a smaller amount.",
    "LIMIT_EXCEEDED": "Offer what remains.",
    "COOLING_PERIOD": "Offer `allowedNow` and show when the wait ends.",
    "PAYEE_NAME_MISMATCH": "Show the suggested name.",
    "PAYEE_REJECTED": "Say why.",
    "ACCOUNT_BLOCKED": "Say why.",
    "CURRENCY_MISMATCH": "Say why.",
    "QUOTE_EXPIRED": "Quote again and show the new fee.",
    "RISK_DECLINED": "Show `statusMessage`; offer help, not a retry.",
    "TOO_LATE": "Say why.",
    "PARTNER_DECLINED": "Show `statusMessage`; offer help, not a retry.",
    "BAD_REQUEST": "A bug of the app; do not retry.",
    "TOO_COMPLEX": "A bug of the app; `budget` says what to ask less of.",
    "PERSISTED_QUERY_NOT_FOUND": "Ask appPolicy, then update the app.",
    "UNAUTHENTICATED": "Sign in; with DEVICE_UNKNOWN enrol.",
    "DPOP_REQUIRED": "A bug of the app.",
    "DPOP_INVALID": "Make a new proof once; then report it.",
    "DPOP_REPLAYED": "Make a new proof and send again once.",
    "USE_DPOP_NONCE": "Put the `DPoP-Nonce` header into a new proof, send again once.",
    "FORBIDDEN": "Sign in if `requiredLevel` is LOGIN; else hide the function.",
    "INTERNAL": "Send the same key again, at most 3 times, after 1, 2 and 4 s.",
}


def rooms() -> Iterator[str]:
    """Name every module of app."""
    for found in pkgutil.walk_packages(app.__path__, "app."):
        if ".migrations" not in found.name and not found.name.endswith("__main__"):
            yield found.name


def refusals() -> list[type[Refusal]]:
    """Find every Refusal of the house, wherever its room put it."""
    for name in rooms():
        if name == "app.errors" or name.endswith(".errors"):
            import_module(name)
    found: list[type[Refusal]] = []
    todo = [Refusal]
    while todo:
        for kind in todo.pop().__subclasses__():
            if kind.__module__.startswith("app."):
                found.append(kind)
                todo.append(kind)
    order = list(ErrorCode)
    return sorted(found, key=lambda kind: (order.index(kind.code), kind.__name__))


def faults() -> list[type[RequestFault]]:
    """Find every fault of a request."""
    return [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind)
        and issubclass(kind, RequestFault)
        and kind is not RequestFault
    ]


def first_sentence(thing: object) -> str:
    """Give the first paragraph of a docstring on one line."""
    text = inspect.getdoc(thing) or ""
    return " ".join(text.split("\n\n")[0].split())


# ------------------------------------------------------------------ settings


def settings_page() -> str:
    """Write docs/settings.md from the classes of the settings."""
    lines = [
        "# Settings",
        "",
        "Made from `app/settings.py` and the two files it takes in, `access.py` and",
        "`limits.py`, by `make schema`; do not edit it here. Every name has the prefix",
        f"`{PREFIX}` and is read from the environment. A name that is not on this page",
        f"stops the start, except those of an adapter (`{PREFIX}SMS_HTTP_BASE_URL`):",
        "they stand at the end.",
        "",
        "A rate is written `10/60s`: ten in sixty seconds. `LIMIT_FACTOR` multiplies",
        "the counts; it is 1 in production and 1000 in demo and test.",
    ]
    for section, names in sections().items():
        lines += ["", f"## {section}", "", "| name | default | what it is |"]
        lines += ["|---|---|---|"]
        for name in names:
            field = Settings.model_fields[name]
            shown = default_of(field.default)
            lines.append(f"| `{name.upper()}` | {shown} | {field.description} |")
    return "\n".join([*lines, *adapter_lines()]) + "\n"


def adapter_lines() -> list[str]:
    """Write the blocks that adapters own, each with its whole prefix."""
    lines: list[str] = []
    for name in rooms():
        if name.startswith("app.integrations.") and name.count(".") == ADAPTER_DEPTH:
            own = vars(import_module(name)).get("Settings")
            if own is not None and own.__module__ == name and own.model_fields:
                prefix = str(own.model_config.get("env_prefix", ""))
                lines += [
                    "",
                    f"## Adapter {name.removeprefix('app.integrations.')}",
                    "",
                ]
                lines += ["| name | default | what it is |", "|---|---|---|"]
                lines += [
                    f"| `{prefix}{key.upper()}` | {default_of(field.default)} "
                    f"| {field.description} |"
                    for key, field in own.model_fields.items()
                ]
    return lines


def sections() -> dict[str, list[str]]:
    """Read which setting stands under which heading of the class."""
    classes = (Settings, Access, Limits)
    source = [line for one in classes for line in inspect.getsource(one).splitlines()]
    found: dict[str, list[str]] = {}
    current = "other"
    for line in source:
        heading = SECTION.match(line)
        name = line.strip().partition(":")[0]
        if heading:
            current = heading.group(1)
        elif name in Settings.model_fields and line.startswith("    "):
            found.setdefault(current, []).append(name)
    return found


def default_of(value: object) -> str:
    """Write a default as it would stand in the environment."""
    if isinstance(value, Rate):
        return f"`{value.count}/{value.window_s}s`"
    if isinstance(value, tuple):
        return f"`{','.join(value)}`" if value else "empty"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


# ------------------------------------------------------------------ errors


def error_rows() -> list[dict[str, object]]:
    """List every code: its channel, classes, sentences and what the app does."""
    rows: list[dict[str, object]] = []
    for code in ErrorCode:
        kinds = [kind for kind in refusals() if kind.code is code]
        rows.append(
            {
                "code": code.value,
                "channel": "userErrors",
                "when": [first_sentence(kind) for kind in kinds if tells(kind)],
                "sentences": sorted({kind.sentence for kind in kinds}),
                "raised": bool(kinds),
                "app": ADVICE[code.value],
            }
        )
    for fault in faults():
        rows.append(  # noqa: PERF401  -- the two tables read alike
            {
                "code": fault.code,
                "channel": "errors",
                "status": fault.status,
                "when": [first_sentence(fault)],
                "sentences": [fault.sentence],
                "raised": True,
                "app": ADVICE[fault.code],
            }
        )
    return rows


def tells(kind: type[Refusal]) -> bool:
    """Tell whether a class says something of its own to the customer."""
    return "sentence" in vars(kind)


def close_rows() -> list[dict[str, object]]:
    """List every close code of the socket."""
    codes = import_module("app.schema.transport.codes")
    return [
        {"code": int(code), "when": when, "app": does}
        for code, (when, does) in codes.MEANING.items()
    ]


def errors_page() -> str:
    """Write docs/errors.md."""
    rows = error_rows()
    lines = [
        "# Errors",
        "",
        "Made from the code by `make schema`; do not edit it here. The same table for",
        "programs is `docs/errors.json`.",
        "",
        "A request that never became an operation answers `errors` and no `data`; the",
        "code stands in `extensions.code`, the request id in `extensions.requestId`.",
        "A no of the bank stands in the payload's `userErrors`. What happened to a",
        "payment that exists is its `status`, never an error.",
        "",
        "## In `userErrors`",
        "",
        "Treat a code you do not know as VALIDATION_FAILED and show `message`.",
    ]
    for row in rows:
        if row["channel"] == "userErrors":
            lines += ["", f"### {row['code']}", "", *prose(row)]
    lines += ["", "## In `errors`", ""]
    lines += ["| code | HTTP | when | the app |", "|---|---|---|---|"]
    lines += [
        f"| {row['code']} | {row['status']} | {text(row['when'])} | {row['app']} |"
        for row in rows
        if row["channel"] == "errors"
    ]
    lines += [
        f"| INTERNAL | 500 | A mistake of ours; it is logged. | {ADVICE['INTERNAL']} |",
        "",
        "## Close codes of the socket",
        "",
        "| code | when | the app |",
        "|---|---|---|",
    ]
    lines += [f"| {r['code']} | {r['when']} | {r['app']} |" for r in close_rows()]
    lines += [
        "",
        "1011 and 4500 are never sent: the common client takes both as final, and a",
        "phone would stay dark after one hiccup.",
    ]
    return "\n".join(lines) + "\n"


def prose(row: dict[str, object]) -> list[str]:
    """Write one code of `userErrors`."""
    if not row["raised"]:
        return ["This build never sends it.", "", f"The app: {row['app']}"]
    sentences = row["sentences"]
    assert isinstance(sentences, list)
    return [
        text(row["when"]),
        "",
        *(f"> {sentence}" for sentence in sentences),
        "",
        f"The app: {row['app']}",
    ]


def text(parts: object) -> str:
    """Join sentences."""
    assert isinstance(parts, list)
    return " ".join(parts)


def errors_json() -> str:
    """Write docs/errors.json."""
    page = {"codes": error_rows(), "closeCodes": close_rows()}
    return orjson.dumps(page, option=orjson.OPT_INDENT_2).decode() + "\n"


def contract() -> str:
    """Print the contract of the running code."""
    return str(import_module("app.schema.root").sdl())


def manifest() -> str:
    """List the operations of our own phone, as its version is released."""
    return orjson.dumps(shipped.manifest(), option=orjson.OPT_INDENT_2).decode() + "\n"


def levels() -> str:
    """Give level and price of those operations, as `python -m app documents` does."""
    rows = listing.sheet(app_settings.load(env="test"))[APP_VERSION]
    return listing.as_json(APP_VERSION, rows)


PAGES: dict[str, tuple[Path, Callable[[], str]]] = {
    "settings": (ROOT / "docs/settings.md", settings_page),
    "errors": (ROOT / "docs/errors.md", errors_page),
    "errors.json": (ROOT / "docs/errors.json", errors_json),
    "schema": (ROOT / "app/schema/schema.graphql", contract),
    "documents": (DOCUMENTS / f"{APP_VERSION}.json", manifest),
    "levels": (DOCUMENTS / f"{APP_VERSION}.operations.json", levels),
}


def main() -> int:
    """Write every page but the contract, which `python -m app schema` prints."""
    for name, (path, page) in PAGES.items():
        if name != "schema":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page())
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
