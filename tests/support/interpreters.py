"""Finding the interpreters that tests build environments for."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from python_discovery import get_interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "OTHER",
    "TARGET",
    "TARGETS",
    "directory_of",
    "find_interpreters",
    "pyenv_selection",
    "pyenv_versions",
    "usual",
]

#: Versions that environments of the usual suite may have, oldest first.
TARGETS: Final = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
#: More of them, each tried by choosing it; those with a ``t`` are free-threaded.
_NEWER: Final = ("3.13t", "3.14", "3.14t", "3.15", "3.15t")
_CHOSEN: Final = os.environ.get("TARGET_PYTHON")
#: The version of the environments of tests for which any version serves; the variable chooses another one.
TARGET: Final = _CHOSEN or "3.12"
#: The version of a second interpreter, where a test needs two.
OTHER: Final = "3.13" if TARGET != "3.13" and _CHOSEN else "3.11"

# base_prefix, so that the answer of a virtual environment leads to the interpreter it was made from
_PROBE: Final = """
import json, os, sys
version = "%d.%d" % sys.version_info[:2] + ("t" if "t" in getattr(sys, "abiflags", "") else "")
print(json.dumps([version, os.path.join(sys.base_prefix, "bin", "python" + version), sys.executable]))
"""


def usual(*versions: str) -> tuple[str, ...]:
    """Return *versions*, which a test tries one after the other, or the chosen target alone."""
    return versions if _CHOSEN is None else (TARGET,)


def directory_of(version: str) -> str:
    """Return the directory of an environment's packages, relative to it: ``lib/python3.12/site-packages``."""
    return f"lib/python{version}/site-packages"


def pyenv_versions() -> dict[str, Path]:
    """Return the newest CPython installed by pyenv for each target version: its version directory."""
    pyenv = shutil.which("pyenv")
    if pyenv is None:
        return {}
    root = (
        os.environ.get("PYENV_ROOT")
        or subprocess.run([pyenv, "root"], check=False, capture_output=True, text=True).stdout.strip()
    )
    newest: dict[str, tuple[int, Path]] = {}
    for directory in Path(root, "versions").glob("3.*"):
        minor, _, patch = directory.name.rpartition(".")
        if patch.endswith("t"):
            minor, patch = f"{minor}t", patch[:-1]
        if (
            minor not in (*TARGETS, *_NEWER)
            or not patch.isdecimal()
            or not (directory / "bin" / f"python{minor}").exists()
        ):
            continue
        if minor not in newest or int(patch) > newest[minor][0]:
            newest[minor] = (int(patch), directory)
    return {minor: newest[minor][1] for minor in TARGETS if minor in newest}


def pyenv_selection() -> str | None:
    """Return a ``PYENV_VERSION`` that puts every target version on PATH, newest first; None without pyenv."""
    return ":".join(directory.name for directory in reversed(pyenv_versions().values())) or None


def _candidates(version: str) -> Iterator[str]:
    if (directory := pyenv_versions().get(version)) is not None:
        yield str(directory / "bin" / f"python{version}")
    if (on_path := shutil.which(f"python{version}")) is not None:
        yield on_path
    if (info := get_interpreter(version)) is not None and info.system_executable is not None:
        yield info.system_executable


def _probe(executable: str, version: str) -> Path | None:
    try:
        answer = subprocess.run(
            [executable, "-I", "-S", "-c", _PROBE], check=True, capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None  # a pyenv shim whose version is not selected, or a broken installation
    found, base, itself = json.loads(answer.stdout)
    if found != version:
        return None
    return Path(base) if Path(base).exists() else Path(itself)


@functools.cache
def find_interpreters() -> dict[str, Path]:
    """Return the path of an interpreter for each version that this machine has, oldest version first."""
    result: dict[str, Path] = {}
    for version in (*TARGETS, *_NEWER):
        for candidate in _candidates(version):
            if (path := _probe(candidate, version)) is not None:
                result[version] = path
                break
    return result
