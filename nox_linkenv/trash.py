"""Trash: environments that were replaced.  They are renamed at once and removed when nobody waits."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["empty_trash", "find_trash", "trash_name"]

_MARK: Final = ".linkenv-trash-"


def trash_name(path: str) -> str:
    """Return a free name beside *path*, on the same filesystem."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f"{_MARK}{name}-{secrets.token_hex(4)}")


def find_trash(directory: str) -> list[str]:
    """Return what killed runs have left to be removed in *directory*."""
    with contextlib.suppress(OSError):
        return [os.path.join(directory, name) for name in os.listdir(directory) if name.startswith(_MARK)]
    return []


def empty_trash(path: str) -> None:
    """Remove *path*, read-only directories in it included; what cannot be removed is left for another time.

    Only directories are made writable: a file's mode is shared with the store.
    """

    def retry(function: Callable[..., object], name: str, _: object) -> None:
        with contextlib.suppress(OSError):
            parent = os.path.dirname(name)
            os.chmod(parent, stat.S_IMODE(os.lstat(parent).st_mode) | stat.S_IRWXU)
            if os.path.isdir(name) and not os.path.islink(name):
                os.chmod(name, stat.S_IRWXU)
                shutil.rmtree(name, ignore_errors=True)
            else:
                os.unlink(name)

    if os.path.islink(path) or os.path.isfile(path):
        with contextlib.suppress(OSError):
            os.unlink(path)
    else:
        shutil.rmtree(path, onerror=retry)
