"""What the tests of environments share: facts, environments by virtualenv, listings."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from nox_linkenv.env.interpreter.facts import PREFIX, Facts
from nox_linkenv.wheel import Scheme
from tests.support.environment import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FACTS", "Listing", "listing", "pip", "virtualenv"]

_SITE: Final = "lib/python3.12/site-packages"
_SCRIPT: Final = f"#!{PREFIX}/bin/python\nfrom {{module}} import {{attribute}}\nsys.exit({{object}}())\n"

#: As pip and virtualenv have it on Linux.
FACTS: Final = Facts(
    version="3.12.1",
    tag="cpython-312-cb0d0d0a",
    cache_tag="cpython-312",
    pip="25.0",
    schemes={
        Scheme.PURELIB: _SITE,
        Scheme.PLATLIB: _SITE,
        Scheme.SCRIPTS: "bin",
        Scheme.DATA: "",
        Scheme.HEADERS: "include/site/python3.12/{name}",
    },
    console=_SCRIPT,
    gui=_SCRIPT.replace("sys.exit", "gui"),
    shebang=f"#!{PREFIX}/bin/python",
)

Listing = dict[str, tuple[str, int, bytes]]


def listing(root: Path, *, without: tuple[str, ...] = ()) -> Listing:
    """Return kind, mode and content of everything below *root* by path, but for paths that end as *without* says."""
    found: Listing = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name.endswith(without):
            continue
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            found[name] = ("symlink", 0, os.readlink(path).encode())
        elif stat.S_ISDIR(status.st_mode):
            found[name] = ("directory", stat.S_IMODE(status.st_mode), b"")
        else:
            found[name] = ("file", stat.S_IMODE(status.st_mode), path.read_bytes())
    return found


def virtualenv(place: Path, interpreter: Path, *parameters: str) -> None:
    """Make an environment at *place*."""
    command = [sys.executable, "-m", "virtualenv", "-q", "--no-periodic-update", "-p", str(interpreter), *parameters]
    subprocess.run([*command, str(place)], check=True, env=clean_environment())


def pip(prefix: Path, *arguments: str | Path) -> None:
    """Run the pip of the environment at *prefix*, without any index."""
    command = [prefix / "bin" / "python", "-m", "pip", "--no-input", "-q", *arguments]
    subprocess.run(command, check=True, env=clean_environment(), stdin=subprocess.DEVNULL)
