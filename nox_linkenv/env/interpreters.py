"""Remembering which interpreter a host found for a specification.

Finding one means looking through PATH and asking version managers, and importing the code for it.  The answer is
remembered together with everything it was found by, and only for as long as a resolution is.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nox_linkenv.store import Store

__all__ = ["recall_interpreter", "remember_interpreter"]

#: Variables which choose interpreters: PATH, and those of version managers.
_VARIABLES: Final = ("PATH", "HOME", "VIRTUAL_ENV", "CONDA_PREFIX", "UV_PYTHON_INSTALL_DIR")
_FAMILIES: Final = ("PYENV_", "MISE_", "ASDF_", "VIRTUALENV_", "PYTHON_DISCOVERY_")
#: Files which choose interpreters for a directory and those below it.
_FILES: Final = (".python-version", ".python-versions", ".tool-versions", "mise.toml", ".mise.toml")


def recall_interpreter(
    store: Store, spec: str, environ: Mapping[str, str], directory: str, *, now: float, age: float
) -> str | None:
    """Return the interpreter remembered for *spec*, or ``None`` if there is none or anything has changed since.

    Args:
        spec: what was asked for, such as ``3.12``.
        environ, directory: variables and directory of the search.
        now, age: seconds since the epoch, and the most seconds that may have passed.
    """
    text = store.read(_name(spec, environ, directory))
    if text is None:
        return None
    try:
        data = json.loads(text)
        path: str = data["path"]
        if 0 <= now - data["time"] < age and data["seen"] == _seen(path, environ, directory):
            return path
    except (ValueError, KeyError, TypeError, OSError):
        pass
    return None


def remember_interpreter(
    store: Store, spec: str, environ: Mapping[str, str], directory: str, path: str, *, now: float
) -> None:
    """Remember that the interpreter at *path* was found for *spec*."""
    if os.path.isabs(path):
        data = {"path": path, "time": now, "seen": _seen(path, environ, directory)}
        store.note(_name(spec, environ, directory), json.dumps(data))


def _name(spec: str, environ: Mapping[str, str], directory: str) -> str:
    chosen = {name: value for name, value in environ.items() if name in _VARIABLES or name.startswith(_FAMILIES)}
    key = json.dumps([spec, sys.executable, directory, chosen], sort_keys=True)
    return f"interpreters/{hashlib.sha256(key.encode()).hexdigest()}.json"


def _seen(path: str, environ: Mapping[str, str], directory: str) -> list[list[int]]:
    """Return what the search could have seen change: the interpreter, the directories of PATH, the choosing files."""
    return [_stamp(place) for place in _places(path, environ, directory)]


def _places(path: str, environ: Mapping[str, str], directory: str) -> Iterator[str]:
    yield path
    yield from environ.get("PATH", "").split(os.pathsep)
    pyenv = environ.get("PYENV_ROOT") or os.path.join(environ.get("HOME", ""), ".pyenv")
    yield from (os.path.join(pyenv, "version"), os.path.join(pyenv, "versions"))
    while True:
        yield from (os.path.join(directory, name) for name in _FILES)
        parent = os.path.dirname(directory)
        if parent == directory:
            break
        directory = parent


def _stamp(path: str) -> list[int]:
    try:
        status = os.stat(path)
    except OSError:
        return []
    return [status.st_ino, status.st_mtime_ns, status.st_size]
