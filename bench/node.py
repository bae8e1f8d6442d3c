"""Peers on Node: their packages come once, by a lock file, into `.sixpence/peers`."""

import shutil
import subprocess
from pathlib import Path

from bench.servers import ROOT

_HOME = ROOT / ".sixpence/peers"
_LOCK = "package-lock.json"


def home(files: Path) -> Path:
    """Give the folder where the servers of these files run."""
    return _HOME / files.name


def missing(files: Path) -> str | None:
    """Bring the servers and their packages there; gives why they cannot run."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "there is no node or npm"
    place = home(files)
    packages = place / "node_modules"
    known = _lock(place) if (packages / f".{_LOCK}").exists() else None
    place.mkdir(parents=True, exist_ok=True)
    for file in files.iterdir():
        shutil.copy(file, place)
    if known == _lock(files):
        return None
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=place, capture_output=True, check=False)
    if done.returncode == 0:
        return None
    shutil.rmtree(packages, ignore_errors=True)  # half of it, or of another lock
    return "npm could not fetch its packages"


def _lock(folder: Path) -> bytes:
    return (folder / _LOCK).read_bytes()
