"""A database URL becomes the connection block of the ORM, for either engine.

    sqlite://FILE
    postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full
    postgres://USER@/DATABASE?host=/folder/of/the/socket

The password comes as a file, read at each new connection, so it may be changed while
the bank runs. Figures: banking.md section 1.5.
"""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from app.settings import Misconfigured, Settings

_BUSY_TIMEOUT_MS = 5000
_COMMAND_S = 6
_PARAMETERS = frozenset({"host", "sslmode"})


def connection_config(settings: Settings) -> dict[str, Any]:
    """Write the ORM's connection block for the database of the settings.

    Raises:
        Misconfigured: neither sqlite:// nor postgres://, or a parameter we do not know.
    """
    scheme, _, rest = settings.database_url.partition("://")
    if scheme == "sqlite":
        credentials: dict[str, Any] = {
            "file_path": rest,
            "journal_mode": "WAL",
            "synchronous": settings.database_synchronous,
            "busy_timeout": _BUSY_TIMEOUT_MS,
            "foreign_keys": "ON",
            "wait_s": settings.database_wait_s,
        }
    elif scheme in {"postgres", "postgresql"}:
        credentials = _of_postgres(settings)
    else:
        raise Misconfigured("DATABASE_URL is sqlite://FILE or postgres://...")
    return {"engine": "app.engines", "credentials": credentials}


def _of_postgres(settings: Settings) -> dict[str, Any]:
    parts = urlsplit(settings.database_url)
    asked = dict(parse_qsl(parts.query))
    if strange := sorted(asked.keys() - _PARAMETERS):
        raise Misconfigured(f"DATABASE_URL: unknown parameter {strange[0]}")
    block = {
        "host": parts.hostname or asked.get("host"),
        "port": parts.port or 5432,
        "user": unquote(parts.username or ""),
        "password": _password(settings, parts.password),
        "database": parts.path.removeprefix("/"),
        "application_name": "sixpence",
        "minsize": min(settings.database_pool_min, settings.database_pool_max),
        "maxsize": settings.database_pool_max,
        "command_timeout": _COMMAND_S,
        "wait_s": settings.database_pool_wait_s,
        "statement_cache_size": 200,
        "server_settings": {
            "statement_timeout": "5000",
            "lock_timeout": "2000",
            "idle_in_transaction_session_timeout": "10000",
        },
    }
    if "sslmode" in asked:
        block["ssl"] = asked["sslmode"]
    return block


def _password(settings: Settings, in_url: str | None) -> object:
    """Give the password, or what reads it: the driver asks once per connection."""
    file = settings.database_password_file
    if file is None:
        return unquote(in_url or "")
    return lambda: file.read_text().strip()


def shown(url: str) -> str:
    """Write a URL for people: without a password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username or ''}@{host}").geturl()
