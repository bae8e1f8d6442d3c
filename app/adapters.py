"""Find an adapter by its name: the file of that name in its port's folder."""

import importlib
import pkgutil
from types import ModuleType


class UnknownAdapter(Exception):
    """No adapter of that name; the message lists the choices."""


def choices(package: str) -> list[str]:
    """List the adapters of a port by their file names, sorted."""
    folder = importlib.import_module(package)
    return sorted(found.name for found in pkgutil.iter_modules(folder.__path__))


def load(package: str, name: str) -> ModuleType:
    """Import one adapter.

    Args:
        package: dotted path of the port, for example `app.integrations.sms`.
        name: file name inside it, or the dotted path of a bank's own module.

    Raises:
        UnknownAdapter: the name is neither; says what can be chosen.
    """
    if "." in name and not name.startswith("."):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as missing:
            raise UnknownAdapter(f"no module {missing.name!r} for {name!r}") from None
    known = choices(package)
    if name not in known:
        port = package.rsplit(".", 1)[-1]
        raise UnknownAdapter(
            f"{port} has no adapter {name!r}; choose one of {', '.join(known)}"
        )
    return importlib.import_module(f"{package}.{name}")
