"""Directories looked at without following links.

What a session leaves behind, and what a store holds that came from elsewhere, may have a link in the place of any
directory.  What lies where it leads is nobody's to take over, to change or to remove.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ancestors", "is_directory", "leading_outside", "names_of", "open_below", "open_directory"]

#: Linux, macOS and the BSDs have all of them; Windows opens no directories at all.
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def is_directory(path: str) -> bool:
    """Return whether *path* is a directory itself: neither a symbolic link to one nor, on Windows, a junction."""
    try:
        return _is_directory(os.lstat(path))
    except OSError:
        return False


def names_of(path: str) -> list[str]:
    """Return the names in the directory *path*, sorted; none where there is none, or a link to one.

    Raises:
        OSError: it cannot be read.
    """
    if not is_directory(path):
        return []
    if os.name != "posix":
        return sorted(os.listdir(path))
    try:
        descriptor = open_directory(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    try:
        return sorted(os.listdir(descriptor))
    finally:
        os.close(descriptor)


def open_directory(name: str, *, at: int | None = None) -> int:
    """Return a descriptor of the directory *name*, whose last part is not a link.  POSIX only.

    Args:
        at: descriptor of the directory that a relative *name* starts from.

    Raises:
        OSError: there is none, it is a link or something else, or it cannot be read.
    """
    return os.open(name, _FLAGS, dir_fd=at)


def open_below(path: str, *, at: int) -> int:
    """Return a descriptor of the directory *path*, relative and with ``/``, of whose parts none is a link.  POSIX only.

    Args:
        at: descriptor of the directory that it starts from.

    Raises:
        OSError: as for :func:`open_directory`, for any part.
    """
    here = os.dup(at)
    for part in path.split("/"):
        try:
            there = open_directory(part, at=here)
        finally:
            os.close(here)
        here = there
    return here


def ancestors(path: str) -> Iterator[str]:
    """Yield the directories that lead to the relative *path*, and that itself: the outermost first."""
    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        yield "/".join(parts[:end])


def leading_outside(prefix: str, directories: Iterable[str]) -> str | None:
    """Return the first of *directories* which a link leads outside of the directory *prefix*; ``None`` if none is led.

    A link that stays inside is fine.  Directories that do not exist, and those below them, cost nothing.

    Args:
        directories: relative, with ``/``, parents first.
    """
    here = {""}  # those that exist
    for directory in directories:
        if directory.rpartition("/")[0] not in here:
            continue
        try:
            status = os.lstat(f"{prefix}/{directory}")
        except OSError:
            continue
        if not _is_directory(status) and _leads_outside(prefix, directory):
            return directory
        here.add(directory)
    return None


def _leads_outside(prefix: str, directory: str) -> bool:
    top = os.path.realpath(prefix)
    real = os.path.realpath(f"{prefix}/{directory}")
    return real != top and not real.startswith(top + os.sep)


def _is_directory(status: os.stat_result) -> bool:
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    return stat.S_ISDIR(status.st_mode) and (junction is None or getattr(status, "st_reparse_tag", None) != junction)
