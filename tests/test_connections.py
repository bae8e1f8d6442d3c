"""What the bank makes of a database URL."""

from pathlib import Path

import pytest

from app import connections
from app import settings as app_settings
from app.settings import Misconfigured, Settings


def block(url: str, **more: object) -> dict[str, object]:
    """Give what the driver gets for a URL."""
    chosen = app_settings.load(env="test", database_url=url, **more)
    found: dict[str, object] = connections.connection_config(chosen)["credentials"]
    return found


def test_a_url_says_where_and_as_whom_and_how_safely() -> None:
    found = block("postgres://asha%40bank:p%3Aw@db.test:6000/books?sslmode=require")

    assert {name: found[name] for name in ("host", "port", "user", "password")} == {
        "host": "db.test",
        "port": 6000,
        "user": "asha@bank",
        "password": "p:w",
    }
    assert (found["database"], found["ssl"]) == ("books", "require")


def test_the_figures_of_the_house_are_the_drivers() -> None:
    found = block("postgresql://bank@/books?host=/run/postgres")

    assert (found["host"], found["minsize"], found["maxsize"]) == (
        "/run/postgres",
        2,
        10,
    )
    assert (found["wait_s"], found["command_timeout"]) == (2.0, 6)
    assert found["statement_cache_size"] == 200
    assert found["server_settings"] == {
        "statement_timeout": "5000",
        "lock_timeout": "2000",
        "idle_in_transaction_session_timeout": "10000",
    }


def test_a_password_file_is_read_at_each_connection(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    read = block("postgres://bank@db/books", database_password_file=file)["password"]
    assert callable(read)

    assert read() == "first"
    file.write_text("second\n")
    assert read() == "second"


def test_a_pool_may_be_smaller_than_what_is_kept_open() -> None:
    found = block("postgres://bank@db/books", database_pool_max=1)

    assert (found["minsize"], found["maxsize"]) == (1, 1)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://bank@db/books", "sqlite://FILE or postgres://"),
        ("postgres://bank@db/books?sslmod=require", "unknown parameter sslmod"),
    ],
)
def test_what_we_do_not_know_stops_the_start(url: str, sentence: str) -> None:
    with pytest.raises(Misconfigured, match=sentence):
        block(url)


def test_a_password_in_a_url_is_shown_to_nobody() -> None:
    url = "postgres://bank:secret@db.test:6000/books"

    assert connections.shown(url) == "postgres://bank@db.test:6000/books"
    assert "secret" not in repr(app_settings.load(env="test", database_url=url))
    bus = "rediss://:secret@valkey.test:6379/0"
    assert connections.shown(bus) == "rediss://@valkey.test:6379/0"
    assert "secret" not in repr(app_settings.load(env="test", bus_url=bus))
    assert connections.shown("sqlite://.sixpence/bank.db") == (
        "sqlite://.sixpence/bank.db"
    )


def test_production_takes_its_password_from_a_file_only() -> None:
    with pytest.raises(Misconfigured, match="give DATABASE_PASSWORD_FILE"):
        app_settings.load(env="production", database_url="postgres://a:b@c/d")


def test_a_bank_of_the_tests_has_the_settings_that_would_be_read(
    settings: Settings,
) -> None:
    """They are read once for a run, because reading takes longer than most tests."""
    own = {"database_url", "database_synchronous", "database_pool_min"}
    given = {name: getattr(settings, name) for name in own}

    read = app_settings.load(env="test", **given)

    assert settings.model_dump() == read.model_dump()
