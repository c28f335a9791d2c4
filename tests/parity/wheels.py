"""Small wheels with everything a wheel may hold, and small projects: made here, installed by real pip."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["build_project", "build_wheels", "write_wheel"]

_PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "small-project"
version = "1.0"
dependencies = ["iniconfig"]
optional-dependencies.test = ["six"]
scripts.small-project = "small_project:main"
"""

_MODULE = """\
def main() -> int:
    return 0
"""


def write_wheel(
    folder: Path,
    dist: str,
    version: str,
    files: dict[str, bytes],
    *,
    executable: frozenset[str] = frozenset(),
    requires: tuple[str, ...] = (),
) -> Path:
    """Write a wheel named *dist* with *files* (path in the archive -> content) and return its path."""
    metadata = f"Metadata-Version: 2.1\nName: {dist.replace('_', '-')}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    modes = dict.fromkeys(executable, stat.S_IFREG | 0o755)
    return make_wheel(folder, dist, version, files, metadata=metadata.encode(), modes=modes)


def build_wheels(folder: Path) -> None:
    """Write into *folder*: ``awkward`` has all a wheel may have, ``first`` and ``second`` share a file."""
    folder.mkdir()
    data = "awkward_dist-1.0.data"
    points = "[console_scripts]\nawkward = awkward:main\nawkward.dotted = awkward.sub:main [extra]\n"
    points += "[gui_scripts]\nawkward-gui = awkward:main\n[some.group]\nplugin = awkward.sub\n"
    files = {
        "awkward/__init__.py": _MODULE.encode(),
        "awkward/empty.txt": b"",
        "awkward/sub/__init__.py": _MODULE.encode(),
        "awkward/sub/n\u00e4me, with comma.txt": b"text\n",
        "awkward/sub/tool.sh": b"#!/bin/sh\nexit 3\n",
        "awkward-extra.pth": b"import sys\n",
        f"{data}/purelib/awkward_pure.py": b"PURE = 1\n",
        f"{data}/platlib/awkward_plat.py": b"PLAT = 1\n",
        f"{data}/headers/awkward.h": b"#define AWKWARD 1\n",
        f"{data}/data/share/awkward/data.txt": b"data\n",
        f"{data}/data/etc/awkward.conf": b"",
        f"{data}/scripts/awkward-python": b"#!python\nraise SystemExit(4)\n",
        f"{data}/scripts/awkward-pythonw": b"#!pythonw -E\nraise SystemExit(5)\n",
        f"{data}/scripts/awkward-shell": b"#!/bin/sh\nexit 6\n",
        f"{data}/scripts/awkward-bare": b"no interpreter line\n",
        "awkward_dist-1.0.dist-info/entry_points.txt": points.encode(),
        "awkward_dist-1.0.dist-info/licenses/LICENSE": b"free\n",
        "awkward_dist-1.0.dist-info/top_level.txt": b"awkward\n",
    }
    executable = frozenset({"awkward/sub/tool.sh", f"{data}/scripts/awkward-shell"})
    write_wheel(folder, "awkward_dist", "1.0", files, executable=executable)
    common = "overridden/common.py"
    write_wheel(folder, "first_dist", "1.0", {common: b"WHO = 'first'\n", "overridden/first.py": b"A = 1\n"})
    write_wheel(folder, "second_dist", "1.0", {common: b"WHO = 'second, longer'\n", "overridden/second.py": b"B = 1\n"})


def build_project(folder: Path) -> None:
    """Write a hatchling project with an extra and a script into *folder*."""
    (folder / "src" / "small_project").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(_PROJECT)
    (folder / "src" / "small_project" / "__init__.py").write_text(_MODULE)
