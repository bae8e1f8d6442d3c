"""How values that are more than a word are written in the environment.

A rate is `10/60s`; several words are parted by commas. An Android app is its package, a
colon, and the SHA-256 of its signing certificate in hex, with or without colons.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import NoDecode


@dataclass(frozen=True, slots=True)
class Rate:
    """A count per window of seconds, written `10/60s`."""

    count: int
    window_s: int


@dataclass(frozen=True, slots=True)
class AndroidApp:
    """An app as Android knows it, written `bank.sixpence.app:AB:CD:...`.

    Args:
        package: its package name.
        digest: SHA-256 of the certificate that signs it, 32 bytes.
    """

    package: str
    digest: bytes


def is_within(host: str | None, domain: str) -> bool:
    """Whether a host is a domain or lies below it."""
    return f".{host}".endswith(f".{domain}")


_DIGEST_BYTES = 32
_TEAM_AND_BUNDLE = re.compile(r"[A-Z0-9]{10}\.[A-Za-z0-9.-]+")


def _rate(value: object) -> object:
    if not isinstance(value, str):
        return value
    count, _, window = value.partition("/")
    return Rate(int(count), int(window.removesuffix("s")))


def _words(value: object) -> object:
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value


def _android_apps(value: object) -> object:
    words = _words(value)
    return tuple(map(_android_app, words)) if isinstance(words, tuple) else words


def _android_app(word: object) -> object:
    if not isinstance(word, str):
        return word
    package, _, digest = word.partition(":")
    try:
        found = bytes.fromhex(digest.replace(":", ""))
    except ValueError:
        found = b""
    if not package or len(found) != _DIGEST_BYTES:
        raise ValueError("an app is PACKAGE:SHA-256 of its certificate in hex")
    return AndroidApp(package, found)


def _ios_apps(value: object) -> object:
    words = _words(value)
    if isinstance(words, tuple) and not all(map(_is_ios_app, words)):
        raise ValueError("an app is TEAM.BUNDLE, the team in ten letters and digits")
    return words


def _is_ios_app(word: object) -> bool:
    return isinstance(word, str) and bool(_TEAM_AND_BUNDLE.fullmatch(word))


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
Limit = Annotated[Rate, NoDecode, BeforeValidator(_rate)]
AndroidApps = Annotated[
    tuple[AndroidApp, ...], NoDecode, BeforeValidator(_android_apps)
]
IosApps = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_ios_apps)]
