"""Trusted documents: three shapes of lists, two forms of ids, and nothing else runs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.errors import BadRequest
from app.schema import trusted
from app.schema.execution import Call, Channel, Engine
from app.schema.library import Documents
from app.schema.masking import Answer
from app.schema.prepare import Examiner, Prepared
from app.settings import Misconfigured
from tests.schema.asking import codes, facts
from tests.schema.tiny import (
    SCHEMA,
    FakeBank,
    a_bank,
    a_context,
    an_engine,
    nobody,
    phone,
)

GRAPH = SCHEMA._schema  # noqa: SLF001  -- the library has no public way
PING = "query Ping { ping }"
OTHER_PING = 'query Ping { ping(text: "again") }'
PHONE = "query Phone { phone }"
START = "mutation Start { start }"
COUNT = "subscription Count { ticks(upTo: 2) }"
PAGE = "query Page { row { ...Parts } }\nfragment Parts on Row { number }\n"
PAGE_SORTED = "fragment Parts on Row {\n  number\n}\n\nquery Page {\n row { ...Parts }}"
KINDS = {PING: "query", PHONE: "query", START: "mutation", COUNT: "subscription"}


def manifest(*texts: str, **changed: object) -> dict[str, object]:
    """Write a list as Apollo's generators do."""
    operations = [
        {
            "id": trusted.digest_of(text),
            "name": text.split()[1],
            "type": text.split()[0],
            "body": text,
        }
        for text in texts
    ]
    page = {"format": trusted.MANIFEST, "version": 1, "operations": operations}
    return page | changed


def one(**changed: object) -> dict[str, object]:
    """Write a manifest of one operation that tells something else of it."""
    page = manifest(PING)
    operations: Any = page["operations"]
    operations[0].update(changed)
    return page


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the lists of three versions of an app, one in each shape."""
    write(tmp_path, "1.0.0", manifest(PING, START, COUNT))
    write(tmp_path, "1.1.0", {"phones/7": PHONE, prefixed(OTHER_PING): OTHER_PING})
    (tmp_path / "2.0.0").mkdir()
    (tmp_path / "2.0.0" / "page.graphql").write_text(PAGE)
    (tmp_path / "2.0.0" / "ping.graphql").write_text(PING)
    (tmp_path / "README.md").write_text("not a list")
    write(tmp_path, "1.0.0.operations", {"version": "1.0.0", "operations": []})
    return tmp_path


def write(folder: Path, name: str, page: object) -> None:
    (folder / f"{name}.json").write_text(json.dumps(page))


def prefixed(text: str) -> str:
    return f"sha256:{trusted.digest_of(text)}"


def apollo(text: str) -> dict[str, object]:
    told = {"version": 1, "sha256Hash": trusted.digest_of(text)}
    return {"extensions": {"persistedQuery": told}}


def trusting(folder: Path, **chosen: object) -> FakeBank:
    return a_bank(documents="trusted", documents_dir=folder, **chosen)


async def sent(bank: FakeBank, request: Mapping[str, object]) -> Answer:
    return await an_engine(bank).run(a_context(bank, phone()), Call.of(dict(request)))


@pytest.mark.parametrize(
    ("request_", "data"),
    [
        (apollo(PING), {"ping": "pong"}),
        ({"documentId": prefixed(PING)}, {"ping": "pong"}),
        ({"query": PING}, {"ping": "pong"}),
        ({"query": PING} | apollo(PING), {"ping": "pong"}),
        ({"query": PING, "documentId": prefixed(PING)}, {"ping": "pong"}),
        ({"documentId": prefixed(OTHER_PING)}, {"ping": "again"}),
        (apollo(OTHER_PING), {"ping": "again"}),
        ({"documentId": "phones/7"}, {"phone": "phone"}),
        ({"documentId": "phones/7", "query": PHONE}, {"phone": "phone"}),
        ({"documentId": prefixed(PAGE)}, {"row": {"number": 1}}),
        ({"query": PAGE_SORTED}, {"row": {"number": 1}}),
        ({"query": PAGE_SORTED} | apollo(PAGE_SORTED), {"row": {"number": 1}}),
        (apollo(START), {"start": "started"}),
    ],
)
async def test_what_is_on_a_list_runs_however_it_is_named(
    folder: Path, request_: dict[str, object], data: dict[str, object]
) -> None:
    answer = await sent(trusting(folder), request_)

    assert (answer.status, answer.body["data"]) == (200, data)


@pytest.mark.parametrize(
    "request_",
    [
        {"query": "{ ping }"},
        {"query": "query Ping { ping phone }"},
        {"query": "{ ping"},
        {"query": "x" * 60_000},
        {"query": ""},
        {"documentId": "phones/8"},
        {"documentId": "sha512:00"},
        {"documentId": prefixed(PING).upper()},
        {"documentId": "x" * 60_000},
        {"documentId": ""},
        {"documentId": "phones/8", "query": PHONE},
        apollo("{ ping }"),
        {"query": "{ ping }"} | apollo("{ ping }"),
    ],
)
async def test_what_is_on_no_list_does_not_run(
    folder: Path, request_: dict[str, object]
) -> None:
    bank = trusting(folder)

    answers = [await sent(bank, request_) for _ in range(2)]

    for answer in answers:
        assert (answer.status, codes(answer)) == (400, ["PERSISTED_QUERY_NOT_FOUND"])
        assert facts(answer).keys() == {"code", "requestId"}
        assert answer.is_refused
    assert bank.callers.charged == []


@pytest.mark.parametrize(
    "request_",
    [
        {"query": PHONE} | apollo(PING),
        {"query": PHONE, "documentId": prefixed(PING)},
        {"query": PING, "documentId": "phones/7"},
        {"query": PING, "documentId": prefixed("unheard")},
    ],
)
async def test_an_id_beside_another_text_is_a_bad_request(
    folder: Path, request_: dict[str, object]
) -> None:
    answer = await sent(trusting(folder), request_)

    assert (answer.status, codes(answer)) == (400, ["BAD_REQUEST"])
    assert answer.is_refused


@pytest.mark.parametrize(
    "request_",
    [
        {"documentId": prefixed(PING)} | apollo(PING),
        {"documentId": 7},
        {"extensions": {"persistedQuery": "x"}},
        {"extensions": {"persistedQuery": {}}},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "x"}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": 5}}},
    ],
)
def test_an_id_of_another_form_is_a_bad_request(request_: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        Call.of(request_)


async def test_a_socket_obeys_the_same_lists(folder: Path) -> None:
    bank = trusting(folder)
    engine = an_engine(bank)

    by_text = await counted(engine, bank, {"query": COUNT})
    printed = await counted(engine, bank, {"query": COUNT.replace(" ", "\n")})
    by_id = await counted(engine, bank, apollo(COUNT))
    strange = await counted(engine, bank, {"query": "subscription { ticks(upTo: 9) }"})
    asked = await engine.run(
        a_context(bank), Call.of({"documentId": prefixed(PING)}), over=Channel.SOCKET
    )

    assert by_text == printed == by_id == [0, 1]
    assert strange == ["PERSISTED_QUERY_NOT_FOUND"]
    assert asked.body["data"] == {"ping": "pong"}


async def counted(
    engine: Engine, bank: FakeBank, request: dict[str, object]
) -> list[object]:
    stream = await engine.subscribe(a_context(bank, nobody()), Call.of(request))
    if isinstance(stream, Answer):
        return list(codes(stream))
    return [answer.body["data"]["ticks"] async for answer in stream]  # type: ignore[index]  # data of the small contract


async def test_a_request_is_a_look_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = trusting(folder)
    engine = an_engine(bank)

    def unexpected(*_: object) -> None:
        raise AssertionError("examined during a request")

    monkeypatch.setattr(Examiner, "examine", unexpected)
    monkeypatch.setattr("app.schema.library.parsed", unexpected)
    found = [
        engine.document(Call.of(request))
        for request in (apollo(PING), {"query": PING}, {"documentId": prefixed(PING)})
    ]

    assert isinstance(found[0], Prepared)
    assert found[0] is found[1] is found[2]


async def test_two_operations_of_one_name_do_not_meet(folder: Path) -> None:
    old = await sent(trusting(folder), apollo(PING) | {"operationName": "Ping"})
    new = await sent(trusting(folder), apollo(OTHER_PING) | {"operationName": "Ping"})

    assert old.body["data"] == {"ping": "pong"}
    assert new.body["data"] == {"ping": "again"}


async def test_an_old_app_runs_until_its_list_is_taken_away(folder: Path) -> None:
    before = await sent(trusting(folder), apollo(START))
    (folder / "1.0.0.json").unlink()
    after = await sent(trusting(folder), apollo(START))
    kept = await sent(trusting(folder), apollo(PING))

    assert before.status == 200
    assert codes(after) == ["PERSISTED_QUERY_NOT_FOUND"]
    assert kept.status == 200  # 2.0.0 lists it too


async def test_open_mode_knows_the_ids_and_runs_any_text(folder: Path) -> None:
    bank = a_bank(documents_dir=folder)
    fresh = {"query": "{ ping }"} | apollo("{ ping }")

    listed = await sent(bank, apollo(PING))
    alone = await sent(bank, apollo("{ ping }"))
    beside = await sent(bank, fresh)
    again = await sent(bank, apollo("{ ping }"))
    custom = await sent(bank, {"query": "{ ping }", "documentId": "mine"})
    wrong = await sent(bank, {"query": "{ phone }"} | apollo("{ ping }"))

    assert [listed.status, beside.status, custom.status] == [200, 200, 200]
    assert codes(alone) == codes(again) == ["PERSISTED_QUERY_NOT_FOUND"]
    assert codes(wrong) == ["BAD_REQUEST"]


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("{", "is not JSON"),
        ("[]", "is neither a manifest nor ids with texts"),
        ('{"a": "query A { ping }", "a": "query B { ping }"}', "a is there twice"),
        ({"a": 5}, "a has no text"),
        ({"sha256:" + "0" * 64: PING}, "the id is not the hash of its text"),
        ({"md5:00": PING}, "an id with a colon is sha256:<hex>"),
        (manifest(PING, version=2), f"is not version 1 of {trusted.MANIFEST}"),
        (manifest(format="relay"), f"is not version 1 of {trusted.MANIFEST}"),
        (manifest(operations=[5]), "operation 1 needs id, name, type and body"),
        (one(body=None), "operation 1 needs id, name, type and body"),
        (one(id="0" * 64), "Ping: the id is not the hash of its text"),
        (one(id="ping"), "Ping: the id is not the hash of its text"),
        (one(name="Pong"), "Pong: the text holds no query of that name"),
        (one(type="mutation"), "Ping: the text holds no mutation of that name"),
        ({"a": "query A { ping"}, "a: Syntax Error: Expected Name, found <EOF>."),
        ({"a": "query A { pong }"}, "a: Cannot query field 'pong' on type 'Query'."),
        ({"a": "query A { row {" + "number " * 401 + "} }"}, "too much. fields"),
        ({"a": "fragment A on Row { number }"}, "Fragment 'A' is never used."),
        ({"a": "# nothing"}, "Syntax Error: Unexpected <EOF>."),
    ],
)
def test_a_broken_list_stops_the_start_with_one_sentence(
    tmp_path: Path, page: object, sentence: str
) -> None:
    text = page if isinstance(page, str) else json.dumps(page)
    (tmp_path / "3.0.0.json").write_text(text)

    with pytest.raises(Misconfigured) as refused:
        Documents(GRAPH, trusting(tmp_path).settings)

    told = str(refused.value)
    assert told.startswith("3.0.0.json")
    assert sentence in told
    assert "\n" not in told


def test_one_id_of_two_texts_stops_the_start(folder: Path) -> None:
    write(folder, "1.2.0", {"phones/7": PING})

    with pytest.raises(Misconfigured) as refused:
        Documents(GRAPH, trusting(folder).settings)

    assert str(refused.value) == (
        "1.2.0.json: phones/7: its id belongs to another text too"
    )


def test_a_file_that_is_no_text_stops_the_start(folder: Path) -> None:
    (folder / "2.0.0" / "odd.graphql").write_bytes(b"\xff")

    with pytest.raises(Misconfigured) as refused:
        Documents(GRAPH, trusting(folder).settings)

    assert str(refused.value) == "2.0.0/odd.graphql cannot be read as UTF-8 text"


def test_trusted_without_a_list_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as empty:
        Documents(GRAPH, trusting(tmp_path).settings)
    with pytest.raises(Misconfigured) as missing:
        Documents(GRAPH, trusting(tmp_path / "none").settings)

    assert str(empty.value) == (
        f"DOCUMENTS is trusted, but {tmp_path} lists no operation"
    )
    assert str(missing.value) == f"DOCUMENTS_DIR {tmp_path / 'none'} is no folder"


def test_the_sheet_tells_kind_level_and_price_of_every_operation(folder: Path) -> None:
    sheet = Documents(GRAPH, a_bank(documents_dir=folder).settings).sheet()

    shown = {
        version: [(row.name, row.kind, row.level, row.price) for row in rows]
        for version, rows in sheet.items()
    }
    assert shown == {
        "1.0.0": [
            ("Count", "subscription", "ANONYMOUS", 20),
            ("Ping", "query", "ANONYMOUS", 1),
            ("Start", "mutation", "ANONYMOUS", 100),
        ],
        "1.1.0": [("Phone", "query", "DEVICE", 1), ("Ping", "query", "ANONYMOUS", 1)],
        "2.0.0": [("Page", "query", "ANONYMOUS", 2), ("Ping", "query", "ANONYMOUS", 1)],
    }
    assert sheet["1.1.0"][0].id == "phones/7"
    assert sheet["2.0.0"][1].id == prefixed(PING)
