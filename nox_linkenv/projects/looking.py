"""What was watched, and paths as recorders note them: without detours, relative to a place, and what stood there."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nox_linkenv.projects.fingerprint import Tree

__all__ = [
    "OWN",
    "Watched",
    "and_above",
    "is_same",
    "metadata_in",
    "plain_path",
    "signature",
    "source_of",
    "temporary_places",
    "within",
]

#: How the names of the files begin by which builds are watched: before others, as ``site`` reads them in order.
OWN: Final = "0_linkenv_"


@dataclass(frozen=True, slots=True)
class Watched:
    """What was watched.

    Attributes:
        prefix: absolute path of its environment.
        environ: the variables that pip would run with, whatever the build had.
        tree: of the project, ``None`` where pip makes directories for what it builds.
        inert: absolute paths of directories that do not count.
        by_pip: whether pip ran the builds, and may have built more than one.
        isolated: whether what is installed in the environment is known from the requirements of the builds.
    """

    prefix: str
    environ: Mapping[str, str]
    tree: Tree | None
    inert: tuple[str, ...] = field(default=())
    by_pip: bool = False
    isolated: bool = True


def temporary_places(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the directories for temporary files."""
    named = (environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    for place in (*named, "/tmp", "/var/tmp", tempfile.gettempdir()):
        if place:
            yield from (place, os.path.realpath(place))


def plain_path(path: str) -> str:
    """Return *path* without detours: links in the directories that lead to it are followed, it itself may be one."""
    directory, name = os.path.split(path.rstrip("/") or "/")
    if name in ("", ".", ".."):
        return os.path.realpath(path)
    return os.path.join(os.path.realpath(directory), name)


def within(plain: str, place: str) -> str | None:
    """Return the path of *plain* relative to *place*, with ``/``, ``None`` where it is not in it."""
    return plain[len(place) + 1 :] if plain.startswith(f"{place}/") else "" if plain == place else None


def and_above(path: str) -> Iterator[str]:
    """Yield *path*, an absolute one, and the directories above it, the closest first."""
    while True:
        yield path
        parent = os.path.dirname(path)
        if parent == path:
            return
        path = parent


def source_of(path: str, prefix: str) -> str | None:
    """Return the path of the module whose bytecode is at *path*, ``None`` where none is.

    Args:
        prefix: directory for the bytecode of all modules, empty where it lies beside them.
    """
    directory, name = os.path.split(path)
    place = os.path.dirname(directory)
    if prefix and path.startswith(f"{prefix}/") and name.endswith(".pyc"):
        place = directory[len(prefix) :]
    elif os.path.basename(directory) != "__pycache__":
        return None
    return os.path.join(place, f"{name.partition('.')[0]}.py")


def signature(path: str) -> object:
    """Return the same as the recorder notes of *path*."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_mode, found.st_size, found.st_mtime_ns, found.st_ino


def metadata_in(path: str) -> tuple[str, ...]:
    """Return the names of what setuptools has left of metadata in the directory at *path*."""
    try:
        return tuple(sorted(name for name in os.listdir(path) if name.endswith(".egg-info")))
    except OSError:
        return ()


def is_same(before: object, now: object, *, content: bool) -> bool:
    """Return whether what was seen *before* is there *now*; of directories, *content* says whether theirs counts."""
    if isinstance(before, tuple) and isinstance(now, tuple) and not content and before[0] & 0o170000 == 0o040000:
        return bool(before[0] == now[0])
    return before == now
