"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from typing import BinaryIO, Final

from nox_linkenv.store.directories import is_directory
from nox_linkenv.store.trash import empty_trash

__all__ = [
    "create",
    "give",
    "give_tree",
    "make_directory",
    "make_shared",
    "open_new",
    "publish",
    "publish_bytes",
    "put_aside",
    "staging_name",
    "write_new",
]

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def staging_name(staging: str) -> str:
    """Return a new name in the *staging* directory that no other process uses."""
    return os.path.join(staging, f"{os.getpid()}-{secrets.token_hex(8)}")


def make_directory(path: str) -> None:
    """Make *path* and its parents in the store; one that exists is fine.

    A new one is for the group to write, too, where the directory that it is made in is, whatever the umask: who may
    write the store is said by the mode of its root.
    """
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    make_directory(parent)
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
        return
    if sys.platform != "win32":
        give(path, parent)
        mode = stat.S_IMODE(os.stat(parent).st_mode)
        os.chmod(path, mode & (stat.S_ISGID | 0o070) | 0o705 & mode | 0o700)


def give(path: str, directory: str) -> None:
    """Give *path* to whom *directory* belongs, where this process is root's: a user's store stays his all the same.

    Otherwise ``sudo`` would leave in it what he can neither change nor remove.  Given is only what is root's and has no
    other name: who can write to the directory may have put something else there meanwhile.

    Raises:
        OSError: the directory is not there.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return
    owner = os.stat(directory)
    if owner.st_uid == 0:
        return
    with contextlib.suppress(OSError):  # a filesystem on which root is nobody
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if status.st_uid == 0 and (stat.S_ISDIR(status.st_mode) or status.st_nlink == 1):
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
        finally:
            os.close(descriptor)


def give_tree(path: str, directory: str) -> None:
    """Give *path* with all that is in it to whom *directory* belongs, where this process is root's."""
    if sys.platform != "win32" and os.geteuid() == 0 and os.stat(directory).st_uid != 0:
        give(path, directory)
        for top, directories, files in os.walk(path):
            for name in (*directories, *files):
                give(f"{top}/{name}", directory)


def create(path: str) -> BinaryIO:
    """Open the new file *path* for writing; whatever the umask, nobody else can write to it meanwhile.

    Raises:
        FileExistsError: it is there.
    """
    return open(open_new(path), "wb")


def open_new(path: str, mode: int = 0o644) -> int:
    """Return a descriptor for writing of the new file *path*, whose *mode* is lessened by the umask.

    Raises:
        FileExistsError: it is there.
    """
    return os.open(path, _NEW, mode)


def write_new(path: str, content: bytes, mode: int = 0o644) -> None:
    """Write the new file *path*, whose *mode* is lessened by the umask; where that fails, it is not there.

    Raises:
        FileExistsError: it is there.
    """
    descriptor = open_new(path, mode)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(content)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def make_shared(path: str) -> None:
    """Make the empty file *path*, unless it is there, for everyone to write who may write its directory."""
    directory = os.path.dirname(path)
    if not os.path.isdir(directory) and os.path.isdir(os.path.dirname(directory)):
        make_directory(directory)
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            give(path, directory)
            if sys.platform != "win32" and os.stat(directory).st_mode & stat.S_IWGRP:
                os.fchmod(descriptor, 0o664)
        finally:
            os.close(descriptor)


def publish(staged: str, path: str) -> None:
    """Move the finished file *staged* to *path* of the same filesystem, atomically, making the directory on demand.

    A directory that stands in its place is moved away first: nothing of a store is a directory where a file belongs.
    """
    directory = os.path.dirname(path)
    try:
        give(staged, directory)
        os.replace(staged, path)
    except FileNotFoundError:
        make_directory(directory)
        give(staged, directory)
        os.replace(staged, path)
    except OSError:
        if not is_directory(path):
            raise
        put_aside(path, os.path.dirname(staged))
        os.replace(staged, path)


def put_aside(path: str, staging: str) -> None:
    """Take what stands at *path*, of whatever kind, out of the way and remove it; the directory *staging* is near.

    Raises:
        OSError: it cannot be moved.
    """
    aside = staging_name(staging)
    os.rename(path, aside)
    empty_trash(aside)


def publish_bytes(staging: str, path: str, content: bytes) -> None:
    """Write *content* to *path*: readers see the old content or the whole new one."""
    staged = staging_name(staging)
    try:
        with create(staged) as stream:
            stream.write(content)
            if sys.platform != "win32":
                os.fchmod(stream.fileno(), 0o644)  # who may read it is said by the directories, not by the umask
        publish(staged, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(staged)
        raise
