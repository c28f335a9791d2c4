"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat

from nox_linkenv.store.directories import is_directory
from nox_linkenv.store.trash import empty_trash

__all__ = [
    "make_directory",
    "make_shared",
    "publish",
    "publish_bytes",
    "put_aside",
    "staging_name",
]


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
    if os.name == "posix":
        mode = stat.S_IMODE(os.stat(parent).st_mode)
        os.chmod(path, mode & (stat.S_ISGID | 0o070) | 0o705 & mode | 0o700)


def make_shared(path: str) -> None:
    """Make the empty file *path*, unless it is there, for everyone to write who may write its directory."""
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            if os.name == "posix" and os.stat(os.path.dirname(path)).st_mode & stat.S_IWGRP:
                os.fchmod(descriptor, 0o664)
        finally:
            os.close(descriptor)


def publish(staged: str, path: str) -> None:
    """Move the finished file *staged* to *path* of the same filesystem, atomically, making the directory on demand.

    A directory that stands in its place is moved away first: nothing of a store is a directory where a file belongs.
    """
    try:
        os.replace(staged, path)
    except FileNotFoundError:
        make_directory(os.path.dirname(path))
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
        with open(staged, "xb") as stream:
            stream.write(content)
            if os.name == "posix":
                os.fchmod(stream.fileno(), 0o644)  # who may read it is said by the directories, not by the umask
        publish(staged, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(staged)
        raise
