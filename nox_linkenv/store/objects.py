"""Single objects: whether they are what their address says, and putting one in."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from typing import TYPE_CHECKING

from nox_linkenv.digest import EXECUTABLE_SUFFIX, file_digest
from nox_linkenv.store.files import make_directory, make_shared, publish, staging_name
from nox_linkenv.store.layout import DISCARDED

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
    "put_file",
]

#: Modes are normalised: whoever stores a wheel, his umask must not reach somebody else's environment.
FILE_MODE = 0o644
EXECUTABLE_MODE = 0o755


def intact(path: str, *, size: int, mtime: int) -> bool:
    """Return whether the object at *path* has its size (bytes), its modification time (seconds) and its mode."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    mode = EXECUTABLE_MODE if path.endswith(EXECUTABLE_SUFFIX) else FILE_MODE
    return (
        status.st_size == size and status.st_mtime_ns == mtime * 1_000_000_000 and status.st_mode == stat.S_IFREG | mode
    )


def finish(path: str, *, executable: bool, mtime: int) -> None:
    """Give a written file the mode and the modification time (seconds) that it keeps for ever."""
    os.chmod(path, EXECUTABLE_MODE if executable else FILE_MODE)
    os.utime(path, (mtime, mtime))


def put_file(layout: Layout, source: str, addr: str, mtime: int) -> None:
    """Copy the file *source*, whose address is *addr*, into the store, unless it is there."""
    target = layout.object(addr)
    if intact(target, size=os.path.getsize(source), mtime=mtime):
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
    with contextlib.suppress(FileNotFoundError):
        inode = os.lstat(path).st_ino
        make_shared(layout.directory(DISCARDED))
        with open(layout.directory(DISCARDED), "a", encoding="ascii") as stream:
            stream.write(f"{inode} {name}\n")
        os.unlink(path)


def discarded_inodes(layout: Layout) -> set[int]:
    """Return the inode numbers of files that have been taken out of the store."""
    try:
        with open(layout.directory(DISCARDED), encoding="ascii") as stream:
            return {int(line.split()[0]) for line in stream if line[:1].isdigit()}
    except FileNotFoundError:
        return set()


def discarded_names(layout: Layout) -> set[str]:
    """Return the names of files that have been taken out of the store, though they may have been put in again."""
    try:
        with open(layout.directory(DISCARDED), encoding="utf-8", errors="replace") as stream:
            return {line.split()[1] for line in stream if line.count(" ") == 1}
    except FileNotFoundError:
        return set()


def discard_changed(layout: Layout, names: Iterable[str]) -> None:
    """Unlink those of the objects with *names* (relative to the format directory) that do not hash to their address."""
    for name in names:
        if name.startswith("objects/"):
            path = f"{layout.base}/{name}"
            with contextlib.suppress(FileNotFoundError):
                with open(path, "rb") as stream:
                    whole = file_digest(stream) == name.removeprefix("objects/").replace("/", "")[:64]
                if not whole:
                    discard(layout, name)
