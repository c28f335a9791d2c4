"""Single objects: whether they are what their address says, and putting one in."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from typing import TYPE_CHECKING, Final

from nox_linkenv.digest import EXECUTABLE_SUFFIX, digest_of
from nox_linkenv.regular import read_regular
from nox_linkenv.store.files import make_directory, make_shared, publish, put_aside, staging_name
from nox_linkenv.store.layout import BYTECODE, DISCARDED, OBJECTS, digest_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nox_linkenv.store.layout import Layout

__all__ = [
    "EXECUTABLE_MODE",
    "FILE_MODE",
    "discard",
    "discard_changed",
    "discarded_inodes",
    "discarded_names",
    "finish",
    "intact",
    "is_whole",
    "owner_of",
    "put_file",
]

#: Modes are normalised: whoever stores a wheel, his umask must not reach somebody else's environment.
FILE_MODE = 0o644
EXECUTABLE_MODE = 0o755
#: A line of the list of what was taken out; compiled when there is such a list, as there seldom is.
_DISCARDED: Final = rb"(?m)^(\d{1,20}) ((?:objects|bytecode)/[\w./-]+)$"


def owner_of(base: str) -> int | None:
    """Return whose the files in the format directory *base* have to be, ``None`` where they may be several users'.

    Hard links share the owner: root's session that gives a file of its environment to somebody gives away the store's.
    """
    try:
        status = os.stat(base)
    except OSError:
        return None
    return status.st_uid if os.name == "posix" and not status.st_mode & stat.S_IWGRP else None


def intact(path: str, *, size: int, mtime: int, owner: int | None = None) -> bool:
    """Return whether the object at *path* has its size (bytes), its modification time (seconds) and its mode.

    Args:
        owner: number of the user whose it has to be, ``None`` for any.
    """
    try:
        status = os.lstat(path)
    except OSError:
        return False
    mode = EXECUTABLE_MODE if path.endswith(EXECUTABLE_SUFFIX) else FILE_MODE
    return (
        status.st_size == size
        and status.st_mtime_ns == mtime * 1_000_000_000
        and status.st_mode == stat.S_IFREG | mode
        and (owner is None or status.st_uid == owner)
    )


def is_whole(layout: Layout, name: str) -> bool:
    """Return whether the object or pyc *name* (relative to the format directory) has the content that its name says."""
    digest = digest_of(f"{layout.base}/{name}")
    return digest is not None and digest.startswith(digest_in(name))


def finish(path: str, *, executable: bool, mtime: int) -> None:
    """Give a written file the mode and the modification time (seconds) that it keeps for ever."""
    os.chmod(path, EXECUTABLE_MODE if executable else FILE_MODE)
    os.utime(path, (mtime, mtime))


def put_file(layout: Layout, source: str, addr: str, mtime: int) -> None:
    """Copy the file *source*, whose address is *addr*, into the store, unless it is there."""
    target = layout.object(addr)
    if intact(target, size=os.path.getsize(source), mtime=mtime, owner=owner_of(layout.base)):
        return
    make_directory(layout.staging)
    staged = staging_name(layout.staging)
    try:
        shutil.copyfile(source, staged)
        finish(staged, executable=addr.endswith(EXECUTABLE_SUFFIX), mtime=mtime)
        publish(staged, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(staged)
        raise


def discard(layout: Layout, name: str) -> None:
    """Take the file *name* (relative to the format directory) out of the store.

    It is unlinked, never written: environments that hold it keep what they have.  Its inode number is noted, so that
    no environment takes the file over from one that holds it.
    """
    path = f"{layout.base}/{name}"
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        status = os.lstat(path)
        if stat.S_ISDIR(status.st_mode):  # nothing of it is in any environment
            put_aside(path, layout.staging)
            return
        if name.startswith((f"{OBJECTS.name}/", f"{BYTECODE.name}/")):
            _note_discarded(layout, f"{status.st_ino} {name}\n")
        os.unlink(path)


def _note_discarded(layout: Layout, line: str) -> None:
    log = layout.directory(DISCARDED)
    if os.path.lexists(log) and not stat.S_ISREG(os.lstat(log).st_mode):
        put_aside(log, layout.staging)
    make_shared(log)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        os.write(descriptor, line.encode("ascii"))
    finally:
        os.close(descriptor)


def discarded_inodes(layout: Layout) -> set[int]:
    """Return the inode numbers of files that have been taken out of the store."""
    return {int(inode) for inode, _ in _discarded(layout)}


def discarded_names(layout: Layout) -> set[str]:
    """Return the names of files that have been taken out of the store, though they may have been put in again."""
    return {name.decode() for _, name in _discarded(layout)}


def _discarded(layout: Layout) -> list[tuple[bytes, bytes]]:
    """Return inode number and name of each; a line that nobody has written so is passed over."""
    try:
        return re.findall(_DISCARDED, read_regular(layout.directory(DISCARDED)))
    except OSError:
        return []


def discard_changed(layout: Layout, names: Iterable[str]) -> None:
    """Take out those of *names* (relative to the format directory) whose content is not what their names say."""
    for name in names:
        if os.path.lexists(f"{layout.base}/{name}") and not is_whole(layout, name):
            discard(layout, name)
