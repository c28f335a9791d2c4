"""Directories for a moment, named by their process: what killed processes have left goes with the next."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nox_linkenv.store.directories import is_directory, names_of
from nox_linkenv.store.files import make_directory
from nox_linkenv.store.roots import is_alive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.store.layout import Layout

__all__ = ["directory_in", "sweep_temporary", "temporary_directory", "temporary_name", "temporary_place"]

#: Begins the names of our directories where others have theirs, too.
_OURS: Final = "linkenv-"
#: Seconds after which nobody works in a directory of another machine's process any more.
_LONG: Final = 10 * 86_400.0
_NAME: Final = re.compile(r"(?:linkenv-)?(\d+)-([a-z2-7]{4})[a-z2-7]{4}")


def temporary_place(layout: Layout) -> str:
    """Return the real path of the directory for what is gone in a moment: in the store, where that can be written.

    Elsewhere it is the system's directory for temporary files.
    """
    place = os.path.join(os.path.realpath(layout.root), os.path.basename(layout.throwaway))
    with contextlib.suppress(OSError):
        make_directory(place)
        if is_directory(place) and os.access(place, os.W_OK):
            return place
    return os.path.realpath(tempfile.gettempdir())


def temporary_name() -> str:
    """Return a name for a directory which says whose it is."""
    return f"{os.getpid()}-{_machine()}{_short(secrets.token_bytes(5))}"


@contextlib.contextmanager
def temporary_directory(layout: Layout) -> Iterator[str]:
    """Make a directory in :func:`temporary_place` for as long as the context lasts.

    Raises:
        OSError: none can be made.
    """
    with directory_in(temporary_place(layout)) as directory:
        yield directory


@contextlib.contextmanager
def directory_in(place: str, *, shared: bool = False) -> Iterator[str]:
    """Make a directory in *place* for as long as the context lasts; remove what killed processes left there.

    Args:
        shared: whether others have their directories there, as they have in the system's for temporary files.

    Raises:
        OSError: none can be made.
    """
    shared = shared or place == os.path.realpath(tempfile.gettempdir())
    _sweep(place, shared=shared)
    directory = os.path.join(place, f"{_OURS if shared else ''}{temporary_name()}")
    os.mkdir(directory, 0o700)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _sweep(place: str, *, shared: bool) -> None:
    """Remove the directories in *place* whose process on this machine is gone; in the store, others are pruned later.

    Args:
        shared: whether others have their directories there: then only this user's go, and what is named as ours.
    """
    for name in names_of(place):
        found = _NAME.fullmatch(name)
        if found is None:
            continue
        path = os.path.join(place, name)
        here = found[2] == _machine()
        if is_alive(int(found[1])) if here else not (shared and _is_old(path)):
            continue
        if not shared or (name.startswith(_OURS) and _is_own(path)):
            shutil.rmtree(path, ignore_errors=True)


def sweep_temporary() -> None:
    """Remove what killed processes of this user left in the system's directory for temporary files.

    That of another machine, or of a run of this one that is over, goes when it is old.
    """
    _sweep(os.path.realpath(tempfile.gettempdir()), shared=True)


def _is_own(path: str) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and (not hasattr(os, "geteuid") or status.st_uid == os.geteuid())


def _is_old(path: str) -> bool:
    try:
        return time.time() - os.lstat(path).st_mtime > _LONG
    except OSError:
        return False


@functools.cache
def _machine() -> str:
    """Return what tells apart where process numbers mean different processes: machines, their runs, containers."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
    return _short(hashlib.sha256("\n".join(parts).encode()).digest()[:5])


def _short(value: bytes) -> str:
    """Return the first 20 bits of *value*, five bytes, in four letters: paths of environments must be short."""
    return base64.b32encode(value).decode().lower()[:4]
