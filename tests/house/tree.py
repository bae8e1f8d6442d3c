"""The source files of the house, read once."""

import ast
import gc
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = ("app", "mock_mobile_client", "sandbox", "bench", "tests")


@cache
def parsed(file: Path) -> ast.Module:
    """Parse one file; what is kept for good is never looked at as garbage."""
    gc.disable()
    try:
        return ast.parse(file.read_text(), filename=str(file))
    finally:
        gc.freeze()
        gc.enable()


def files(*folders: str, migrations: bool = False) -> list[Path]:
    """List the Python files of some folders; migrations are data and left out."""
    return [
        file
        for folder in folders
        for file in sorted((ROOT / folder).rglob("*.py"))
        if migrations or "migrations" not in file.parts
    ]


def named(file: Path) -> str:
    """Give a file's name as people say it: `app/bank.py`."""
    return file.relative_to(ROOT).as_posix()


def module(file: Path) -> str:
    """Give the dotted name by which a file is imported."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def nodes(file: Path) -> Iterator[ast.AST]:
    """Walk every node of a file."""
    yield from ast.walk(parsed(file))


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Walk every function of a file; of the nodes only statements, a tenth of all."""
    waiting: list[ast.AST] = [parsed(file)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        for part in ("body", "orelse", "handlers", "finalbody", "cases"):
            waiting += getattr(node, part, ())


def called(node: ast.AST) -> str:
    """Give the dotted name of what a node calls or names, or an empty text."""
    if isinstance(node, ast.Call):
        node = node.func
    steps: list[str] = []
    while isinstance(node, ast.Attribute):
        steps.append(node.attr)
        node = node.value
    steps.append(node.id if isinstance(node, ast.Name) else "?")
    return ".".join(reversed(steps))
