"""Remembering which interpreter a host found for a specification.

Finding one means looking through PATH and asking version managers, and importing the code for it.  The answer is
remembered together with everything it was found by, and only for as long as a resolution is.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nox_linkenv.store.layout import INTERPRETERS
from nox_linkenv.store.notes import seconds, string

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nox_linkenv.store import Store

__all__ = ["Search", "absolute_path", "load", "load_interpreter", "save", "save_interpreter"]

#: Variables which choose interpreters: PATH, and those of version managers.
_VARIABLES: Final = ("PATH", "HOME", "VIRTUAL_ENV", "CONDA_PREFIX", "UV_PYTHON_INSTALL_DIR")
_FAMILIES: Final = ("PYENV_", "MISE_", "ASDF_", "VIRTUALENV_", "PYTHON_DISCOVERY_")
#: Files which choose interpreters for a directory and those below it.
_FILES: Final = (".python-version", ".python-versions", ".tool-versions", "mise.toml", ".mise.toml")


def absolute_path(found: str) -> str:
    """Return the absolute path of the interpreter *found*, which may be a name on PATH."""
    return found if os.path.isabs(found) else os.path.abspath(shutil.which(found) or found)


def load_interpreter(
    store: Store, spec: str, environ: Mapping[str, str], directory: str, *, now: float, age: float
) -> str | None:
    """Return the interpreter remembered for *spec*, or ``None`` if there is none or anything has changed since.

    Args:
        spec: what was asked for, such as ``3.12``.
        environ, directory: variables and directory of the search.
        now, age: seconds since the epoch, and the most seconds that may have passed.
    """
    data = load(Search(store, spec, environ, directory), now=now, age=age)
    return None if data is None else str(data["path"])


def save_interpreter(
    store: Store, spec: str, environ: Mapping[str, str], directory: str, path: str, *, now: float
) -> None:
    """Remember that the interpreter at *path* was found for *spec*."""
    save(Search(store, spec, environ, directory), path, now=now)


class Search(NamedTuple):
    """What decides which interpreter is found.

    Args:
        store: where it is remembered.
        spec: what was asked for, such as ``3.12``.
        environ, directory: variables and directory of the search.
        files: absolute paths of more files that may be there, or not, and decide.
    """

    store: Store
    spec: str
    environ: Mapping[str, str]
    directory: str
    files: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the file in the store that holds the answer."""
        chosen = {
            name: value for name, value in self.environ.items() if name in _VARIABLES or name.startswith(_FAMILIES)
        }
        key = json.dumps([self.spec, sys.executable, self.directory, chosen], sort_keys=True)
        return INTERPRETERS.file(hashlib.sha256(key.encode()).hexdigest())

    def seen(self, path: str) -> list[list[int]]:
        """Return what could be seen to change: the interpreter, the directories of PATH, the choosing files."""
        return [_stamp(place) for place in self._places(path)]

    def _places(self, path: str) -> Iterator[str]:
        yield path
        yield from self.environ.get("PATH", "").split(os.pathsep)
        pyenv = self.environ.get("PYENV_ROOT") or os.path.join(self.environ.get("HOME", ""), ".pyenv")
        yield from (os.path.join(pyenv, "version"), os.path.join(pyenv, "versions"))
        directory = self.directory
        while True:
            yield from (os.path.join(directory, name) for name in _FILES)
            parent = os.path.dirname(directory)
            if parent == directory:
                break
            directory = parent
        yield from self.files


def load(search: Search, *, now: float, age: float) -> dict[str, Any] | None:
    """Return the ``path`` of the interpreter remembered, and its details, or ``None`` as :func:`load_interpreter`.

    Args:
        now, age: seconds since the epoch, and the most seconds that may have passed.
    """
    data = search.store.load(search.name, _parse)
    if data is None or not 0 <= now - data["time"] < age or data["seen"] != search.seen(data["path"]):
        return None
    return data


def _parse(data: dict[str, Any]) -> dict[str, Any]:
    if "\0" in string(data["path"]):
        raise ValueError("not a path")
    return {**data, "time": seconds(data["time"]), "seen": data["seen"]}


def save(search: Search, path: str, *, now: float, details: Mapping[str, object] = MappingProxyType({})) -> None:
    """Remember that the interpreter at *path* was found, and *details*, which are plain.

    Raises:
        TypeError, ValueError: *details* cannot be written as JSON.
    """
    if os.path.isabs(path):
        data = {**details, "path": path, "time": now, "seen": search.seen(path)}
        search.store.note(search.name, json.dumps(data))


def _stamp(path: str) -> list[int]:
    try:
        status = os.stat(path)
    except OSError:
        return []
    return [status.st_ino, status.st_mtime_ns, status.st_size]
