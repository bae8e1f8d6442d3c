"""What `make clients` runs is what the page shows, and anybody can install it."""

import json
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/realtime.md"


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_the_page_shows_the_options_the_clients_are_tried_with() -> None:
    shown = PAGE.read_text().split("```js\n")[1].split("```")[0]
    tried = lines((HERE / "socket.js").read_text())

    assert len(lines(shown)) > 15
    assert [line for line in lines(shown) if line not in tried] == []


def test_versions_are_exact_and_come_from_the_public_registry() -> None:
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    locked = json.loads((HERE / "package-lock.json").read_text())["packages"]

    assert {"graphql-ws", "@apollo/client", "graphql-http"} < wanted.keys()
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    for name, one in locked.items():
        found = one.get("resolved", "https://registry.npmjs.org/")
        assert found.startswith("https://registry.npmjs.org/"), name
