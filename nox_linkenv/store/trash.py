"""Trash: environments that were replaced.  They are renamed at once and removed when nobody waits."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import time
from typing import TYPE_CHECKING, Final

from nox_linkenv.store.directories import is_directory

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["donor_name", "empty_trash", "find_trash", "put_away", "trash_name"]

_TRASH: Final = ".linkenv-trash-"
_DONOR: Final = ".linkenv-donor-"
#: Seconds after which a donor has been left by a run that was killed.
_LEFT: Final = 3600


def trash_name(path: str) -> str:
    """Return a free name beside *path*, on the same filesystem, for what is to be removed."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f"{_TRASH}{name}-{secrets.token_hex(4)}")


def donor_name(path: str) -> str:
    """Return a free name beside *path*, on the same filesystem, for what is to be taken over from in a moment."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f"{_DONOR}{name}-{secrets.token_hex(4)}")


def find_trash(directory: str) -> list[str]:
    """Return what is to be removed in *directory*, also what killed runs have left."""
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            if name.startswith(_TRASH) or (name.startswith(_DONOR) and time.time() - os.lstat(path).st_ctime > _LEFT):
                found.append(path)
    return found


def put_away(path: str, aside: str) -> bool:
    """Rename the directory *path* to *aside*; where the system cannot rename it, remove it.

    An overlay refuses to rename a directory of a lower layer (EXDEV), such as an environment baked into an image.

    Returns:
        whether it is at *aside*.

    Raises:
        OSError: it can neither be renamed nor removed.
    """
    try:
        os.rename(path, aside)
    except FileNotFoundError:  # somebody else has just moved it away
        return False
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        empty_trash(path)
        if os.path.lexists(path):
            raise
        return False
    return True


def empty_trash(path: str) -> None:
    """Remove *path*, read-only directories in it included; what cannot be removed is left for another time.

    Only directories are made writable: a file's mode is shared with the store.  No link is followed, and nothing
    outside of *path* is changed.
    """

    def retry(function: Callable[..., object], name: str, _: object) -> None:
        with contextlib.suppress(OSError):
            parent = os.path.dirname(name)
            if name != path and is_directory(parent):
                os.chmod(parent, stat.S_IMODE(os.lstat(parent).st_mode) | stat.S_IRWXU)
            if is_directory(name):
                os.chmod(name, stat.S_IRWXU)
                shutil.rmtree(name, ignore_errors=True)
            else:
                os.unlink(name)

    if is_directory(path):
        shutil.rmtree(path, onerror=retry)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)
