"""A place for environments that are gone in a moment."""

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
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nox_linkenv.env.skeleton import fits
from nox_linkenv.store.files import make_directory
from nox_linkenv.store.roots import is_alive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.store.layout import Layout

__all__ = ["scratch", "scratch_name", "scratch_place"]

_NAME: Final = re.compile(r"(\d+)-([a-z2-7]{4})[a-z2-7]{4}")


def scratch_place(layout: Layout, inside: str = "") -> str:
    """Return a directory for environments that are gone in a moment: in the store, which can be linked from there.

    It is the system's directory for temporary files where the store cannot be written, or where no stored skeleton
    would do for an environment at such a path.

    Args:
        inside: the longest path, relative to a new directory there, that an environment is to have.
    """
    place = os.path.join(os.path.realpath(layout.root), os.path.basename(layout.throwaway))
    with contextlib.suppress(OSError):
        make_directory(place)
        if os.access(place, os.W_OK) and fits(os.path.join(place, f"{2**22}-{8 * '0'}", inside).rstrip("/")):
            return place
    return os.path.realpath(tempfile.gettempdir())


def scratch_name() -> str:
    """Return a name for a directory in :func:`scratch_place` which says whose it is."""
    return f"{os.getpid()}-{_machine()}{_short(secrets.token_bytes(5))}"


@contextlib.contextmanager
def scratch(layout: Layout, inside: str) -> Iterator[str]:
    """Make a directory in :func:`scratch_place` for as long as the context lasts; remove what killed processes left."""
    place = scratch_place(layout, inside)
    if place.startswith(os.path.realpath(layout.root) + os.sep):
        _sweep(place)
    directory = os.path.join(place, scratch_name())
    os.mkdir(directory, 0o700)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _sweep(place: str) -> None:
    """Remove the directories in *place* whose process on this machine is gone; others are pruned after a while."""
    for name in os.listdir(place):
        found = _NAME.fullmatch(name)
        if found is not None and found[2] == _machine() and not is_alive(int(found[1])):
            shutil.rmtree(os.path.join(place, name), ignore_errors=True)


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
